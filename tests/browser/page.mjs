// A test's hand in a page that runs fixture/lab.js.

import { ok } from 'node:assert/strict';
import { until } from './until.mjs';

/** A call that the page rejected, with the fields of its PeerError. */
export class PageError extends Error {
  constructor(call, failure) {
    super(`${call}: ${failure.code ?? failure.name}: ${failure.message}`);
    Object.assign(this, { ...failure, message: this.message });
  }
}

const LOADS_WITHIN_MS = 20_000;

export class Page {
  /** What the page said to its console as errors, and what it threw. */
  complaints = [];
  #page;

  /** Opens the fixture in a browser. */
  static async open(browser, origin) {
    const page = new Page(await browser.newPage());
    await page.load(origin);
    return page;
  }

  constructor(page) {
    this.#page = page;
    page.on('pageerror', (error) => this.complaints.push(`thrown: ${error?.message ?? error}`));
    page.on('console', (message) => {
      if (message.type() === 'error') this.complaints.push(`console: ${message.text()}`);
    });
  }

  /** The page of the browser itself. */
  get raw() {
    return this.#page;
  }

  async load(origin) {
    await this.#page.goto(`${origin}/`, { timeout: LOADS_WITHIN_MS });
    await this.#ready();
  }

  async reload() {
    await this.#page.reload({ timeout: LOADS_WITHIN_MS });
    await this.#ready();
  }

  /** Calls one of the fixture's functions; a rejection comes out as a PageError. */
  async call(name, ...args) {
    const { value, failure } = await this.#page.evaluate(
      (call, given) => globalThis.lab.call(call, given),
      name,
      args,
    );
    if (failure) throw new PageError(name, failure);
    return value;
  }

  /** Runs a function in the page, with the package as `lab.api`. */
  run(action, ...args) {
    return this.#page.evaluate(action, ...args);
  }

  /** Runs `action` in the page with the package; a rejection comes out as its code. */
  ask(action, ...args) {
    return this.#page.evaluate(
      `(async () => {
        try { return await (${action})(lab.api, ...${JSON.stringify(args)}); }
        catch (error) { return { code: error.code ?? String(error) }; }
      })()`,
    );
  }

  /** Nothing was thrown, logged as an error or left rejected. */
  async isQuiet() {
    const left = await this.call('rejections');
    const all = [...this.complaints, ...left.map((reason) => `rejected: ${reason}`)];
    ok(all.length === 0, `the page complained: ${all.join('; ')}`);
  }

  async close() {
    await this.#page.close();
  }

  async #ready() {
    const isThere = await until(this.#page, LOADS_WITHIN_MS, () => 'lab' in globalThis);
    ok(isThere, `the test page did not start: ${this.complaints.join('; ')}`);
  }
}
