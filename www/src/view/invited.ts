// Somebody opened an invitation: what it is for, and whether to come in.

import type { InvitationInfo } from 'peer-group';
import { el, field } from '../dom.js';
import type { Person } from '../memory.js';
import { cleanName, shortName } from '../names.js';
import { nameInput } from './home.js';
import { Trouble } from './trouble.js';

export interface InvitedActions {
  join(name: string): void;
  decline(): void;
}

export class Invited {
  readonly trouble = new Trouble();
  readonly element: HTMLElement;
  readonly #submit = el('button', { class: 'primary', type: 'submit' }, 'Come in');

  constructor(
    person: Person,
    { friendlyName, issuer, issuerName }: InvitationInfo,
    actions: InvitedActions,
  ) {
    const name = nameInput(person);
    const from = issuerName === '' ? shortName(issuer) : issuerName;
    const onsubmit = (event: Event) => {
      event.preventDefault();
      name.value = cleanName(name.value);
      if (name.reportValidity()) actions.join(name.value);
    };
    this.element = el(
      'div',
      { class: 'page narrow' },
      this.trouble.element,
      el(
        'form',
        { class: 'card invited', onsubmit },
        el('p', { class: 'overline' }, 'You are invited to'),
        el('h1', { tabindex: -1 }, el('bdi', {}, friendlyName)),
        el('p', { class: 'hint' }, 'The link was made by ', el('code', {}, from), '.'),
        field('Your name', name, 'The others see it. You can change it later.'),
        el(
          'div',
          { class: 'buttons' },
          this.#submit,
          el(
            'button',
            { type: 'button', class: 'plain', onclick: () => actions.decline() },
            'Not now',
          ),
        ),
      ),
    );
  }

  set busy(busy: boolean) {
    this.#submit.disabled = busy;
  }
}
