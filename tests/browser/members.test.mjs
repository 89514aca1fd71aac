// Who is in a group, between real browsers: names, roles, who is here, who looks, who is gone.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { ownNetwork } from './network.mjs';
import { Stage } from './stage.mjs';

await ownNetwork(import.meta.url);

const LIMIT = { timeout: 90_000 };

/** Opens a group or takes an invitation as an identity of that name. */
const enter = (page, handle, name, invitation) =>
  page.run(
    async (as, called, text, rendezvous) => {
      const { Identity, PeerGroup } = globalThis.lab.api;
      const storage = { name: called };
      const [known] = await Identity.list({ storage });
      const identity = known ?? (await Identity.create({ storage, name: called }));
      const options = { storage, rendezvous };
      const [before] = await PeerGroup.list({ storage });
      const group = before
        ? await PeerGroup.open(before.groupId, options)
        : text
          ? await PeerGroup.join(text, options)
          : await PeerGroup.create({ ...options, friendlyName: 'Members' });
      globalThis.lab.calls.keep(as, group);
      return { peerId: identity.peerId, nodeId: group.nodeId };
    },
    handle,
    name,
    invitation ?? null,
    page.origin,
  );

/** What the page shows of a member, once that fits: looked at again after every word about it. */
async function shown(page, peerId, what, fits) {
  for (;;) {
    const from = await page.call('count', 'g');
    const [member] = await page.call('members', 'g', { peerId });
    if (fits(member)) return member;
    const within = 15_000;
    await page.call('hear', 'g', 'member-changed', { peerId }, { from, within }).catch((error) => {
      assert.fail(`${what}: ${JSON.stringify(member)}; ${error.message}`);
    });
  }
}

/** As when a tab is hidden, or seen again. */
const look = (page, hidden) =>
  page.run((is) => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => is });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);

const changes = async (page, of, from = 0) => {
  const heard = await page.call('heard', 'g', 'member-changed');
  return heard
    .map(({ detail }) => detail)
    .slice(from)
    .filter(({ peerId }) => peerId === of)
    .map(({ change }) => change);
};

describe('members between browsers', { timeout: 400_000 }, () => {
  let stage;
  let pages = [];
  const page = async (kind, process) => {
    const opened = await stage.page(kind, process);
    opened.origin = stage.origin;
    pages.push(opened);
    return opened;
  };

  before(async () => {
    stage = await Stage.set();
  });
  afterEach(async () => {
    for (const one of pages) await one.isQuiet();
    await Promise.allSettled(pages.map((one) => one.close()));
    pages = [];
  });
  after(() => stage?.clear());

  for (const [one, two] of [
    ['chromium', 'firefox'],
    ['firefox', 'chromium'],
  ]) {
    test(
      `${one} sees who ${two} is, that it is here, looks away, leaves and returns`,
      LIMIT,
      async () => {
        const a = await page(one);
        const b = await page(two);
        const [ann, bob] = [`Ann of ${one}`, `Bob of ${two}`];
        const first = await enter(a, 'g', ann);
        await a.call('connect', 'g');
        const invitation = await a.call('invite', 'g', { maxUses: 2, roles: ['inviting-member'] });
        const second = await enter(b, 'g', bob, invitation);
        await b.call('connect', 'g');

        const joined = await shown(a, second.peerId, 'he is here', (member) => member?.present);
        assert.equal(joined.name, bob);
        assert.deepEqual(joined.roles, ['inviting-member']);
        assert.equal(joined.nodes.length, 1);
        const [{ nodeId, address, attributes }] = joined.nodes;
        assert.deepEqual([nodeId, attributes], [second.nodeId, '']);
        assert.match(address, /^pg-node:/);
        const { credential } = joined;
        assert.deepEqual(
          [credential.subject, credential.issuer, credential.issuedByGroup, credential.roles],
          [second.peerId, first.peerId, false, ['inviting-member']],
        );
        assert.deepEqual((await changes(a, second.peerId)).slice(0, 2), ['joined', 'connected']);

        const maker = await shown(b, first.peerId, 'she is here', (member) => member?.present);
        assert.deepEqual([maker.name, maker.roles], [ann, ['admin']]);
        assert.equal(maker.credential.issuedByGroup, true);
        // Each is the first in its own list.
        assert.equal((await a.call('members', 'g'))[0].peerId, first.peerId);
        assert.equal((await b.call('members', 'g'))[0].peerId, second.peerId);
        // Who was there before has not joined because somebody hears of it.
        assert.ok(!(await changes(b, first.peerId)).includes('joined'));

        let from = (await a.call('heard', 'g', 'member-changed')).length;
        await look(b, true);
        await shown(a, second.peerId, 'he is away', (member) => member?.nodes[0]?.away);
        await look(b, false);
        await shown(a, second.peerId, 'he is back', (member) => member?.nodes[0]?.away === false);
        await b.call('presence', 'g', { attributes: 'until five' });
        const said = (member) => member?.nodes[0]?.attributes === 'until five';
        await shown(a, second.peerId, 'what he says', said);
        await b.run(async (called) => {
          const storage = { name: called };
          const [identity] = await globalThis.lab.api.Identity.list({ storage });
          await identity.setName('Bobby');
        }, bob);
        await shown(a, second.peerId, 'his new name', (member) => member?.name === 'Bobby');
        assert.deepEqual([...new Set(await changes(a, second.peerId, from))], ['updated']);

        // A page that goes without a word to the package is gone at once.
        from = (await a.call('heard', 'g', 'member-changed')).length;
        await b.reload();
        await shown(a, second.peerId, 'he left', (member) => member?.present === false);
        assert.deepEqual(await changes(a, second.peerId, from), ['disconnected']);
        const again = await enter(b, 'g', bob);
        assert.equal(again.peerId, second.peerId);
        assert.notEqual(again.nodeId, second.nodeId);
        // Offline it still knows who is in the group.
        const known = await b.call('members', 'g');
        assert.deepEqual(
          known.map(({ name, present }) => [name, present]),
          [
            ['Bobby', false],
            [ann, false],
          ],
        );
        await b.call('connect', 'g');
        const back = await shown(a, second.peerId, 'he is back', (member) => member?.present);
        assert.deepEqual(
          back.nodes.map((node) => node.nodeId),
          [again.nodeId],
        );
        assert.equal((await changes(a, second.peerId, from)).at(-1), 'connected');
        await b.call('close', 'g');
        await shown(a, second.peerId, 'he closed', (member) => member?.present === false);
      },
    );
  }
});
