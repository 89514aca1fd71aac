// `npm start` when everything is built: quick, says where, serves the demo, and ends when told to.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ENTRY = fileURLToPath(new URL('../../xtask/run.mjs', import.meta.url));
/** What the project promises for a start with nothing to build. */
const QUICK_MS = 5000;

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

const get = (url) => fetch(url, { signal: AbortSignal.timeout(QUICK_MS) });

/** Starts it; `address` comes when it is printed. */
function start(port) {
  const child = spawn(process.execPath, [ENTRY, 'start'], {
    env: { ...process.env, PORT: `${port}` },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  const ended = once(child, 'exit');
  const address = new Promise((resolve, reject) => {
    child.stderr.on('data', (bytes) => {
      said += bytes;
      const [, found] = said.match(/open (http:\S+)/) ?? [];
      if (found) resolve(found);
    });
    child.on('exit', () => reject(new Error(`it ended: ${said}`)));
  });
  return { child, ended, address };
}

for (const signal of ['SIGTERM', 'SIGINT']) {
  test(`it is quick, serves the demo and ends on ${signal}`, async () => {
    const port = await freePort();
    const before = performance.now();
    const { child, ended, address } = start(port);
    try {
      const url = await address;
      const took = performance.now() - before;
      assert.ok(took < QUICK_MS, `it took ${took} ms`);
      const page = await get(url);
      assert.equal(page.status, 200);
      assert.match(page.headers.get('content-type') ?? '', /^text\/html/);
      const [, script] = (await page.text()).match(/<script type="module" src="([^"]+)"/) ?? [];
      assert.equal((await get(new URL(script, url))).status, 200);
      const wasm = await get(new URL('peer_group_bg.wasm', url));
      assert.equal(wasm.headers.get('content-type'), 'application/wasm');
      await wasm.arrayBuffer();
      child.kill(signal);
      const [code] = await ended;
      assert.equal(code, 0);
      await assert.rejects(get(url), 'something still listens');
    } finally {
      child.kill('SIGTERM');
      await ended;
    }
  });
}

test('a port that is taken is said at once', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  const { ended, address } = start(port);
  await assert.rejects(address, new RegExp(`port ${port} is taken`));
  assert.deepEqual((await ended)[0], 1);
  server.close();
});
