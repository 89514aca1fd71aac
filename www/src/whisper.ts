// A conversation of two over a direct connection: opened by either, closed by either.

import {
  type ConnectionChange,
  type ConnectionId,
  PeerError,
  type PeerGroup,
  type PeerId,
} from 'peer-group';
import { Conversation } from './conversation.js';
import { TEXT } from './messages.js';
import { explain } from './words.js';

export type WhisperState = 'closed' | 'opening' | 'open';

export class Whisper extends Conversation {
  readonly peerId: PeerId;
  readonly #group: PeerGroup;
  /** Both may have opened one in the same moment; any of them carries the words. */
  readonly #open = new Set<ConnectionId>();
  #opening: ConnectionId | undefined;
  #closedByMe = false;

  constructor(group: PeerGroup, peerId: PeerId) {
    super();
    this.#group = group;
    this.peerId = peerId;
  }

  get state(): WhisperState {
    if (this.#open.size > 0) return 'open';
    return this.#opening === undefined ? 'closed' : 'opening';
  }

  /** Asks for a connection; the answer comes as an event. */
  open(): void {
    if (this.state !== 'closed') return;
    try {
      this.#opening = this.#group.openDirectConnection(this.peerId, { label: 'whisper' }).id;
    } catch (error) {
      this.#say(error);
    }
  }

  close(): void {
    const ids = [...this.#open, ...(this.#opening === undefined ? [] : [this.#opening])];
    this.#closedByMe = ids.length > 0;
    for (const id of ids) {
      try {
        this.#group.closeDirectConnection(id);
      } catch {
        // It closed by itself meanwhile; its event says so.
      }
    }
  }

  /** Takes what happened to one of this pair's connections. `name` is the other person's. */
  changed({ status, connectionId, reason }: ConnectionChange, name: string): void {
    const mine = connectionId === this.#opening;
    if (mine) this.#opening = undefined;
    const before = this.#open.size;
    if (status === 'connected') {
      this.#open.add(connectionId);
      this.#closedByMe = false;
      if (before === 0) {
        this.note(
          mine ? `${name} is listening. Only you two see this.` : `${name} whispers to you.`,
        );
      }
      return;
    }
    this.#open.delete(connectionId);
    if (status === 'failed') {
      if (mine && !this.#closedByMe) this.#say(reason);
    } else if (before > 0 && this.#open.size === 0) {
      this.note(this.#closedByMe ? 'You ended the whisper.' : `${name} ended the whisper.`);
    }
  }

  /** True once the other side took it. */
  async send(text: string): Promise<boolean> {
    const [connection] = this.#open;
    if (connection === undefined) return false;
    try {
      await this.#group.send(connection, TEXT, text);
      return true;
    } catch (error) {
      this.#say(error);
      return false;
    }
  }

  #say(error: unknown): void {
    const { title, advice } = explain(error instanceof PeerError ? error : new Error('No answer.'));
    this.note(`${title}. ${advice}`);
  }
}
