// Members through the package, in memory and without a network: the shapes, and what is checked.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, beforeEach, test } from 'node:test';
import { transform } from 'esbuild';
import { fails, startAnew } from './fails.mjs';

/** A module that imports nothing but types, as JavaScript. */
async function plain(path) {
  const source = await readFile(new URL(path, import.meta.url), 'utf8');
  const { code } = await transform(source, { loader: 'ts' });
  return import(`data:text/javascript,${encodeURIComponent(code)}`);
}

const { Identity, PeerGroup, shutdown } = await import('../../dist/index.js');
const { joinedChange } = await plain('../../js/src/members.ts');

const MEMORY = { storage: 'memory', rendezvous: 'wss://rendezvous.example' };
const make = (more) => PeerGroup.create({ ...MEMORY, friendlyName: 'Group', ...more });

beforeEach(startAnew);
after(() => shutdown());

test('the creator is the first member, with the credential of the group itself', async () => {
  const anna = await Identity.create({ storage: 'memory', name: 'Anna' });
  const before = Date.now();
  const group = await make({ identity: anna });
  const [own, ...others] = group.members();
  assert.deepEqual(others, []);
  const { credential, ...rest } = own;
  assert.deepEqual(rest, {
    peerId: anna.peerId,
    name: 'Anna',
    roles: ['admin'],
    present: false,
    nodes: [],
  });
  const { notBefore, notAfter, ...said } = credential;
  assert.deepEqual(said, {
    subject: anna.peerId,
    issuer: group.groupId,
    issuedByGroup: true,
    roles: ['admin'],
  });
  assert.ok(Math.abs(notBefore.getTime() - before) < 5_000, String(notBefore));
  assert.ok(notAfter.getTime() > before + 1e12, String(notAfter));
});

test('members are chosen by presence and by name', async () => {
  const group = await make();
  const { peerId } = group;
  assert.equal(group.members({ present: false }).length, 1);
  assert.deepEqual(group.members({ present: true }), []);
  assert.equal(group.members({ peerId }).length, 1);
  assert.deepEqual(group.members({ peerId, present: true }), []);
  const other = (await Identity.create({ storage: 'memory' })).peerId;
  assert.deepEqual(group.members({ peerId: other }), []);
  assert.throws(() => group.members({ peerId: 'nobody' }), { code: 'invalid-peer-name' });
  assert.throws(() => group.members({ presnet: true }), {
    code: 'invalid-argument',
    message: /did you mean "present"/,
  });
  assert.throws(() => group.members({ present: 1 }), { code: 'invalid-argument' });
  await group.close();
  assert.throws(() => group.members(), { code: 'invalid-group' });
});

test('a new name of the own identity is shown and told, once where nobody listened', async () => {
  const anna = await Identity.create({ storage: 'memory' });
  const group = await make({ identity: anna });
  const heard = [];
  group.on('member-changed', ({ detail }) => heard.push(detail));
  const changes = group.events('member-changed');
  await anna.setName('Anna');
  await anna.setName('Anne');
  assert.equal(group.members()[0].name, 'Anne');
  const { peerId } = anna;
  assert.deepEqual(heard, [
    { change: 'updated', peerId },
    { change: 'updated', peerId },
  ]);
  assert.deepEqual((await changes.next()).value.detail, { change: 'updated', peerId });
  await group.close();
  assert.equal((await changes.next()).done, true);
});

test('what a page shows of itself is checked', async () => {
  const group = await make();
  await group.setPresence({ present: false, attributes: 'x'.repeat(1024) });
  await group.setPresence({});
  await fails(group.setPresence({ attributes: 'é'.repeat(513) }), 'invalid-argument', /1024 bytes/);
  await fails(group.setPresence({ attributes: 7 }), 'invalid-argument', /must be a string/);
  await fails(group.setPresence({ atributes: '' }), 'invalid-argument', /"attributes"/);
  await group.close();
  await fails(group.setPresence({ present: true }), 'invalid-group');
});

test('of two changes that wait one is told, the one that says most', () => {
  const rows = [
    ['joined', 'connected', 'joined'],
    ['joined', 'updated', 'joined'],
    ['joined', 'disconnected', 'joined'],
    ['joined', 'left', 'left'],
    ['joined', 'revoked', 'revoked'],
    ['connected', 'updated', 'connected'],
    ['disconnected', 'updated', 'disconnected'],
    ['connected', 'disconnected', 'disconnected'],
    ['disconnected', 'connected', 'connected'],
    ['updated', 'connected', 'connected'],
    ['updated', 'updated', 'updated'],
    ['left', 'joined', 'joined'],
    ['revoked', 'joined', 'joined'],
    ['connected', 'revoked', 'revoked'],
  ];
  for (const [before, after, told] of rows)
    assert.equal(joinedChange(before, after), told, `${before}, ${after}`);
});
