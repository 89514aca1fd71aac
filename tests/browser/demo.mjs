// A test's hand in the demo: what a person sees and does there.

import assert from 'node:assert/strict';
import { until } from './until.mjs';

const WITHIN_MS = 15_000;
/** Cumulative layout shift; up to 0.1 is called good, and this page should do better. */
const SHIFT_AT_MOST = 0.02;

/** One browser window with the chat. */
export class Window {
  complaints = [];
  #page;

  /** `url` may carry an invitation. `before` runs in the page before its scripts. */
  static async open(browser, url, { before, width = 1280, height = 800 } = {}) {
    const page = await browser.newPage();
    const window = new Window(page);
    await window.resize({ width, height });
    await page.evaluateOnNewDocument(watchShifts);
    if (before) await page.evaluateOnNewDocument(before);
    await page.goto(url);
    return window;
  }

  constructor(page) {
    this.#page = page;
    page.on('pageerror', (error) => this.complaints.push(`thrown: ${error?.message ?? error}`));
    page.on('console', (message) => {
      if (['error', 'warn'].includes(message.type())) {
        this.complaints.push(`console: ${message.text()}`);
      }
    });
  }

  get page() {
    return this.#page;
  }

  /** One person's part of the window. */
  person(id = 'me') {
    return new Person(this.#page, `[data-person="${id}"]`);
  }

  isQuiet(except = () => false) {
    const left = this.complaints.filter((line) => !except(line));
    assert.deepEqual(left, [], 'the console is quiet');
  }

  /** Nothing jumped about but in answer to the person (Chromium measures it). */
  async isCalm() {
    const shift = await this.#page.evaluate(() => globalThis.layoutShift);
    assert.ok(shift < SHIFT_AT_MOST, `layout shift ${shift}`);
  }

  async resize(viewport) {
    await this.#page.setViewport(viewport).catch((error) => {
      // The size is what is wanted; to turn the screen is what Firefox does not know.
      if (!error.message.includes('setScreenOrientationOverride')) throw error;
    });
    const hasSize = ({ width, height }) => innerWidth === width && innerHeight === height;
    const isThere = await until(this.#page, WITHIN_MS, hasSize, viewport);
    assert.ok(isThere, `the window did not become ${viewport.width} px wide`);
  }

  /** Nothing sticks out to the side. */
  async fits() {
    const [content, width] = await this.#page.evaluate(() => [
      document.documentElement.scrollWidth,
      document.documentElement.clientWidth,
    ]);
    assert.ok(content <= width, `${content} px of content in ${width} px`);
    const cut = await this.#page.$$eval('.log, .talks', (parts) =>
      parts
        .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
        .map(({ outerHTML }) => outerHTML),
    );
    assert.deepEqual(cut, [], 'nothing is cut off');
  }

  async close() {
    await this.#page.close();
  }
}

export class Person {
  #page;
  #scope;

  constructor(page, scope) {
    this.#page = page;
    this.#scope = scope;
  }

  /** The element, once it is visible. */
  async find(selector, within = WITHIN_MS) {
    const full = `${this.#scope} ${selector}`;
    const isThere = await until(
      this.#page,
      within,
      (where) => document.querySelector(where)?.checkVisibility(),
      full,
    );
    assert.ok(isThere, `${full} is not there; the page says: ${await this.#said()}`);
    return this.#page.$(full);
  }

  async click(selector) {
    const element = await this.find(selector);
    await element.click();
  }

  /** Waits until the first such element holds the text. */
  async reads(selector, text, within = WITHIN_MS) {
    const full = `${this.#scope} ${selector}`;
    const isThere = await until(
      this.#page,
      within,
      (where, what) =>
        [...document.querySelectorAll(where)].some(
          (element) => element.checkVisibility() && element.textContent.includes(what),
        ),
      full,
      text,
    );
    if (isThere) return;
    const there = JSON.stringify(await this.texts(selector));
    assert.fail(`"${text}" is not in ${full}: ${there}; the page says: ${await this.#said()}`);
  }

  /** Waits until no such element holds the text. */
  async lacks(selector, text, within = WITHIN_MS) {
    const full = `${this.#scope} ${selector}`;
    const isGone = await until(
      this.#page,
      within,
      (where, what) =>
        ![...document.querySelectorAll(where)].some(
          (element) => element.checkVisibility() && element.textContent.includes(what),
        ),
      full,
      text,
    );
    assert.ok(
      isGone,
      `"${text}" is still in ${full}: ${JSON.stringify(await this.texts(selector))}`,
    );
  }

  /** Waits until the words that are shown are these, in this order. */
  async talk(...wanted) {
    const full = `${this.#scope} .panel:not([hidden]) .words`;
    const isThere = await until(
      this.#page,
      WITHIN_MS,
      (where, all) =>
        JSON.stringify([...document.querySelectorAll(where)].map((e) => e.textContent)) === all,
      full,
      JSON.stringify(wanted),
    );
    if (isThere) return;
    const shown = JSON.stringify(await this.texts('.panel:not([hidden]) .words'));
    assert.fail(`not ${JSON.stringify(wanted)} but ${shown}; the page says: ${await this.#said()}`);
  }

  /** What a person would read now. */
  #said() {
    return this.#page.evaluate(() => document.body.innerText.replace(/\s+/g, ' '));
  }

  texts(selector) {
    return this.#page.$$eval(`${this.#scope} ${selector}`, (all) =>
      all.map(({ textContent }) => textContent),
    );
  }

  async fill(name, text) {
    const input = await this.find(`[name="${name}"]`);
    await input.click({ count: 3 });
    await this.#page.keyboard.type(text);
  }

  async create(name, group) {
    await this.fill('name', name);
    await this.fill('group', group);
    await this.click('button.primary');
    await this.reads('.head h1', group);
  }

  async comeIn(name) {
    await this.find('.invited');
    await this.fill('name', name);
    await this.click('.invited button.primary');
  }

  /** A link out of the window for inviting: one, 5, 20 or 100 may use it. */
  async link(uses = 20) {
    const link = await this.invitation({ uses: String(uses) });
    await this.#page.keyboard.press('Escape');
    return link;
  }

  /** A link of that kind; the window that shows it stays open. */
  async invitation(wanted) {
    await this.click('.invite');
    for (const [name, value] of Object.entries(wanted)) await this.choose(name, value);
    return this.madeLink();
  }

  /** The link that is shown, once there is one. */
  async madeLink() {
    const field = await this.find('.share .link');
    const isFilled = () => field.evaluate(({ value }) => value.includes('#pg-invite:'));
    const limit = Date.now() + WITHIN_MS;
    while (!(await isFilled())) assert.ok(Date.now() < limit, 'no link was made');
    return field.evaluate(({ value }) => value);
  }

  async choose(name, value) {
    const select = await this.find(`[name="${name}"]`);
    assert.deepEqual(await select.select(value), [value]);
  }

  /** Puts in at once what is too long to be typed. */
  async put(name, text) {
    const input = await this.find(`[name="${name}"]`);
    await input.evaluate((field) => field.select());
    await input.focus();
    await this.#page.keyboard.sendCharacter(text);
  }

  /** Says what is too long to be typed. */
  async paste(text) {
    await this.click('.composer textarea');
    await this.#page.keyboard.sendCharacter(text);
    await this.#page.keyboard.press('Enter');
  }

  /** Begins a topic. */
  async topic(title) {
    await this.click('.new-topic');
    await this.fill('topic', title);
    await this.#page.keyboard.press('Enter');
    await this.reads('[role="tab"][aria-selected="true"]', title);
  }

  /** Shows a conversation by the label of its tab. */
  async show(label) {
    await this.reads('[role="tab"]', label);
    const tabs = await this.texts('[role="tab"] bdi');
    await this.click(`[role="tab"]:nth-child(${tabs.indexOf(label) + 1})`);
    await this.reads('[role="tab"][aria-selected="true"]', label);
  }

  /** Presses a button of a line of one's own. */
  async press(words, button) {
    const lines = await this.#page.$$(`${this.#scope} .panel:not([hidden]) .line.mine`);
    for (const line of lines) {
      if (!(await line.evaluate((e, text) => e.textContent.includes(text), words))) continue;
      await line.hover();
      await (await line.$(`[aria-label="${button}"]`)).click();
      return;
    }
    assert.fail(`no line of one's own says "${words}"`);
  }

  async say(text) {
    await this.click('.composer textarea');
    await this.#page.keyboard.type(text);
    await this.#page.keyboard.press('Enter');
  }

  /** Waits for the words of a failure. */
  async trouble(code, title, within = WITHIN_MS) {
    await this.find(`.trouble[data-code="${code}"]`, within);
    await this.reads('.trouble strong', title);
  }
}

/** Runs in the page before its scripts. */
function watchShifts() {
  globalThis.layoutShift = 0;
  const add = (list) => {
    for (const { value, hadRecentInput } of list.getEntries()) {
      if (!hadRecentInput) globalThis.layoutShift += value;
    }
  };
  if (PerformanceObserver.supportedEntryTypes.includes('layout-shift')) {
    new PerformanceObserver(add).observe({ type: 'layout-shift', buffered: true });
  }
}
