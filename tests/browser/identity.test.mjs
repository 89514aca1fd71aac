// Identities in real browsers: moving to another one, and what of them lies in IndexedDB.

import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { ownNetwork } from './network.mjs';
import { Page } from './page.mjs';
import { linked, Stage } from './stage.mjs';

await ownNetwork(import.meta.url);

const LIMIT = { timeout: 60_000 };
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

/** An identity's id as text, from its seed. */
function peerOf(seed) {
  const head = Buffer.from('302e020100300506032b657004220420', 'hex');
  const key = createPrivateKey({ key: Buffer.concat([head, seed]), format: 'der', type: 'pkcs8' });
  const bytes = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const groups = bits.match(/.{1,5}/g).map((group) => group.padEnd(5, '0'));
  return groups.map((group) => BASE32[Number.parseInt(group, 2)]).join('');
}

/** Everything in a page's database: bytes as hexadecimal under their keys, keys as what they let one do. */
const stored = (page, name = 'peer-group') =>
  page.run(async (database) => {
    const done = (request) =>
      new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    const opened = await done(indexedDB.open(database));
    const values = opened.transaction('values').objectStore('values');
    const [keys, all] = await Promise.all([done(values.getAllKeys()), done(values.getAll())]);
    opened.close();
    const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    const plain = (value) => {
      if (value instanceof Uint8Array) return [hex(value)];
      if (value instanceof ArrayBuffer) return [hex(new Uint8Array(value))];
      if (Array.isArray(value)) return value.flatMap(plain);
      const { extractable, algorithm, usages } = value;
      return [{ extractable, algorithm: algorithm.name, usages: [...usages].sort() }];
    };
    return Object.fromEntries(keys.map((key, index) => [key, plain(all[index])]));
  }, name);

/** Under which keys the secret of that identity lies in clear. */
function inClear(values, peerId) {
  const holds = (hex) => {
    const bytes = Buffer.from(hex, 'hex');
    for (let at = 0; at + 32 <= bytes.length; at += 1)
      if (peerOf(bytes.subarray(at, at + 32)) === peerId) return true;
    return false;
  };
  const pieces = (of) => of.filter((piece) => typeof piece === 'string');
  return Object.keys(values).filter((key) => pieces(values[key]).some(holds));
}

/** Puts bytes into a page's database before the package has opened it. */
const put = (page, key, bytes) =>
  page.run(
    async (name, value) => {
      await new Promise((resolve, reject) => {
        const request = indexedDB.open('peer-group', 1);
        request.onupgradeneeded = () => request.result.createObjectStore('values');
        request.onerror = () => reject(request.error);
        request.onsuccess = () => {
          const change = request.result.transaction('values', 'readwrite');
          change.objectStore('values').put(new Uint8Array(value), name);
          change.oncomplete = () => resolve(request.result.close());
          change.onabort = () => reject(change.error);
        };
      });
    },
    key,
    [...bytes],
  );

describe('identities in browsers', { timeout: 400_000 }, () => {
  let stage;

  before(async () => {
    stage = await Stage.set();
  });
  after(() => stage?.clear());

  test('an identity moves from Chromium to Firefox', LIMIT, async (t) => {
    const here = await stage.fresh('chromium');
    const there = await stage.fresh('firefox');
    const { text, ms, ...anna } = await here.ask(async ({ Identity }) => {
      const made = await Identity.create({ name: 'Änne', classifier: 'work' });
      const begun = performance.now();
      const text = await made.export('correct horse');
      const ms = performance.now() - begun;
      return { peerId: made.peerId, name: made.name, card: made.card(), text, ms };
    });
    t.diagnostic(`exported in ${Math.round(ms)} ms`);
    const take = (password) =>
      there.ask(
        async ({ Identity }, sealed, under) => {
          const { peerId, name, card } = await Identity.import(sealed, under).then((taken) => ({
            peerId: taken.peerId,
            name: taken.name,
            card: taken.card(),
          }));
          return { peerId, name, card };
        },
        text,
        password,
      );
    assert.deepEqual(await take('correct hors'), { code: 'wrong-password' });
    assert.deepEqual(await take('correct horse'), anna);
    assert.deepEqual(await take('correct horse'), { code: 'already-exists' });
    await there.reload();
    const known = await there.ask(async ({ Identity, PeerGroup }) => {
      const [first, ...others] = await Identity.list();
      const group = await PeerGroup.create({ friendlyName: 'Theirs' });
      return { of: group.peerId, first: first.peerId, others: others.length };
    });
    assert.deepEqual(known, { of: anna.peerId, first: anna.peerId, others: 0 });
    await Promise.all([here.isQuiet(), there.isQuiet()]);
  });

  test('a creator moves to Firefox, group and all, and lets somebody in there', LIMIT, async () => {
    const here = await stage.fresh('chromium');
    const there = await stage.fresh('firefox');
    const other = await stage.fresh('chromium');
    const rendezvous = stage.origin;
    const moved = await here.ask(async ({ Identity, PeerGroup }, rendezvous) => {
      const group = await PeerGroup.create({ friendlyName: 'Moving', rendezvous });
      await group.connect();
      const identity = await Identity.default();
      const [person, membership] = [await identity.export('p'), await group.exportConfig('q')];
      await group.close();
      return { groupId: group.groupId, peerId: group.peerId, person, membership };
    }, rendezvous);
    const { groupId, peerId, person, membership } = moved;
    const arrived = await there.ask(
      async ({ Identity, PeerGroup }, person, membership) => {
        await Identity.import(person, 'p');
        const imported = await PeerGroup.importConfig(membership, 'q');
        return { imported, listed: await PeerGroup.list() };
      },
      person,
      membership,
    );
    assert.deepEqual(arrived, {
      imported: { groupId, peerId },
      listed: [{ groupId, friendlyName: 'Moving' }],
    });
    await there.call('open', 'g', groupId, { rendezvous });
    await there.call('connect', 'g');
    const invitation = await there.call('invite', 'g');
    const joined = await other.call('join', 'g', invitation);
    await other.call('connect', 'g');
    await linked(other, 'g', peerId);
    await linked(there, 'g', joined.peerId);
    await Promise.all([here.isQuiet(), there.isQuiet(), other.isQuiet()]);
  });

  test(
    'a bound invitation lets its identity in from another browser, and no thief',
    LIMIT,
    async (t) => {
      const [host, guest, thief] = [
        await stage.fresh('chromium'),
        await stage.fresh('firefox'),
        await stage.fresh('chromium'),
      ];
      const card = await guest.ask(async ({ Identity }) =>
        (await Identity.create({ name: 'Berta' })).card(),
      );
      const text = await host.ask(
        async ({ PeerGroup }, to, rendezvous) => {
          globalThis.group = await PeerGroup.create({ friendlyName: 'Bound', rendezvous });
          await globalThis.group.connect();
          return globalThis.group.createInvitation({ to, roles: ['inviting-member'] });
        },
        card,
        stage.origin,
      );
      const link = await host.ask(() => globalThis.group.createInvitation());
      t.diagnostic(`bound ${text.length} characters, link ${link.length}, card ${card.length}`);
      const join = (page) =>
        page.ask(async ({ PeerGroup }, invitation) => {
          const group = await PeerGroup.join(invitation);
          globalThis.group = group;
          const { kind, subject, roles } = PeerGroup.parseInvitation(invitation);
          const { listening } = await group.connect();
          return { kind, itself: subject === group.peerId, roles, listening };
        }, text);
      assert.deepEqual(await join(thief), { code: 'invitation-not-trusted' });
      assert.deepEqual(await join(guest), {
        kind: 'bound',
        itself: true,
        roles: ['inviting-member'],
        listening: true,
      });
      const invite = (roles) =>
        guest.ask((_, given) => globalThis.group.createInvitation({ roles: given }), roles);
      assert.match(await invite(['member', 'inviting-member']), /^pg-invite:/);
      assert.deepEqual(await invite(['admin']), { code: 'not-authorized' });
      await Promise.all([host, guest, thief].map((page) => page.isQuiet()));
    },
  );

  for (const kind of ['chromium', 'firefox']) {
    test(`the key of an identity does not lie about in ${kind}`, LIMIT, async () => {
      const page = await stage.fresh(kind);
      const [peerId, groupId] = await page.ask(async ({ Identity, PeerGroup }) => {
        const made = await Identity.create({ name: 'Anna' });
        const { groupId } = await PeerGroup.create({ friendlyName: 'Hers', identity: made });
        await made.setName('Anne');
        return [made.peerId, groupId];
      });
      const values = await stored(page);
      assert.deepEqual(values.wrapping, [
        { extractable: false, algorithm: 'AES-GCM', usages: ['decrypt', 'encrypt'] },
      ]);
      assert.deepEqual(inClear(values, peerId), []);
      assert.deepEqual(inClear(values, groupId), [], "nor does its group's");
      await page.reload();
      const again = await page.ask(async ({ Identity }) => {
        const [first] = await Identity.list();
        return [first.peerId, first.name];
      });
      assert.deepEqual(again, [peerId, 'Anne']);
      await page.isQuiet();
    });

    test(`an identity of before is wrapped when it is read in ${kind}`, LIMIT, async () => {
      const page = await stage.fresh(kind);
      const seed = Buffer.alloc(32, 5);
      const peerId = peerOf(seed);
      await put(page, 'identity', Buffer.concat([Buffer.from([1]), seed, Buffer.from([0])]));
      assert.deepEqual(inClear(await stored(page), peerId), ['identity'], 'it is found in clear');
      const read = await page.ask(async ({ Identity }) => (await Identity.default()).peerId);
      assert.equal(read, peerId);
      const values = await stored(page);
      assert.deepEqual(inClear(values, peerId), []);
      assert.ok(!('identity' in values));
      await page.isQuiet();
    });
  }

  test('two pages that begin at once wrap with the same key', LIMIT, async () => {
    const one = await stage.fresh('chromium');
    const two = await Page.open(one.raw.browser(), stage.origin);
    const make = (page) =>
      page.ask(async ({ Identity }) => (await Identity.create({ name: 'One of two' })).peerId);
    const made = await Promise.all([make(one), make(two)]);
    for (const page of [one, two]) {
      const listed = await page.ask(async ({ Identity }) =>
        (await Identity.list()).map((identity) => identity.peerId),
      );
      assert.deepEqual([...listed].sort(), [...made].sort());
    }
  });

  test('without WebCrypto, as on insecure origins, it is kept as it is', LIMIT, async () => {
    const page = await stage.fresh('chromium');
    await page.raw.evaluateOnNewDocument(() => {
      Object.defineProperty(Crypto.prototype, 'subtle', { get: () => undefined });
    });
    await page.reload();
    const peerId = await page.ask(async ({ Identity }) => (await Identity.default()).peerId);
    const values = await stored(page);
    assert.deepEqual(inClear(values, peerId), [`identity/${peerId}`]);
    assert.ok(!('wrapping' in values));
    await page.reload();
    const again = await page.ask(async ({ Identity }) => (await Identity.default()).peerId);
    assert.equal(again, peerId);
    await page.isQuiet();
  });

  test('who cannot be unwrapped is not replaced by somebody else', LIMIT, async () => {
    const page = await stage.fresh('chromium');
    const peerId = await page.ask(async ({ Identity }) => (await Identity.default()).peerId);
    await page.run(async () => {
      const other = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, [
        'encrypt',
        'decrypt',
      ]);
      await new Promise((resolve, reject) => {
        const request = indexedDB.open('peer-group');
        request.onsuccess = () => {
          const change = request.result.transaction('values', 'readwrite');
          change.objectStore('values').put(other, 'wrapping');
          change.oncomplete = () => resolve(request.result.close());
          change.onabort = () => reject(change.error);
        };
      });
    });
    for (const call of [
      ({ Identity }) => Identity.default(),
      ({ Identity }) => Identity.list(),
      ({ PeerGroup }) => PeerGroup.create({ friendlyName: 'x' }),
    ])
      assert.deepEqual(await page.ask(call), { code: 'no-key-access' });
    assert.ok(`identity/${peerId}` in (await stored(page)));
    await page.isQuiet();
  });
});
