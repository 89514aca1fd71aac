// Records between two real browsers, and graphs that decide which of them they keep.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ownNetwork } from './network.mjs';
import { add, attend, changes, remove, texts, update, watched } from './records.mjs';
import { pair, Stage } from './stage.mjs';

await ownNetwork(import.meta.url);

const BROWSERS = ['chromium', 'firefox'];
const LIMIT = { timeout: 120_000 };

for (const kinds of [BROWSERS, [...BROWSERS].reverse()]) {
  describe(`records between ${kinds.join(' and ')}`, { timeout: 240_000 }, () => {
    let stage;
    before(async () => {
      stage = await Stage.set();
    });
    after(() => stage?.clear());

    test('add, update, delete, list, search and watch', LIMIT, async () => {
      const { a, b, second } = await pair(stage, kinds);
      for (const page of [a, b]) await page.run(attend, 'g');
      const one = await add(a, 'one', { attributes: { rank: 1 } });
      const two = await add(b, 'two', { attributes: { rank: 2 } });
      assert.equal((await watched(b, 'added', one)).text, 'one');
      assert.equal((await watched(a, 'added', two)).text, 'two');
      for (const page of [a, b]) {
        assert.deepEqual(await texts(page), ['one', 'two']);
        assert.deepEqual(await texts(page, { attribute: 'rank', above: 1 }), ['two']);
        const found = { attribute: 'peercreatorid', is: second.peerId };
        assert.deepEqual(await texts(page, found), ['two']);
      }

      assert.equal(await update(b, one, 'mine'), 'not-authorized', 'a member changes its own only');
      assert.equal(await update(b, two, 'two!'), 'done');
      assert.equal((await watched(a, 'updated', two)).text, 'two!');
      assert.equal(await update(a, one, 'one!'), 'done');
      assert.equal((await watched(b, 'updated', one)).text, 'one!');

      await remove(a, one);
      await watched(b, 'deleted', one);
      await remove(a, two);
      await watched(b, 'deleted', two);
      for (const page of [a, b]) {
        assert.deepEqual(await texts(page), []);
        for (const id of [one, two])
          assert.deepEqual(await changes(page, id), ['added', 'updated', 'deleted']);
      }
      await Promise.all([a.isQuiet(), b.isQuiet()]);
    });

    test('a record ends by itself at both', LIMIT, async () => {
      const { a, b } = await pair(stage, kinds, { name: 'short' });
      for (const page of [a, b]) await page.run(attend, 'short');
      const id = await add(a, 'brief', { expires: 3000 });
      await watched(b, 'added', id);
      await Promise.all([watched(a, 'expired', id), watched(b, 'expired', id)]);
      for (const page of [a, b]) assert.deepEqual(await changes(page, id), ['added', 'expired']);
      await Promise.all([a.isQuiet(), b.isQuiet()]);
    });

    test('who was away hears of everything when it comes back', LIMIT, async () => {
      const { a, b, first } = await pair(stage, kinds, { name: 'away' });
      for (const page of [a, b]) await page.run(attend, 'away');
      const kept = await add(a, 'kept');
      const gone = await add(a, 'gone');
      await watched(b, 'added', kept);
      await watched(b, 'added', gone);
      await b.reload();
      await remove(a, gone);
      assert.equal(await update(a, kept, 'changed'), 'done');
      await add(a, 'new');
      await b.call('open', 'away', first.groupId, { rendezvous: stage.origin });
      await b.run(attend, 'away');
      assert.deepEqual(await texts(b), ['gone', 'kept'], 'as it was stored');
      await b.call('connect', 'away');
      await b.run(() =>
        globalThis.attended.when(({ watched }) => watched.some(({ text }) => text === 'new')),
      );
      await watched(b, 'deleted', gone);
      await watched(b, 'updated', kept);
      assert.deepEqual(await texts(b), ['changed', 'new']);
      await Promise.all([a.isQuiet(), b.isQuiet()]);
    });
  });
}

describe('graphs decide what they keep', { timeout: 120_000 }, () => {
  let stage;
  before(async () => {
    stage = await Stage.set();
  });
  after(() => stage?.clear());

  test('accept, reject, defer, a throw and silence', LIMIT, async () => {
    const [a, b] = await Promise.all(
      BROWSERS.map((kind, index) => stage.page(kind, `${kind} ${index}`)),
    );
    const peerId = await a.run(async (rendezvous) => {
      const { PeerGraph } = globalThis.lab.api;
      const options = { rendezvous, storage: 'memory', graphId: 'judged' };
      globalThis.graph = await PeerGraph.create(options);
      globalThis.add = (type, text) =>
        globalThis.graph.records.add({
          type,
          data: new TextEncoder().encode(text),
          expires: 86_400_000,
        });
      await globalThis.add('first', 'yes');
      return globalThis.graph.peerId;
    }, stage.origin);
    const address = await a.run(() => globalThis.graph.listen());
    const asked = await b.run(
      async (rendezvous, peer, to) => {
        const verdicts = {
          yes: () => 'accept',
          slow: async () => 'accept',
          no: () => 'reject',
          other: () => true,
          throws: () => {
            throw new Error('not now');
          },
          rejects: () => Promise.reject(new Error('not now')),
          later: () => globalThis.later,
          silent: () => new Promise(() => {}),
        };
        globalThis.later = 'defer';
        globalThis.asked = [];
        class Policy {
          #verdicts = verdicts;
          validateRecord(record, change) {
            const text = new TextDecoder().decode(record.data);
            globalThis.asked.push(`${change} ${text}`);
            return this.#verdicts[text]();
          }
        }
        const { PeerGraph } = globalThis.lab.api;
        const graph = await PeerGraph.open('judged', {
          rendezvous,
          storage: 'memory',
          security: new Policy(),
          syncPrecedence: ['first'],
        });
        globalThis.graph = graph;
        const firstHere = new Promise((resolve) => graph.on('synchronized', resolve));
        await graph.connect(peer, to).opened;
        globalThis.synchronized = (await firstHere).detail.type;
        return Object.keys(verdicts);
      },
      stage.origin,
      peerId,
      address,
    );
    await a.run(async (all) => {
      for (const text of all) await globalThis.add('note', text);
    }, asked);
    const kept = () =>
      b.run(async (count) => {
        const { graph } = globalThis;
        const held = new Set();
        for await (const { id, record } of graph.records.watch({ type: 'note' })) {
          if (record) held.add(new TextDecoder().decode(record.data));
          else held.delete(id);
          if (held.size === count) return [...held].sort();
        }
        return undefined;
      }, 2);
    assert.deepEqual(await kept(), ['slow', 'yes']);
    await b.run(() => {
      globalThis.later = 'accept';
    });
    // Asked again, the deferred one alone comes.
    await b.run(async () => {
      const { graph } = globalThis;
      const came = new Promise((resolve) => graph.on('record-changed', resolve, { once: true }));
      await graph.records.validateDeferred();
      await came;
    });
    const all = await b.run(async () =>
      (await globalThis.graph.records.list({ type: 'note' }))
        .map(({ data }) => new TextDecoder().decode(data))
        .sort(),
    );
    assert.deepEqual(all, ['later', 'slow', 'yes']);
    assert.equal(await b.run(() => globalThis.synchronized), 'first');
    await Promise.all([a.isQuiet(), b.isQuiet()]);
  });
});
