// Who is in the group, here or not: names, what they may do, and whether somebody looks.

import type { Member } from 'peer-group';
import { el, icon, setText } from '../dom.js';
import type { Membership } from '../membership.js';

const ROLES: Readonly<Record<Member['roles'][number], string>> = {
  admin: 'admin',
  'inviting-member': 'may invite',
  member: 'member',
};

export class Members {
  readonly element: HTMLElement;
  readonly #title = el('h3', {}, 'Members');
  readonly #list = el('ul', { class: 'members' });
  readonly #membership: Membership;
  readonly #remove: ((member: Member) => void) | undefined;
  #shows = '';

  /** `remove` asks about somebody, where the person may do that. */
  constructor(membership: Membership, remove?: (member: Member) => void) {
    this.#membership = membership;
    this.#remove = remove;
    this.element = el(
      'section',
      { class: 'members-of', 'aria-label': 'Members' },
      this.#title,
      this.#list,
    );
  }

  /** Looks at the members again. Nothing is drawn where nothing changed. */
  update(): void {
    const members = this.#membership.list();
    const rows = members.map((member) => ({
      member,
      peerId: member.peerId,
      name: this.#membership.memberName(member),
      role: member.roles.map((role) => ROLES[role]).join(', '),
      state: stateOf(member),
      removable: this.#remove !== undefined && this.#membership.mayRemove(member),
    }));
    const shows = JSON.stringify(rows.map(({ member: _, ...shown }) => shown));
    if (shows === this.#shows) return;
    this.#shows = shows;
    setText(this.#title, `Members (${rows.length})`);
    const focused = document.activeElement?.closest('[data-member]')?.getAttribute('data-member');
    this.#list.replaceChildren(
      ...rows.map(({ member, peerId, name, role, state, removable }) =>
        el(
          'li',
          { 'data-member': peerId, 'data-state': state },
          el('bdi', { class: 'name' }, name),
          el('span', { class: 'meta' }, `${role} · ${WORDS[state]}`),
          removable ? this.#button(member, name) : undefined,
        ),
      ),
    );
    // Who was at somebody's button still is, if there is one.
    if (focused)
      this.#list.querySelector<HTMLElement>(`[data-member="${focused}"] button`)?.focus();
  }

  #button(member: Member, name: string): HTMLElement {
    return el(
      'button',
      {
        type: 'button',
        class: 'icon-button',
        'aria-label': `Remove ${name}`,
        title: `Remove ${name}`,
        onclick: () => this.#remove?.(member),
      },
      icon('bin'),
    );
  }
}

const WORDS = { here: 'here', away: 'away', gone: 'not here' } as const;

function stateOf({ present, nodes }: Member): keyof typeof WORDS {
  if (!present) return 'gone';
  return nodes.every(({ away }) => away) ? 'away' : 'here';
}
