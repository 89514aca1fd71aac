// The code in the README, as it stands there, in two real pages.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { ownNetwork } from './network.mjs';
import { Stage } from './stage.mjs';

await ownNetwork(import.meta.url);

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const codes = [...README.matchAll(/```js\n(.*?)```/gs)].map(([, code]) => code);
assert.equal(codes.length, 11, 'each piece of code is run below');
const [first, second, order, watching, records, hosting, entering] = codes;
const [members, roles, leaving, arriving] = codes.slice(7);

/** The README's code as an expression: the package and the server are where the test has them. */
function beginning(code, origin, result) {
  const body = code
    .replace("import { PeerGroup } from 'peer-group';", '')
    .replace('http://127.0.0.1:8080', origin);
  assert.notEqual(body, code, 'the README imports the package');
  const keep = 'globalThis.group = group;';
  return inside(`const { PeerGroup } = await import('/package/index.js'); ${body} ${keep}`, result);
}

/** Code that goes on with the group. */
function goingOn(code, result) {
  return inside(`const { group } = globalThis; ${code}`, result);
}

function inside(body, result) {
  return `(async () => { ${body}\nreturn ${result}; })()`;
}

/** Code that uses identities, with what it is given. */
function ofPeople(code, given, result) {
  const body = code.replace("import { Identity, PeerGroup } from 'peer-group';", '');
  assert.notEqual(body, code, 'the README imports the package');
  const { person, membership } = given;
  const known = `const [person, membership] = ${JSON.stringify([person, membership])};`;
  const imported = `const { Identity, PeerGroup } = await import('/package/index.js');`;
  return inside(`${imported} ${person ? known : ''} ${body}`, result);
}

/** Resolves when the page has said it to its console. */
function says(page, wanted) {
  return new Promise((resolve) => {
    page.raw.on('console', (message) => {
      if (message.text() === wanted) resolve();
    });
  });
}

let stage;
before(async () => {
  stage = await Stage.set();
});
after(() => stage?.clear());

test('the code of the README does what it says', { timeout: 60_000 }, async () => {
  const a = await stage.page('chromium', 'one');
  const b = await stage.page('chromium', 'two');
  const heard = says(a, 'somebody says: hello');
  const invitation = await a.raw.evaluate(beginning(first, stage.origin, 'invitation'));
  const given = `const invitation = ${JSON.stringify(invitation)};\n`;
  await b.raw.evaluate(beginning(`${given}${second}`, stage.origin, 'undefined'));
  await heard;

  await a.raw.evaluate(goingOn(order, 'undefined'));
  const seen = ['present 3', 'added 3', 'updated 3'].map((words) => says(b, words));
  // The loop ends with the page, so nobody waits for it.
  await b.raw.evaluate(`void ${goingOn(watching, 'undefined')}`);
  await Promise.any(seen);

  const found = says(a, '4 cups of Earl Grey');
  const left = await a.raw.evaluate(goingOn(records, '(await records.list()).length'));
  await found;
  assert.equal(left, 1, 'the order is there, what was deleted is not');

  const listed = says(a, 'somebody (admin): here\nsomebody (member): here');
  await a.raw.evaluate(goingOn(members, 'undefined'));
  await listed;
  const groupId = await a.raw.evaluate('globalThis.group.groupId');
  const peerId = await b.raw.evaluate('globalThis.group.peerId');
  const known = `const [groupId, peerId] = ${JSON.stringify([groupId, peerId])};\n`;
  const now = `(({ roles, credential }, { friendlyName }) =>
    [roles[0], credential.notAfter.getUTCFullYear(), friendlyName])(
      group.members({ peerId })[0], group.properties())`;
  assert.deepEqual(await a.raw.evaluate(beginning(`${known}${roles}`, stage.origin, now)), [
    'inviting-member',
    2031,
    'Tea at six',
  ]);
});

test('identities and groups of the README move to another browser', {
  timeout: 60_000,
}, async () => {
  const a = await stage.page('chromium', 'one');
  const c = await stage.page('chromium', 'three');
  const left = await a.raw.evaluate(
    ofPeople(leaving, {}, '{ person, membership, group: hers.groupId, peer: anna.peerId }'),
  );
  const arrived = await c.raw.evaluate(
    ofPeople(arriving, left, '{ group: hers.groupId, peer: hers.peerId, name: anna.name }'),
  );
  assert.deepEqual(arrived, { group: left.group, peer: left.peer, name: 'Anna' });
});

test('a password lets in at the second try', { timeout: 60_000 }, async () => {
  const host = await stage.page('chromium', 'hosting');
  const guest = await stage.page('firefox', 'entering');
  const there = hosting.replace('location.origin', JSON.stringify(stage.origin));
  assert.notEqual(there, hosting, 'the README names a server');
  const body = there.replace("import { PeerGroup } from 'peer-group';", '');
  const imported = `const { PeerGroup } = await import('/package/index.js');`;
  const poster = await host.raw.evaluate(inside(`${imported} ${body}`, 'poster'));
  const given = `const poster = ${JSON.stringify(poster)}; const prompt = () => 'three green teapots';`;
  const status = 'mine.status.listening';
  assert.equal(await guest.raw.evaluate(inside(`${imported} ${given} ${entering}`, status)), true);
});
