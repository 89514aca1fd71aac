// The window with everybody who is in the group: removing somebody, and leaving it oneself.

import type { Member } from 'peer-group';
import type { Chat } from '../chat.js';
import { el, field, setText } from '../dom.js';
import { ENDING, explain } from '../words.js';
import { Dialog } from './dialog.js';
import { Members } from './members.js';

/** As many as a reason may have. */
const REASON_LENGTH = 255;

export class Roster {
  readonly #dialog: Dialog;
  readonly #members: Members;

  /** `left`: the person is out, by its own wish. */
  constructor(place: HTMLElement, chat: Chat, left: () => void) {
    this.#members = new Members(chat.membership, (member) => removing(place, chat, member));
    const leave = el(
      'button',
      {
        type: 'button',
        class: 'plain leave-group',
        onclick: () => leaving(place, chat, left),
      },
      'Leave the group',
    );
    this.#dialog = new Dialog(place, 'roster', 'In this group', this.#members.element, leave);
  }

  show(): void {
    this.#dialog.show();
    this.update();
  }

  update(): void {
    if (this.#dialog.shown) this.#members.update();
  }
}

/** Asks why, and once more. */
function removing(place: HTMLElement, chat: Chat, member: Member): void {
  const reason = el('input', {
    name: 'reason',
    maxlength: REASON_LENGTH,
    autocomplete: 'off',
    autofocus: true,
  });
  const records = el('input', { type: 'checkbox', name: 'records' });
  const name = chat.membership.memberName(member);
  asking(place, `Remove ${name}?`, `Remove ${name}`, {
    does: () => chat.membership.remove(member, reason.value.trim(), records.checked),
    parts: [
      el('p', { class: 'hint' }, ENDING.remove),
      field('Reason', reason, 'They read it.'),
      el('label', { class: 'check' }, records, 'Delete what they wrote, too'),
    ],
  });
}

function leaving(place: HTMLElement, chat: Chat, left: () => void): void {
  asking(place, `Leave ${chat.name}?`, 'Leave the group', {
    does: () => chat.leave(),
    done: left,
    parts: [
      el('p', { class: 'hint' }, ENDING.leave),
      chat.membership.isCreator ? el('p', { class: 'hint' }, ENDING.creator) : undefined,
    ],
  });
}

interface Question {
  readonly parts: readonly (HTMLElement | undefined)[];
  /** What cannot be undone. */
  does(): Promise<void>;
  done?(): void;
}

/** A window that asks; it stays until it is done, and says what failed. */
function asking(
  place: HTMLElement,
  title: string,
  label: string,
  { parts, does, done }: Question,
): void {
  const failed = el('p', { class: 'failed', role: 'alert' });
  const yes = el('button', { type: 'submit', class: 'danger' }, label);
  const go = async () => {
    yes.disabled = true;
    setText(failed, '');
    try {
      await does();
      dialog.close();
      done?.();
    } catch (error) {
      const { title, advice } = explain(error);
      setText(failed, `${title}. ${advice}`);
      yes.disabled = false;
    }
  };
  const no = el('button', { type: 'button', onclick: () => dialog.close() }, 'Cancel');
  const form = el(
    'form',
    {
      onsubmit: (event) => {
        event.preventDefault();
        void go();
      },
    },
    ...parts,
    failed,
    el('div', { class: 'buttons' }, yes, no),
  );
  const dialog = new Dialog(place, 'asking', title, form);
  dialog.show();
}
