// A node of this page: what happens at it is for every handle on it, and data waits for a listener.

import type { Emitter } from './emitter.js';
import { fromFailure, type PeerError } from './errors.js';
import type {
  AskEvent,
  Change,
  ConnectionId,
  DataEvent,
  EngineEvent,
  NodeStatus,
  PeerId,
  ValidateEvent,
} from './generated/peer_group.js';
import type { EngineHost } from './host.js';
import type { AcceptDirect, ValidateRecord, Verdict } from './options.js';
import type { MemberChange } from './members.js';
import type { RecordChange } from './watch.js';

/** What 'incoming-data' says. */
export interface IncomingData {
  /** Over which connection it came. */
  readonly connectionId?: ConnectionId;
  readonly from: PeerId;
  readonly type: string;
  readonly data: Uint8Array;
  /** The data as UTF-8 text. */
  text(): string;
  readonly broadcast: boolean;
}

/** A handle, as its node sees it. */
export interface Subject {
  readonly handle: number;
  readonly node: number;
  readonly emitter: Pick<Emitter<never>, 'emit' | 'hears'>;
  readonly acceptDirect: AcceptDirect | undefined;
  readonly validateRecord: ValidateRecord | undefined;
  statusChanged(status: NodeStatus): void;
  propertiesChanged(): void;
  memberChanged(change: MemberChange): void;
  neighborChanged(change: Change): void;
  directChanged(change: Change): void;
  recordChanged(change: RecordChange): void;
  /** Graphs: every record of that type is here. */
  typeSynchronized(type: string): void;
  storageFailed(error: PeerError): void;
  authenticationFailed(error: PeerError): void;
  connectionFailed(error: PeerError): void;
  /** It is closed. Nothing more is told to it. */
  ended(reason: PeerError | undefined): void;
}

/** A message whose sender has not been told yet that it was taken. */
interface Message {
  readonly event: DataEvent;
  /** Iterators in which it waits, and its being handed out. */
  holds: number;
  isTaken: boolean;
}

type NodeEvent = Exclude<EngineEvent, { type: 'answered' | 'closed' | 'ask' | 'validate' }>;

export class LocalNode {
  readonly subjects = new Set<Subject>();
  readonly #host: EngineHost;
  /** Messages that nobody listened for yet, in order. */
  #waiting: Message[] = [];
  /** By connection: messages that are not taken, in order. */
  readonly #untaken = new Map<ConnectionId, Message[]>();
  readonly #handedOut = new WeakMap<Event, Message>();
  #isFlushing = false;

  constructor(
    host: EngineHost,
    readonly id: number,
  ) {
    this.#host = host;
  }

  hear(event: NodeEvent): void {
    switch (event.type) {
      case 'status-changed':
        this.#each((subject) => subject.statusChanged(event.status));
        break;
      case 'properties-changed':
        this.#each((subject) => subject.propertiesChanged());
        break;
      case 'neighbor-connection':
        this.#forget(event.change);
        this.#each((subject) => subject.neighborChanged(event.change));
        break;
      case 'direct-connection':
        this.#forget(event.change);
        this.#each((subject) => subject.directChanged(event.change));
        break;
      case 'member-changed': {
        const { change, peerId } = event;
        this.#each((subject) => subject.memberChanged({ change, peerId }));
        break;
      }
      case 'record-changed': {
        const { change, id, kind: type } = event;
        this.#each((subject) => subject.recordChanged({ change, id, type }));
        break;
      }
      case 'synchronized':
        this.#each((subject) => subject.typeSynchronized(event.kind));
        break;
      case 'storage-failed':
        this.#each((subject) => subject.storageFailed(fromFailure(event.failure)));
        break;
      case 'authentication-failed':
        this.#each((subject) => subject.authenticationFailed(fromFailure(event.failure)));
        break;
      case 'failed':
        this.#each((subject) => subject.connectionFailed(fromFailure(event.failure)));
        break;
      case 'incoming-data':
        this.#receive(event);
        break;
    }
  }

  /** May this member open a direct connection? One handle that says yes is enough. */
  async ask({ peerId, nodeId }: AskEvent): Promise<boolean> {
    const answers = [...this.subjects].map(async ({ acceptDirect, emitter }) =>
      acceptDirect ? await acceptDirect({ peerId, nodeId }) : emitter.hears('direct-connection'),
    );
    const yes = answers.map(async (answer) => {
      if ((await answer) !== true) throw new Error('no');
    });
    return Promise.any(yes).then(
      () => true,
      () => false,
    );
  }

  /** Is this record to be kept? One handle that says no is enough. */
  async validate({ record, change }: ValidateEvent): Promise<Verdict> {
    const judges = [...this.subjects].flatMap(({ validateRecord }) => validateRecord ?? []);
    // Who would judge has closed its handle: the record waits.
    if (judges.length === 0) return 'defer';
    const verdicts = judges.map(async (judge) => judge(record, change));
    return Promise.all(verdicts).then(
      (all) => {
        if (all.every((verdict) => verdict === 'accept')) return 'accept';
        return all.every((verdict) => verdict === 'accept' || verdict === 'defer')
          ? 'defer'
          : 'reject';
      },
      () => 'reject',
    );
  }

  /** Somebody listens now: hands out what waited, after the call that began to listen. */
  listened(type: string): void {
    if (type !== 'incoming-data' || this.#waiting.length === 0 || this.#isFlushing) return;
    this.#isFlushing = true;
    queueMicrotask(() => {
      this.#isFlushing = false;
      this.#flush();
    });
  }

  /** The event waits in an iterator until the function is called. */
  hold(event: Event): () => void {
    const message = this.#handedOut.get(event);
    if (!message) return () => undefined;
    message.holds += 1;
    let isHeld = true;
    return () => {
      if (isHeld) this.#release(message);
      isHeld = false;
    };
  }

  #each(tell: (subject: Subject) => void): void {
    for (const subject of [...this.subjects]) if (this.subjects.has(subject)) tell(subject);
  }

  #receive(event: DataEvent): void {
    const message = { event, holds: 0, isTaken: false };
    const untaken = this.#untaken.get(event.connectionId) ?? [];
    untaken.push(message);
    this.#untaken.set(event.connectionId, untaken);
    this.#waiting.push(message);
    this.#flush();
  }

  #flush(): void {
    while (this.#waiting.length > 0 && this.#listeners().length > 0) {
      const message = this.#waiting.shift();
      if (message) this.#handOut(message);
    }
  }

  #listeners(): Subject[] {
    return [...this.subjects].filter(({ emitter }) => emitter.hears('incoming-data'));
  }

  #handOut(message: Message): void {
    const { connectionId, from, kind, data } = message.event;
    message.holds += 1;
    for (const { emitter } of this.#listeners()) {
      const detail: IncomingData = {
        connectionId,
        from,
        type: kind,
        data,
        text: () => new TextDecoder().decode(data),
        broadcast: false,
      };
      const event = new CustomEvent('incoming-data', { detail });
      this.#handedOut.set(event, message);
      emitter.emit(event);
    }
    this.#release(message);
  }

  #release(message: Message): void {
    message.holds -= 1;
    if (message.holds > 0) return;
    message.isTaken = true;
    const { connectionId } = message.event;
    const untaken = this.#untaken.get(connectionId);
    if (!untaken) return;
    const first = untaken.findIndex(({ isTaken }) => !isTaken);
    const count = first === -1 ? untaken.length : first;
    untaken.splice(0, count);
    if (untaken.length === 0) this.#untaken.delete(connectionId);
    if (count > 0) this.#take(connectionId, count);
  }

  #take(connection: ConnectionId, count: number): void {
    const [subject] = this.subjects;
    if (!subject) return;
    try {
      this.#host.call((engine) => engine.take(subject.handle, connection, count));
    } catch {
      // The connection ended meanwhile: its sender heard so.
    }
  }

  /** What came over a connection that is gone and was not taken: its sender heard that it failed. */
  #forget({ status, connectionId }: Change): void {
    if (status === 'connected') return;
    this.#untaken.delete(connectionId);
    this.#waiting = this.#waiting.filter(({ event }) => event.connectionId !== connectionId);
  }
}
