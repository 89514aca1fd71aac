// The demo's doors: inviting by link, card and password, and what is said where somebody stays outside.

import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { encode } from 'uqr';
import { Window } from './demo.mjs';
import { ownNetwork } from './network.mjs';
import { Stage } from './stage.mjs';
import { until } from './until.mjs';

await ownNetwork(import.meta.url);

const LIMIT = { timeout: 60_000 };
const PASSWORD = 'three green teapots';

describe('the doors of the chat', { timeout: 200_000 }, () => {
  let stage;
  let contexts = [];
  let windows = [];
  const shots = mkdtempSync(join(tmpdir(), 'peer-group-doors-'));

  before(async () => {
    stage = await Stage.set({ www: process.env.PEER_GROUP_DEMO, plain: true });
  });
  afterEach(async () => {
    const [open, seen] = [contexts, windows];
    [contexts, windows] = [[], []];
    for (const window of seen) window.isQuiet();
    await Promise.all(open.map((context) => context.close()));
  });
  after(async () => {
    process.stderr.write(`Screenshots: ${shots}\n`);
    await stage?.clear();
  });

  /** A window of somebody new: nothing is stored yet. */
  async function stranger(url = stage.origin) {
    const context = await (await stage.browser('chromium')).createBrowserContext();
    contexts.push(context);
    const window = await Window.open(context, url);
    windows.push(window);
    return [window.person(), window];
  }

  /** Pictures at both widths; nothing may stick out at either. */
  async function shoot(window, name) {
    for (const [size, width] of [
      ['phone', 360],
      ['desktop', 1280],
    ]) {
      await window.resize({ width, height: 760 });
      await window.fits();
      const cut = await window.page.$$eval(
        'dialog',
        (all) => all.filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth).length,
      );
      assert.equal(cut, 0, 'nothing is cut off in the dialog');
      await window.page.screenshot({ path: join(shots, `${name}-${size}.png`) });
    }
  }

  test('a link and its picture let somebody in, and once withdrawn nobody', LIMIT, async () => {
    const [ada, a] = await stranger();
    await ada.create('Ada', 'Open house');
    const link = await ada.invitation({ uses: '5', role: 'inviting-member' });
    assert.ok(link.startsWith(`${stage.origin}/#pg-invite:`), link);
    assert.deepEqual(await a.page.evaluate(drawn), modules(link), 'the picture is the link');
    await shoot(a, '1-link');

    const [bo, b] = await stranger(link);
    await bo.reads('.invited .hint', 'You come in as member who may invite.');
    await bo.comeIn('Bo');
    await bo.reads('.status', 'Online with 1 other');
    // A link of one's own, of no more than one's own role, that nobody but an admin withdraws.
    const further = await bo.invitation({ uses: '1' });
    assert.notEqual(further, link);
    assert.deepEqual(await bo.texts('[name="role"] option'), ['member', 'member who may invite']);
    assert.equal(await b.page.$eval('.sure', (button) => button.checkVisibility()), false);
    await b.page.keyboard.press('Escape');
    const [cleo] = await stranger(further);
    await cleo.comeIn('Cleo');
    await cleo.reads('.status', 'Online with 2 others');
    const [eve] = await stranger(further);
    await eve.comeIn('Eve');
    await eve.trouble('invitation-used-up', 'This invitation is used up');

    await ada.click('.share .sure');
    await ada.reads('.share .sure', 'Withdraw it and all who came by it?');
    await ada.click('.share .sure');
    await ada.reads('.said-of-link', 'Withdrawn. It lets nobody in any more');
    assert.deepEqual(await a.page.$$('.qr'), [], 'there is no picture of nothing');
    await shoot(a, '2-withdrawn');
    await bo.trouble('invitation-revoked', 'This invitation was withdrawn');
    await bo.reads('.trouble p', 'the reason given: The invitation was withdrawn.');
    const [dan] = await stranger(link);
    await dan.comeIn('Dan');
    await dan.trouble('invitation-revoked', 'This invitation was withdrawn');

    await ada.click('.share .again');
    const next = await ada.madeLink();
    assert.notEqual(next, link);
    await a.page.keyboard.press('Escape');
    assert.ok(await a.page.evaluate(() => document.activeElement?.matches('.invite')));
    const isGone = () => document.querySelector('dialog') === null;
    assert.ok(await until(a.page, 5000, isGone), 'the dialog is closed');

    // Who was thrown out forgets the group when it has read that.
    await bo.click('.trouble button');
    await bo.reads('.page .happened', 'Open house is forgotten here.');
    assert.deepEqual(await bo.texts('.groups li'), []);
  });

  test('a link for one person, by the card', LIMIT, async () => {
    const [bo, b] = await stranger();
    await bo.fill('name', 'Bo');
    const context = b.page.browserContext();
    await context.overridePermissions(stage.origin, [
      'clipboard-read',
      'clipboard-sanitized-write',
    ]);
    await bo.click('form.quiet .copy');
    await bo.reads('form.quiet .copy', 'Copied');
    const card = await b.page.evaluate(() => navigator.clipboard.readText());

    const [ada, a] = await stranger();
    await ada.create('Ada', 'For Bo');
    await ada.click('.invite');
    await ada.choose('way', 'card');
    await ada.put('card', 'no card at all');
    await ada.reads('.said-of-link', 'That is no card');
    await ada.put('card', card);
    const link = await ada.madeLink();
    assert.deepEqual(await a.page.evaluate(drawn), modules(link));
    await shoot(a, '3-card');

    const [eve] = await stranger(link);
    await eve.reads('.invited .hint', 'It is for you alone.');
    await eve.comeIn('Eve');
    await eve.find('.trouble');
    assert.deepEqual(await eve.texts('.composer'), [], 'she is not in');
    await b.page.goto(link);
    await bo.comeIn('Bo');
    await bo.reads('.status', 'Online with 1 other');
    await bo.click('.invite');
    await bo.reads('.share .hint', 'You came in by a link for you alone');
  });

  test('by password: a wrong one is said at once, and the right one opens', LIMIT, async () => {
    const [ada, a] = await stranger();
    await ada.fill('name', 'Ada');
    await ada.fill('group', 'Tea');
    await ada.fill('password', '12345678');
    await a.page.keyboard.press('Enter');
    await ada.trouble('password-does-not-meet-policy', 'That password is too easy to guess');
    await shoot(a, '4-too-easy');
    await ada.fill('password', PASSWORD);
    await ada.click('form.card:not(.quiet) button.primary');
    await ada.reads('.head h1', 'Tea');
    const link = await ada.invitation({ way: 'password' });
    assert.deepEqual(await a.page.evaluate(drawn), modules(link));
    assert.equal(await a.page.$eval('.sure', (button) => button.checkVisibility()), false);
    await shoot(a, '5-password');
    await a.page.keyboard.press('Escape');

    const [bo, b] = await stranger(link);
    await bo.find('.invited [name="password"]');
    await bo.fill('name', 'Bo');
    await bo.fill('password', 'three green teacups');
    await b.page.keyboard.press('Enter');
    await bo.trouble('wrong-password', 'That is not the password');
    await bo.find('.invited [name="password"]');
    await shoot(b, '6-wrong-password');
    // It is told again after a reload as well, where the card has gone.
    await b.page.reload();
    await bo.trouble('wrong-password', 'That is not the password');
    await bo.click('.trouble button');
    await bo.fill('password', PASSWORD);
    await b.page.keyboard.press('Enter');
    await bo.reads('.status', 'Online with 1 other');
    await ada.reads('.people .name', 'Bo');
    await bo.say('It was the pots.');
    await ada.talk('It was the pots.');
    // He hands on what he came in with, which asks for the password again.
    await bo.click('.invite');
    assert.equal(await bo.madeLink(), link);
  });

  test('who is removed reads why, and who leaves is gone', LIMIT, async () => {
    const [ada, a] = await stranger();
    await ada.create('Ada', 'Quiet corner');
    const link = await ada.link(5);
    const [bo, b] = await stranger(link);
    await bo.comeIn('Bo');
    const [cleo, c] = await stranger(link);
    await cleo.comeIn('Cleo');
    for (const one of [ada, bo, cleo]) await one.reads('.status', 'Online with 2 others');
    await bo.say('LISTEN TO ME');
    await cleo.say('Shh.');
    for (const one of [ada, bo, cleo]) await one.reads('.log .words', 'Shh.');
    await ada.reads('.log .words', 'LISTEN TO ME');

    await cleo.click('.open-roster');
    for (const role of ['admin · here', 'member · here']) await cleo.reads('.roster .meta', role);
    assert.deepEqual(await cleo.texts('.roster li button'), [], 'she removes nobody');
    await c.page.keyboard.press('Escape');

    await ada.click('.open-roster');
    await ada.reads('.roster .name', 'Bo');
    const labels = () =>
      a.page.$$eval('.roster li button', (all) => all.map((button) => button.ariaLabel).sort());
    assert.deepEqual(await labels(), ['Remove Bo', 'Remove Cleo'], 'everybody but herself');
    await shoot(a, '7-members');
    // Asked, and left as it is.
    await ada.click('[aria-label="Remove Bo"]');
    await ada.reads('.asking h3', 'Remove Bo?');
    await a.page.keyboard.press('Escape');
    assert.deepEqual(await labels(), ['Remove Bo', 'Remove Cleo']);
    await ada.click('[aria-label="Remove Bo"]');
    await ada.fill('reason', 'Too loud');
    await ada.click('.asking [name="records"]');
    await shoot(a, '8-removing');
    await ada.click('.asking .danger');
    await ada.lacks('.roster .name', 'Bo');
    await a.page.keyboard.press('Escape');
    for (const one of [ada, cleo]) {
      await one.reads('.log .note', 'Bo was removed from the group.');
      await one.talk('Shh.');
      await one.reads('.status', 'Online with 1 other');
    }
    const isTold = async () => {
      await bo.trouble('credential-revoked', 'You were removed from this group');
      await bo.reads('.trouble p', 'the reason given: Too loud');
    };
    await isTold();
    const notes = await bo.texts('.log .note');
    assert.deepEqual(
      notes.filter((note) => note.includes('left')),
      [],
      'nobody but him is gone',
    );
    await shoot(b, '9-removed');
    await bo.say('Hello?');
    await bo.reads('.composer-hint', 'You are no longer in this group.');
    await b.page.reload();
    await isTold();

    await cleo.click('.open-roster');
    await cleo.click('.leave-group');
    await cleo.reads('.asking h3', 'Leave Quiet corner?');
    await shoot(c, '10-leaving');
    await cleo.click('.asking .danger');
    await cleo.reads('.page .happened', 'You left Quiet corner.');
    assert.deepEqual(await cleo.texts('.groups li'), []);
    await ada.reads('.log .note', 'Cleo left the group for good.');
    await ada.reads('.status', 'Online, nobody else yet');
    await c.page.reload();
    await cleo.find('.hero');
    await ada.click('.open-roster');
    await ada.lacks('.roster .name', 'Cleo');
    assert.deepEqual(await ada.texts('.roster .name'), ['Ada']);
  });
});

/** Runs in the page: the modules as they are painted, row by row, the rim included. */
function drawn() {
  const svg = document.querySelector('.qr');
  const path = svg.querySelector('path');
  const { width } = svg.viewBox.baseVal;
  const point = svg.createSVGPoint();
  const rows = [];
  for (let y = 0; y < width; y += 1) {
    let row = '';
    for (let x = 0; x < width; x += 1) {
      point.x = x + 0.5;
      point.y = y + 0.5;
      row += path.isPointInFill(point) ? '#' : '.';
    }
    rows.push(row);
  }
  return rows;
}

/** What a picture of that text has to be, with the rim that cameras need. */
function modules(text) {
  const { data } = encode(text, { ecc: 'L', border: 4 });
  return data.map((row) => row.map((dark) => (dark ? '#' : '.')).join(''));
}
