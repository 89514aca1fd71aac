// Pages that let nobody see their addresses: everything goes over the server's own TURN.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { canDropUdp, droppedUdp, dropUdp, ownNetwork } from './network.mjs';
import { Stage } from './stage.mjs';
import { address, GROUP, RELAY, talk } from './turn.mjs';

await ownNetwork(import.meta.url);

/** Who makes the group, who joins, and what each allows. */
const PAIRS = [
  ['chromium', RELAY, 'chromium', RELAY],
  ['chromium', RELAY, 'firefox', RELAY],
  ['firefox', RELAY, 'chromium', RELAY],
  ['chromium', {}, 'chromium', RELAY],
];

const named = (kind, { iceTransportPolicy }) =>
  iceTransportPolicy === 'relay' ? `${kind} over TURN only` : `${kind} by any way`;

const title = ([one, asOne, other, asOther]) => `${named(one, asOne)}, ${named(other, asOther)}`;

describe('two browsers over TURN', { timeout: 300_000 }, () => {
  let stage;
  before(async () => {
    assert.ok(address, 'this machine has no address but loopback');
    stage = await Stage.set({ server: ['--turn', `${address}:0`, '--turn-host', address] });
  });
  after(() => stage?.clear());

  for (const pair of PAIRS) test(title(pair), { timeout: 90_000 }, (t) => talk(t, stage, pair));
});

// Only in a network of our own: a rule in the machine's would outlive the test.
const skip = canDropUdp() ? false : 'nft or a network of its own is missing';
describe('two browsers over TURN where no UDP passes', { timeout: 300_000, skip }, () => {
  let stage;
  before(async () => {
    dropUdp();
    stage = await Stage.set({ server: ['--turn', `${address}:0`, '--turn-host', address] });
  });
  after(() => stage?.clear());

  for (const pair of PAIRS.slice(0, 2))
    test(title(pair), { timeout: 90_000 }, async (t) => {
      const before = droppedUdp();
      await talk(t, stage, pair);
      const dropped = droppedUdp() - before;
      t.diagnostic(`${dropped} packets of UDP were dropped`);
      assert.ok(dropped > 0, 'nothing was tried over UDP');
    });
});

test('a server without TURN and without a relay is named as the reason', {
  timeout: 60_000,
}, async () => {
  const stage = await Stage.set({ server: ['--turn', 'off', '--relay', 'off'] });
  try {
    const page = await stage.page('chromium');
    const rendezvous = stage.origin;
    await page.call('create', GROUP, { friendlyName: 'One', rendezvous, ...RELAY });
    const refused = { code: 'service-not-available', message: /needs a TURN server/ };
    await assert.rejects(page.call('connect', GROUP), refused);
    await page.isQuiet();
  } finally {
    await stage.clear();
  }
});
