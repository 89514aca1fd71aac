// Pages that let nobody see their addresses: everything goes over the server's own TURN.

import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { after, before, describe, test } from 'node:test';
import { canDropUdp, droppedUdp, dropUdp, ownNetwork } from './network.mjs';
import { meet, Stage } from './stage.mjs';

await ownNetwork(import.meta.url);

const RELAY = { iceTransportPolicy: 'relay' };
/** Who makes the group, who joins, and what each allows. */
const PAIRS = [
  ['chromium', RELAY, 'chromium', RELAY],
  ['chromium', RELAY, 'firefox', RELAY],
  ['firefox', RELAY, 'chromium', RELAY],
  ['chromium', {}, 'chromium', RELAY],
];
const MESSAGES = Array.from({ length: 100 }, (_, index) => `message ${index}`);
const ROUNDS = 50;
const GROUP = 'g';

/** Browsers begin at no loopback address, and reach none from where they begin. */
const address = Object.values(networkInterfaces())
  .flat()
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;

const named = (kind, { iceTransportPolicy }) =>
  iceTransportPolicy === 'relay' ? `${kind} over TURN only` : `${kind} by any way`;

/** The whole way of a group of two, over TURN. */
async function talk(t, stage, [one, asOne, other, asOther]) {
  const a = await stage.page(one, `${one} 1`);
  const b = await stage.page(other, `${other} 2`);
  const { first, second, took } = await meet(stage, a, b, { create: asOne, join: asOther });
  for (const page of [a, b]) {
    const [{ path }] = await page.call('connections', GROUP, 'neighbor');
    assert.equal(path, 'turn');
  }

  const mine = await a.call('openDirect', GROUP, second.peerId, { label: 'talk' });
  const heard = await b.call('hear', GROUP, 'direct-connection', {
    status: 'connected',
    peerId: first.peerId,
  });
  const theirs = heard.detail.connectionId;
  await Promise.all([
    a.call('sendAll', GROUP, mine, 'from-a', MESSAGES),
    b.call('sendAll', GROUP, theirs, 'from-b', MESSAGES),
  ]);
  assert.deepEqual(await b.call('texts', GROUP, 'from-a', 100), MESSAGES);
  assert.deepEqual(await a.call('texts', GROUP, 'from-b', 100), MESSAGES);

  const rounds = await a.call('rounds', GROUP, mine, ROUNDS);
  const [middle, worst] = [rounds[ROUNDS / 2], rounds[ROUNDS - 1]].map((ms) => ms.toFixed(1));
  t.diagnostic(
    `join to connected: ${took} ms; round trip: median ${middle} ms, longest ${worst} ms`,
  );
  await Promise.all([a.isQuiet(), b.isQuiet()]);
  await Promise.all([a.close(), b.close()]);
}

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
