// What pages do that let nobody see their addresses: everything goes over a TURN server.

import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { meet } from './stage.mjs';

export const GROUP = 'g';
export const RELAY = { iceTransportPolicy: 'relay' };

const MESSAGES = Array.from({ length: 100 }, (_, index) => `message ${index}`);
const ROUNDS = 50;

/** Browsers begin at no loopback address, and reach none from where they begin. */
export const address = Object.values(networkInterfaces())
  .flat()
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;

/** The whole way of a group of two, over TURN. */
export async function talk(t, stage, [one, asOne, other, asOther]) {
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
