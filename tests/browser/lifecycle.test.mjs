// The states of a group and its handles in real pages, and the reasons for which calls fail.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { ownNetwork } from './network.mjs';
import { linked, meet, Stage } from './stage.mjs';

await ownNetwork(import.meta.url);

const LIMIT = { timeout: 60_000 };
/** What the first transport carries in one message. */
const LARGEST_MESSAGE = 60 * 1024;
const BOB = { storage: { name: 'bob' } };

describe('handles, states and reasons', { timeout: 400_000 }, () => {
  let stage;
  let pages = [];
  const page = async () => {
    const opened = await stage.page('chromium');
    pages.push(opened);
    return opened;
  };
  const create = (on, name, given = {}) =>
    on.call('create', name, { friendlyName: name, rendezvous: stage.origin, ...given });

  before(async () => {
    stage = await Stage.set();
  });
  afterEach(async () => {
    for (const one of pages) await one.isQuiet();
    await Promise.all(pages.map((one) => one.close()));
    pages = [];
  });
  after(() => stage?.clear());

  test('the package is imported in Node, without a window', LIMIT, async () => {
    assert.equal('window' in globalThis, false);
    const before = Object.keys(globalThis);
    const url = pathToFileURL(`${process.env.PEER_GROUP_TEST_PACKAGE}/index.js`);
    const { PeerGroup, PeerError } = await import(url.href);
    assert.equal(typeof PeerGroup.create, 'function');
    assert.equal(typeof PeerError, 'function');
    assert.deepEqual(Object.keys(globalThis), before);
  });

  test('a creator alone is online: listening, without connections', LIMIT, async () => {
    const a = await page();
    await create(a, 'alone');
    assert.deepEqual(await a.call('connections', 'alone'), []);
    const status = await a.call('connect', 'alone');
    assert.deepEqual(status, { state: 'listening', listening: true, hasConnections: false });
    const states = (await a.call('heard', 'alone', 'status-changed')).map((e) => e.detail.state);
    assert.equal(states[0], 'connecting');
    assert.equal(states.at(-1), 'listening');
    await a.call('close', 'alone');
    await assert.rejects(a.call('close', 'alone'), { code: 'invalid-group', isPeerError: true });
  });

  test('two handles in one page keep the node online until the last closes', LIMIT, async () => {
    const a = await page();
    const b = await page();
    const first = await create(a, 'g');
    await a.call('connect', 'g');
    const invitation = await a.call('invite', 'g');
    const second = await b.call('join', 'g', invitation, BOB);
    await b.call('connect', 'g');
    await linked(a, 'g', second.peerId);

    const again = await a.call('open', 'h', first.groupId, { rendezvous: stage.origin });
    assert.equal(again.nodeId, first.nodeId);
    assert.equal((await a.call('connections', 'h', 'neighbor')).length, 1);
    await a.call('close', 'g');
    await assert.rejects(a.call('connections', 'g'), { code: 'invalid-group' });
    const [neighbor] = await a.call('connections', 'h', 'neighbor');
    await a.call('send', 'h', neighbor.id, 'still', 'here');
    assert.deepEqual(await b.call('texts', 'g', 'still', 1), ['here']);

    await a.call('close', 'h');
    await b.call('hear', 'g', 'neighbor-connection', {
      status: 'disconnected',
      peerId: first.peerId,
    });
  });

  test('a page that is left without a word is gone within a second', LIMIT, async (t) => {
    const a = await page();
    const b = await page();
    const { second } = await meet(stage, a, b, { join: BOB });
    const left = Date.now();
    await b.raw.goto('about:blank');
    const gone = { status: 'disconnected', peerId: second.peerId };
    const heard = await a.call('hear', 'g', 'neighbor-connection', gone);
    const ms = Date.now() - left;
    t.diagnostic(`heard after ${ms} ms`);
    assert.ok(ms < 1000, `${ms} ms`);
    assert.equal(heard.detail.reason, undefined, 'leaving is no failure');
    await b.load(stage.origin);
  });

  test('a second page of the same storage is told that the group is in use', LIMIT, async () => {
    const a = await page();
    const b = await page();
    const { groupId, peerId } = await create(a, 'g');
    await a.call('connect', 'g');
    const other = await b.call('open', 'g', groupId, { rendezvous: stage.origin });
    assert.equal(other.peerId, peerId);
    await assert.rejects(b.call('connect', 'g', { timeout: 10_000 }), { code: 'group-in-use' });
    await a.call('close', 'g');
    assert.equal((await b.call('connect', 'g')).listening, true);
  });

  test('a named storage is a second person, also after a reload', LIMIT, async () => {
    const a = await page();
    const first = await create(a, 'me');
    await a.call('connect', 'me');
    const invitation = await a.call('invite', 'me');
    const second = await a.call('join', 'bob', invitation, BOB);
    assert.notEqual(second.peerId, first.peerId);
    await a.call('connect', 'bob');
    await linked(a, 'me', second.peerId);
    await a.reload();
    const me = await a.call('open', 'me', first.groupId, { rendezvous: stage.origin });
    const bob = await a.call('open', 'bob', first.groupId, { rendezvous: stage.origin, ...BOB });
    assert.deepEqual([me.peerId, bob.peerId], [first.peerId, second.peerId]);
    await a.call('connect', 'me');
    await a.call('connect', 'bob');
    await linked(a, 'me', second.peerId);
  });

  test('a joiner who finds nobody is told so, and may try again', LIMIT, async (t) => {
    const a = await page();
    const b = await page();
    await create(a, 'g');
    const invitation = await a.call('invite', 'g');
    const { peerId } = await b.call('join', 'g', invitation, BOB);
    const begun = Date.now();
    await assert.rejects(b.call('connect', 'g', { timeout: 2500 }), {
      code: 'no-members-found',
      isPeerError: true,
    });
    const ms = Date.now() - begun;
    t.diagnostic(`no-members-found after ${ms} ms of 2500`);
    assert.ok(ms >= 2000 && ms < 5000, `${ms} ms`);
    assert.equal((await b.call('status', 'g')).listening, false);
    await a.call('connect', 'g');
    assert.equal((await b.call('connect', 'g')).hasConnections, true);
    await linked(a, 'g', peerId);
  });

  test('a signal ends connect at once', LIMIT, async () => {
    const a = await page();
    const b = await page();
    await create(a, 'g');
    const invitation = await a.call('invite', 'g');
    await b.call('join', 'g', invitation, BOB);
    const connecting = b.call('connect', 'g', { signal: 'stop' });
    const refused = assert.rejects(connecting, { code: 'aborted' });
    await b.call('hear', 'g', 'status-changed', { state: 'connecting' });
    const begun = Date.now();
    await b.call('abort', 'stop');
    await refused;
    assert.ok(Date.now() - begun < 2000, 'at once');
    assert.equal((await b.call('status', 'g')).state, 'disconnected');
    await a.call('connect', 'g');
    await b.call('connect', 'g');
  });

  test('a server that is down, and up again', LIMIT, async () => {
    const a = await page();
    const { groupId } = await create(a, 'g');
    await stage.server.stop();
    try {
      await assert.rejects(a.call('connect', 'g', { timeout: 3000 }), {
        code: 'service-not-available',
        isPeerError: true,
      });
    } finally {
      await stage.server.start();
    }
    assert.equal((await a.call('connect', 'g')).listening, true);
    assert.ok(groupId);
    // The browser itself logs each refused connection; nothing else may be there.
    const own = a.complaints.filter((line) => !line.includes('ERR_CONNECTION_REFUSED'));
    a.complaints = own;
  });

  test('a direct connection that nobody listens for is refused', LIMIT, async () => {
    const a = await page();
    const b = await page();
    await create(a, 'g');
    await a.call('connect', 'g');
    const invitation = await a.call('invite', 'g', { maxUses: 2 });
    const deaf = await b.call('join', 'g', invitation, { ...BOB, deaf: 'direct-connection' });
    await b.call('connect', 'g');
    await linked(a, 'g', deaf.peerId);
    await assert.rejects(a.call('openDirect', 'g', deaf.peerId), { code: 'connection-refused' });
    await a.call('hear', 'g', 'direct-connection', { status: 'failed' });
    assert.deepEqual(await a.call('connections', 'g', 'direct'), []);

    const firm = await b.call('join', 'firm', invitation, {
      storage: { name: 'carol' },
      accept: false,
    });
    await b.call('connect', 'firm');
    await linked(a, 'g', firm.peerId);
    await assert.rejects(a.call('openDirect', 'g', firm.peerId), { code: 'connection-refused' });
    await assert.rejects(a.call('closeDirect', 'g', 12_345), { code: 'connection-not-found' });
  });

  test('a message that is too large is refused whole, and the next one goes', LIMIT, async () => {
    const a = await page();
    const b = await page();
    const { second } = await meet(stage, a, b, { join: BOB });
    const [neighbor] = await a.call('connections', 'g', 'neighbor');
    const direct = await a.call('openDirect', 'g', second.peerId);
    for (const id of [neighbor.id, direct]) {
      await a.call('sendSize', 'g', id, LARGEST_MESSAGE);
      await assert.rejects(a.call('sendSize', 'g', id, LARGEST_MESSAGE + 1), {
        code: 'message-too-large',
      });
      await a.call('send', 'g', id, 'small', String(id));
    }
    const came = await b.call('texts', 'g', 'small', 2);
    assert.deepEqual(came, [String(neighbor.id), String(direct)]);
    assert.equal((await b.call('texts', 'g', 'big', 0)).length, 2);
  });
});
