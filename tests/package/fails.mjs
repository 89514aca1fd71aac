// What the tests of the package share: how a call fails, and an engine in which nobody was before.

import assert from 'node:assert/strict';

const { init, PeerError, shutdown } = await import('../../dist/index.js');

/** The promise is rejected with a PeerError of that code, and with such words. */
export const fails = (promise, code, words) =>
  assert.rejects(promise, (error) => {
    assert.ok(error instanceof PeerError, String(error));
    assert.equal(error.code, code, error.message);
    if (words) assert.match(error.message, words);
    return true;
  });

/** Memory is gone with the engine: what follows begins with nobody. */
export async function startAnew() {
  await shutdown();
  await init();
}
