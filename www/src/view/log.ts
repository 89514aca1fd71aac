// The lines of one conversation, added as they come and never redrawn.

import type { Conversation, Line } from '../conversation.js';
import { el, setText } from '../dom.js';
import { Face } from './face.js';

/** Lines of one person that follow within this are shown as one block. */
const BLOCK_MS = 4 * 60_000;
/** Closer to the end than this, the log follows what comes. */
const NEAR_END_PX = 80;

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });

export class Log {
  readonly element: HTMLElement;
  readonly #conversation: Conversation;
  readonly #deliveries = new Map<number, { line: Line; element: HTMLElement }>();
  #last: Line | undefined;

  constructor(conversation: Conversation, label: string) {
    this.#conversation = conversation;
    this.element = el('div', {
      class: 'log',
      role: 'log',
      'aria-live': 'polite',
      'aria-label': label,
      tabindex: 0,
    });
  }

  update(): void {
    const { element } = this;
    const follows = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_END_PX;
    const after = this.#last?.key ?? 0;
    const added = this.#conversation.lines.filter(({ key }) => key > after);
    for (const line of added) this.#add(line);
    for (const [key, { line, element: mark }] of this.#deliveries) {
      setText(mark, deliveryWords(line));
      if (line.delivery?.state === 'done') this.#deliveries.delete(key);
    }
    const mine = added.some((line) => line.mine);
    if (added.length > 0 && (follows || mine)) this.showEnd();
  }

  showEnd(): void {
    this.element.scrollTop = this.element.scrollHeight;
  }

  #add(line: Line): void {
    this.element.append(line.kind === 'note' ? note(line) : this.#text(line));
    this.#last = line;
  }

  #text(line: Line): HTMLElement {
    const last = this.#last;
    const goesOn =
      last?.kind === 'text' && last.peerId === line.peerId && line.at - last.at < BLOCK_MS;
    const mark = el('span', { class: 'delivery' }, deliveryWords(line));
    if (line.delivery?.state === 'sending') {
      this.#deliveries.set(line.key, { line, element: mark });
    }
    return el(
      'div',
      { class: `line${line.mine ? ' mine' : ''}${goesOn ? ' goes-on' : ''}` },
      goesOn ? undefined : new Face(line.name, line.peerId).element,
      el(
        'div',
        { class: 'said' },
        el(
          'p',
          { class: goesOn ? 'who hidden' : 'who' },
          el('bdi', {}, line.mine ? 'You' : line.name),
          ' ',
          el('time', { datetime: new Date(line.at).toISOString() }, clock.format(line.at)),
        ),
        el('p', { class: 'words', dir: 'auto' }, line.text),
        mark,
      ),
    );
  }
}

function note(line: Line): HTMLElement {
  return el('p', { class: 'note' }, line.text);
}

function deliveryWords({ delivery }: Line): string {
  if (delivery === undefined) return '';
  if (delivery.state === 'sending') return 'Sending…';
  const { reached, missed } = delivery;
  if (missed === 0) return '';
  return reached === 0 ? 'Not delivered' : `Delivered to ${reached} of ${reached + missed}`;
}
