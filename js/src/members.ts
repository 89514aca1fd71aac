// Who is in a group: what the app asks and hears, and which of several events says most.

import type { MemberEvent, PeerId } from './generated/peer_group.js';

/** What 'member-changed' says. It may have changed again since: see members(). */
export interface MemberChange {
  /** 'connected': the first of its nodes is on the network; 'disconnected': none is any more. */
  readonly change: MemberEvent['change'];
  readonly peerId: PeerId;
}

/** Which members. */
export interface MemberFilter {
  /** Only those who are on the network, or only those who are not. */
  readonly present?: boolean;
  /** Only this one. */
  readonly peerId?: PeerId;
}

/** What a page shows of itself. What is not given stays. */
export interface PresenceOptions {
  /** Whether the others see that it is there. */
  readonly present?: boolean;
  /** Whatever the app wants to say: up to 1024 bytes. */
  readonly attributes?: string;
}

/** Of two changes of a member, one after the other, what to say to an app that heard of neither. */
export function joinedChange(
  before: MemberChange['change'],
  after: MemberChange['change'],
): MemberChange['change'] {
  if (after === 'left' || after === 'revoked' || after === 'joined') return after;
  if (before === 'joined' || after === 'updated') return isOver(before) ? after : before;
  return after;
}

function isOver(change: MemberChange['change']): boolean {
  return change === 'left' || change === 'revoked';
}
