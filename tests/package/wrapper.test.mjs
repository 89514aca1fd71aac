// The package without a browser: options, states of handles, loading, and the end of the engine.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fails } from './fails.mjs';

const { init, PeerGraph, PeerGroup, shutdown } = await import('../../dist/index.js');

const MEMORY = { storage: 'memory', rendezvous: 'wss://rendezvous.example' };
const make = (more) => PeerGroup.create({ ...MEMORY, friendlyName: 'Node', ...more });

test('what cannot wait says that nothing is loaded', () => {
  assert.throws(() => PeerGroup.parseInvitation('x'), {
    code: 'not-initialized',
    message: /init\(\)/,
  });
});

test('a wasm file that is not there or not one is named, and the next try works', async () => {
  await fails(init(new URL('file:///nowhere/a.wasm')), 'not-initialized', /nowhere\/a\.wasm/);
  await fails(init(new Uint8Array([1, 2, 3, 4])), 'unsupported-platform');
  await fails(init('peer_group_bg.wasm'), 'invalid-argument', /init/);
  const bytes = await readFile(new URL('../../dist/peer_group_bg.wasm', import.meta.url));
  assert.match((await init(await WebAssembly.compile(bytes))).version, /^\d+\.\d+\.\d+$/);
  await shutdown();
});

test('misspelt options are refused with the nearest right name, wrong types by what is wanted', async () => {
  await fails(make({ rendezvuos: 'x' }), 'invalid-argument', /did you mean "rendezvous"/);
  await fails(make({ entirelyOther: 1 }), 'invalid-argument', /no option "entirelyOther"\)$/);
  await fails(make({ storage: 'disk' }), 'invalid-argument', /"storage" must be 'default'/);
  for (const wrong of [
    { urls: 'http://x' },
    { urls: 'turn:x' },
    { urls: 'turns:x', username: 'me' },
  ])
    await fails(make({ iceServers: [wrong] }), 'invalid-argument', /stun: or turn:/);
  await fails(make({ connect: { timeuot: 5 } }), 'invalid-argument', /did you mean "timeout"/);
  await fails(make({ friendlyName: 7 }), 'invalid-argument', /"friendlyName" must be a string/);
  await fails(
    make({ friendlyName: undefined }),
    'invalid-argument',
    /friendlyName must be a string/,
  );
  await fails(PeerGroup.open(7), 'invalid-argument', /groupId must be a string/);
  await fails(PeerGroup.open('not an id'), 'invalid-peer-name');
  await fails(PeerGroup.join('pg-node:x', MEMORY), 'invitation-not-trusted', /a node address/);
});

test('a group is made, invites, is opened again and deleted without a network', async () => {
  const group = await make();
  assert.deepEqual(group.status, {
    state: 'disconnected',
    listening: false,
    hasConnections: false,
  });
  assert.match(group.groupId, /^[a-z2-7]{52}$/);
  assert.match(group.nodeId, /^[0-9a-f]{16}$/);
  assert.deepEqual(group.connections(), []);
  const info = PeerGroup.parseInvitation(await group.createInvitation({ maxUses: 2 }));
  assert.equal(info.groupId, group.groupId);
  assert.equal(info.issuer, group.peerId);
  assert.equal(info.friendlyName, 'Node');
  assert.equal(info.kind, 'bearer');
  assert.ok(info.notAfter instanceof Date && Number.isFinite(info.notAfter.getTime()));
  const again = await PeerGroup.open(group.groupId, MEMORY);
  assert.equal(again.peerId, group.peerId);
  const ends = [];
  for (const one of [group, again])
    one.on('closed', ({ detail }) => ends.push(detail.reason?.code));
  await PeerGroup.delete(group.groupId, { storage: 'memory' });
  assert.equal(ends.length, 2);
  await fails(group.close(), 'invalid-group');
  await group[Symbol.asyncDispose]();
  await fails(PeerGroup.open(group.groupId, MEMORY), 'not-found');
});

test('a group is as its creator chose, and says what may change', async () => {
  const group = await make({
    comment: 'at five',
    classifier: 'social',
    memberDataOptional: true,
    presenceDisabled: true,
    memberDataLifetime: 28_800,
    presenceLifetime: 600,
    maxRecordSize: 2048,
  });
  const chosen = {
    friendlyName: 'Node',
    comment: 'at five',
    classifier: 'social',
    groupId: group.groupId,
    creator: group.peerId,
    memberDataOptional: true,
    presenceDisabled: true,
    deferExpiration: false,
    memberDataLifetime: 28_800,
    presenceLifetime: 600,
    maxRecordSize: 2048,
  };
  assert.deepEqual(group.properties(), chosen);
  let told = 0;
  group.on('properties-changed', () => (told += 1));
  await group.setProperties({ friendlyName: 'Coffee', presenceLifetime: 300 });
  const after = { ...chosen, friendlyName: 'Coffee', presenceLifetime: 300 };
  assert.deepEqual(group.properties(), after);
  assert.equal(told, 1);
  // Read, modify, write.
  await group.setProperties({ ...group.properties(), comment: '' });
  assert.deepEqual(group.properties(), { ...after, comment: '' });
  const refused = [
    [{ classifier: 'other' }, 'invalid-group-properties', /"classifier" never changes/],
    [{ comment: 'x', maxRecordSize: 1024 }, 'invalid-group-properties', /"maxRecordSize"/],
    [{ passwordRole: 'member' }, 'invalid-group-properties', /"passwordRole"/],
    [{ presenceLifetime: 299 }, 'invalid-group-properties', /presenceLifetime is 300 to 86400/],
    [{ presenceLifetime: 300.5 }, 'invalid-argument', /"presenceLifetime" must be a whole/],
    [{ friendlyName: '' }, 'invalid-friendly-name'],
    [{ coment: 'x' }, 'invalid-argument', /did you mean "comment"/],
    [undefined, 'invalid-argument', /must be an object/],
  ];
  for (const [change, code, words] of refused)
    await fails(group.setProperties(change), code, words);
  assert.deepEqual(group.properties(), { ...after, comment: '' });
  await group.close();
  assert.throws(() => group.properties(), { code: 'invalid-group' });
  await fails(group.setProperties({}), 'invalid-group');
  await fails(make({ memberDataLifetime: 5 }), 'invalid-group-properties', /28800 to 315360000/);
  await fails(make({ memberDataLifetime: -1 }), 'invalid-group-properties', /memberDataLifetime/);
  await fails(make({ presenceLifetime: 2 ** 40 }), 'invalid-group-properties', /presenceLifetime/);
  await fails(make({ presenceDisabled: 1 }), 'invalid-argument', /"presenceDisabled" must be true/);
});

test('credentials are for members, and their options are checked', async () => {
  const group = await make();
  const nobody = (await PeerGroup.create({ ...MEMORY, friendlyName: 'Other' })).groupId;
  const refused = [
    [nobody, {}, 'identity-not-found'],
    [group.peerId, {}, 'invalid-argument', /own credential/],
    ['nobody', {}, 'invalid-peer-name'],
    [7, {}, 'invalid-argument', /peerId must be a string/],
    [nobody, { role: 'admin' }, 'invalid-argument', /did you mean "roles"/],
    [nobody, { roles: [] }, 'invalid-argument', /"roles" must be a list/],
    [nobody, { notAfter: 5 }, 'invalid-argument', /"notAfter" must be a valid Date/],
    [nobody, { publish: 'no' }, 'invalid-argument', /"publish" must be true or false/],
  ];
  for (const [peer, options, code, words] of refused)
    await fails(group.issueCredentials(peer, options), code, words);
  await group.close();
  await fails(group.issueCredentials(nobody), 'invalid-group');
});

test('calls on a closed handle say so; asyncDispose does not', async () => {
  const group = await make();
  const other = await PeerGroup.open(group.groupId, MEMORY);
  await group.close();
  assert.equal(group.status.state, 'closed');
  assert.equal(group.address, undefined);
  for (const call of [
    () => group.close(),
    () => group.createInvitation(),
    () => group.send(1, 'a', 'b'),
  ])
    await fails(call(), 'invalid-group');
  for (const call of [() => group.connections(), () => group.closeDirectConnection(1)])
    assert.throws(call, { code: 'invalid-group' });
  await group[Symbol.asyncDispose]();
  assert.equal(other.status.state, 'disconnected', 'the other handle stays');
  assert.throws(() => other.closeDirectConnection(99), { code: 'connection-not-found' });
  assert.throws(() => other.connections('others'), { code: 'invalid-argument' });
  await other.close();
  const graph = await PeerGraph.create({ ...MEMORY, graphId: 'a graph of the test' });
  assert.deepEqual(graph.status, { listening: false, hasConnections: false, synchronized: true });
  await graph.close();
  await fails(graph.close(), 'invalid-graph');
});

test('without WebRTC, connect says what is missing', async () => {
  const group = await make();
  await fails(group.connect(), 'unsupported-platform', /RTCPeerConnection/);
  await fails(make({ connect: true }), 'unsupported-platform');
  await group.close();
});

test('iterators end with their handle, their signal and their loop', async () => {
  const group = await make();
  const stop = new AbortController();
  const seen = [];
  const loops = [
    (async () => {
      for await (const { detail } of group.events('closed')) seen.push(detail);
    })(),
    (async () => {
      for await (const _ of group.events('incoming-data', { signal: stop.signal }))
        seen.push('data');
    })(),
  ];
  stop.abort();
  await loops[1];
  await group.close();
  await loops[0];
  assert.deepEqual(seen, [{}]);
  assert.deepEqual(await group.events('closed').next(), { done: true, value: undefined });
});

test('on() undoes itself, counts once by what passes, and listens twice when told twice', async () => {
  const group = await make();
  const heard = [];
  const listener = () => heard.push('twice');
  group.on('closed', listener);
  group.on('closed', listener);
  group.on('closed', () => heard.push('undone'))();
  const dead = AbortSignal.abort();
  group.on('closed', () => heard.push('aborted'), { signal: dead });
  assert.throws(() => group.on('closed', listener, { filtre: 'x' }), { message: /"filter"/ });
  group.addEventListener('closed', { handleEvent: () => heard.push('object') });
  await group.close();
  assert.deepEqual(heard, ['twice', 'twice', 'object']);
});

test('shutdown counts, ends every handle, and the next call starts anew', async () => {
  await init();
  await init();
  const group = await make();
  const closed = new Promise((resolve) => group.on('closed', resolve));
  await shutdown();
  assert.equal(group.status.state, 'disconnected', 'one init() is left');
  await shutdown();
  assert.equal((await closed).detail.reason?.code, 'not-initialized');
  await fails(group.close(), 'not-initialized');
  assert.throws(() => group.connections(), { code: 'not-initialized' });
  const next = await make();
  assert.equal(next.status.state, 'disconnected');
  await next.close();
  await shutdown();
});

test('a fault of the engine is told once to everybody, and stays', async () => {
  const group = await make();
  const ends = [];
  group.on('closed', ({ detail }) => ends.push(detail.reason));
  const real = performance.now;
  performance.now = () => {
    throw new Error('no clock');
  };
  const broken = group.createInvitation();
  performance.now = real;
  await fails(broken, 'internal', /no clock/);
  await fails(group.createInvitation(), 'internal');
  assert.deepEqual(
    ends.map((reason) => reason?.code),
    ['internal'],
  );
  await shutdown();
  await fails(init(), 'internal');
  await fails(make(), 'internal');
});
