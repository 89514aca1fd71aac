// The code in the README, as it stands there, in two real pages.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { ownNetwork } from './network.mjs';
import { Stage } from './stage.mjs';

await ownNetwork(import.meta.url);

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const [first, second] = [...README.matchAll(/```js\n(.*?)```/gs)].map(([, code]) => code);

/** The README's code as an expression: the package and the server are where the test has them. */
function runnable(code, origin, result) {
  const body = code
    .replace("import { PeerGroup } from 'peer-group';", '')
    .replace('http://127.0.0.1:8080', origin);
  assert.notEqual(body, code, 'the README imports the package');
  return `(async () => {
    const { PeerGroup } = await import('/package/index.js');
    ${body}
    return ${result};
  })()`;
}

let stage;
before(async () => {
  stage = await Stage.set();
});
after(() => stage?.clear());

test('the ten lines of the README do what they say', { timeout: 60_000 }, async () => {
  const a = await stage.page('chromium', 'one');
  const b = await stage.page('chromium', 'two');
  const heard = new Promise((resolve) => {
    a.raw.on('console', (message) => {
      if (message.text() === 'somebody says: hello') resolve();
    });
  });
  const invitation = await a.raw.evaluate(runnable(first, stage.origin, 'invitation'));
  const given = `const invitation = ${JSON.stringify(invitation)};\n`;
  await b.raw.evaluate(runnable(`${given}${second}`, stage.origin, 'undefined'));
  await heard;
});
