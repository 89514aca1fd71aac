// A browser is killed while it adds records: what it had promised is there when it comes back.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { launch } from './browsers.mjs';
import { ownNetwork } from './network.mjs';
import { Page } from './page.mjs';
import { Stage } from './stage.mjs';

await ownNetwork(import.meta.url);

/** Firefox takes some ten seconds to come back after each. */
const ROUNDS = { chromium: 20, firefox: 6 };
const ADDS = 1000;
const AT_ONCE = 16;

/** For one suite: a server with the test page, and a folder for a profile. */
function scene() {
  const set = {};
  before(async () => {
    set.stage = await Stage.set();
    set.folder = mkdtempSync(join(tmpdir(), 'peer-group-killed-'));
  });
  after(async () => {
    await set.stage?.clear();
    if (set.folder) rmSync(set.folder, { recursive: true, force: true, maxRetries: 5 });
  });
  return set;
}

for (const [kind, rounds] of Object.entries(ROUNDS)) {
  describe(`${kind} is killed`, { timeout: 400_000 }, () => {
    const set = scene();

    test(`in the middle of ${ADDS} adds, ${rounds} times`, { timeout: 380_000 }, async (t) => {
      const { stage, folder } = set;
      // A browser writes down late what it knows of a site it never saw: once, killed a second after the
      // first visit, it had forgotten the site and all its storage. So this is not the first visit.
      const visiting = await launch(kind, { folder });
      await (await Page.open(visiting, stage.origin)).call('groups');
      await visiting.close();
      let last;
      const kept = [];
      for (let round = 0; round <= rounds; round += 1) {
        const browser = await launch(kind, { folder });
        try {
          const page = await Page.open(browser, stage.origin);
          if (last) kept.push(await verify(page, last));
          // Another one each time, from the first adds to the last.
          if (round < rounds) last = await addUntil(page, 25 + Math.floor((round * 940) / rounds));
        } finally {
          await kill(browser, folder);
        }
      }
      t.diagnostic(`of ${ADDS}: resolved/stored ${kept.join(', ')}`);
    });
  });
}

describe('chromium is killed within a write to its log', { timeout: 60_000 }, () => {
  const set = scene();

  const add = (page, text) =>
    page.run((name) => {
      const { records } = globalThis.lab.subject('cut').group;
      const data = new TextEncoder().encode(name);
      return records.add({ type: 'cut', data, expires: 86_400_000 });
    }, text);
  /** What is stored but for the record that the cut may have taken. */
  const texts = (page) =>
    page.run(async () => {
      const all = await globalThis.lab.subject('cut').group.records.list();
      const texts = all.map(({ data }) => new TextDecoder().decode(data));
      return texts.filter((text) => text !== 'within').sort();
    });

  // Chromium by itself would lose everything here: what it appends to such a log cannot be read.
  test('neither what came before is lost nor what comes after', async () => {
    const { stage, folder } = set;
    const killed = await launch('chromium', { folder });
    const first = await Page.open(killed, stage.origin);
    const { groupId } = await first.call('create', 'cut', { friendlyName: 'Cut' });
    for (const text of ['before 1', 'before 2', 'within']) await add(first, text);
    await kill(killed, folder);
    cutLog(folder);

    const next = await launch('chromium', { folder });
    const second = await Page.open(next, stage.origin);
    await second.call('open', 'cut', groupId);
    assert.deepEqual(await texts(second), ['before 1', 'before 2']);
    await add(second, 'after');
    await next.close();

    const last = await launch('chromium', { folder });
    const third = await Page.open(last, stage.origin);
    await third.call('open', 'cut', groupId);
    assert.deepEqual(await texts(third), ['after', 'before 1', 'before 2']);
    await last.close();
  });
});

/** Cuts the last write of the newest log in which Chromium keeps databases, as a kill may. */
function cutLog(profile) {
  const files = readdirSync(join(profile, 'Default', 'IndexedDB'), {
    recursive: true,
    withFileTypes: true,
  });
  const logs = files.filter(({ name }) => name.endsWith('.log'));
  const [newest] = logs.sort((a, b) => b.name.localeCompare(a.name));
  assert.ok(newest, 'this Chromium keeps databases in another way: is this test still needed?');
  const log = join(newest.parentPath, newest.name);
  truncateSync(log, statSync(log).size - 3);
}

/** Adds in a new group until so many promises have resolved, as told by the page. */
async function addUntil(page, count) {
  const told = [];
  let enough;
  const isEnough = new Promise((resolve) => {
    enough = resolve;
  });
  await page.raw.exposeFunction('tell', (id, number) => {
    told.push([id, number]);
    if (told.length === count) enough();
  });
  const { groupId } = await page.call('create', 'killed', { friendlyName: 'Killed' });
  await page.run(
    (all, atOnce) => {
      const { records } = globalThis.lab.subject('killed').group;
      let next = 0;
      const work = async () => {
        let told;
        while (next < all) {
          next += 1;
          const number = next;
          const data = new TextEncoder().encode(`record ${number}`.padEnd(300, '.'));
          const id = await records.add({ type: 'killed', data, expires: 86_400_000 });
          // It is never further ahead than one record that the test has not heard of.
          await told;
          told = globalThis.tell(id, number);
        }
      };
      globalThis.working = Array.from({ length: atOnce }, work);
    },
    ADDS,
    AT_ONCE,
  );
  await isEnough;
  return { groupId, told };
}

/** Every record of which the page told is there, whole; and the store takes more. */
async function verify(page, { groupId, told }) {
  await page.call('open', 'killed', groupId);
  const stored = await page.run(async () => {
    const { records } = globalThis.lab.subject('killed').group;
    const all = await records.list();
    const entry = ({ id, data, version, type }) => [
      id,
      { text: new TextDecoder().decode(data), version, type },
    ];
    return Object.fromEntries(all.map(entry));
  });
  for (const [id, number] of told) {
    const text = `record ${number}`.padEnd(300, '.');
    assert.deepEqual(stored[id], { text, version: 1, type: 'killed' }, `record ${number}`);
  }
  // What was stored without its promise having told is whole, too.
  const numbers = Object.values(stored).map(({ text }) =>
    Number(/^record (\d+)\.+$/.exec(text)[1]),
  );
  assert.equal(new Set(numbers).size, numbers.length, 'none is there twice');
  assert.ok(
    numbers.length <= Math.min(ADDS, told.length + 2 * AT_ONCE),
    `${numbers.length} stored`,
  );
  const isMore = await page.run(async () => {
    const { group } = globalThis.lab.subject('killed');
    const id = await group.records.add({ type: 'more', expires: 86_400_000 });
    const found = await group.records.list({ type: 'more' });
    await group.close();
    return found.length === 1 && found[0].id === id;
  });
  assert.ok(isMore, 'another record is added');
  return `${told.length}/${numbers.length}`;
}

/** All processes of the browser at once, none of which can do anything about it. */
async function kill(browser, folder) {
  const child = browser.process();
  const exited = once(child, 'exit');
  process.kill(-child.pid, 'SIGKILL');
  await exited;
  // The next launch may not meet the last one's launcher, which puts preferences back in place.
  const isTidying = () => readdirSync(folder).some((name) => name.endsWith('.puppeteer'));
  while (isTidying()) await pause(10);
}
