// 200 times open, connect and close in one page: nothing is left behind.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ownNetwork } from './network.mjs';
import { Stage } from './stage.mjs';

await ownNetwork(import.meta.url);

const CYCLES = 200;
const WARM_UP = 20;
/** How often is measured. */
const EVERY = 20;
/**
 * Live bytes may lie this much above cycle 20, for one table that doubles late. Over the 180 cycles
 * that follow it is 11 bytes a cycle, less than the smallest thing that a cycle could leave behind.
 */
const SLACK_BYTES = 2048;
/**
 * What an open group holds grows all the same: the other member remembers each node that was present
 * until it would have ended by itself, a quarter of an hour, and tells the next one. That takes 1280 bytes in
 * tables and some 400 of its own, in tables that double; wasm memory keeps its peak and grows in steps.
 */
const ENDED_NODE_BYTES = 4096;
const STEP_BYTES = 3 * 65_536;

describe('200 cycles in one page', { timeout: 500_000 }, () => {
  let stage;
  before(async () => {
    stage = await Stage.set();
  });
  after(() => stage?.clear());

  test('open, connect, talk, close', { timeout: 450_000 }, async (t) => {
    const a = await stage.page('chromium', 'chromium 1');
    const b = await stage.page('chromium', 'chromium 2');
    const first = await a.call('create', 'g', { friendlyName: 'Cycles', rendezvous: stage.origin });
    const invitation = await a.call('invite', 'g');
    await a.call('connect', 'g');
    await b.call('join', 'g', invitation);
    await b.call('connect', 'g');
    await a.call('close', 'g');

    const measured = [];
    const begun = Date.now();
    for (let done = 0; done < CYCLES; done += EVERY) {
      await a.run(cycles, first.groupId, stage.origin, EVERY);
      const counts = await a.run(settled);
      measured.push(counts);
      t.diagnostic(`after ${done + EVERY}: ${JSON.stringify(counts)}`);
    }
    const seconds = (Date.now() - begun) / 1000;
    t.diagnostic(`${CYCLES} cycles in ${seconds.toFixed(1)} s`);

    const level = measured[WARM_UP / EVERY - 1];
    assert.equal(level.engines, 1, 'the engine was seen');
    assert.equal(level.open, 0, 'no peer connection is open between cycles');
    assert.ok(measured.at(-1).made >= CYCLES, 'each cycle made a peer connection');
    for (const [index, counts] of measured.slice(WARM_UP / EVERY).entries()) {
      for (const exact of [
        'open',
        'listeners',
        'connections',
        'channels',
        'attachedByEngine',
        'sockets',
      ]) {
        assert.ok(counts[exact] <= level[exact], `${exact}: ${counts[exact]}, was ${level[exact]}`);
      }
      const more = counts.liveBytes - level.liveBytes;
      assert.ok(more <= SLACK_BYTES, `${more} live bytes more than after ${WARM_UP} cycles`);
      const most = level.memory + (index + 1) * EVERY * ENDED_NODE_BYTES + STEP_BYTES;
      assert.ok(counts.memory <= most, `wasm memory of ${counts.memory} bytes, ${most} at most`);
    }

    // The counts do count: an open group is seen in every one of them.
    await a.call('open', 'g', first.groupId, { rendezvous: stage.origin });
    await a.call('connect', 'g');
    const held = await a.run(() => globalThis.counters());
    for (const what of ['open', 'listeners', 'connections', 'channels', 'sockets', 'liveBytes']) {
      assert.ok(held[what] > level[what], `${what} while a group is open: ${held[what]}`);
    }
    await a.call('close', 'g');
    await a.isQuiet();
    await b.isQuiet();
  });
});

/** Runs in the page: that many cycles with the peer in the other one. */
async function cycles(groupId, rendezvous, count) {
  const { PeerGroup } = globalThis.lab.api;
  for (let cycle = 0; cycle < count; cycle += 1) {
    const group = await PeerGroup.open(groupId, { rendezvous });
    const here = new Promise((resolve) => {
      const stop = group.on('neighbor-connection', ({ detail }) => {
        if (detail.status !== 'connected') return;
        stop();
        resolve(detail);
      });
    });
    await group.connect();
    const { peerId } = await here;
    const direct = group.openDirectConnection(peerId);
    await direct.opened;
    await group.send(direct.id, 'cycle', String(cycle));
    group.closeDirectConnection(direct.id);
    await group.close();
  }
}

/** Runs in the page: the counts, once closing is over. */
async function settled() {
  const limit = Date.now() + 10_000;
  while (globalThis.counters().open > 0 && Date.now() < limit) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return globalThis.counters();
}
