// What groups and graphs have in common: a handle on a node, its connections, messages and events.

import { type Answer, connectionInfo, openedOf } from './answers.js';
import { DirectConnection, messageBytes } from './direct.js';
import { Emitter, type ListenOptions } from './emitter.js';
import { fromFailure, invalidArgument, PeerError } from './errors.js';
import type {
  Change,
  ConnectionId,
  ConnectionInfo,
  ConnectionKind,
  Engine,
  NodeAddress,
  NodeId,
  NodeStatus,
  Opened,
  PeerId,
} from './generated/peer_group.js';
import type { EngineHost } from './host.js';
import type { MemberChange } from './members.js';
import type { IncomingData, LocalNode, Subject } from './node.js';
import {
  checked,
  checkedText,
  type DirectOptions,
  type OpenGraphOptions,
  openArguments,
  type SendOptions,
  timeoutOf,
} from './options.js';
import type { Owner } from './records.js';
import type { RecordChange } from './watch.js';

/** How far a group or graph is. */
export interface GroupStatus {
  readonly state: NodeStatus['state'];
  /** PEER_GROUP_STATUS_LISTENING: discoverable, accepts members (alone or not). */
  readonly listening: boolean;
  /** PEER_GROUP_STATUS_HAS_CONNECTIONS: at least one neighbor. */
  readonly hasConnections: boolean;
}

/** What happened to a connection. */
export interface ConnectionChange {
  readonly status: 'connected' | 'disconnected' | 'failed';
  readonly connectionId: ConnectionId;
  readonly nodeId?: NodeId;
  readonly peerId?: PeerId;
  /** After a referral: the attempt that follows this failed one. */
  readonly nextConnectionId?: ConnectionId;
  readonly reason?: PeerError;
}

/** Events of every handle. */
export interface HandleEvents {
  'status-changed': CustomEvent<GroupStatus>;
  'neighbor-connection': CustomEvent<ConnectionChange>;
  'direct-connection': CustomEvent<ConnectionChange & { readonly connection?: DirectConnection }>;
  'incoming-data': CustomEvent<IncomingData>;
  /** Ids only; fetch the record. It may have changed again since. */
  'record-changed': CustomEvent<RecordChange>;
  /** What others wrote could not be stored: the browser's storage is full or blocked. It is kept in
   *  memory and tried again; records that this app adds are refused instead. */
  'storage-failed': CustomEvent<PeerError>;
  closed: CustomEvent<{ readonly reason?: PeerError }>;
}

const CLOSED: NodeStatus = {
  state: 'closed',
  listening: false,
  hasConnections: false,
  synchronized: false,
};

/** A handle on a node. */
export abstract class Handle<M extends HandleEvents>
  extends Emitter<M>
  implements AsyncDisposable, Owner
{
  readonly #host: EngineHost;
  readonly #handle: number;
  readonly #node: LocalNode;
  readonly #nodeId: NodeId;
  readonly #peerId: PeerId;
  readonly #closedCode: 'invalid-group' | 'invalid-graph';
  readonly #directs = new Map<ConnectionId, DirectConnection>();
  /** Why calls are refused. */
  #end: PeerError | undefined;

  /** @internal */
  constructor(
    host: EngineHost,
    opened: Opened,
    options: OpenGraphOptions,
    closedCode: 'invalid-group' | 'invalid-graph',
  ) {
    super();
    this.#host = host;
    this.#handle = opened.handle;
    this.#nodeId = opened.nodeId;
    this.#peerId = opened.peerId;
    this.#closedCode = closedCode;
    const node = host.attach(this.#subject(opened, options));
    this.#node = node;
    this.watch({
      listened: (type) => this.#node.listened(type),
      hold: (event) => this.#node.hold(event),
    });
  }

  /** This identity. */
  get peerId(): PeerId {
    return this.#peerId;
  }

  /** This node. */
  get nodeId(): NodeId {
    return this.#nodeId;
  }

  /** This handle only; the last handle takes the node off the network. A handle that is closed
   *  already rejects; asyncDispose never does. */
  async close(): Promise<void> {
    const { answer } = this.request(
      (engine, handle) => engine.close(handle),
      () => undefined,
    );
    this.#end = new PeerError(this.#closedCode);
    await answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#end) await this.close().catch(() => undefined);
  }

  /** A snapshot, of one kind or of both. PeerGroupEnumConnections. */
  connections(kind?: ConnectionKind): ConnectionInfo[] {
    if (kind !== undefined && kind !== 'neighbor' && kind !== 'direct')
      throw invalidArgument("connections: kind must be 'neighbor' or 'direct'");
    return this.look((engine, handle) => engine.connections(handle, kind));
  }

  /** Returns at once with an id, which may be closed but not used before `opened` (the
   *  'direct-connection' event says the same). A refusal is 'connection-refused'. */
  openDirectConnection(
    to: PeerId | NodeId | NodeAddress,
    options?: DirectOptions,
  ): DirectConnection {
    const given = checked('openDirectConnection', 'direct', options);
    const { label = '', signal } = given;
    const target = checkedText('openDirectConnection', 'to', to);
    requireWebRtc();
    const { id, answer } = this.request(
      (engine, handle) => engine.openDirect(handle, target, label, timeoutOf(given)),
      connectionInfo,
      signal,
    );
    const connectionId = this.#connectionOf(id, answer);
    const known = this.connections().find(
      ({ peerId, nodeId, address }) => target === peerId || target === nodeId || target === address,
    );
    const isPeer = target.length === PEER_ID_LENGTH && !target.includes(':');
    const peerId = isPeer ? (target as PeerId) : known?.peerId;
    const connection = new DirectConnection(this, connectionId, label, { peerId }, answer);
    this.#directs.set(connectionId, connection);
    return connection;
  }

  /** Either side's, open or opening. 'connection-not-found' otherwise, neighbors included.
   *  PeerGroupCloseDirectConnection. */
  closeDirectConnection(id: ConnectionId): void {
    checkedId('closeDirectConnection', id);
    const { answer } = this.request(
      (engine, handle) => engine.closeDirect(handle, id),
      () => undefined,
    );
    answer.catch(() => undefined);
  }

  /** Over a neighbor or direct connection. Resolves once the far side took every byte.
   *  PeerGroupSendData. */
  async send(
    id: ConnectionId,
    type: string,
    data: Uint8Array | string,
    options?: SendOptions,
  ): Promise<void> {
    const { signal } = checked('send', 'send', options);
    checkedId('send', id);
    const kind = checkedText('send', 'type', type);
    const bytes = messageBytes(data);
    await this.request(
      (engine, handle) => engine.send(handle, id, kind, bytes),
      () => undefined,
      signal,
    ).answer;
  }

  override on<T extends keyof M & string>(
    type: T,
    listener: (event: M[T]) => void,
    options?: ListenOptions,
  ): () => void {
    if (typeof listener !== 'function')
      throw invalidArgument('on: the listener must be a function');
    return super.on(type, listener, checked('on', 'listen', options));
  }

  override events<T extends keyof M & string>(
    type: T,
    options?: ListenOptions,
  ): AsyncIterableIterator<M[T]> {
    return super.events(type, checked('events', 'listen', options));
  }

  /** @internal The status, a closed one for a closed handle. */
  nodeStatus(): NodeStatus {
    if (this.#end) return CLOSED;
    try {
      return this.look((engine, handle) => engine.status(handle));
    } catch {
      return CLOSED;
    }
  }

  /** @internal */
  nodeAddress(): NodeAddress | undefined {
    return this.#end ? undefined : this.look((engine, handle) => engine.address(handle));
  }

  /** @internal */
  get isOpen(): boolean {
    return !this.#end;
  }

  /** @internal Asks the engine about this handle. */
  look<T>(ask: (engine: Engine, handle: number) => T): T {
    if (this.#end) throw this.#end;
    return this.#host.call((engine) => ask(engine, this.#handle));
  }

  /** @internal Sends a command for this handle. */
  request<T>(
    command: (engine: Engine, handle: number) => number,
    take: (answer: Answer) => T,
    signal?: AbortSignal,
  ): { id: number; answer: Promise<T> } {
    if (this.#end) throw this.#end;
    return this.#host.request((engine) => command(engine, this.#handle), take, signal);
  }

  /** @internal Starts a connection whose id is known at once. */
  begin(
    command: (engine: Engine, handle: number) => number,
    signal: AbortSignal | undefined,
  ): { id: ConnectionId; opened: Promise<ConnectionInfo> } {
    const { id, answer } = this.request(command, connectionInfo, signal);
    return { id: this.#connectionOf(id, answer), opened: answer };
  }

  /** @internal */
  protected failed(_error: PeerError): void {}

  /** @internal */
  protected notAuthenticated(_error: PeerError): void {}

  /** @internal */
  protected propertiesChanged(): void {}

  /** @internal */
  protected memberChanged(_change: MemberChange): void {}

  #connectionOf(request: number, answer: Promise<unknown>): ConnectionId {
    answer.catch(() => undefined);
    const id = this.look((engine) => engine.connectionOf(request));
    if (id === undefined) throw new PeerError('internal', 'a connection attempt has no id');
    return id as ConnectionId;
  }

  /** @internal */
  protected typeSynchronized(_type: string): void {}

  #subject({ handle, node }: Opened, { acceptDirect, security }: OpenGraphOptions): Subject {
    return {
      handle,
      node,
      acceptDirect,
      validateRecord: security?.validateRecord?.bind(security),
      emitter: this,
      statusChanged: (status) => this.#tell('status-changed', groupStatus(status)),
      neighborChanged: (change) => this.#tell('neighbor-connection', connectionChange(change)),
      directChanged: (change) => this.#directChanged(change),
      recordChanged: (change) => this.#tell('record-changed', change),
      propertiesChanged: () => {
        if (!this.#end) this.propertiesChanged();
      },
      memberChanged: (change) => {
        if (!this.#end) this.memberChanged(change);
      },
      storageFailed: (error) => this.#tell('storage-failed', error),
      typeSynchronized: (type) => {
        if (!this.#end) this.typeSynchronized(type);
      },
      authenticationFailed: (error) => {
        if (!this.#end) this.notAuthenticated(error);
      },
      connectionFailed: (error) => {
        if (!this.#end) this.failed(error);
      },
      ended: (reason) => this.#ended(reason),
    };
  }

  #directChanged(change: Change): void {
    const said = connectionChange(change);
    const id = change.connectionId;
    let connection = this.#directs.get(id);
    if (!connection && change.status === 'connected') {
      connection = new DirectConnection(this, id, change.label, change);
      this.#directs.set(id, connection);
    }
    connection?.learn(change);
    if (change.status !== 'connected') {
      this.#directs.delete(id);
      connection?.end(said.reason);
    }
    this.#tell('direct-connection', connection ? { ...said, connection } : said);
  }

  /** Nothing is told to a handle that was closed, except that it is. */
  #tell<T>(type: keyof HandleEvents, detail: T): void {
    if (!this.#end) this.emit(new CustomEvent(type, { detail }));
  }

  #ended(reason: PeerError | undefined): void {
    // A fault or shutdown() stays the reason; otherwise the handle is simply closed.
    const isLasting = reason?.code === 'internal' || reason?.code === 'not-initialized';
    this.#end = isLasting ? reason : new PeerError(this.#closedCode);
    for (const connection of this.#directs.values()) connection.end(reason);
    this.#directs.clear();
    this.emit(new CustomEvent('closed', { detail: reason ? { reason } : {} }));
    this.endIterators();
  }
}

const PEER_ID_LENGTH = 52;

/** Sends one of the commands that open a handle. */
export function opening<H>(
  host: EngineHost,
  options: OpenGraphOptions,
  command: (engine: Engine, open: ReturnType<typeof openArguments>) => number,
  make: (opened: Opened) => H,
): Promise<H> {
  const open = openArguments(options);
  return host.request(
    (engine) => command(engine, open),
    (answer) => make(openedOf(answer)),
  ).answer;
}

/** Without WebRTC there is no way to anybody. */
export function requireWebRtc(): void {
  if (typeof RTCPeerConnection === 'undefined')
    throw new PeerError('unsupported-platform', 'there is no RTCPeerConnection here');
}

export function groupStatus({ state, listening, hasConnections }: NodeStatus): GroupStatus {
  return { state, listening, hasConnections };
}

function connectionChange(change: Change): ConnectionChange {
  const { status, connectionId, nodeId, peerId, nextConnectionId, reason } = change;
  return {
    status,
    connectionId,
    ...(nodeId && { nodeId }),
    ...(peerId && { peerId }),
    ...(nextConnectionId && { nextConnectionId }),
    ...(reason && { reason: fromFailure(reason) }),
  };
}

function checkedId(call: string, id: unknown): void {
  if (typeof id !== 'number') throw invalidArgument(`${call}: the connection id must be a number`);
}
