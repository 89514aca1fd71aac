// Inviting: to whom and for what, the link with its picture, and withdrawing it again.

import type { Role } from 'peer-group';
import { el, field, icon, setText } from '../dom.js';
import { type Invitations, LINK_USES, type Wanted, type Way } from '../invitations.js';
import { explain, INVITING, roleWords } from '../words.js';
import { copyButton } from './copy.js';
import { Dialog } from './dialog.js';
import { qrCode } from './qr.js';
import { Sure } from './sure.js';

const USES = [1, 5, LINK_USES, 100];

const WAYS: Readonly<Record<Way, string>> = {
  link: 'Whoever has the link',
  card: 'One person, by their card',
  password: 'Whoever knows the password',
};

export class Share {
  readonly #dialog: Dialog;
  readonly #invitations: Invitations;
  readonly #way = el('select', { name: 'way', onchange: () => void this.#fill() });
  readonly #role = el('select', { name: 'role', onchange: () => void this.#fill() });
  readonly #uses = el('select', { name: 'uses', onchange: () => void this.#fill() });
  readonly #card = el('textarea', {
    name: 'card',
    rows: 2,
    autocomplete: 'off',
    spellcheck: 'false',
    oninput: () => void this.#fill(),
  });
  readonly #link = el('input', {
    class: 'link',
    name: 'link',
    readonly: true,
    'aria-label': 'Link',
    autofocus: true,
    onfocus: () => this.#select(),
  });
  readonly #about = el('p', { class: 'hint' });
  readonly #said = el('p', { class: 'hint said-of-link', role: 'status' });
  readonly #picture = el('div', { class: 'qr-place' });
  readonly #sure = new Sure(
    'Withdraw this invitation',
    'Withdraw it and all who came by it?',
    () => void this.#withdraw(),
  );
  readonly #again = el(
    'button',
    { type: 'button', class: 'again', hidden: true, onclick: () => void this.#fill() },
    'Make a new one',
  );
  readonly #roleField = field('They come in as', this.#role);
  readonly #usesField = field('Lets in', this.#uses);
  readonly #cardField = field('Their card', this.#card, INVITING.whereCard);
  /** Counts what was asked for; what was overtaken does not get on the screen. */
  #turn = 0;

  constructor(place: HTMLElement, invitations: Invitations, someoneElse: () => void) {
    this.#invitations = invitations;
    const copy = copyButton(
      () => invitations.link(this.#wanted),
      () => this.#select(),
    );
    const another = el(
      'button',
      {
        type: 'button',
        class: 'someone',
        onclick: () => {
          this.#dialog.close();
          someoneElse();
        },
      },
      icon('person'),
      'Join as someone else in this window',
    );
    for (const uses of USES) {
      const words = uses === 1 ? 'one person' : `up to ${uses} people`;
      this.#uses.append(el('option', { value: uses, selected: uses === LINK_USES }, words));
    }
    this.#dialog = new Dialog(
      place,
      'share',
      'Invite people',
      field('Who comes in', this.#way),
      this.#cardField,
      el('div', { class: 'two-fields' }, this.#roleField, this.#usesField),
      this.#about,
      el('div', { class: 'share-row' }, this.#link, copy),
      this.#said,
      this.#picture,
      this.#sure.element,
      this.#again,
      el('hr'),
      el('p', { class: 'hint' }, INVITING.alone),
      another,
    );
  }

  show(): void {
    if (this.#dialog.shown) return;
    const { ways, roles, handedOn } = this.#invitations;
    options(this.#way, ways, (way) => WAYS[way]);
    options(this.#role, roles, roleWords);
    for (const part of [this.#way.parentElement, this.#roleField, this.#usesField, this.#cardField])
      if (part) part.hidden = handedOn;
    this.#dialog.show();
    void this.#fill();
  }

  get #wanted(): Wanted {
    const way = this.#way.value as Way;
    return {
      way,
      role: way === 'password' ? 'member' : (this.#role.value as Role),
      uses: way === 'link' ? Number(this.#uses.value) : 1,
      card: way === 'card' ? this.#card.value.trim() : '',
    };
  }

  /** All of it, with its beginning in sight. */
  #select(): void {
    this.#link.setSelectionRange(0, this.#link.value.length, 'backward');
    this.#link.scrollLeft = 0;
  }

  async #fill(): Promise<void> {
    const turn = ++this.#turn;
    const { handedOn, mayNot, mayWithdraw } = this.#invitations;
    const { way, card } = this.#wanted;
    if (!handedOn) {
      this.#cardField.hidden = way !== 'card';
      this.#roleField.hidden = way === 'password';
      this.#usesField.hidden = way !== 'link';
    }
    setText(this.#about, mayNot ? INVITING.mayNot : handedOn ? INVITING.handedOn : INVITING[way]);
    this.#sure.element.hidden = this.#again.hidden = true;
    // What was made for another wish is not for this one.
    this.#put('', '');
    if (mayNot || (way === 'card' && card === '')) return;
    try {
      const link = await this.#invitations.link(this.#wanted);
      if (turn !== this.#turn) return;
      this.#put(link, '');
      this.#sure.element.hidden = !mayWithdraw || handedOn || way === 'password';
    } catch (error) {
      if (turn !== this.#turn) return;
      const { title, advice } = explain(error, 'invite');
      this.#put('', `${title}. ${advice}`);
    }
  }

  #put(link: string, said: string): void {
    this.#link.value = link;
    this.#select();
    const code = link === '' ? undefined : qrCode(link);
    this.#picture.replaceChildren(...(code ? [code] : []));
    setText(this.#said, said);
  }

  async #withdraw(): Promise<void> {
    const turn = ++this.#turn;
    try {
      await this.#invitations.withdraw(this.#wanted);
      if (turn !== this.#turn) return;
      this.#put('', INVITING.withdrawn);
      this.#again.hidden = false;
      this.#again.focus();
      this.#sure.element.hidden = true;
    } catch (error) {
      if (turn !== this.#turn) return;
      const { title, advice } = explain(error);
      setText(this.#said, `${title}. ${advice}`);
    }
  }
}

/** Keeps what was chosen, if it is still there to choose. */
function options<T extends string>(
  select: HTMLSelectElement,
  values: readonly T[],
  words: (value: T) => string,
): void {
  const { value } = select;
  select.replaceChildren(...values.map((one) => el('option', { value: one }, words(one))));
  if (values.some((one) => one === value)) select.value = value;
}
