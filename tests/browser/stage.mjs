// What most suites stand on: a server that serves the test page, and browsers that end with the test.

import { fail } from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch } from './browsers.mjs';
import { Page } from './page.mjs';
import { Server } from './server.mjs';

const FIXTURE = fileURLToPath(new URL('./fixture', import.meta.url));

export class Stage {
  #browsers = new Map();
  #folder;
  #fresh = 0;

  /**
   * `www`: another folder to serve than the test page with the package; `server`: further arguments
   * of the server; `at`: where it is to be; `trust`: as browsers are launched with.
   */
  static async set({ www, server = [], plain = false, at, trust } = {}) {
    const stage = new Stage();
    stage.plain = plain;
    stage.trust = trust;
    stage.server = await Server.start(www ?? stage.#fixture(), server, at);
    return stage;
  }

  get origin() {
    return this.server.origin;
  }

  /** A page in a browser of that kind. Pages of one `process` share a browser, as tabs do. */
  async page(kind, process = `${kind} 1`) {
    return Page.open(await this.browser(kind, process), this.origin);
  }

  /** A page in a browser of its own, in which nobody was before. */
  fresh(kind) {
    this.#fresh += 1;
    return this.page(kind, `${kind} fresh ${this.#fresh}`);
  }

  async browser(kind, process = `${kind} 1`, options = {}) {
    const known =
      this.#browsers.get(process) ??
      launch(kind, { plain: this.plain, trust: this.trust, ...options });
    this.#browsers.set(process, known);
    return known;
  }

  async clear() {
    const browsers = await Promise.allSettled(this.#browsers.values());
    await Promise.allSettled(browsers.map(({ value }) => value?.close()));
    await this.server?.stop();
    if (this.#folder) rmSync(this.#folder, { recursive: true, force: true });
  }

  #fixture() {
    const built = process.env.PEER_GROUP_TEST_PACKAGE;
    if (!built) fail('PEER_GROUP_TEST_PACKAGE names no package: run `npm test -- browser`');
    this.#folder = mkdtempSync(join(tmpdir(), 'peer-group-fixture-'));
    cpSync(FIXTURE, this.#folder, { recursive: true });
    cpSync(built, join(this.#folder, 'package'), { recursive: true });
    return this.#folder;
  }
}

/** Two pages with a group between them, both online and linked. */
export async function pair(stage, kinds, { name = 'g' } = {}) {
  const [a, b] = await Promise.all(
    kinds.map((kind, index) => stage.page(kind, `${kind} ${index + 1}`)),
  );
  return meet(stage, a, b, { name });
}

/**
 * Makes a group in page `a` and lets page `b` in; `create` and `join`: what each opens it with, besides.
 * `took`: the milliseconds that its connecting took.
 */
export async function meet(stage, a, b, { name = 'g', create = {}, join = {} } = {}) {
  const rendezvous = stage.origin;
  const first = await a.call('create', name, { friendlyName: 'pair', rendezvous, ...create });
  await a.call('connect', name);
  const invitation = await a.call('invite', name, { maxUses: 5 });
  const second = await b.call('join', name, invitation, join);
  const begun = Date.now();
  await b.call('connect', name);
  const took = Date.now() - begun;
  await Promise.all([linked(a, name, second.peerId), linked(b, name, first.peerId)]);
  return { a, b, first, second, invitation, took };
}

/** Waits until the page has that neighbor. */
export async function linked(page, name, peerId, options = {}) {
  return page.call('hear', name, 'neighbor-connection', { status: 'connected', peerId }, options);
}
