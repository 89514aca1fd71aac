// Who is in the group, here or not: names, what they may do, and whether somebody looks.

import type { Member } from 'peer-group';
import type { Chat } from '../chat.js';
import { el, setText } from '../dom.js';

const ROLES: Readonly<Record<Member['roles'][number], string>> = {
  admin: 'admin',
  'inviting-member': 'may invite',
  member: 'member',
};

export class Members {
  readonly element: HTMLElement;
  readonly #title = el('h3', {}, 'Members');
  readonly #list = el('ul', { class: 'members' });
  readonly #chat: Chat;
  #shows = '';

  constructor(chat: Chat) {
    this.#chat = chat;
    this.element = el(
      'section',
      { class: 'members-of', 'aria-label': 'Members' },
      this.#title,
      this.#list,
    );
  }

  /** Looks at the members again. Nothing is drawn where nothing changed. */
  update(): void {
    const members = this.#chat.members();
    const rows = members.map((member) => ({
      peerId: member.peerId,
      name: this.#chat.memberName(member),
      role: member.roles.map((role) => ROLES[role]).join(', '),
      state: stateOf(member),
    }));
    const shows = JSON.stringify(rows);
    if (shows === this.#shows) return;
    this.#shows = shows;
    setText(this.#title, `Members (${rows.length})`);
    this.#list.replaceChildren(
      ...rows.map(({ peerId, name, role, state }) =>
        el(
          'li',
          { 'data-member': peerId, 'data-state': state },
          el('bdi', { class: 'name' }, name),
          el('span', { class: 'meta' }, `${role} · ${WORDS[state]}`),
        ),
      ),
    );
  }
}

const WORDS = { here: 'here', away: 'away', gone: 'not here' } as const;

function stateOf({ present, nodes }: Member): keyof typeof WORDS {
  if (!present) return 'gone';
  return nodes.every(({ away }) => away) ? 'away' : 'here';
}
