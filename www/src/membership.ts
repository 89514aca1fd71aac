// Who is in one open group, what they are called, and what this person may do there.

import type { GroupProperties, Member, PeerGroup, PeerId, Role } from 'peer-group';
import { cleanName, shortName } from './names.js';

/** The lowest first. */
export const ROLES: readonly Role[] = ['member', 'inviting-member', 'admin'];

export class Membership {
  readonly #group: PeerGroup;
  /** What neighbors told of themselves. */
  readonly #told = new Map<PeerId, string>();
  /** What members are called in the group: who has gone is still called something. */
  readonly #called = new Map<PeerId, string>();

  constructor(group: PeerGroup) {
    this.#group = group;
  }

  /** Everybody in the group, here or not, this person first. */
  list(): Member[] {
    const members = this.#whileOpen(() => this.#group.members()) ?? [];
    for (const { peerId, name } of members) {
      if (name !== '') this.#called.set(peerId, cleanName(name));
    }
    return members;
  }

  has(peerId: PeerId): boolean {
    return this.list().some((member) => member.peerId === peerId);
  }

  /** What this person may do. */
  get role(): Role {
    const own = this.list().find(({ peerId }) => peerId === this.#group.peerId);
    return own ? highest(own) : 'member';
  }

  get isCreator(): boolean {
    return this.#properties?.creator === this.#group.peerId;
  }

  /** Whether one can come in by a password. */
  get asksPassword(): boolean {
    return this.#properties?.passwordRole !== undefined;
  }

  /** Admins remove members, and other admins only where these are admins by them: the others tell
   *  whether somebody has been one for longer. */
  mayRemove(member: Member): boolean {
    const { peerId } = this.#group;
    if (member.peerId === peerId || this.role !== 'admin') return false;
    return highest(member) !== 'admin' || this.isCreator || member.credential.issuer === peerId;
  }

  /** Ends somebody's membership. `records`: what they wrote goes too. */
  async remove({ peerId }: Member, reason: string, records: boolean): Promise<void> {
    await this.#group.revoke(peerId, reason, { records: records ? 'go' : 'stay' });
  }

  /** Takes the name that a neighbor told; the one before, if it told one. */
  meet(peerId: PeerId, name: string): string | undefined {
    const before = this.#told.get(peerId);
    this.#told.set(peerId, name);
    return before;
  }

  hasMet(peerId: PeerId): boolean {
    return this.#told.has(peerId);
  }

  memberName({ peerId, name }: Member): string {
    return cleanName(name) || this.nameOf(peerId);
  }

  nameOf(peerId: PeerId): string {
    return this.#told.get(peerId) ?? this.#called.get(peerId) ?? shortName(peerId);
  }

  get #properties(): GroupProperties | undefined {
    return this.#whileOpen(() => this.#group.properties());
  }

  /** Nothing before the first member was met, nor after the group was closed or left. */
  #whileOpen<T>(look: () => T): T | undefined {
    try {
      return look();
    } catch {
      return undefined;
    }
  }
}

/** The one of several roles that includes the others. */
function highest({ roles }: Member): Role {
  return ROLES.findLast((role) => roles.includes(role)) ?? 'member';
}
