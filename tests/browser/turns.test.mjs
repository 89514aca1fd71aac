// TURN inside TLS, at the port of the pages: where neither UDP nor plain TCP to a TURN server passes.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { canDropUdp, dropUdp, ownNetwork } from './network.mjs';
import { Stage } from './stage.mjs';
import { address, RELAY, talk } from './turn.mjs';

await ownNetwork(import.meta.url);

/** Chromium only: Firefox, told to take any certificate, has opened no TURN inside TLS here. */
const PAIR = ['chromium', RELAY, 'chromium', RELAY];
/** Where plain TURN is, which nothing reaches. */
const TURN_PORT = 3478;

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

  test('chromium and chromium', { timeout: 90_000 }, (t) => talk(t, stage, PAIR));
});
