// What the engine answers to commands, each as the type that its command is answered with.

import { PeerError } from './errors.js';
import type {
  AnsweredEvent,
  ConnectionInfo,
  GroupInfo,
  IdentityInfo,
  ImportedGroup,
  NodeStatus,
  Opened,
  PeerRecord,
} from './generated/peer_group.js';

/** An answer as it comes. */
export type Answer = AnsweredEvent['value'];

export function openedOf(answer: Answer): Opened {
  if (typeof answer === 'object' && 'handle' in answer) return answer;
  throw missing('handle');
}

export function connectionInfo(answer: Answer): ConnectionInfo {
  if (typeof answer === 'object' && 'openedAt' in answer) return answer;
  throw missing('connection');
}

export function statusOf(answer: Answer): NodeStatus {
  if (typeof answer === 'object' && 'state' in answer) return answer;
  throw missing('status');
}

export function textOf(answer: Answer): string {
  if (typeof answer === 'string') return answer;
  throw missing('text');
}

export function bytesOf(answer: Answer): Uint8Array<ArrayBuffer> {
  if (answer instanceof Uint8Array) return answer;
  throw missing('bytes');
}

export function recordOf(answer: Answer): PeerRecord {
  if (typeof answer === 'object' && 'autoRefresh' in answer) return answer;
  throw missing('record');
}

export function recordsOf(answer: Answer): PeerRecord[] {
  if (Array.isArray(answer)) return answer as PeerRecord[];
  throw missing('records');
}

export function identityOf(answer: Answer): IdentityInfo {
  if (typeof answer === 'object' && 'card' in answer) return answer;
  throw missing('identity');
}

export function identitiesOf(answer: Answer): IdentityInfo[] {
  if (Array.isArray(answer)) return answer as IdentityInfo[];
  throw missing('identities');
}

export function groupsOf(answer: Answer): GroupInfo[] {
  if (Array.isArray(answer)) return answer as GroupInfo[];
  throw missing('groups');
}

export function importedOf(answer: Answer): ImportedGroup {
  if (typeof answer === 'object' && 'groupId' in answer && 'peerId' in answer) return answer;
  throw missing('imported group');
}

/** Of commands that are answered with nothing. */
export function nothing(): void {}

function missing(what: string): PeerError {
  return new PeerError('internal', `the engine answered without: ${what}`);
}
