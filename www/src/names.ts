// What people are called on the screen before, and beside, the name they chose.

import type { PeerId } from 'peer-group';

export const NAME_LENGTH = 40;

/** The beginning of a peer id: short, and the same in every window. */
export function shortName(peerId: PeerId): string {
  return peerId.slice(0, 6);
}

/** A color wheel angle that belongs to a peer id. */
export function hue(peerId: PeerId): number {
  let sum = 7;
  for (const letter of peerId) sum = (sum * 31 + letter.charCodeAt(0)) % 997;
  return Math.round((sum / 997) * 360);
}

/** One line of visible text: what somebody typed, or what a member sent as its name. */
export function cleanName(text: string): string {
  const visible = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').replace(/\s+/g, ' ');
  return Array.from(visible.trim()).slice(0, NAME_LENGTH).join('').trim();
}

/** For the round picture: the first letter. */
export function initial(name: string): string {
  return (Array.from(name)[0] ?? '?').toUpperCase();
}
