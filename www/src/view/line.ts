// One line of a conversation: who, when, what; mine can be changed and deleted.

import type { Line } from '../conversation.js';
import { el, icon, setText } from '../dom.js';
import { TEXT_LENGTH } from '../messages.js';
import { Face } from './face.js';

export interface LineActions {
  /** True when it is done. */
  edit(line: Line, text: string): Promise<boolean>;
  remove(line: Line): Promise<boolean>;
}

const DELIVERY = { sending: 'Sending…', delivered: '', missed: 'Not delivered' } as const;

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const dayAndClock = new Intl.DateTimeFormat(undefined, {
  weekday: 'short',
  hour: '2-digit',
  minute: '2-digit',
});

/** The time of day, with the day where that is another one than today. */
export function when(at: number, now = Date.now()): string {
  const day = (ms: number) => new Date(ms).toDateString();
  return (day(at) === day(now) ? clock : dayAndClock).format(at);
}

export class LineView {
  readonly element: HTMLElement;
  /** Those of a line of mine that is kept. */
  readonly buttons: readonly HTMLButtonElement[];
  #line: Line;
  readonly #actions: LineActions;
  readonly #words = el('p', { class: 'words', dir: 'auto' });
  readonly #who = el('p', { class: 'who' });
  readonly #mark = el('span', { class: 'mark' });
  readonly #said: HTMLElement;
  #editor: HTMLFormElement | undefined;

  constructor(line: Line, actions: LineActions) {
    this.#line = line;
    this.#actions = actions;
    const { record, mine, name, at, peerId } = line;
    this.buttons = record !== undefined && mine ? this.#makeButtons() : [];
    this.#who.append(
      el('bdi', {}, mine ? 'You' : name),
      ' ',
      el('time', { datetime: new Date(at).toISOString() }, when(at)),
    );
    const row = el('div', { class: 'words-row' }, this.#words, ...this.buttons);
    this.#said = el('div', { class: 'said' }, this.#who, row, this.#mark);
    this.element = el(
      'div',
      { class: mine ? 'line mine' : 'line' },
      new Face(name, peerId).element,
      this.#said,
    );
  }

  /** `goesOn`: the line before is of the same person and moment. */
  update(line: Line, goesOn: boolean): void {
    this.#line = line;
    setText(this.#words, line.text);
    setText(this.#mark, line.edited ?? (line.delivery ? DELIVERY[line.delivery] : ''));
    this.element.classList.toggle('goes-on', goesOn);
  }

  #makeButtons(): HTMLButtonElement[] {
    const edit = el(
      'button',
      { type: 'button', class: 'icon-button', 'aria-label': 'Edit', title: 'Edit', tabindex: -1 },
      icon('pen'),
    );
    edit.addEventListener('click', () => this.#edit(edit));
    const remove = el(
      'button',
      {
        type: 'button',
        class: 'icon-button',
        'aria-label': 'Delete',
        title: 'Delete',
        tabindex: -1,
      },
      icon('bin'),
    );
    // It goes from every member, so it asks once more, in place.
    let asked = false;
    const ask = (on: boolean) => {
      asked = on;
      remove.classList.toggle('asks', on);
      remove.setAttribute('aria-label', on ? 'Really delete?' : 'Delete');
      remove.replaceChildren(on ? 'Really delete?' : icon('bin'));
    };
    remove.addEventListener('click', () => {
      if (asked) void this.#actions.remove(this.#line);
      ask(!asked);
    });
    remove.addEventListener('blur', () => {
      if (asked) ask(false);
    });
    return [edit, remove];
  }

  /** Changes it in its place. Enter saves, Escape leaves it as it was. */
  #edit(button: HTMLElement): void {
    if (this.#editor) return;
    const input = el('textarea', {
      name: 'edited',
      rows: 1,
      maxlength: TEXT_LENGTH,
      'aria-label': 'Your message',
    });
    input.value = this.#line.text;
    const line = this.#line;
    const close = () => {
      this.#editor?.remove();
      this.#editor = undefined;
      this.#said.classList.remove('editing');
      button.focus();
    };
    const save = async () => {
      const text = input.value.trim();
      if (text === '') return;
      // The version that was read is the one that is changed.
      if (text === line.text || (await this.#actions.edit(line, text))) close();
    };
    this.#editor = el(
      'form',
      {
        class: 'editor',
        onsubmit: (event) => {
          event.preventDefault();
          void save();
        },
      },
      input,
      el('button', { type: 'submit', class: 'primary' }, 'Save'),
      el('button', { type: 'button', class: 'plain', onclick: close }, 'Cancel'),
    );
    input.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') close();
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      void save();
    });
    this.#said.classList.add('editing');
    this.#said.append(this.#editor);
    input.focus();
  }
}
