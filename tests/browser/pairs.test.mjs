// Chromium and Firefox, each with itself and with the other: the whole way of a group of two.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ownNetwork } from './network.mjs';
import { linked, Stage } from './stage.mjs';

await ownNetwork(import.meta.url);

const PAIRS = [
  ['chromium', 'chromium'],
  ['firefox', 'firefox'],
  ['chromium', 'firefox'],
  ['firefox', 'chromium'],
];
const MESSAGES = Array.from({ length: 100 }, (_, index) => `message ${index}`);
const CLOSE_IS_HEARD_WITHIN_MS = 1000;
const GROUP = 'g';

/** The connections of a page, without what changes by itself. */
const seen = async (page, kind) =>
  (await page.call('connections', GROUP, kind)).map(({ kind: as, peerId, nodeId, path }) => ({
    kind: as,
    peerId,
    nodeId,
    path,
  }));

describe('two browsers in a group', { timeout: 300_000 }, () => {
  let stage;
  before(async () => {
    stage = await Stage.set();
  });
  after(() => stage?.clear());

  for (const [one, other] of PAIRS) {
    test(`${one} and ${other}`, { timeout: 90_000 }, async (t) => {
      const a = await stage.page(one, `${one} 1`);
      const b = await stage.page(other, `${other} 2`);
      let first;
      let second;

      await t.test('create, invite, join and connect', async () => {
        first = await a.call('create', GROUP, { friendlyName: 'Two', rendezvous: stage.origin });
        assert.equal((await a.call('status', GROUP)).state, 'disconnected');
        const alone = await a.call('connect', GROUP);
        assert.equal(alone.listening, true);
        const invitation = await a.call('invite', GROUP, { maxUses: 1 });
        second = await b.call('join', GROUP, invitation);
        assert.equal(second.groupId, first.groupId);
        assert.notEqual(second.peerId, first.peerId);
        const begun = Date.now();
        const joined = await b.call('connect', GROUP);
        t.diagnostic(`join to connected: ${Date.now() - begun} ms`);
        assert.equal(joined.hasConnections, true);
        await linked(a, GROUP, second.peerId);
        await linked(b, GROUP, first.peerId);
      });

      await t.test('each sees the other', async () => {
        const neighbor = { kind: 'neighbor', path: 'direct' };
        const { peerId, nodeId } = first;
        assert.deepEqual(await seen(b), [{ ...neighbor, peerId, nodeId }]);
        assert.deepEqual(await seen(b, 'direct'), []);
        assert.deepEqual(await seen(a, 'neighbor'), [
          { ...neighbor, peerId: second.peerId, nodeId: second.nodeId },
        ]);
      });

      await t.test('100 messages each way over a direct connection, in order', async () => {
        const mine = await a.call('openDirect', GROUP, second.peerId, { label: 'talk' });
        const heard = await b.call('hear', GROUP, 'direct-connection', {
          status: 'connected',
          peerId: first.peerId,
        });
        const theirs = heard.detail.connectionId;
        assert.equal((await seen(a, 'direct')).length, 1);
        assert.equal((await seen(b)).length, 2);
        await Promise.all([
          a.call('sendAll', GROUP, mine, 'from-a', MESSAGES),
          b.call('sendAll', GROUP, theirs, 'from-b', MESSAGES),
        ]);
        assert.deepEqual(await b.call('texts', GROUP, 'from-a', 100), MESSAGES);
        assert.deepEqual(await a.call('texts', GROUP, 'from-b', 100), MESSAGES);

        await a.call('closeDirect', GROUP, mine);
        const gone = { status: 'disconnected' };
        await a.call('hear', GROUP, 'direct-connection', { ...gone, connectionId: mine });
        await b.call('hear', GROUP, 'direct-connection', { ...gone, connectionId: theirs });
        assert.deepEqual(await seen(a, 'direct'), []);
        assert.deepEqual(await seen(b, 'direct'), []);
        assert.equal((await seen(b, 'neighbor')).length, 1);
      });

      await t.test('the close of the group is heard', async () => {
        const at = await a.call('closeAt', GROUP);
        const { peerId } = first;
        const heard = await b.call('hear', GROUP, 'neighbor-connection', {
          status: 'disconnected',
          peerId,
        });
        const ms = heard.at - at;
        t.diagnostic(`close heard after ${ms} ms`);
        assert.ok(ms <= CLOSE_IS_HEARD_WITHIN_MS, `${ms} ms`);
        assert.deepEqual(await seen(b), []);
        await assert.rejects(a.call('close', GROUP), { code: 'invalid-group' });
      });

      await t.test('the same peers meet again after a reload', async () => {
        const { groupId } = first;
        const rendezvous = stage.origin;
        for (const [back, there, was, other] of [
          [a, b, first, second],
          [b, a, second, first],
        ]) {
          await back.isQuiet();
          await back.reload();
          const from = await there.call('count', GROUP);
          const again = await back.call('open', GROUP, groupId, { rendezvous });
          assert.equal(again.peerId, was.peerId);
          assert.notEqual(again.nodeId, was.nodeId);
          await back.call('connect', GROUP);
          // Who was here before is online as soon as it listens; the other comes a little later.
          await linked(back, GROUP, other.peerId);
          await linked(there, GROUP, was.peerId, { from });
          const [peer] = await back.call('connections', GROUP, 'neighbor');
          await back.call('send', GROUP, peer.id, 'again', 'hello again');
        }
        assert.deepEqual(await b.call('texts', GROUP, 'again', 0), []);
        assert.deepEqual(await a.call('texts', GROUP, 'again', 1), ['hello again']);
      });

      await a.isQuiet();
      await b.isQuiet();
      await Promise.all([a.close(), b.close()]);
    });
  }
});
