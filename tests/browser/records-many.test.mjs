// Many records for a newcomer: how long it takes, and how many bytes.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ownNetwork } from './network.mjs';
import { Page } from './page.mjs';
import { Stage } from './stage.mjs';
import { until } from './until.mjs';

await ownNetwork(import.meta.url);

const BROWSERS = ['chromium', 'firefox'];
const MANY = 10_000;
const PAYLOAD_BYTES = 300;
const TARGET_RATIO = 1.7;

for (const kind of BROWSERS) {
  describe(`${MANY} records for a newcomer in ${kind}`, { timeout: 300_000 }, () => {
    let stage;
    before(async () => {
      stage = await Stage.set();
    });
    after(() => stage?.clear());

    test('time, and bytes over payload', { timeout: 280_000 }, async (t) => {
      const a = await counting(stage, kind, `${kind} 1`);
      const b = await counting(stage, kind, `${kind} 2`);
      const { groupId } = await a.call('create', 'g', {
        friendlyName: 'Many',
        rendezvous: stage.origin,
      });
      await a.call('connect', 'g');
      const addMs = await a.run(fill, 'g', MANY, PAYLOAD_BYTES);
      t.diagnostic(`${MANY} records of ${PAYLOAD_BYTES} bytes added in ${addMs} ms`);
      const invitation = await a.call('invite', 'g');
      await b.call('join', 'g', invitation);
      const before = await a.run(() => globalThis.traffic());
      const took = await b.run(async (count) => {
        const { group } = globalThis.lab.subject('g');
        const begun = performance.now();
        await group.connect({ timeout: 120_000 });
        const connected = performance.now() - begun;
        let came = 0;
        for await (const _ of group.records.watch({ type: 'many' })) {
          came += 1;
          if (came === count) break;
        }
        return { connected, all: performance.now() - begun };
      }, MANY);
      const after_ = await a.run(() => globalThis.traffic());
      const payload = MANY * PAYLOAD_BYTES;
      const ratio = (what) => (after_[what] - before[what]) / payload;
      t.diagnostic(
        `connect() after ${took.connected.toFixed(0)} ms, all there after ${took.all.toFixed(0)} ms`,
      );
      t.diagnostic(
        `bytes over payload: ${ratio('messages').toFixed(3)} in messages, ` +
          `${ratio('transport').toFixed(3)} on the transport, ${ratio('sockets').toFixed(3)} over the server`,
      );
      assert.ok(after_.messages > before.messages, 'the messages were counted');
      const all = ratio('messages') + ratio('sockets');
      assert.ok(all < TARGET_RATIO, `${all.toFixed(3)} of ${TARGET_RATIO}`);

      // What others wrote is stored in turn, after it is shown.
      assert.ok(await until(b.raw, 30_000, areStored, MANY), 'all are stored');
      await b.reload();
      const again = await b.run(openAgain, groupId);
      assert.equal(again.count, MANY);
      t.diagnostic(
        `opened again in ${again.opened.toFixed(0)} ms, listed in ${again.listed.toFixed(0)} ms; ` +
          `the page stood still for ${again.still.toFixed(0)} ms at most`,
      );
      await Promise.all([a.isQuiet(), b.isQuiet()]);
    });
  });
}

/** A page that counts what it sends: `traffic()` tells. */
async function counting(stage, kind, process) {
  const page = new Page(await (await stage.browser(kind, process)).newPage());
  await page.raw.evaluateOnNewDocument(() => {
    const connections = [];
    let sockets = 0;
    const RealConnection = globalThis.RTCPeerConnection;
    globalThis.RTCPeerConnection = class extends RealConnection {
      constructor(...given) {
        super(...given);
        connections.push(this);
      }
    };
    const { send } = WebSocket.prototype;
    WebSocket.prototype.send = function (data) {
      sockets += data.byteLength ?? data.length;
      return send.call(this, data);
    };
    globalThis.traffic = async () => {
      const total = { messages: 0, transport: 0, sockets };
      for (const connection of connections) {
        for (const entry of (await connection.getStats()).values()) {
          if (entry.type === 'data-channel') total.messages += entry.bytesSent;
          if (entry.type === 'candidate-pair') total.transport += entry.bytesSent ?? 0;
        }
      }
      return total;
    };
  });
  await page.load(stage.origin);
  return page;
}

/** Runs in the page: adds that many records; how long that took. */
async function fill(name, count, size) {
  const { records } = globalThis.lab.subject(name).group;
  const begun = performance.now();
  const add = () => {
    const data = crypto.getRandomValues(new Uint8Array(size));
    return records.add({ type: 'many', data, expires: 86_400_000 });
  };
  await Promise.all(Array.from({ length: count }, add));
  return Math.round(performance.now() - begun);
}

/** Runs in the page: opens the group from storage, and watches whether the page still moves. */
async function openAgain(groupId) {
  const { init, PeerGroup } = globalThis.lab.api;
  await init();
  let [last, still] = [performance.now(), 0];
  const beat = () => {
    const now = performance.now();
    still = Math.max(still, now - last);
    last = now;
  };
  const pulse = setInterval(beat, 1);
  const begun = performance.now();
  const group = await PeerGroup.open(groupId);
  beat();
  const opened = performance.now() - begun;
  const { length: count } = await group.records.list();
  const listed = performance.now() - begun - opened;
  beat();
  clearInterval(pulse);
  return { opened, listed, count, still };
}

/** Runs in the page: whether storage has that many records. */
async function areStored(count) {
  const done = (request) =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  const opened = await done(indexedDB.open('peer-group'));
  const values = opened.transaction('values').objectStore('values');
  const stored = await done(values.count(IDBKeyRange.bound('record/', 'record0')));
  opened.close();
  return stored >= count;
}
