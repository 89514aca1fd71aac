// Identities through the package, in memory: what the wrapper checks, keeps and passes on.

import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { fails, startAnew } from './fails.mjs';

const { Identity, init, PeerGraph, PeerGroup, shutdown } = await import('../../dist/index.js');

const MEMORY = { storage: 'memory' };
const group = (more) => PeerGroup.create({ ...MEMORY, friendlyName: 'Group', ...more });

beforeEach(startAnew);
after(() => shutdown());

test('the default identity is made once and acts where none is named', async () => {
  const [one, two] = await Promise.all([Identity.default(MEMORY), Identity.default(MEMORY)]);
  assert.ok(one instanceof Identity);
  assert.match(one.peerId, /^[a-z2-7]{52}$/);
  assert.equal(two.peerId, one.peerId);
  assert.equal(one.name, '');
  assert.equal((await group()).peerId, one.peerId);
  assert.deepEqual(
    (await Identity.list(MEMORY)).map(({ peerId }) => peerId),
    [one.peerId],
  );
});

test('a group belongs to the identity that is named, and is kept where that is', async () => {
  await Identity.default(MEMORY);
  const anna = await Identity.create({ ...MEMORY, name: 'Anna', classifier: 'work' });
  assert.deepEqual([anna.name, anna.classifier], ['Anna', 'work']);
  // Without a storage it is that of the identity: the default one does not exist in Node.
  const made = await PeerGroup.create({ friendlyName: 'Hers', identity: anna });
  assert.equal(made.peerId, anna.peerId);
  const text = await made.createInvitation();
  assert.equal(PeerGroup.parseInvitation(text).issuerName, 'Anna');
  await fails(PeerGroup.open(made.groupId, MEMORY), 'not-found');
  const again = await PeerGroup.open(made.groupId, { identity: anna });
  assert.equal(again.nodeId, made.nodeId);
  const graph = await PeerGraph.create({ graphId: 'of identities', identity: anna });
  await graph.close();
});

test('a name changes in the identity, its card and its invitations', async () => {
  const anna = await Identity.create({ ...MEMORY, name: 'Anna' });
  const made = await group();
  const card = anna.card();
  assert.match(card, /^pg-card:[\w-]+$/);
  await anna.setName('Anne');
  assert.equal(anna.name, 'Anne');
  assert.notEqual(anna.card(), card);
  assert.equal(PeerGroup.parseInvitation(await made.createInvitation()).issuerName, 'Anne');
  await fails(anna.setName('x'.repeat(256)), 'invalid-friendly-name');
  assert.equal(anna.name, 'Anne');
  await anna.setName('');
  assert.equal((await Identity.default(MEMORY)).name, '');
});

test('an identity is exported, deleted and imported again', async () => {
  const anna = await Identity.create({ ...MEMORY, name: 'Anna', classifier: 'work' });
  const text = await anna.export('correct horse');
  assert.match(text, /^pg-identity:[\w-]+$/);
  await fails(Identity.import(text, 'correct horse', MEMORY), 'already-exists');
  await anna.delete();
  await fails(Identity.import(text, 'correct hors', MEMORY), 'wrong-password');
  await fails(Identity.import(text.slice(0, -4), 'correct horse', MEMORY), 'invalid-argument');
  await fails(Identity.import(anna.card(), 'p', MEMORY), 'invalid-argument', /a card/);
  const again = await Identity.import(` ${text}\n`, 'correct horse', MEMORY);
  assert.deepEqual(
    [again.peerId, again.name, again.classifier, again.card()],
    [anna.peerId, 'Anna', 'work', anna.card()],
  );
});

test('an identity with groups is not deleted; a deleted one is of no use', async () => {
  const anna = await Identity.create({ ...MEMORY, name: 'Anna' });
  const made = await group();
  await fails(anna.delete(), 'groups-exist');
  await PeerGroup.delete(made.groupId, { identity: anna });
  await anna.delete();
  for (const call of [
    () => anna.delete(),
    () => anna.setName('x'),
    () => anna.export('password'),
    () => group({ identity: anna }),
  ])
    await fails(call(), 'identity-deleted');
});

test('groups are listed, and move with their identity', async () => {
  assert.deepEqual(await PeerGroup.list(MEMORY), []);
  const anna = await Identity.create({ ...MEMORY, name: 'Anna' });
  const made = await group();
  const { groupId } = made;
  assert.deepEqual(await PeerGroup.list(MEMORY), [{ groupId, friendlyName: 'Group' }]);
  assert.deepEqual(await PeerGroup.list({ identity: anna }), await PeerGroup.list(MEMORY));
  const [person, membership] = [await anna.export('p'), await made.exportConfig('q')];
  assert.match(membership, /^pg-config:[\w-]+$/);
  const take = (password, options) =>
    PeerGroup.importConfig(membership, password, { ...MEMORY, ...options });
  await fails(take('q'), 'group-in-use');
  await shutdown();
  await init();
  await fails(take('q'), 'identity-not-found');
  await Identity.import(person, 'p', MEMORY);
  await fails(take('p'), 'wrong-password');
  assert.deepEqual(await take('q'), { groupId, peerId: anna.peerId });
  await fails(take('q'), 'already-exists');
  await take('q', { overwrite: true });
  await fails(take('q', { overwirte: true }), 'invalid-argument', /did you mean "overwrite"/);
  const again = await PeerGroup.open(groupId, MEMORY);
  assert.equal(again.peerId, anna.peerId);
  await again.createInvitation();
});

test('an identity of another storage is not found', async () => {
  const anna = await Identity.create(MEMORY);
  await shutdown();
  await init();
  await fails(group({ identity: anna }), 'identity-not-found');
});

test('what is no option, password or identity is refused by name', async () => {
  await fails(Identity.create({ clasifier: 'x' }), 'invalid-argument', /did you mean "classifier"/);
  await fails(Identity.create({ ...MEMORY, name: 7 }), 'invalid-argument', /"name" must be/);
  await fails(Identity.create({ ...MEMORY, classifier: 'x'.repeat(150) }), 'invalid-classifier');
  await fails(Identity.list({ storage: 'disk' }), 'invalid-argument', /"storage" must be/);
  await fails(group({ identity: 'Anna' }), 'invalid-argument', /"identity" must be an Identity/);
  const anna = await Identity.create(MEMORY);
  await fails(anna.export(''), 'invalid-argument', /password/);
  await fails(anna.export(), 'invalid-argument', /password must be a string/);
  await fails(Identity.import(7, 'x', MEMORY), 'invalid-argument', /text must be a string/);
});
