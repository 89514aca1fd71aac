// Before a group is open: make one, come in with a link, or go back to one of mine.

import { el, field, setText } from '../dom.js';
import type { KnownGroup, Person } from '../memory.js';
import { cleanName, NAME_LENGTH } from '../names.js';
import { copyButton } from './copy.js';
import { Trouble } from './trouble.js';

export interface HomeActions {
  /** An empty password: none. */
  create(groupName: string, password: string): void;
  /** A pasted link or invitation. */
  paste(text: string): void;
  open(group: KnownGroup): void;
  forget(group: KnownGroup): void;
  rename(name: string): void;
  /** What others need to invite only this person. */
  card(): Promise<string>;
}

export class Home {
  readonly trouble = new Trouble();
  readonly element: HTMLElement;
  readonly #name: HTMLInputElement;
  readonly #groups = el('ul', { class: 'groups' });
  readonly #known: HTMLElement;
  readonly #person: Person;
  readonly #actions: HomeActions;
  readonly #submit: HTMLButtonElement;

  /** `said`: what has just happened. */
  constructor(person: Person, actions: HomeActions, said = '') {
    this.#person = person;
    this.#actions = actions;
    this.#name = nameInput(person);
    const groupName = el('input', {
      name: 'group',
      required: true,
      maxlength: 100,
      autocomplete: 'off',
      placeholder: 'Sunday walkers',
    });
    const password = el('input', {
      name: 'password',
      autocomplete: 'off',
      spellcheck: 'false',
      maxlength: 200,
    });
    const link = el('input', {
      name: 'link',
      required: true,
      autocomplete: 'off',
      spellcheck: 'false',
      placeholder: `${location.origin}/#pg-invite:…`,
    });
    this.#submit = el('button', { class: 'primary', type: 'submit' }, 'Create group');
    const create = el(
      'form',
      {
        class: 'card',
        onsubmit: (event) =>
          this.#onSubmit(event, () => actions.create(groupName.value.trim(), password.value)),
      },
      el('h2', {}, 'Start a group'),
      field('Your name', this.#name),
      field('Name of the group', groupName),
      field('Password (if you want one)', password, 'Whoever knows it can come in.'),
      this.#submit,
    );
    const paste = el(
      'form',
      {
        class: 'card quiet',
        onsubmit: (event) => this.#onSubmit(event, () => actions.paste(link.value)),
      },
      el('h2', {}, 'Come in with a link'),
      field('Link that somebody sent you', link),
      el('button', { type: 'submit' }, 'Look at it'),
      el(
        'p',
        { class: 'hint' },
        'To be invited by a link that nobody else can use, send your card:',
      ),
      copyButton(
        () => this.#card(),
        (text) => {
          link.value = text;
          link.select();
        },
        'card',
      ),
    );
    this.#known = el('section', { class: 'card quiet' }, el('h2', {}, 'Your groups'), this.#groups);
    this.element = el(
      'div',
      { class: 'page' },
      el(
        'header',
        { class: 'hero' },
        el('img', { src: 'icon.svg', alt: '', width: 44, height: 44 }),
        el('h1', { tabindex: -1 }, 'Talk among yourselves'),
        el(
          'p',
          {},
          'A group chat without an account. Words go straight from browser to browser, encrypted; the server only introduces you.',
        ),
      ),
      this.trouble.element,
      said === '' ? undefined : el('p', { class: 'happened', role: 'status' }, said),
      this.#known,
      el('div', { class: 'cards' }, create, paste),
      el('ol', { class: 'steps' }, ...STEPS.map(([title, text]) => step(title, text))),
    );
    this.update();
  }

  /** Takes a changed list of groups. */
  update(): void {
    const { groups } = this.#person;
    this.#known.hidden = groups.length === 0;
    this.#groups.replaceChildren(...groups.map((group) => this.#row(group)));
  }

  set busy(busy: boolean) {
    this.#submit.disabled = busy;
  }

  /** It carries the name that is in the field. */
  #card(): Promise<string> {
    this.#actions.rename(cleanName(this.#name.value));
    return this.#actions.card();
  }

  #row(group: KnownGroup): HTMLElement {
    const forget = el(
      'button',
      { type: 'button', class: 'plain', 'aria-label': `Forget ${group.name}` },
      'Forget',
    );
    // Forgetting throws a membership away, so it asks once more, in place.
    let asked = false;
    forget.addEventListener('click', () => {
      if (asked) this.#actions.forget(group);
      asked = true;
      setText(forget, 'Really forget?');
    });
    forget.addEventListener('blur', () => {
      asked = false;
      setText(forget, 'Forget');
    });
    return el(
      'li',
      {},
      el(
        'button',
        {
          type: 'button',
          class: 'group',
          onclick: () => this.#named(() => this.#actions.open(group)),
        },
        el('bdi', {}, group.name),
        el('span', { class: 'hint' }, 'Open'),
      ),
      forget,
    );
  }

  #onSubmit(event: Event, go: () => void): void {
    event.preventDefault();
    this.#named(go);
  }

  /** Nobody comes in without a name. */
  #named(go: () => void): void {
    const name = cleanName(this.#name.value);
    this.#name.value = name;
    if (!this.#name.reportValidity()) return;
    this.#actions.rename(name);
    go();
  }
}

const STEPS = [
  ['Start', 'Your browser makes the group and its keys. No server knows its name.'],
  [
    'Send the link',
    'Whoever opens it is let in while you are online, or somebody who was there before.',
  ],
  [
    'Talk',
    'To everyone, by topics, kept for a day by those who are in the group; or in a whisper to one.',
  ],
] as const;

function step(title: string, text: string): HTMLElement {
  return el('li', {}, el('strong', {}, title), el('span', {}, text));
}

/** Names to write over, so that two people in one window are not suggested the same. */
const EXAMPLES: Readonly<Record<string, string>> = {
  me: 'Ada',
  'guest-1': 'Bo',
  'guest-2': 'Cleo',
  'guest-3': 'Dan',
};

export function nameInput({ id, name }: Person): HTMLInputElement {
  return el('input', {
    name: 'name',
    required: true,
    maxlength: NAME_LENGTH,
    autocomplete: 'nickname',
    placeholder: EXAMPLES[id] ?? 'Eve',
    value: name,
  });
}
