// Storage that is full or blocked: adding says so, nothing else breaks, and it works again afterwards.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { ownNetwork } from './network.mjs';
import { Page } from './page.mjs';
import { add, attend, texts, update, watched } from './records.mjs';
import { meet, Stage } from './stage.mjs';

await ownNetwork(import.meta.url);

const LIMIT = { timeout: 120_000 };
/** More than any browser lets pass when there is no room; Firefox compresses what it can. */
const LARGE = randomBytes(256 * 1024).toString('base64');

/** How each browser comes to have little room for this site, and much again. */
const LITTLE = {
  chromium: {
    options: {},
    async limit({ raw }, origin) {
      const session = await raw.createCDPSession();
      const set = (quota) => session.send('Storage.overrideQuotaForOrigin', { origin, ...quota });
      await set({ quotaSize: 4 * 1024 * 1024 });
      return () => set({});
    },
  },
  firefox: {
    // Kilobytes for all sites together.
    options: { preferences: { 'dom.quotaManager.temporaryStorage.fixedLimit': 16_384 } },
    async limit(page) {
      return () =>
        page.run(
          () =>
            new Promise((resolve, reject) => {
              const request = indexedDB.deleteDatabase('stuffing');
              request.onsuccess = () => resolve();
              request.onerror = () => reject(request.error);
            }),
        );
    },
  },
};

/** Runs in the page: another database takes all the room there is. */
async function stuff() {
  const open = () =>
    new Promise((resolve, reject) => {
      const request = indexedDB.open('stuffing');
      request.onupgradeneeded = () =>
        request.result.createObjectStore('values', { autoIncrement: true });
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  const put = (database, size) =>
    new Promise((resolve) => {
      const transaction = database.transaction('values', 'readwrite');
      transaction.objectStore('values').add(crypto.getRandomValues(new Uint8Array(size)));
      transaction.oncomplete = () => resolve(true);
      transaction.onabort = () => resolve(false);
    });
  for (let size = 65_536; size >= 1024; size /= 2) {
    // Firefox takes nothing from a connection right after there was no room.
    const database = await open();
    while (await put(database, size));
    database.close();
  }
}

for (const kind of ['chromium', 'firefox']) {
  describe(`storage in ${kind}`, { timeout: 300_000 }, () => {
    let stage;
    before(async () => {
      stage = await Stage.set();
    });
    after(() => stage?.clear());

    /** A group of a page whose storage is to fail and one in another browser. */
    const two = async (name, { options = {}, limit } = {}) => {
      const browser = await stage.browser(kind, `${kind} ${name}`, options);
      const a = new Page(await browser.newPage());
      const makeRoom = await limit?.(a, stage.origin);
      await a.load(stage.origin);
      const b = await stage.page('chromium', 'other');
      const met = await meet(stage, a, b, { name });
      for (const page of [a, b]) await page.run(attend, name);
      const old = await add(a, 'old');
      await watched(b, 'added', old);
      return { ...met, a, b, old, name, makeRoom };
    };

    /** Reading, changing elsewhere, and talking go on while `a` can store nothing. */
    const goesOn = async ({ a, b, old, name }) => {
      await assert.rejects(add(a, `refused ${LARGE}`), { code: 'storage-full' });
      assert.deepEqual(await texts(a), ['old']);
      const got = await a.run(
        (id) => globalThis.attended.records.get(id).then(({ id: of }) => of),
        old,
      );
      assert.equal(got, old);
      const [link] = await a.call('connections', name, 'neighbor');
      await a.call('send', name, link.id, 'still', 'here');
      assert.deepEqual(await b.call('texts', name, 'still', 1), ['here']);

      const theirs = await add(b, `theirs ${LARGE}`);
      await watched(a, 'added', theirs);
      const failed = await a.run(() =>
        globalThis.attended.when(({ failed: codes }) => codes.length > 0 && codes),
      );
      assert.equal(failed[0], 'storage-full');
      assert.equal(await update(b, theirs, 'theirs'), 'done');
      await watched(a, 'updated', theirs);
      assert.deepEqual(await texts(a), ['old', 'theirs']);

      const other = await stage.page(kind, `${kind} ${name}`);
      await other.call('create', 'memory', { friendlyName: 'Other page', storage: 'memory' });
      await other.run(attend, 'memory');
      await add(other, LARGE);
      await other.close();
    };

    /** After that everything is as if nothing had been, on disk, too. */
    const works = async ({ a, b, first, name }) => {
      const again = await add(a, `again ${LARGE}`);
      await watched(b, 'added', again);
      assert.deepEqual(
        await texts(b),
        [`again ${LARGE}`, 'old', 'theirs'],
        'nothing that was refused',
      );
      await a.reload();
      await a.call('open', name, first.groupId, { rendezvous: stage.origin });
      await a.run(attend, name);
      const stored = await texts(a);
      assert.deepEqual(
        stored.filter((text) => !text.startsWith('theirs')),
        [`again ${LARGE}`, 'old'],
      );
      await a.call('connect', name);
      await a.run(() =>
        globalThis.attended.when(({ watched: all }) => all.some(({ text }) => text === 'theirs')),
      );
      await Promise.all([a.isQuiet(), b.isQuiet()]);
      await Promise.all([a.close(), b.close()]);
    };

    test('it is full, and has room again', LIMIT, async () => {
      const set = await two('full', LITTLE[kind]);
      await set.a.run(stuff);
      await goesOn(set);
      await set.makeRoom();
      await works(set);
    });

    test('it is taken away, and given back', LIMIT, async () => {
      const set = await two('blocked');
      await set.a.run(() => {
        const { transaction } = IDBDatabase.prototype;
        IDBDatabase.prototype.transaction = () => {
          throw new DOMException('not now', 'SecurityError');
        };
        globalThis.giveBack = () => {
          IDBDatabase.prototype.transaction = transaction;
        };
      });
      await goesOn(set);
      await set.a.run(() => globalThis.giveBack());
      await works(set);
    });

    test('it was never allowed: memory serves', LIMIT, async () => {
      const browser = await stage.browser(kind, `${kind} never`, { storageBlocked: true });
      const a = await Page.open(browser, stage.origin);
      await assert.rejects(a.call('create', 'g', { friendlyName: 'Never' }), {
        code: 'no-key-access',
        isPeerError: true,
      });
      const b = await stage.page('chromium', 'other');
      const rendezvous = stage.origin;
      await b.call('create', 'never', { friendlyName: 'Never', rendezvous });
      await b.call('connect', 'never');
      const invitation = await b.call('invite', 'never');
      await a.call('join', 'never', invitation, { storage: 'memory' });
      await a.call('connect', 'never');
      for (const page of [a, b]) await page.run(attend, 'never');
      const mine = await add(a, 'mine');
      assert.equal((await watched(b, 'added', mine)).text, 'mine');
      await Promise.all([a.isQuiet(), b.isQuiet()]);
    });
  });
}
