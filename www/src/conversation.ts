// What is said between some people: everyone in the group, or two who whisper.

import type { PeerId } from 'peer-group';

export interface Line {
  readonly key: number;
  readonly kind: 'text' | 'note';
  readonly mine: boolean;
  /** Who said it; none for notes. */
  readonly peerId?: PeerId;
  readonly name: string;
  readonly text: string;
  readonly at: number;
  /** What became of a line of mine. */
  delivery?: Delivery;
}

export type Delivery =
  | { readonly state: 'sending' }
  | { readonly state: 'done'; readonly reached: number; readonly missed: number };

/** Longer conversations lose their beginning. */
const LINES_KEPT = 500;

export class Conversation {
  readonly lines: Line[] = [];
  unread = 0;
  #nextKey = 1;

  add(line: Omit<Line, 'key' | 'at'> & { at?: number }): Line {
    const added: Line = { at: Date.now(), ...line, key: this.#nextKey++ };
    this.lines.push(added);
    if (this.lines.length > LINES_KEPT) this.lines.shift();
    return added;
  }

  note(text: string): void {
    this.add({ kind: 'note', mine: false, name: '', text });
  }
}
