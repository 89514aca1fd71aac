// What is said between some people: everyone in the group, or two who whisper.

import type { PeerId, RecordId } from 'peer-group';

export interface Line {
  readonly key: string;
  readonly kind: 'text' | 'note';
  readonly mine: boolean;
  /** Who said it; none for notes. */
  readonly peerId?: PeerId;
  readonly name: string;
  readonly text: string;
  readonly at: number;
  /** The record that it is; none for notes and whispers. */
  readonly record?: { readonly id: RecordId; readonly version: number };
  /** That it was changed later, in words. */
  readonly edited?: string;
  /** What became of a whispered line of mine. */
  delivery?: Delivery;
}

export type Delivery = 'sending' | 'delivered' | 'missed';

/** Longer conversations lose their beginning on the screen. */
const LINES_KEPT = 500;

export class Conversation {
  /** By time. */
  readonly lines: Line[] = [];
  unread = 0;
  /** Another number after every change. */
  revision = 0;
  #nextKey = 1;

  add(line: Omit<Line, 'key' | 'at'>): Line {
    const added: Line = { at: Date.now(), ...line, key: `line-${this.#nextKey++}` };
    this.put(added);
    return added;
  }

  /** Takes a line, in the place of the one with its key if there is one. */
  put(line: Line): void {
    this.remove(line.key);
    let place = this.lines.length;
    while (place > 0 && isLater(this.lines[place - 1], line)) place -= 1;
    this.lines.splice(place, 0, line);
    if (this.lines.length > LINES_KEPT) this.lines.shift();
    this.revision += 1;
  }

  remove(key: string): void {
    const place = this.lines.findIndex((line) => line.key === key);
    if (place < 0) return;
    this.lines.splice(place, 1);
    this.revision += 1;
  }

  note(text: string): void {
    this.add({ kind: 'note', mine: false, name: '', text });
  }

  delivered(line: Line, delivery: Delivery): void {
    line.delivery = delivery;
    this.revision += 1;
  }
}

/** Those of one moment are told apart by their keys: the same order in every window. */
function isLater(line: Line | undefined, other: Line): boolean {
  if (line === undefined) return false;
  return line.at > other.at || (line.at === other.at && line.key > other.key);
}
