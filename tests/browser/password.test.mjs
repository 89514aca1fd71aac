// A group that admits by password, in real browsers: in with the right one, told about a wrong one, and
// what happens when it is changed.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ownNetwork } from './network.mjs';
import { Stage } from './stage.mjs';

await ownNetwork(import.meta.url);

const LIMIT = { timeout: 90_000 };
const RIGHT = 'three green teapots';

const host = (page, rendezvous, password) =>
  page.ask(
    async ({ PeerGroup }, rendezvous, password) => {
      globalThis.group = await PeerGroup.create({ friendlyName: 'Tea', rendezvous, password });
      await globalThis.group.connect();
      return globalThis.group.createPasswordInvitation();
    },
    rendezvous,
    password,
  );

/** Joins, goes online, and says what came of it, what was told, and how long it took. */
const enter = (page, text, password) =>
  page.ask(
    async ({ PeerGroup }, text, password) => {
      const group = await PeerGroup.joinWithPassword(text, password);
      globalThis.group = group;
      globalThis.told = [];
      group.on('authentication-failed', ({ detail }) => globalThis.told.push(detail.code));
      const begun = performance.now();
      const outcome = await group.connect().then(
        ({ listening }) => ({ listening }),
        ({ code }) => ({ code }),
      );
      return { ...outcome, ms: performance.now() - begun, told: [...globalThis.told] };
    },
    text,
    password,
  );

const again = (page, password) =>
  page.ask(async (_, password) => {
    const { listening } = await globalThis.group.connect({ password });
    return { listening };
  }, password);

describe('groups that admit by password', { timeout: 400_000 }, () => {
  let stage;

  before(async () => {
    stage = await Stage.set();
  });
  after(() => stage?.clear());

  for (const [one, other] of [
    ['chromium', 'firefox'],
    ['firefox', 'chromium'],
  ]) {
    test(`a ${other} comes in to a ${one}, at the second try`, LIMIT, async (t) => {
      const [here, there] = [await stage.fresh(one), await stage.fresh(other)];
      const text = await host(here, stage.origin, RIGHT);
      t.diagnostic(`the invitation has ${text.length} characters`);
      const { ms, ...wrong } = await enter(there, text, 'three green teacups');
      t.diagnostic(`told so after ${Math.round(ms)} ms`);
      assert.deepEqual(wrong, { code: 'wrong-password', told: ['wrong-password'] });
      assert.ok(ms < 2_000, `${ms} ms`);
      // The same handle, without joining again.
      assert.deepEqual(await there.ask(async () => (await globalThis.group.connect()).state), {
        code: 'wrong-password',
      });
      assert.deepEqual(await again(there, RIGHT), { listening: true });
      const members = await here.ask(() => globalThis.group.connections('neighbor').length);
      assert.equal(members, 1);
      await Promise.all([here.isQuiet(), there.isQuiet()]);
    });
  }

  test('a changed password opens by the old invitation, the old one does not', LIMIT, async () => {
    const [here, late, early] = [
      await stage.fresh('chromium'),
      await stage.fresh('firefox'),
      await stage.fresh('chromium'),
    ];
    const text = await host(here, stage.origin, RIGHT);
    const first = await enter(early, text, RIGHT);
    assert.deepEqual([first.listening, first.told], [true, []]);
    await here.ask(() => globalThis.group.setProperties({ password: 'four blue saucers' }));
    const { ms: _, ...refused } = await enter(late, text, RIGHT);
    assert.deepEqual(refused, { code: 'wrong-password', told: ['wrong-password'] });
    assert.deepEqual(await again(late, 'four blue saucers'), { listening: true });
    // Who was in stays in, and needs no password to come back.
    await early.reload();
    const back = await early.ask(
      async ({ PeerGroup }, groupId) => (await (await PeerGroup.open(groupId)).connect()).listening,
      await here.ask(() => globalThis.group.groupId),
    );
    assert.equal(back, true);
    await Promise.all([here, late, early].map((page) => page.isQuiet()));
  });
});
