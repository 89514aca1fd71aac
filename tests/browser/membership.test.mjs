// Changing and ending memberships in real browsers: roles change on open handles, who is removed hears why and is out, who leaves has gone everywhere,
// and invitations that were voided let nobody in.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ownNetwork } from './network.mjs';
import { linked, meet, Stage } from './stage.mjs';

await ownNetwork(import.meta.url);

const LIMIT = { timeout: 60_000 };

/** Why a call is refused. */
const code = (page, ...call) =>
  page.call(...call).then(
    () => 'not refused',
    (error) => error.code,
  );

describe('changing and ending memberships', { timeout: 300_000 }, () => {
  let stage;

  before(async () => {
    stage = await Stage.set();
  });
  after(() => stage?.clear());

  for (const [one, other] of [
    ['chromium', 'firefox'],
    ['firefox', 'chromium'],
  ]) {
    test(`a ${one} removes a ${other}, and a third one stays`, LIMIT, async (t) => {
      const [a, b, c] = [
        await stage.fresh(one),
        await stage.fresh(other),
        await stage.fresh('chromium'),
      ];
      const { first, second, invitation } = await meet(stage, a, b);
      const third = await c.call('join', 'g', invitation);
      await c.call('connect', 'g');
      await Promise.all([linked(a, 'g', third.peerId), linked(b, 'g', third.peerId)]);
      const id = await b.call('add', 'g', { type: 'note', text: 'before', expires: 600_000 });
      await a.call('present', 'g', id);
      const begun = Date.now();
      await a.call('revoke', 'g', second.peerId, 'no spam here');
      const told = await b.call('hear', 'g', 'connection-failed', { code: 'credential-revoked' });
      t.diagnostic(`told so ${told.at - begun} ms after the call`);
      assert.match(told.detail.message, /no spam here/);
      for (const [page, rest] of [
        [a, third],
        [c, first],
      ]) {
        const gone = { status: 'disconnected', peerId: second.peerId };
        await page.call('hear', 'g', 'neighbor-connection', gone);
        const left = await page.call('connections', 'g', 'neighbor');
        assert.deepEqual(
          left.map(({ peerId }) => peerId),
          [rest.peerId],
        );
        // What it wrote stays.
        assert.ok(await page.call('has', 'g', id));
      }
      assert.equal((await b.call('status', 'g')).state, 'disconnected');
      assert.equal(await code(b, 'connect', 'g'), 'credential-revoked');
      // Nor after a reload, nor by the link that let it in.
      await b.reload();
      await b.call('open', 'g', first.groupId);
      assert.equal(await code(b, 'connect', 'g'), 'credential-revoked');
      await Promise.all([a.isQuiet(), c.isQuiet()]);
    });
  }

  for (const [one, other] of [
    ['chromium', 'firefox'],
    ['firefox', 'chromium'],
  ]) {
    test(`a ${one} changes the role of a ${other}, and changes it back`, LIMIT, async () => {
      const [a, b, c] = [
        await stage.fresh(one),
        await stage.fresh(other),
        await stage.fresh('chromium'),
      ];
      const { second } = await meet(stage, a, b);
      assert.equal(await code(b, 'invite', 'g', {}), 'not-authorized');
      const change = async (role) => {
        const from = await b.call('count', 'g');
        await a.call('issue', 'g', second.peerId, { roles: [role] });
        const updated = { change: 'updated', peerId: second.peerId };
        await b.call('hear', 'g', 'member-changed', updated, { from });
        await a.call('hear', 'g', 'member-changed', updated);
        for (const page of [a, b]) {
          const [member] = await page.call('members', 'g', { peerId: second.peerId });
          assert.deepEqual(member.roles, [role]);
        }
      };
      // On the open handle, without connecting again.
      await change('inviting-member');
      const invitation = await b.call('invite', 'g', {});
      const third = await c.call('join', 'g', invitation);
      await c.call('connect', 'g');
      await Promise.all([linked(a, 'g', third.peerId), linked(b, 'g', third.peerId)]);
      await change('member');
      assert.equal(await code(b, 'invite', 'g', {}), 'not-authorized');
      await Promise.all([a, b, c].map((page) => page.isQuiet()));
    });
  }

  test('who leaves is gone everywhere, and may come again', LIMIT, async () => {
    const [a, b] = [await stage.fresh('chromium'), await stage.fresh('firefox')];
    const { first, second, invitation } = await meet(stage, a, b);
    await b.call('leave', 'g');
    await a.call('hear', 'g', 'neighbor-connection', {
      status: 'disconnected',
      peerId: second.peerId,
    });
    assert.deepEqual(await b.call('groups'), []);
    assert.equal(await code(b, 'connect', 'g'), 'invalid-group');
    const again = await b.call('join', 'h', invitation);
    assert.deepEqual([again.groupId, again.peerId], [first.groupId, second.peerId]);
    await b.call('connect', 'h');
    await linked(b, 'h', first.peerId);
    await Promise.all([a.isQuiet(), b.isQuiet()]);
  });

  test('invitations that were voided let nobody in', LIMIT, async () => {
    const [a, b, c] = [
      await stage.fresh('firefox'),
      await stage.fresh('chromium'),
      await stage.fresh('firefox'),
    ];
    const { first } = await meet(stage, a, b);
    const revoked = await a.call('invite', 'g', { maxUses: 5 });
    const outdated = await a.call('invite', 'g', { maxUses: 5 });
    await a.call('revokeText', 'g', revoked);
    await c.call('join', 'r', revoked, { storage: { name: 'r' } });
    assert.equal(await code(c, 'connect', 'r'), 'invitation-revoked');
    await a.call('voidInvitations', 'g');
    await c.call('join', 'o', outdated, { storage: { name: 'o' } });
    assert.equal(await code(c, 'connect', 'o'), 'invitation-revoked');
    // Members come and go as before.
    await b.reload();
    await b.call('open', 'g', first.groupId);
    await b.call('connect', 'g');
    await linked(b, 'g', first.peerId);
    const fresher = await a.call('invite', 'g', {});
    await c.call('join', 'n', fresher, { storage: { name: 'n' } });
    await c.call('connect', 'n');
  });
});
