// The demo's history: what was said is there after reloads, for who comes later, and by topics.

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
/** Longer than one attempt of the demo to go online. */
const ATTEMPT_MS = 25_000;

describe('the history of the chat', { timeout: 400_000 }, () => {
  let stage;
  let contexts = [];
  const shots = mkdtempSync(join(tmpdir(), 'peer-group-history-'));

  before(async () => {
    stage = await Stage.set({ www: process.env.PEER_GROUP_DEMO, plain: true });
  });
  after(async () => {
    await Promise.all(contexts.map((context) => context.close()));
    process.stderr.write(`Screenshots: ${shots}\n`);
    await stage?.clear();
  });

  /** A window of somebody new: nothing is stored yet. */
  async function stranger(url) {
    const context = await (await stage.browser('chromium')).createBrowserContext();
    contexts = [...contexts, context];
    return Window.open(context, url);
  }

  async function shoot(window, name) {
    for (const [size, width] of [
      ['phone', 360],
      ['desktop', 1280],
    ]) {
      await window.resize({ width, height: 720 });
      await window.fits();
      await window.page.screenshot({ path: join(shots, `${name}-${size}.png`) });
    }
  }

  test('two talk by topics, both reload, and a third reads what they said', LIMIT, async () => {
    const a = await stranger(stage.origin);
    const ada = a.person();
    await ada.create('Ada', 'Sunday walkers');
    const link = await ada.link(5);
    await ada.say('Written while alone.');
    await ada.talk('Written while alone.');

    const b = await Window.open(await stage.browser('firefox'), link);
    const bo = b.person();
    await bo.comeIn('Bo');
    await bo.talk('Written while alone.');
    await bo.reads('.line .who', 'Ada');
    await bo.reads('.line time', ':');
    await bo.say('Read it.');
    await ada.talk('Written while alone.', 'Read it.');

    await ada.click('.new-topic');
    await ada.find('[name="topic"]');
    await shoot(a, '0-new-topic');
    await a.page.keyboard.press('Escape');
    await ada.topic('Picnic');
    await ada.talk();
    await ada.say('Who brings bread?');
    await bo.reads('.tabs .badge', '1');
    await bo.show('Picnic');
    await bo.talk('Who brings bread?');
    await bo.say('I do. <i>Rye</i>?');
    await ada.talk('Who brings bread?', 'I do. <i>Rye</i>?');
    await shoot(a, '1-topic');

    // Both are gone at once: only what each has stored is left.
    await Promise.all([a.page.goto('about:blank'), b.page.goto('about:blank')]);
    await Promise.all([a.page.goto(stage.origin), b.page.goto(stage.origin)]);
    for (const one of [ada, bo]) {
      await one.talk('Written while alone.', 'Read it.');
      assert.deepEqual(await one.texts('.tabs .badge'), ['', ''], 'what is known is not new');
      await one.show('Picnic');
      await one.talk('Who brings bread?', 'I do. <i>Rye</i>?');
      await one.reads('.status', 'Online with 1 other', ATTEMPT_MS);
    }

    const c = await stranger(link);
    const cleo = c.person();
    await cleo.comeIn('Cleo');
    await cleo.talk('Written while alone.', 'Read it.');
    await cleo.show('Picnic');
    await cleo.talk('Who brings bread?', 'I do. <i>Rye</i>?');
    assert.deepEqual(await cleo.texts('.panel:not([hidden]) .who bdi'), ['Ada', 'Bo']);
    assert.deepEqual(await cleo.texts('.line .icon-button'), [], 'nothing of hers to change');

    const everybody = [ada, bo, cleo];
    await ada.press('Who brings bread?', 'Edit');
    await ada.fill('edited', 'Who brings cheese?');
    await shoot(a, '2-editing');
    await a.page.keyboard.press('Enter');
    for (const one of everybody) {
      await one.talk('Who brings cheese?', 'I do. <i>Rye</i>?');
      await one.reads('.mark', 'edited');
    }
    await ada.press('Who brings cheese?', 'Delete');
    await shoot(a, '2-deleting');
    await ada.press('Who brings cheese?', 'Really delete?');
    for (const one of everybody) await one.talk('I do. <i>Rye</i>?');
    await shoot(c, '3-third');

    // Whoever wrote it goes and the others begin anew: it stays, and what was deleted stays away.
    await a.close();
    await Promise.all([b.page.goto('about:blank'), c.page.goto('about:blank')]);
    await Promise.all([b.page.goto(stage.origin), c.page.goto(stage.origin)]);
    for (const one of [bo, cleo]) {
      await one.reads('.status', 'Online with 1 other', ATTEMPT_MS);
      await one.talk('Written while alone.', 'Read it.');
      await one.show('Picnic');
      await one.talk('I do. <i>Rye</i>?');
    }
    for (const window of [b, c]) window.isQuiet();
    await Promise.all([b.close(), c.close()]);
  });

  test(
    'those who came with a link cannot let others in with it, and it says so',
    LIMIT,
    async () => {
      const a = await stranger(stage.origin);
      const ada = a.person();
      await ada.create('Ada', 'Doors');
      const link = await ada.link(5);
      const bo = (await stranger(link)).person();
      await bo.comeIn('Bo');
      await bo.reads('.status', 'Online with 1 other', ATTEMPT_MS);
      await bo.say('I stay.');
      await ada.talk('I stay.');
      await ada.click('.head [aria-label="Close the group"]');
      await bo.reads('.status', 'Online, nobody else yet', ATTEMPT_MS);
      const c = await stranger(link);
      const cleo = c.person();
      await cleo.comeIn('Cleo');
      await cleo.trouble('no-member-connections', 'Nobody here lets you in', ATTEMPT_MS);
      await shoot(c, '6-not-let-in');
      await ada.click('.groups .group');
      await cleo.reads('.status', 'Online with 2 others', 2 * ATTEMPT_MS);
      await cleo.talk('I stay.');
      assert.deepEqual(await cleo.texts('.trouble'), []);
      c.isQuiet();
    },
  );

  test('who is not in yet keeps what was written, and sends it then', LIMIT, async () => {
    const a = await stranger(stage.origin);
    const ada = a.person();
    await ada.create('Ada', 'Late');
    const link = await ada.link(5);
    await ada.click('.head [aria-label="Close the group"]');
    const b = await stranger(link);
    const bo = b.person();
    await bo.comeIn('Bo');
    await bo.trouble('no-members-found', 'Nobody of the group is online', ATTEMPT_MS);
    await bo.say('Hello?');
    await bo.trouble('group-not-ready', 'You are not in yet');
    await bo.reads('.trouble p', 'It was not sent, and what you wrote is still there.');
    await shoot(b, '5-not-in-yet');
    await ada.click('.groups .group');
    await bo.reads('.status', 'Online with 1 other', ATTEMPT_MS);
    // The status is told while the call that waits for it has yet to be answered.
    await bo.lacks('.trouble', 'You are not in yet');
    await bo.click('.send');
    await ada.talk('Hello?');
    a.isQuiet();
    b.isQuiet();
  });

  test('storage is full: the words stay in the box and go out later', LIMIT, async () => {
    // Of its own: the limit is one of a browser's lasting storage.
    const browser = await stage.browser('chromium', 'chromium full');
    const a = await Window.open(browser, stage.origin);
    const ada = a.person();
    await ada.create('Ada', 'Full');
    await ada.say('The first.');
    await ada.talk('The first.');
    const session = await a.page.createCDPSession();
    const { origin } = stage;
    const quota = (size) => session.send('Storage.overrideQuotaForOrigin', { origin, ...size });
    await quota({ quotaSize: 4 * 1024 * 1024 });
    await a.page.evaluate(fillStorage);
    const long = 'ö'.repeat(4000);
    await ada.paste(long);
    await ada.trouble('storage-full', 'This browser’s storage is full or blocked');
    await ada.reads('.trouble p', 'It was not sent, and what you wrote is still there.');
    await ada.talk('The first.');
    const written = () => a.page.$eval('.composer textarea', ({ value }) => value);
    assert.equal(await written(), long);
    await shoot(a, '4-storage-full');
    await quota({});
    await ada.click('.trouble button');
    assert.deepEqual(await ada.texts('.trouble'), []);
    // The browser may take a while to notice that there is room again.
    const isSent = () => until(a.page, 2000, () => document.querySelectorAll('.line').length === 2);
    const limit = Date.now() + 60_000;
    do {
      assert.ok(Date.now() < limit, 'it is never sent');
      await ada.click('.send');
    } while (!(await isSent()));
    await ada.talk('The first.', long);
    assert.deepEqual([await written(), await ada.texts('.trouble')], ['', []]);
    a.isQuiet();
  });
});

/** Runs in the page: another database of this site takes all the room there is. */
async function fillStorage() {
  const database = await new Promise((resolve, reject) => {
    const request = indexedDB.open('filling');
    request.onupgradeneeded = () =>
      request.result.createObjectStore('all', { autoIncrement: true });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const put = (size) =>
    new Promise((resolve) => {
      const transaction = database.transaction('all', 'readwrite');
      transaction.objectStore('all').add(crypto.getRandomValues(new Uint8Array(size)));
      transaction.oncomplete = () => resolve(true);
      transaction.onabort = () => resolve(false);
    });
  for (let size = 65_536; size >= 64; size /= 2) while (await put(size));
  database.close();
}
