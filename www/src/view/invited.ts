// Somebody opened an invitation: what it is for, and whether to come in.

import type { InvitationInfo } from 'peer-group';
import { el, field } from '../dom.js';
import type { Person } from '../memory.js';
import { cleanName, shortName } from '../names.js';
import { roleWords, type Words } from '../words.js';
import { nameInput } from './home.js';
import { Trouble } from './trouble.js';

export interface InvitedActions {
  /** With a password exactly if the invitation asks for one. */
  join(name: string, password?: string): void;
  decline(): void;
}

const FOR: Readonly<Record<InvitationInfo['kind'], string>> = {
  bearer: 'It is for whoever has it.',
  bound: 'It is for you alone.',
  password: 'It is for whoever knows the password.',
};

export class Invited {
  readonly trouble = new Trouble();
  /** For the password. */
  readonly asks: boolean;
  readonly element: HTMLElement;
  readonly #password = el('input', {
    name: 'password',
    type: 'password',
    required: true,
    autocomplete: 'off',
  });
  readonly #submit = el('button', { class: 'primary', type: 'submit' }, 'Come in');

  constructor(
    person: Person,
    { kind, friendlyName, issuer, issuerName, roles }: InvitationInfo,
    actions: InvitedActions,
  ) {
    const name = nameInput(person);
    this.asks = kind === 'password';
    const hint = `${FOR[kind]} You come in as ${roles.map(roleWords).join(', ') || 'member'}.`;
    const from = issuerName === '' ? shortName(issuer) : issuerName;
    const onsubmit = (event: Event) => {
      event.preventDefault();
      name.value = cleanName(name.value);
      if (!name.reportValidity()) return;
      if (this.asks) actions.join(name.value, this.#password.value);
      else actions.join(name.value);
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
        el('p', { class: 'hint' }, hint),
        field('Your name', name, 'The others see it. You can change it later.'),
        this.asks ? field('Password of the group', this.#password) : undefined,
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

  /** The password was not taken, and is to be given again. */
  askAgain(words: Words | undefined): void {
    // Said again if it is said again.
    this.trouble.show(undefined);
    this.trouble.show(words);
    this.#password.select();
  }
}
