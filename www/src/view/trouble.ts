// A failure on the screen: what happened, what helps, and the buttons for it.

import { el, icon } from '../dom.js';
import type { Remedy, Words } from '../words.js';

const LABELS: Readonly<Record<Remedy, string>> = {
  retry: 'Try again',
  'without-storage': 'Go on without storing',
  'someone-else': 'Come in as someone else',
  seen: 'All right',
  password: 'Try another password',
  forget: 'Forget this group',
};

export type Remedies = Readonly<Partial<Record<Remedy, () => void>>>;

/** Where a failure is announced; empty while there is none. */
export class Trouble {
  readonly element = el('div', { class: 'trouble-place', role: 'alert' });
  #shown: Words | undefined;

  show(words: Words | undefined, remedies: Remedies = {}): void {
    // The same words again are not announced again.
    if (words?.code === this.#shown?.code && words?.advice === this.#shown?.advice) return;
    this.#shown = words;
    if (words === undefined) {
      this.element.replaceChildren();
      return;
    }
    const buttons = words.remedies.flatMap((remedy) => {
      const apply = remedies[remedy];
      return apply ? [el('button', { type: 'button', onclick: apply }, LABELS[remedy])] : [];
    });
    this.element.replaceChildren(
      el(
        'div',
        { class: 'trouble', 'data-code': words.code },
        icon('alert'),
        el('div', {}, el('strong', {}, words.title), el('p', {}, words.advice)),
        buttons.length > 0 ? el('div', { class: 'buttons' }, ...buttons) : undefined,
      ),
    );
    this.element.scrollIntoView({ block: 'nearest' });
  }
}
