// The demo as people use it: two windows, two people in one window, the keyboard alone.

import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Window } from './demo.mjs';
import { ownNetwork } from './network.mjs';
import { Stage } from './stage.mjs';
import { until } from './until.mjs';

await ownNetwork(import.meta.url);

const LIMIT = { timeout: 120_000 };
const PHONE = { width: 360, height: 720 };
const DESKTOP = { width: 1280, height: 800 };

describe('the chat', { timeout: 400_000 }, () => {
  let stage;
  const shots = mkdtempSync(join(tmpdir(), 'peer-group-chat-'));
  before(async () => {
    stage = await Stage.set({ www: process.env.PEER_GROUP_DEMO, plain: true });
  });
  after(async () => {
    process.stderr.write(`Screenshots: ${shots}\n`);
    await stage?.clear();
  });

  /** Pictures at both widths; nothing may stick out at either. */
  async function shoot(window, name) {
    for (const [size, viewport] of Object.entries({ phone: PHONE, desktop: DESKTOP })) {
      await window.resize(viewport);
      await window.fits();
      await window.page.screenshot({ path: join(shots, `${name}-${size}.png`) });
    }
  }

  test('two windows: create, copy the link, join, chat, whisper, reload', LIMIT, async () => {
    const chromium = await stage.browser('chromium');
    const a = await Window.open(chromium, stage.origin);
    const ada = a.person();
    await ada.find('.hero');
    await shoot(a, '1-home');
    await ada.create('Ada', 'Sunday walkers');
    await ada.reads('.empty h2', 'You are the first one here');
    await shoot(a, '2-alone');

    const context = chromium.defaultBrowserContext();
    await context.overridePermissions(stage.origin, [
      'clipboard-read',
      'clipboard-sanitized-write',
    ]);
    await ada.click('.empty .copy');
    await ada.reads('.empty .copy', 'Copied');
    const link = await a.page.evaluate(() => navigator.clipboard.readText());
    assert.ok(link.startsWith(`${stage.origin}/#pg-invite:`), link);

    const b = await Window.open(await stage.browser('firefox'), link);
    const bo = b.person();
    await bo.reads('.invited h1', 'Sunday walkers');
    const href = () => b.page.evaluate(() => location.href);
    assert.equal(await href(), `${stage.origin}/`, 'the invitation is not in the address');
    await shoot(b, '3-invited');
    await bo.comeIn('Bo');
    await bo.reads('.status', 'Online with 1 other');
    await ada.reads('.people .name', 'Bo');
    await ada.reads('[data-peer] .meta', 'direct');
    await ada.reads('.log .note', 'Bo is here.');
    await bo.reads('.people .name', 'Ada');

    await ada.say('Shall we meet at the mill at nine?');
    await bo.reads('.log .words', 'Shall we meet at the mill at nine?');
    await bo.say('<b>Nine</b> is early. But yes.');
    await ada.reads('.log .words', '<b>Nine</b> is early. But yes.');
    assert.equal(await a.page.$('.log b'), null, 'what comes in is text, not markup');
    await shoot(a, '4-chat');

    await ada.click('[data-peer] button');
    await ada.reads('.whisper-bar', 'A direct connection: only you and Bo see this.');
    await ada.say('It is Cleo’s birthday.');
    await bo.reads('.tabs .badge', '1');
    await bo.click('.tabs [role="tab"]:nth-child(2)');
    await bo.reads('.log .words', 'It is Cleo’s birthday.');
    await bo.say('I bring a cake.');
    await ada.reads('.log .words', 'I bring a cake.');
    await shoot(a, '5-whisper');
    await ada.click('.whisper-bar button');
    await bo.reads('.log .note', 'Ada ended the whisper.');
    await bo.reads('.whisper-bar', 'Closed.');

    const meta = (await bo.texts('.self .meta'))[0];
    await b.page.reload();
    await bo.reads('.status', 'Online with 1 other');
    assert.equal((await bo.texts('.self .meta'))[0], meta, 'the same peer');
    await bo.reads('.log .words', 'Shall we meet at the mill at nine?');
    await bo.say('Back again.');
    await ada.reads('.tabs .badge', '1');
    await ada.click('.tabs [role="tab"]:first-child');
    await ada.reads('.log .words', 'Back again.');
    await shoot(b, '6-reloaded');

    await bo.click('.head [aria-label="Close the group"]');
    await bo.reads('.groups', 'Sunday walkers');
    await ada.reads('.log .note', 'Bo left.');
    await shoot(b, '7-groups');
    await bo.click('.groups .group');
    await bo.reads('.status', 'Online with 1 other');
    await a.isCalm();
    a.isQuiet();
    b.isQuiet();
    await Promise.all([a.close(), b.close()]);
  });

  test('someone else in this window, still there after a reload', LIMIT, async () => {
    const browser = await (await stage.browser('chromium')).createBrowserContext();
    const window = await Window.open(browser, stage.origin);
    const ada = window.person();
    await ada.create('Ada', 'Try it alone');
    await ada.click('.empty .plain');
    const bo = window.person('guest-1');
    await bo.comeIn('Bo');
    await ada.reads('.people .name', 'Bo');
    await bo.reads('.people .name', 'Ada');
    await ada.say('Is there an echo?');
    await bo.reads('.log .words', 'Is there an echo?');
    await bo.say('Only me.');
    await ada.reads('.log .words', 'Only me.');
    await shoot(window, '8-someone-else');

    await ada.click('.self .icon-button');
    await ada.fill('name', 'Augusta');
    await window.page.keyboard.press('Enter');
    await bo.reads('.log .note', 'Ada is now called Augusta.');
    await bo.click('.check');
    await ada.click('[data-peer] button');
    await ada.reads('.log .note', 'They do not take whispers now.');
    await ada.reads('.whisper-bar', 'Closed.');
    await ada.click('.tabs [role="tab"]:first-child');
    const ids = async () => [await ada.texts('.self .meta'), await bo.texts('.self .meta')];
    const before = await ids();

    await window.page.reload();
    await bo.reads('.status', 'Online with 1 other');
    await ada.reads('.status', 'Online with 1 other');
    assert.deepEqual(await ids(), before, 'the same two people');
    await bo.say('Still here.');
    await ada.reads('.log .words', 'Still here.');

    await window.page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]);
    await shoot(window, '9-dark');
    await window.resize(PHONE);
    await window.page.click('.seats button:first-child');
    await ada.find('.composer');
    assert.equal(
      await window.page.$eval('[data-person="guest-1"]', (e) => e.checkVisibility()),
      false,
    );
    await window.isCalm();
    window.isQuiet();
    await browser.close();
  });

  test('three people: words reach all, and who goes is gone', LIMIT, async () => {
    const browser = await (await stage.browser('chromium')).createBrowserContext();
    const window = await Window.open(browser, stage.origin, { width: 1600, height: 800 });
    const ada = window.person();
    await ada.create('Ada', 'Three');
    const link = await ada.link(5);
    const people = [ada];
    for (const [id, name] of [
      ['guest-1', 'Bo'],
      ['guest-2', 'Cleo'],
    ]) {
      await ada.click('.invite');
      await ada.click('.share > button:last-child');
      await window.person(id).comeIn(name);
      people.push(window.person(id));
    }
    const cleo = people[2];
    for (const one of people) await one.reads('.status', 'Online with 2 others');
    await cleo.say('Three is company.');
    for (const one of people) await one.reads('.log .words', 'Three is company.');
    await shoot(window, '11-three');
    await window.resize({ width: 1600, height: 800 });

    await cleo.click('.head [aria-label="Close the group"]');
    await ada.reads('.log .note', 'Cleo left.');
    await cleo.reads('.groups', 'Three');
    await cleo.click('.groups .plain');
    await cleo.reads('.groups', 'Really forget?');
    await cleo.click('.groups .plain');
    assert.ok(
      await until(
        window.page,
        5000,
        () => !document.querySelector('[data-person="guest-2"] .groups li'),
      ),
    );
    await cleo.click('.leave');
    assert.ok(
      await until(window.page, 5000, () => !document.querySelector('[data-person="guest-2"]')),
    );

    // A link that came with words around it, pasted by somebody new.
    const other = await (await stage.browser('chromium')).createBrowserContext();
    const elsewhere = await Window.open(other, stage.origin);
    const dan = elsewhere.person();
    await dan.fill('link', `Come: ${link.replace('pg-invite:', 'pg-invite%3A')} !`);
    await dan.fill('name', 'Dan');
    await dan.click('form.quiet button');
    await dan.reads('.invited h1', 'Three');
    await dan.click('.invited button.primary');
    await dan.reads('.status', 'Online with 2 others');
    window.isQuiet();
    elsewhere.isQuiet();
    await Promise.all([browser.close(), other.close()]);
  });

  test('the keyboard is enough, and the focus is seen', LIMIT, async () => {
    const browser = await (await stage.browser('chromium')).createBrowserContext();
    const window = await Window.open(browser, stage.origin);
    const { keyboard } = window.page;
    await window.person().find('.hero');

    /** Presses Tab until the focus is on a matching element; each stop on the way must be seen. */
    const tabTo = async (selector, { back = false } = {}) => {
      for (let step = 0; step < 40; step += 1) {
        if (back) await keyboard.down('Shift');
        await keyboard.press('Tab');
        if (back) await keyboard.up('Shift');
        const stop = await window.page.evaluate((wanted) => {
          const element = document.activeElement;
          const { outlineStyle, outlineWidth } = getComputedStyle(element);
          const name = element.ariaLabel || element.labels?.[0]?.textContent || element.textContent;
          return {
            what: element.outerHTML.slice(0, 100),
            isBody: element === document.body,
            isSeen: outlineStyle !== 'none' && Number.parseFloat(outlineWidth) >= 2,
            isNamed: name.trim() !== '',
            isWanted: element.matches(wanted),
          };
        }, selector);
        if (stop.isBody) continue;
        assert.ok(stop.isSeen, `the focus is not seen on ${stop.what}`);
        assert.ok(stop.isNamed, `no name for ${stop.what}`);
        if (stop.isWanted) return;
      }
      assert.fail(`Tab does not lead to ${selector}`);
    };
    const focused = () => window.page.evaluate(() => document.activeElement?.name ?? '');

    await tabTo('[name="name"]');
    await keyboard.type('Ada');
    await tabTo('[name="group"]');
    await keyboard.type('Keys only');
    await keyboard.press('Enter');
    const ada = window.person();
    await ada.reads('.empty h2', 'You are the first one here');
    assert.equal(await focused(), 'message', 'one can write at once');

    await tabTo('.invite', { back: true });
    await keyboard.press('Enter');
    await ada.find('.share .link');
    assert.ok(await until(window.page, 5000, () => document.activeElement?.name === 'link'));
    await keyboard.press('Escape');
    assert.ok(await window.page.evaluate(() => document.activeElement?.matches('.invite')));
    await keyboard.press('Enter');
    await tabTo('.share > button:last-child');
    await keyboard.press('Enter');
    const bo = window.person('guest-1');
    await bo.find('.invited');
    await tabTo('[data-person="guest-1"] [name="name"]');
    await keyboard.type('Bo');
    await keyboard.press('Enter');
    await bo.reads('.people .name', 'Ada');
    assert.equal(await focused(), 'message');
    await keyboard.type('Hello from the keys');
    await keyboard.press('Enter');
    await ada.reads('.log .words', 'Hello from the keys');
    await tabTo('[data-person="guest-1"] [aria-label="Whisper to Ada"]', { back: true });
    await keyboard.press('Enter');
    await bo.reads('.whisper-bar', 'A direct connection');
    assert.equal(await focused(), 'message');
    await keyboard.type('quietly');
    await keyboard.press('Enter');
    await ada.reads('.tabs .badge', '1');
    await tabTo('[data-person="guest-1"] [role="tab"]', { back: true });
    await keyboard.press('ArrowLeft');
    const chosen = () => bo.texts('[role="tab"][aria-selected="true"] bdi');
    assert.deepEqual(await chosen(), ['General']);
    await shoot(window, '10-keyboard');
    await window.isCalm();
    window.isQuiet();
    await browser.close();
  });
});
