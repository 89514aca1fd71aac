// The lines of one conversation, in the order of their time: each is made once and stays.

import type { Conversation, Line } from '../conversation.js';
import { el } from '../dom.js';
import { type LineActions, LineView } from './line.js';

/** Lines of one person that follow within this are shown as one block. */
const BLOCK_MS = 4 * 60_000;
/** Closer to the end than this, the log follows what comes. */
const NEAR_END_PX = 80;

interface Row {
  readonly element: HTMLElement;
  readonly view?: LineView;
}

export class Log {
  readonly element: HTMLElement;
  readonly #conversation: Conversation;
  readonly #actions: LineActions;
  readonly #rows = new Map<string, Row>();
  readonly #since = Date.now();
  #revision = 0;

  constructor(conversation: Conversation, label: string, actions: LineActions) {
    this.#conversation = conversation;
    this.#actions = actions;
    this.element = el('div', { class: 'log', role: 'log', 'aria-label': label, tabindex: 0 });
    this.element.addEventListener('keydown', (event) => this.#onKey(event));
  }

  update(): void {
    const { element } = this;
    const { lines, revision } = this.#conversation;
    if (revision === this.#revision) return;
    this.#revision = revision;
    const follows = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_END_PX;
    const added = lines.filter(({ key }) => !this.#rows.has(key));
    // What was said before is not read aloud as if it were said now.
    element.ariaLive = added.some(({ at }) => at >= this.#since) ? 'polite' : 'off';
    this.#dropAllBut(new Set(lines.map(({ key }) => key)));
    this.#place(lines);
    this.#chooseButtons();
    const mine = added.some((line) => line.mine);
    if (added.length > 0 && (follows || mine)) this.showEnd();
  }

  showEnd(): void {
    this.element.scrollTop = this.element.scrollHeight;
  }

  #place(lines: readonly Line[]): void {
    let before: Line | undefined;
    let here = this.element.firstElementChild;
    for (const line of lines) {
      const row = this.#rows.get(line.key) ?? this.#make(line);
      row.view?.update(line, goesOn(before, line));
      if (row.element === here) here = here.nextElementSibling;
      else this.element.insertBefore(row.element, here);
      before = line;
    }
  }

  #make(line: Line): Row {
    const view = line.kind === 'note' ? undefined : new LineView(line, this.#actions);
    const element = view?.element ?? el('p', { class: 'note' }, line.text);
    const row: Row = view ? { element, view } : { element };
    this.#rows.set(line.key, row);
    return row;
  }

  #dropAllBut(present: ReadonlySet<string>): void {
    for (const [key, { element }] of this.#rows) {
      if (present.has(key)) continue;
      // The keyboard does not lose its place with the line.
      if (element.contains(document.activeElement)) this.element.focus();
      element.remove();
      this.#rows.delete(key);
    }
  }

  /** Lines with buttons, from the first to the last. */
  #withButtons(): LineView[] {
    return this.#conversation.lines.flatMap(({ key }) => {
      const view = this.#rows.get(key)?.view;
      return view && view.buttons.length > 0 ? [view] : [];
    });
  }

  /** Tab leads to the buttons of the last line only, and arrows from there to the others. */
  #chooseButtons(): void {
    const views = this.#withButtons();
    for (const view of views) {
      for (const button of view.buttons) button.tabIndex = view === views.at(-1) ? 0 : -1;
    }
  }

  #onKey(event: KeyboardEvent): void {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const { target } = event;
    if (step === undefined || !(target instanceof HTMLButtonElement)) return;
    const views = this.#withButtons();
    const at = views.findIndex(({ buttons }) => buttons.includes(target));
    const column = views[at]?.buttons.indexOf(target) ?? -1;
    const next = views[at + step]?.buttons[column];
    if (at < 0 || next === undefined) return;
    event.preventDefault();
    next.focus();
  }
}

function goesOn(before: Line | undefined, line: Line): boolean {
  if (before?.kind !== 'text' || before.peerId !== line.peerId) return false;
  return line.at - before.at < BLOCK_MS && before.name === line.name;
}
