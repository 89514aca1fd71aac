// What users do to every library: call back into it from its events, close inside a listener,
// throw in one, never settle one. Nothing breaks, and what comes keeps its order.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ownNetwork } from './network.mjs';
import { linked, pair, Stage } from './stage.mjs';

await ownNetwork(import.meta.url);

const LIMIT = { timeout: 60_000 };
const COUNT = 50;
const NUMBERS = Array.from({ length: COUNT }, (_, index) => String(index));

/** How a send ends whose connection is closed meanwhile. */
const LOST = ['connection-failed', 'connection-not-found'];

/** Sends the numbers from one page to the other as "count" messages, over the neighbor link. */
async function count(from) {
  const [neighbor] = await from.call('connections', 'g', 'neighbor');
  await from.call('sendAll', 'g', neighbor.id, 'count', NUMBERS);
}

for (const browser of ['chromium', 'firefox']) {
  describe(`listeners in ${browser}`, { timeout: 300_000 }, () => {
    let stage;
    before(async () => {
      stage = await Stage.set();
    });
    after(() => stage?.clear());

    /** Two pages with a group; both end with the test. */
    async function two(t) {
      const set = await pair(stage, [browser, browser]);
      t.after(() => Promise.all([set.a.close(), set.b.close()]));
      return set;
    }

    test('calling back into the API from every event', LIMIT, async (t) => {
      const { a, b, first, second } = await two(t);
      for (const page of [a, b]) {
        await page.run(() => {
          const { group } = globalThis.lab.subject('g');
          globalThis.calledBack = {};
          const settle = (promise) =>
            promise.then(
              () => 'done',
              ({ code }) => code,
            );
          const back = (type) => {
            const { status } = group;
            const all = group.connections();
            const settled = [settle(group.createInvitation())];
            for (const { id } of all)
              settled.push(settle(group.send(id, `back-${type}`, status.state)));
            globalThis.calledBack[type] = [
              ...(globalThis.calledBack[type] ?? []),
              Promise.all(settled),
            ];
          };
          const types = ['status-changed', 'neighbor-connection', 'direct-connection', 'closed'];
          for (const type of types) group.on(type, () => back(type));
          // Its own echoes aside, or two pages would never come to an end.
          group.on(
            'incoming-data',
            ({ detail }) => detail.type === 'count' && back('incoming-data'),
          );
        });
      }
      const id = await a.call('openDirect', 'g', second.peerId);
      await b.call('hear', 'g', 'direct-connection', { status: 'connected', peerId: first.peerId });
      await Promise.all([count(a), count(b)]);
      for (const page of [a, b])
        assert.deepEqual(await page.call('texts', 'g', 'count', COUNT), NUMBERS);
      await a.call('closeDirect', 'g', id);
      await b.call('hear', 'g', 'direct-connection', { status: 'disconnected' });
      // Only the creator may invite; a refusal of the call is not a fault of it.
      for (const [page, invites] of [
        [a, 'done'],
        [b, 'not-authorized'],
      ]) {
        const outcome = await page.run(async () => {
          const { 'incoming-data': data, 'direct-connection': direct } = globalThis.calledBack;
          return { data: await Promise.all(data), direct: await Promise.all(direct) };
        });
        assert.equal(outcome.data.length, COUNT);
        assert.equal(outcome.direct.length, 2);
        for (const [invited, ...sent] of [...outcome.data, ...outcome.direct]) {
          assert.equal(invited, invites);
          assert.ok(sent.length >= 1, 'there was something to send over');
          for (const code of sent) assert.ok(['done', ...LOST].includes(code), code);
        }
        await page.isQuiet();
      }
    });

    test('closing a direct connection inside a listener of its data', LIMIT, async (t) => {
      const { a, b, first, second } = await two(t);
      await b.run(() => {
        const { group } = globalThis.lab.subject('g');
        group.on('incoming-data', ({ detail }) => {
          if (detail.text() === 'close') group.closeDirectConnection(detail.connectionId);
        });
      });
      const id = await a.call('openDirect', 'g', second.peerId);
      await a.call('send', 'g', id, 'word', 'close').catch(({ code }) => {
        assert.ok(LOST.includes(code), code);
      });
      await a.call('hear', 'g', 'direct-connection', { status: 'disconnected', connectionId: id });
      await b.call('hear', 'g', 'direct-connection', {
        status: 'disconnected',
        peerId: first.peerId,
      });
      await count(a);
      assert.deepEqual(await b.call('texts', 'g', 'count', COUNT), NUMBERS);
      await a.isQuiet();
      await b.isQuiet();
    });

    test('closing the group inside a listener', LIMIT, async (t) => {
      const { a, b, first, second } = await two(t);
      await b.run(() => {
        const { group } = globalThis.lab.subject('g');
        globalThis.afterClose = 0;
        globalThis.closing = new Promise((resolve) => {
          group.on(
            'incoming-data',
            () => {
              resolve(group.close());
            },
            { once: true },
          );
        });
        globalThis.closing.then(() =>
          group.on('incoming-data', () => {
            globalThis.afterClose += 1;
          }),
        );
      });
      await count(a).catch(() => {});
      await b.run(() => globalThis.closing);
      await a.call('hear', 'g', 'neighbor-connection', {
        status: 'disconnected',
        peerId: second.peerId,
      });
      await assert.rejects(b.call('connections', 'g'), { code: 'invalid-group' });
      const from = await a.call('count', 'g');
      await b.call('open', 'again', first.groupId, { rendezvous: stage.origin });
      await b.call('connect', 'again');
      await linked(a, 'g', second.peerId, { from });
      assert.equal(await b.run(() => globalThis.afterClose), 0);
      await a.isQuiet();
      await b.isQuiet();
    });

    test('a listener that throws harms nobody and is reported', LIMIT, async (t) => {
      const { a, b } = await two(t);
      await b.run(() => {
        const { group } = globalThis.lab.subject('g');
        globalThis.good = [];
        group.on('incoming-data', () => {
          throw new Error('a listener of the test threw');
        });
        group.on('incoming-data', ({ detail }) => globalThis.good.push(detail.text()));
      });
      await count(a);
      await b.call('texts', 'g', 'count', COUNT);
      assert.deepEqual(await b.run(() => globalThis.good), NUMBERS);
      await b.run(() => new Promise((resolve) => setTimeout(resolve)));
      const reported = b.complaints.filter((line) => line.includes('a listener of the test threw'));
      assert.ok(reported.length >= COUNT, `${reported.length} of ${COUNT} were reported`);
      assert.equal(b.complaints.length, reported.length, b.complaints.join('; '));
      await a.isQuiet();
    });

    test('an async listener that never settles holds nothing up', LIMIT, async (t) => {
      const { a, b } = await two(t);
      await b.run(() => {
        const { group } = globalThis.lab.subject('g');
        for (const type of ['incoming-data', 'neighbor-connection', 'status-changed']) {
          group.on(type, () => new Promise(() => {}));
        }
      });
      // More than the window of one connection: a listener that held it would be seen.
      for (let round = 1; round <= 8; round += 1) {
        await count(a);
        const all = await b.call('texts', 'g', 'count', COUNT * round);
        assert.deepEqual(all.slice(-COUNT), NUMBERS);
      }
      await a.isQuiet();
      await b.isQuiet();
    });
  });
}
