// Pages between which no packet gets through by itself, and which have no TURN server: everything goes
// over the rendezvous server's relay.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { canDropUdp, droppedUdp, dropUdp, ownNetwork } from './network.mjs';
import { linked, meet, Stage } from './stage.mjs';

await ownNetwork(import.meta.url);

const GROUP = 'g';
const ROUNDS = 50;
/** A megabyte and some, in messages of which no two are alike. */
const BULK = Array.from({ length: 21 }, (_, n) =>
  `${n} `.repeat(Math.ceil(50_000 / `${n} `.length)),
);
const BYTES = BULK.reduce((sum, text) => sum + text.length, 0);
const WITHOUT_TURN = ['--turn', 'off'];
const HIDDEN = { iceTransportPolicy: 'relay' };

async function isRelayed(...pages) {
  for (const page of pages) {
    const paths = await page.call('connections', GROUP);
    assert.ok(paths.length > 0);
    for (const { path } of paths) assert.equal(path, 'relay');
  }
}

/** A record, messages both ways and a megabyte: all comes, in order. */
async function talk(t, stage, [one, other], given) {
  const a = await stage.page(one, `${one} 1`);
  const b = await stage.page(other, `${other} 2`);
  const { first, second, took } = await meet(stage, a, b, { create: given, join: given });
  const id = await a.call('add', GROUP, { type: 'note', text: 'a record', expires: 600_000 });
  await b.call('present', GROUP, id);

  const mine = await a.call('openDirect', GROUP, second.peerId, { label: 'talk' });
  const like = { status: 'connected', peerId: first.peerId };
  const heard = await b.call('hear', GROUP, 'direct-connection', like);
  await isRelayed(a, b);
  await b.call('sendAll', GROUP, heard.detail.connectionId, 'from-b', ['a message', 'and another']);
  assert.deepEqual(await a.call('texts', GROUP, 'from-b', 2), ['a message', 'and another']);
  const rounds = await a.call('rounds', GROUP, mine, ROUNDS);

  const begun = Date.now();
  await a.call('sendAll', GROUP, mine, 'bulk', BULK);
  const sent = Date.now() - begun;
  assert.ok(
    (await b.call('texts', GROUP, 'bulk', BULK.length)).every((text, n) => text === BULK[n]),
    'a message came changed, or in another order',
  );
  await isRelayed(a, b);
  const [middle, worst] = [rounds[ROUNDS / 2], rounds[ROUNDS - 1]].map((ms) => ms.toFixed(1));
  const rate = (BYTES / 1024 / (sent / 1000)).toFixed(0);
  t.diagnostic(
    `connect() took ${took} ms; round trip: median ${middle} ms, longest ${worst} ms; ` +
      `${BYTES} bytes in ${sent} ms: ${rate} KiB/s`,
  );
  await Promise.all([a.isQuiet(), b.isQuiet()]);
  return { a, b, first, second };
}

describe('two browsers that may not be seen, without TURN', { timeout: 120_000 }, () => {
  let stage;
  before(async () => {
    stage = await Stage.set({ server: WITHOUT_TURN });
  });
  after(() => stage?.clear());

  test('meet over the rendezvous server', { timeout: 90_000 }, async (t) => {
    const { a, b } = await talk(t, stage, ['chromium', 'chromium'], HIDDEN);
    await Promise.all([a.close(), b.close()]);
  });
});

// Only in a network of our own: a rule in the machine's would outlive the test.
const skip = canDropUdp() ? false : 'nft or a network of its own is missing';
describe('two browsers where no UDP passes, without TURN', { timeout: 300_000, skip }, () => {
  let stage;
  before(() => dropUdp());
  after(() => stage?.clear());

  for (const pair of [
    ['chromium', 'chromium'],
    ['chromium', 'firefox'],
    ['firefox', 'chromium'],
  ])
    test(`${pair.join(' and ')} over the rendezvous server`, { timeout: 90_000 }, async (t) => {
      stage ??= await Stage.set({ server: WITHOUT_TURN });
      const before = droppedUdp();
      const { a, b } = await talk(t, stage, pair);
      assert.ok(droppedUdp() > before, 'nothing was tried over UDP');
      await Promise.all([a.close(), b.close()]);
    });

  test('a link comes again after the server has restarted', { timeout: 90_000 }, async (t) => {
    stage ??= await Stage.set({ server: WITHOUT_TURN });
    const a = await stage.page('chromium', 'chromium 1');
    const b = await stage.page('chromium', 'chromium 2');
    const { first, second } = await meet(stage, a, b);
    const from = await Promise.all([a, b].map((page) => page.call('count', GROUP)));
    const begun = Date.now();
    await stage.server.stop();
    await stage.server.start();
    const again = { within: 60_000 };
    await Promise.all([
      linked(a, GROUP, second.peerId, { ...again, from: from[0] }),
      linked(b, GROUP, first.peerId, { ...again, from: from[1] }),
    ]);
    t.diagnostic(`linked again ${Date.now() - begun} ms after the server was told to end`);
    await isRelayed(a, b);
    const mine = await a.call('openDirect', GROUP, second.peerId, { label: 'talk' });
    await a.call('send', GROUP, mine, 'again', 'here we are');
    assert.deepEqual(await b.call('texts', GROUP, 'again', 1), ['here we are']);
    await Promise.all([a.isQuiet(), b.isQuiet()]);
    await Promise.all([a.close(), b.close()]);
  });

  test('without a relay the failure says what was tried', { timeout: 90_000 }, async (t) => {
    const bare = await Stage.set({ server: [...WITHOUT_TURN, '--relay', 'off'] });
    try {
      const a = await bare.page('chromium', 'chromium 1');
      const b = await bare.page('chromium', 'chromium 2');
      const begun = Date.now();
      const failed = meet(bare, a, b);
      await assert.rejects(failed, ({ code, message, evidence }) => {
        assert.equal(code, 'no-member-connections');
        assert.match(message, /a TURN server, or a rendezvous server that relays/);
        const { stage, turnTried, relayTried } = evidence;
        assert.deepEqual(
          { stage, turnTried, relayTried },
          { stage: 'ice', turnTried: false, relayTried: false },
        );
        return true;
      });
      t.diagnostic(`connect() failed ${Date.now() - begun} ms after the group was begun`);
      assert.ok(Date.now() - begun < 40_000);
      await Promise.all([a.isQuiet(), b.isQuiet()]);
    } finally {
      await bare.clear();
    }
  });
});
