// Groups that admit by password, through the package and without a network: what is checked, and with
// which words.

import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { fails, startAnew } from './fails.mjs';

const { PeerGroup, shutdown } = await import('../../dist/index.js');

const MEMORY = { storage: 'memory' };
const RIGHT = 'three green teapots';
const make = (more) => PeerGroup.create({ ...MEMORY, friendlyName: 'Tea', ...more });

beforeEach(startAnew);
after(() => shutdown());

test('a password that is too easy is refused with the reason', async () => {
  await fails(make({ password: 'tea' }), 'password-does-not-meet-policy', /fewer than 8/);
  await fails(make({ password: 'Password1!' }), 'password-does-not-meet-policy', /many people/);
  await fails(make({ password: '12345678' }), 'password-does-not-meet-policy');
  await fails(make({ password: 7 }), 'invalid-argument', /"password" must be a string/);
  await fails(make({ password: RIGHT, passwordRole: 'admin' }), 'invalid-argument', /passwordRole/);
});

test('an invitation says that it asks for the password, and has nothing of it', async () => {
  const group = await make({ password: RIGHT, passwordRole: 'inviting-member' });
  assert.equal(group.properties().passwordRole, 'inviting-member');
  const text = await group.createPasswordInvitation();
  const { kind, groupId, issuer, roles, subject } = PeerGroup.parseInvitation(text);
  assert.deepEqual(
    { kind, groupId, issuer, roles, subject },
    {
      kind: 'password',
      groupId: group.groupId,
      issuer: group.peerId,
      roles: ['inviting-member'],
      subject: undefined,
    },
  );
  assert.ok(!Buffer.from(text.slice('pg-invite:'.length), 'base64url').includes('teapot'));
  const without = await make();
  assert.equal(without.properties().passwordRole, undefined);
  await fails(without.createPasswordInvitation(), 'invalid-group-properties');
  await fails(without.setProperties({ password: RIGHT }), 'invalid-group-properties');
});

test('each kind of invitation is joined in its own way', async () => {
  const group = await make({ password: RIGHT });
  const [text, link] = [await group.createPasswordInvitation(), await group.createInvitation()];
  await shutdown();
  const there = { ...MEMORY, rendezvous: 'wss://rendezvous.example' };
  await fails(PeerGroup.join(text, there), 'invalid-argument', /asks for the group's password/);
  await fails(PeerGroup.joinWithPassword(link, RIGHT, there), 'invalid-argument', /no password/);
  await fails(PeerGroup.joinWithPassword(text, 7, there), 'invalid-argument', /password/);
  await fails(PeerGroup.joinWithPassword(text, '', there), 'invalid-argument');
  // Local: nobody has checked it yet.
  const joined = await PeerGroup.joinWithPassword(text, 'not it at all', there);
  assert.equal(joined.groupId, group.groupId);
  assert.equal(joined.status.state, 'disconnected');
});

test('the creator changes the password', async () => {
  const group = await make({ password: RIGHT });
  await fails(group.setProperties({ password: 'short' }), 'password-does-not-meet-policy');
  await group.setProperties({ password: 'four blue saucers' });
  assert.equal(group.properties().passwordRole, 'member');
});
