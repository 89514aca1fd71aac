// The invitations of one open group: which kinds this person may make, and those that were made.

import { PeerGroup, type Role } from 'peer-group';
import type { Chat } from './chat.js';
import { linkWith } from './link.js';
import { ROLES } from './membership.js';

/** Who comes in: whoever has the link, one person by their card, whoever knows the password. */
export type Way = 'link' | 'card' | 'password';

export interface Wanted {
  readonly way: Way;
  readonly role: Role;
  /** Of a link: how many may come in with it. */
  readonly uses: number;
  /** Of one by card. */
  readonly card: string;
}

/** How many may come in with one link, unless somebody says otherwise. */
export const LINK_USES = 20;

export class Invitations {
  readonly #chat: Chat;
  readonly #made = new Map<string, Promise<string>>();

  constructor(chat: Chat) {
    this.#chat = chat;
  }

  /** What this person may do is no more than to pass on what it came in with. */
  get handedOn(): boolean {
    return this.#chat.membership.role === 'member';
  }

  /** What it came in with was for it alone. */
  get mayNot(): boolean {
    const { invitation } = this.#chat;
    if (!this.handedOn) return false;
    return invitation === undefined || PeerGroup.parseInvitation(invitation).kind === 'bound';
  }

  /** Those of the group's password are for everybody, and end with the password. */
  get mayWithdraw(): boolean {
    return this.#chat.membership.role === 'admin';
  }

  get ways(): Way[] {
    return this.#chat.membership.asksPassword ? ['link', 'card', 'password'] : ['link', 'card'];
  }

  /** The roles that this person may give. */
  get roles(): readonly Role[] {
    return ROLES.slice(0, ROLES.indexOf(this.#chat.membership.role) + 1);
  }

  /** A link; the same again for the same wish, until it is withdrawn. */
  link(wanted: Wanted = ANYBODY): Promise<string> {
    const wish = JSON.stringify(wanted);
    const made = this.#made.get(wish) ?? this.#make(wanted).then(linkWith);
    this.#made.set(wish, made);
    made.catch(() => this.#made.delete(wish));
    return made;
  }

  /** Ends the invitation, and the membership of everybody who came in with it. */
  async withdraw(wanted: Wanted): Promise<void> {
    const wish = JSON.stringify(wanted);
    const link = await this.#made.get(wish);
    if (link === undefined) return;
    const invitation = link.slice(link.indexOf('#') + 1);
    await this.#chat.group.revoke({ invitation }, 'The invitation was withdrawn.');
    this.#made.delete(wish);
  }

  async #make({ way, role, uses, card }: Wanted): Promise<string> {
    const { group, invitation } = this.#chat;
    if (this.handedOn && invitation !== undefined) return invitation;
    if (way === 'password') return group.createPasswordInvitation();
    const roles = [role];
    if (way === 'card') return group.createInvitation({ roles, to: card });
    return group.createInvitation({ roles, maxUses: uses });
  }
}

export const ANYBODY: Wanted = { way: 'link', role: 'member', uses: LINK_USES, card: '' };
