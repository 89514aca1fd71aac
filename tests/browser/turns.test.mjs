// TURN inside TLS, at the port of the pages: where neither UDP nor plain TCP to a TURN server passes.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { canDropUdp, dropUdp, ownNetwork } from './network.mjs';
import { meet, Stage } from './stage.mjs';

await ownNetwork(import.meta.url);

/** Chromium only: Firefox, told to take any certificate, has opened no TURN inside TLS here. */
const PAIRS = [['chromium', 'chromium']];
const RELAY = { iceTransportPolicy: 'relay' };
const MESSAGES = Array.from({ length: 100 }, (_, index) => `message ${index}`);
const ROUNDS = 50;
const GROUP = 'g';
/** Where plain TURN is, which nothing reaches. */
const TURN_PORT = 3478;

const address = Object.values(networkInterfaces())
  .flat()
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;

/** A certificate for this machine, and the hash of its key as browsers are told of it. */
function certificate(folder) {
  const [key, file] = ['key.pem', 'certificate.pem'].map((name) => join(folder, name));
  const made = spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
    ...['-keyout', key, '-out', file, '-days', '2', '-subj', '/CN=peer-group test'],
    ...['-addext', `subjectAltName=IP:${address}`],
  ]);
  assert.equal(made.status, 0, String(made.stderr));
  const { publicKey } = new X509Certificate(readFileSync(file));
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  return { key, file, trust: createHash('sha256').update(spki).digest('base64') };
}

const openssl = spawnSync('openssl', ['version']).status === 0;
const skip = canDropUdp() && openssl ? false : 'nft, openssl or a network of its own is missing';
describe('two browsers over TURN in TLS, where nothing else passes', {
  timeout: 300_000,
  skip,
}, () => {
  let stage;
  let folder;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'peer-group-turns-'));
    const { key, file, trust } = certificate(folder);
    dropUdp(TURN_PORT);
    stage = await Stage.set({
      at: `https://${address}:8443`,
      trust,
      server: [
        ...['--tls-certificate', file, '--tls-key', key],
        ...['--turn', `${address}:${TURN_PORT}`, '--turn-host', address],
      ],
    });
  });
  after(async () => {
    await stage?.clear();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  for (const [one, other] of PAIRS)
    test(`${one} and ${other}`, { timeout: 90_000 }, async (t) => {
      const a = await stage.page(one, `${one} 1`);
      const b = await stage.page(other, `${other} 2`);
      const { first, second, took } = await meet(stage, a, b, { create: RELAY, join: RELAY });
      for (const page of [a, b]) {
        const [{ path }] = await page.call('connections', GROUP, 'neighbor');
        assert.equal(path, 'turn');
      }
      const mine = await a.call('openDirect', GROUP, second.peerId, { label: 'talk' });
      await b.call('hear', GROUP, 'direct-connection', {
        status: 'connected',
        peerId: first.peerId,
      });
      await a.call('sendAll', GROUP, mine, 'from-a', MESSAGES);
      assert.deepEqual(await b.call('texts', GROUP, 'from-a', 100), MESSAGES);
      const rounds = await a.call('rounds', GROUP, mine, ROUNDS);
      t.diagnostic(
        `join to connected: ${took} ms; round trip: median ${rounds[ROUNDS / 2].toFixed(1)} ms`,
      );
      await Promise.all([a.close(), b.close()]);
    });
});
