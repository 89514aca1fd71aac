// What only two real pages show of the wrapper: data that waits, questions to the app, connections
// by every kind of target, and graphs.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ownNetwork } from './network.mjs';
import { pair, Stage } from './stage.mjs';

await ownNetwork(import.meta.url);

const LIMIT = { timeout: 60_000 };

describe('the wrapper between two pages', { timeout: 300_000 }, () => {
  let stage;
  before(async () => {
    stage = await Stage.set();
  });
  after(() => stage?.clear());

  const two = async (t) => {
    const set = await pair(stage, ['chromium', 'chromium']);
    t.after(() => Promise.all([set.a.close(), set.b.close()]));
    return set;
  };
  const quiet = (...pages) => Promise.all(pages.map((page) => page.isQuiet()));

  test('data waits until somebody listens, and only then is it taken', LIMIT, async (t) => {
    const { a, b, first } = await two(t);
    await b.call('open', 'deaf', first.groupId, { deaf: 'incoming-data' });
    await b.call('close', 'g');
    await a.run(() => {
      const { group } = globalThis.lab.subject('g');
      const [{ id }] = group.connections('neighbor');
      globalThis.taken = [];
      globalThis.sent = Promise.all(
        ['1', '2', '3'].map((text) =>
          group.send(id, 'wait', text).then(() => globalThis.taken.push(text)),
        ),
      );
    });
    await b.run(async () => {
      const { group } = globalThis.lab.subject('deaf');
      const before = () => group.connections('neighbor')[0].bytesReceived;
      while (before() < 3) await new Promise((resolve) => setTimeout(resolve, 10));
    });
    assert.deepEqual(await a.run(() => globalThis.taken), []);
    const heard = await b.run(async () => {
      const texts = [];
      for await (const { detail } of globalThis.lab.subject('deaf').group.events('incoming-data')) {
        texts.push(detail.text());
        if (texts.length === 3) break;
      }
      return texts;
    });
    await a.run(() => globalThis.sent);
    assert.deepEqual(heard, ['1', '2', '3']);
    assert.deepEqual(await a.run(() => globalThis.taken), heard);
    await quiet(a, b);
  });

  test('an iterator that is not asked holds the sender back', LIMIT, async (t) => {
    const { a, b, first } = await two(t);
    await b.call('open', 'slow', first.groupId, { deaf: 'incoming-data' });
    await b.call('close', 'g');
    await b.run(() => {
      globalThis.slow = globalThis.lab.subject('slow').group.events('incoming-data');
    });
    await a.run(() => {
      const { group } = globalThis.lab.subject('g');
      const [{ id }] = group.connections('neighbor');
      globalThis.taken = [];
      for (const text of ['1', '2'])
        group.send(id, 'slow', text).then(() => globalThis.taken.push(text));
    });
    const next = () => b.run(async () => (await globalThis.slow.next()).value.detail.text());
    const taken = (count) =>
      a.run(async (wanted) => {
        while (globalThis.taken.length < wanted)
          await new Promise((resolve) => setTimeout(resolve, 10));
        return globalThis.taken;
      }, count);
    assert.equal(await next(), '1');
    assert.deepEqual(await taken(1), ['1']);
    assert.equal(await next(), '2');
    assert.deepEqual(await taken(2), ['1', '2']);
    await quiet(a, b);
  });

  test('acceptDirect decides: no, a throw and silence refuse', LIMIT, async (t) => {
    const { a, b, first, second } = await two(t);
    await b.run(
      async (groupId, rendezvous) => {
        const { PeerGroup } = globalThis.lab.api;
        const answers = {
          yes: () => true,
          later: async () => true,
          no: () => false,
          truthy: () => 'yes',
          throws: () => {
            throw new Error('not now');
          },
          rejects: () => Promise.reject(new Error('not now')),
          silent: () => new Promise(() => {}),
        };
        globalThis.answer = 'no';
        globalThis.asked = [];
        const acceptDirect = (from) => {
          globalThis.asked.push(from.peerId);
          return answers[globalThis.answer]();
        };
        globalThis.asking = await PeerGroup.open(groupId, { rendezvous, acceptDirect });
      },
      first.groupId,
      stage.origin,
    );
    await b.call('close', 'g');
    for (const [answer, accepted] of [
      ['yes', true],
      ['later', true],
      ['no', false],
      ['truthy', false],
      ['throws', false],
      ['rejects', false],
      ['silent', false],
    ]) {
      await b.run((now) => {
        globalThis.answer = now;
      }, answer);
      const opening = a.call('openDirect', 'g', second.peerId);
      if (accepted) await opening;
      else await assert.rejects(opening, { code: 'connection-refused' }, answer);
    }
    assert.deepEqual(await b.run(() => [...new Set(globalThis.asked)]), [first.peerId]);
    await quiet(a, b);
  });

  test(
    'a direct connection to a peer, a node and an address; its promises and its end',
    LIMIT,
    async (t) => {
      const { a, b, first, second } = await two(t);
      const address = await b.run(() => globalThis.lab.subject('g').group.address);
      for (const to of [second.peerId, second.nodeId, address]) {
        const seen = await a.run(async (target) => {
          const { group } = globalThis.lab.subject('g');
          const connection = group.openDirectConnection(target, { label: 'a label' });
          const isSame = (await connection.opened) === connection;
          const [listed] = group.connections('direct');
          await connection.send('order', new Blob(['1']));
          const four = new TextEncoder().encode('4');
          const sending = [
            connection.send('order', new Blob(['2'])),
            connection.send('order', '3'),
            connection.send('order', four.buffer),
            connection.send('order', '5'),
          ];
          // What was given to it before is sent as it was.
          four.fill(0);
          await Promise.all(sending);
          const { id, peerId, nodeId, label } = connection;
          await connection.close();
          await connection.close();
          const isCleanEnd = (await connection.closed) === undefined;
          return { isSame, peerId, nodeId, label, isListed: listed.id === id, isCleanEnd };
        }, to);
        assert.deepEqual(seen, {
          isSame: true,
          peerId: second.peerId,
          nodeId: second.nodeId,
          label: 'a label',
          isListed: true,
          isCleanEnd: true,
        });
        await b.call('hear', 'g', 'direct-connection', {
          status: 'disconnected',
          peerId: first.peerId,
        });
      }
      const texts = await b.call('texts', 'g', 'order', 15);
      assert.deepEqual(texts, [
        '1',
        '2',
        '3',
        '4',
        '5',
        '1',
        '2',
        '3',
        '4',
        '5',
        '1',
        '2',
        '3',
        '4',
        '5',
      ]);
      const codes = await a.run(async (peerId) => {
        const { group } = globalThis.lab.subject('g');
        const stop = new AbortController();
        const code = (promise) =>
          promise.then(
            () => 'done',
            (error) => error.code,
          );
        const aborted = group.openDirectConnection(peerId, { signal: stop.signal });
        stop.abort();
        const closed = group.openDirectConnection(peerId);
        group.closeDirectConnection(closed.id);
        // Nobody watches this one.
        group.closeDirectConnection(group.openDirectConnection(peerId).id);
        const [neighbor] = group.connections('neighbor');
        let refused;
        try {
          group.closeDirectConnection(neighbor.id);
        } catch (error) {
          refused = error.code;
        }
        return [await code(aborted.opened), await code(closed.opened), refused];
      }, second.peerId);
      assert.equal(codes[0], 'aborted');
      assert.notEqual(codes[1], 'done');
      assert.equal(codes[2], 'connection-not-found');
      await quiet(a, b);
    },
  );

  test('two graphs meet by address alone', LIMIT, async (t) => {
    const [a, b] = await Promise.all([
      stage.page('chromium', 'chromium 1'),
      stage.page('chromium', 'chromium 2'),
    ]);
    t.after(() => Promise.all([a.close(), b.close()]));
    const open = (page, call) =>
      page.run(
        async (how, rendezvous) => {
          const { PeerGraph } = globalThis.lab.api;
          const options = { rendezvous, storage: 'memory' };
          const graph =
            how === 'create'
              ? await PeerGraph.create({ ...options, graphId: 'two graphs' })
              : await PeerGraph.open('two graphs', options);
          globalThis.graph = graph;
          globalThis.changes = [];
          graph.on('neighbor-connection', ({ detail }) => globalThis.changes.push(detail));
          graph.on('direct-connection', () => {});
          graph.on('incoming-data', ({ detail }) => {
            globalThis.got = detail.text();
          });
          return graph.peerId;
        },
        call,
        stage.origin,
      );
    const peerId = await open(a, 'create');
    await open(b, 'open');
    const address = await a.run(() => globalThis.graph.listen());
    await assert.rejects(
      a.run(() => globalThis.graph.listen().catch((error) => Promise.reject(error.code))),
      /already-listening/,
    );
    const met = await b.run(
      async (peer, to) => {
        const { graph } = globalThis;
        const { id, opened } = graph.connect(peer, to);
        const info = await opened;
        let again;
        try {
          graph.connect(peer, to);
        } catch (error) {
          again = error.code;
        }
        const direct = graph.openDirectConnection(peer);
        await direct.opened;
        await direct.send('hello', 'graph');
        return {
          isSame: info.id === id,
          heard: globalThis.changes.some(
            ({ status, connectionId }) => status === 'connected' && connectionId === id,
          ),
          again,
          peerId: info.peerId,
          kinds: graph
            .connections()
            .map(({ kind }) => kind)
            .sort(),
          status: graph.status,
        };
      },
      peerId,
      address,
    );
    assert.deepEqual(met, {
      isSame: true,
      heard: true,
      again: 'already-exists',
      peerId,
      kinds: ['direct', 'neighbor'],
      status: { listening: false, hasConnections: true, synchronized: true },
    });
    assert.equal(await a.run(() => globalThis.got), 'graph');
    await b.run(() => globalThis.graph.close());
    await a.run(async () => {
      while (globalThis.graph.connections().length > 0)
        await new Promise((resolve) => setTimeout(resolve, 10));
    });
    await quiet(a, b);
  });
});
