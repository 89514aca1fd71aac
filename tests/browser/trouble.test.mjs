// The demo's words for what goes wrong: each failure is a real one.

import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Window } from './demo.mjs';
import { ownNetwork } from './network.mjs';
import { Stage } from './stage.mjs';
import { until } from './until.mjs';

await ownNetwork(import.meta.url);

const LIMIT = { timeout: 90_000 };
/** Longer than one attempt of the demo to go online. */
const ATTEMPT_MS = 25_000;

describe('words for failures', { timeout: 400_000 }, () => {
  let stage;
  let contexts = [];
  const shots = mkdtempSync(join(tmpdir(), 'peer-group-trouble-'));

  before(async () => {
    stage = await Stage.set({ www: process.env.PEER_GROUP_DEMO, plain: true });
  });
  after(async () => {
    await Promise.all(contexts.map((context) => context.close()));
    process.stderr.write(`Screenshots: ${shots}\n`);
    await stage?.clear();
  });

  /** A window of somebody new: nothing is stored yet. */
  async function stranger(url, options) {
    const context = await (await stage.browser('chromium')).createBrowserContext();
    contexts = [...contexts, context];
    return Window.open(context, url, options);
  }

  async function shoot(window, name) {
    await window.resize({ width: 360, height: 720 });
    await window.fits();
    await window.page.screenshot({ path: join(shots, `${name}.png`) });
  }

  /** Ada, online in a group of her own, and a link into it. */
  async function host(uses) {
    const window = await stranger(stage.origin);
    const ada = window.person();
    await ada.create('Ada', 'Sunday walkers');
    await ada.reads('.status', 'Online');
    return { window, ada, link: await ada.link(uses) };
  }

  test('the server is down, and comes back', LIMIT, async () => {
    const window = await stranger(stage.origin);
    const ada = window.person();
    await ada.find('.hero');
    const isLoaded = () =>
      performance.getEntriesByType('resource').some(({ name }) => name.endsWith('.wasm'));
    assert.ok(await until(window.page, ATTEMPT_MS, isLoaded), 'the engine is loaded');
    await stage.server.stop();
    try {
      await ada.create('Ada', 'Sunday walkers');
      const title = 'The server cannot be reached';
      await ada.trouble('service-not-available', title, ATTEMPT_MS);
      await shoot(window, 'server-down');
    } finally {
      await stage.server.start();
    }
    await ada.reads('.status', 'Online', ATTEMPT_MS);
    assert.deepEqual(await ada.texts('.trouble'), []);
    // The browser itself logs each refused connection.
    window.isQuiet((line) => line.includes('ERR_CONNECTION_REFUSED'));
  });

  test('nobody is online, and then somebody is', LIMIT, async () => {
    const { window, ada, link } = await host(5);
    await ada.click('.head [aria-label="Close the group"]');
    const guest = await stranger(link);
    const bo = guest.person();
    await bo.comeIn('Bo');
    await bo.trouble('no-members-found', 'Nobody of the group is online', ATTEMPT_MS);
    await shoot(guest, 'nobody-online');
    await ada.click('.groups .group');
    await bo.reads('.status', 'Online with 1 other', ATTEMPT_MS);
    assert.deepEqual(await bo.texts('.trouble'), []);
    window.isQuiet();
    guest.isQuiet();
  });

  test('the invitation is used up', LIMIT, async () => {
    const { ada, link } = await host(1);
    const bo = (await stranger(link)).person();
    await bo.comeIn('Bo');
    await ada.reads('.people .name', 'Bo');
    const window = await stranger(link);
    const cleo = window.person();
    await cleo.comeIn('Cleo');
    await cleo.trouble('invitation-used-up', 'This invitation is used up', ATTEMPT_MS);
    await shoot(window, 'used-up');
    window.isQuiet();
  });

  test('the clock is wrong', LIMIT, async () => {
    const { link } = await host(5);
    const window = await stranger(link, { before: turnClockBack });
    const bo = window.person();
    await bo.comeIn('Bo');
    await bo.trouble('clock-skew', 'A clock is wrong', ATTEMPT_MS);
    await bo.reads('.trouble p', 'about 3 hours');
    await shoot(window, 'wrong-clock');
    window.isQuiet();
  });

  test('the browser has no WebRTC', LIMIT, async () => {
    const before = () => {
      Reflect.deleteProperty(globalThis, 'RTCPeerConnection');
      Reflect.deleteProperty(globalThis, 'webkitRTCPeerConnection');
    };
    const window = await stranger(stage.origin, { before });
    const ada = window.person();
    await ada.fill('name', 'Ada');
    await ada.fill('group', 'Sunday walkers');
    await ada.click('button.primary');
    await ada.trouble('unsupported-platform', 'This browser cannot talk to others directly');
    await shoot(window, 'no-webrtc');
    window.isQuiet();
  });

  for (const kind of ['chromium', 'firefox']) {
    test(`storage is blocked in ${kind}`, LIMIT, async () => {
      const browser = await stage.browser(kind, `${kind} blocked`, { storageBlocked: true });
      const window = await Window.open(browser, stage.origin);
      const ada = window.person();
      await ada.fill('name', 'Ada');
      await ada.fill('group', 'Sunday walkers');
      await ada.click('button.primary');
      await ada.reads('.trouble strong', 'This browser');
      await ada.reads('.trouble p', 'Allow cookies and site data');
      await shoot(window, `storage-blocked-${kind}`);
      await ada.click('.trouble button:first-child');
      await ada.reads('.empty h2', 'You are the first one here', ATTEMPT_MS);
      window.isQuiet();
    });
  }

  test('the group is open in another tab', LIMIT, async () => {
    const context = await (await stage.browser('chromium')).createBrowserContext();
    contexts = [...contexts, context];
    const first = await Window.open(context, stage.origin);
    await first.person().create('Ada', 'Sunday walkers');
    await first.person().reads('.status', 'Online');
    const second = await Window.open(context, stage.origin);
    const ada = second.person();
    await ada.click('.groups .group');
    await ada.trouble('group-in-use', 'You have this group open in another tab', ATTEMPT_MS);
    await shoot(second, 'in-use');
    second.isQuiet();
  });

  test('the link is damaged', LIMIT, async () => {
    const window = await stranger(`${stage.origin}/#pg-invite:damaged`);
    await window.person().reads('.trouble strong', 'This invitation is damaged');
    assert.equal(await window.page.evaluate(() => location.hash), '');
    await shoot(window, 'damaged');
    window.isQuiet();
  });
});

/** Runs in the page before its scripts: every clock of it is three hours late. */
function turnClockBack() {
  const lateMs = 3 * 3_600_000;
  const Real = Date;
  globalThis.Date = class extends Real {
    constructor(...parts) {
      if (parts.length === 0) super(Real.now() - lateMs);
      else super(...parts);
    }
    static now() {
      return Real.now() - lateMs;
    }
  };
}
