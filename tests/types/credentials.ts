// Credentials of members against the contract, written out by hand: tsc fails where they part.

import type { PeerGroup, PeerId, Role } from 'peer-group';

type Contract = (
  peerId: PeerId,
  options?: {
    readonly roles?: readonly Role[];
    readonly notAfter?: Date;
    readonly publish?: boolean;
  },
) => Promise<string>;

/** Either takes the other's place. */
export const contract = (group: PeerGroup): Contract => group.issueCredentials.bind(group);
export const surface = (issue: Contract): PeerGroup['issueCredentials'] => issue;
