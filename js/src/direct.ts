// One direct connection, as one handle sees it.

import { invalidArgument, type PeerError } from './errors.js';
import type { ConnectionId, NodeId, PeerId } from './generated/peer_group.js';
import { checked, checkedText, type SendOptions } from './options.js';

/** What a connection needs of its handle. */
export interface Carrier {
  send(
    id: ConnectionId,
    type: string,
    data: Uint8Array | string,
    options?: SendOptions,
  ): Promise<void>;
  closeDirectConnection(id: ConnectionId): void;
}

interface Known {
  readonly peerId?: PeerId | undefined;
  readonly nodeId?: NodeId | undefined;
}

/** A line of one's own to a member, for the app's messages. */
export class DirectConnection implements AsyncDisposable {
  /** Local to this node. */
  readonly id: ConnectionId;
  /** Resolves when it may be used. Nobody has to watch it: it is never an unhandled rejection. */
  readonly opened: Promise<DirectConnection>;
  /** Resolves when it is over; with the reason, if neither side closed it. */
  readonly closed: Promise<PeerError | undefined>;
  /** What it is for. */
  readonly label: string;
  readonly #carrier: Carrier;
  #known: Known;
  #isOver = false;
  /** Settles `closed`. */
  #over: (reason: PeerError | undefined) => void = () => undefined;
  /** Sends that must leave before the next one: a Blob is read first. */
  #before: Promise<unknown> | undefined;

  /** @internal */
  constructor(
    carrier: Carrier,
    id: ConnectionId,
    label: string,
    known: Known,
    opening?: Promise<Known>,
  ) {
    this.id = id;
    this.label = label;
    this.#carrier = carrier;
    this.#known = known;
    this.closed = new Promise((resolve) => {
      this.#over = resolve;
    });
    this.opened = opening
      ? opening.then((info) => {
          this.learn(info);
          return this;
        })
      : Promise.resolve(this);
    this.opened.catch(() => undefined);
  }

  /** The identity at the other end. Empty until `opened` when it was dialled by the address of a node that is not known. */
  get peerId(): PeerId {
    return this.#known.peerId ?? ('' as PeerId);
  }

  /** The node at the other end; known once opened. */
  get nodeId(): NodeId | undefined {
    return this.#known.nodeId;
  }

  /** Resolves once the far side took every byte; never for what was not taken. Keeps order. */
  async send(
    type: string,
    data: Uint8Array | ArrayBuffer | string | Blob,
    options?: SendOptions,
  ): Promise<void> {
    checkedText('send', 'type', type);
    checked('send', 'send', options);
    if (!(data instanceof Blob) && !this.#before) {
      await this.#carrier.send(this.id, type, messageBytes(data), options);
      return;
    }
    // What it is now: its turn comes later, and the app may write there meanwhile.
    const read =
      data instanceof Blob ? data.arrayBuffer() : Promise.resolve(messageBytes(data).slice());
    // It is awaited when its turn comes; who called hears then that it cannot be read.
    read.catch(() => undefined);
    const sent = Promise.resolve(this.#before).then(async () => {
      const taken = this.#carrier.send(this.id, type, messageBytes(await read), options);
      // Not to be awaited here: the next one may leave as soon as this one has left.
      return { taken };
    });
    const before = sent.then(
      () => undefined,
      () => undefined,
    );
    this.#before = before;
    void before.then(() => {
      if (this.#before === before) this.#before = undefined;
    });
    await (await sent).taken;
  }

  /** Closes it; the other side hears so. Closing it again is no fault. */
  async close(): Promise<void> {
    if (this.#isOver) return;
    this.#carrier.closeDirectConnection(this.id);
    await this.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close().catch(() => undefined);
  }

  /** @internal */
  learn(known: Known): void {
    const { peerId = this.#known.peerId, nodeId = this.#known.nodeId } = known;
    this.#known = { peerId, nodeId };
  }

  /** @internal */
  end(reason: PeerError | undefined): void {
    this.#isOver = true;
    this.#over(reason);
  }
}

/** The bytes of what an app sends. */
export function messageBytes(data: Uint8Array | ArrayBuffer | string): Uint8Array {
  if (typeof data === 'string') return new TextEncoder().encode(data);
  if (data instanceof Uint8Array) return data;
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  throw invalidArgument('send: data must be a Uint8Array or a string');
}
