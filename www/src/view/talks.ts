// The conversations as tabs: topics first, then whispers, one of them shown.

import type { Conversation } from '../conversation.js';
import { el, icon, setText } from '../dom.js';
import type { LineActions } from './line.js';
import { Log } from './log.js';

/** A conversation that has a tab. */
export interface Listed {
  readonly conversation: Conversation;
  readonly label: string;
  /** Of two only. */
  readonly whisper: boolean;
}

interface Talk {
  readonly tab: HTMLElement;
  readonly panel: HTMLElement;
  readonly label: HTMLElement;
  readonly badge: HTMLElement;
  readonly log: Log;
}

let nextId = 1;

export class Talks {
  readonly tabs = el('div', { class: 'tabs', role: 'tablist', 'aria-label': 'Conversations' });
  readonly logs = el('div', { class: 'logs' });
  /** The one that is shown. */
  current: Conversation;
  readonly #first: Conversation;
  readonly #talks = new Map<Conversation, Talk>();
  #order: readonly Conversation[] = [];
  readonly #actions: LineActions;
  readonly #chosen: () => void;

  /** `chosen` is called when another one is to be shown. */
  constructor(first: Conversation, actions: LineActions, chosen: () => void) {
    this.current = this.#first = first;
    this.#actions = actions;
    this.#chosen = chosen;
    this.tabs.addEventListener('keydown', (event) => this.#onKey(event));
  }

  /** Shows these, in this order, with what is new in them. */
  update(all: readonly Listed[]): void {
    this.#order = all.map(({ conversation }) => conversation);
    this.#dropAllBut(new Set(this.#order));
    let here = this.tabs.firstElementChild;
    for (const listed of all) {
      const { conversation } = listed;
      const talk = this.#talks.get(conversation) ?? this.#make(listed);
      if (talk.tab === here) here = here.nextElementSibling;
      else this.tabs.insertBefore(talk.tab, here);
      const isCurrent = conversation === this.current;
      talk.tab.setAttribute('aria-selected', String(isCurrent));
      talk.tab.tabIndex = isCurrent ? 0 : -1;
      talk.panel.hidden = !isCurrent;
      talk.log.update();
      if (isCurrent && document.visibilityState === 'visible') conversation.unread = 0;
      const { unread } = conversation;
      setText(talk.label, listed.label);
      setText(talk.badge, unread === 0 ? '' : String(unread));
      talk.badge.setAttribute('aria-label', unread === 0 ? '' : `${unread} unread`);
    }
  }

  choose(conversation: Conversation): void {
    this.current = conversation;
    this.#chosen();
    const talk = this.#talks.get(conversation);
    talk?.log.showEnd();
    talk?.tab.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }

  #make({ conversation, label, whisper }: Listed): Talk {
    const name = whisper ? `Whisper with ${label}` : `What is said in ${label}`;
    const log = new Log(conversation, name, this.#actions);
    const id = `talk-${nextId++}`;
    const talk: Talk = {
      tab: el('button', { type: 'button', role: 'tab', id: `${id}-tab`, 'aria-controls': id }),
      panel: el(
        'div',
        { class: 'panel', role: 'tabpanel', id, 'aria-labelledby': `${id}-tab` },
        log.element,
      ),
      label: el('bdi'),
      badge: el('span', { class: 'badge' }),
      log,
    };
    if (whisper) talk.tab.append(icon('whisper'));
    talk.tab.append(talk.label, talk.badge);
    talk.tab.addEventListener('click', () => this.choose(conversation));
    this.#talks.set(conversation, talk);
    this.logs.append(talk.panel);
    return talk;
  }

  #dropAllBut(present: ReadonlySet<Conversation>): void {
    for (const [conversation, { tab, panel }] of this.#talks) {
      if (present.has(conversation)) continue;
      tab.remove();
      panel.remove();
      this.#talks.delete(conversation);
    }
    if (!present.has(this.current)) this.current = this.#first;
  }

  #onKey({ key }: KeyboardEvent): void {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
    if (step === undefined) return;
    const { length } = this.#order;
    const conversation = this.#order[(this.#order.indexOf(this.current) + step + length) % length];
    if (conversation === undefined) return;
    this.choose(conversation);
    this.#talks.get(conversation)?.tab.focus();
  }
}
