// Graphs: the layer below groups, without discovery and credentials.

import { textOf } from './answers.js';
import { invalidArgument } from './errors.js';
import type {
  ConnectionId,
  ConnectionInfo,
  NodeAddress,
  Opened,
  PeerId,
} from './generated/peer_group.js';
import { Handle, type HandleEvents, opening, requireWebRtc } from './handle.js';
import type { EngineHost } from './host.js';
import { engine } from './load.js';
import {
  type CreateGraphOptions,
  checked,
  checkedText,
  type DirectOptions,
  type OpenGraphOptions,
  timeoutOf,
} from './options.js';
import { type GraphRecords, LocalGraphRecords } from './records.js';

/** Events of a graph. */
export interface GraphEvents extends HandleEvents {
  /** Every record of a type that was wanted first is here. */
  synchronized: CustomEvent<{ readonly type: string }>;
}

/** How far a graph is. */
export interface GraphStatus {
  /** Reachable. */
  readonly listening: boolean;
  /** At least one neighbor. */
  readonly hasConnections: boolean;
  /** Synchronised at least once. */
  readonly synchronized: boolean;
}

/** An open graph: one handle on it. A graph has no secrets: who knows its id can find it. */
export class PeerGraph extends Handle<GraphEvents> {
  readonly records: GraphRecords;

  private constructor(host: EngineHost, opened: Opened, options: OpenGraphOptions) {
    super(host, opened, options, 'invalid-graph');
    this.records = new LocalGraphRecords(this);
  }

  /** Makes a graph, once ever per id. PeerGraphCreate. */
  static async create(options: CreateGraphOptions): Promise<PeerGraph> {
    const given = checked('PeerGraph.create', 'createGraph', options);
    const id = checkedText('PeerGraph.create', 'graphId', given.graphId);
    return PeerGraph.#opening(given, (engine, open) => engine.createGraph(open, id));
  }

  /** Opens a graph. PeerGraphOpen. */
  static async open(graphId: string, options?: OpenGraphOptions): Promise<PeerGraph> {
    const id = checkedText('PeerGraph.open', 'graphId', graphId);
    const given = checked('PeerGraph.open', 'openGraph', options);
    return PeerGraph.#opening(given, (engine, open) => engine.openGraph(open, id));
  }

  /** How far it is. */
  get status(): GraphStatus {
    const { listening, hasConnections, synchronized } = this.nodeStatus();
    return { listening, hasConnections, synchronized };
  }

  /** Makes it reachable, and says where. 'graph-not-ready' before the first synchronisation;
   *  'already-listening'. PeerGraphListen. */
  async listen(): Promise<NodeAddress> {
    requireWebRtc();
    const { answer } = this.request((engine, handle) => engine.listen(handle), textOf);
    return (await answer) as NodeAddress;
  }

  /** Starts an attempt and returns at once with its id; 'neighbor-connection' and `opened` tell the
   *  outcome. peerId null: whoever answers at the address. Throws at once what needs no network.
   *  Nobody has to watch `opened`: it is never an unhandled rejection. PeerGraphConnect. */
  connect(
    peerId: PeerId | null,
    address: NodeAddress,
    options?: Omit<DirectOptions, 'label'>,
  ): { readonly id: ConnectionId; readonly opened: Promise<ConnectionInfo> } {
    const given = checked('connect', 'node', options);
    const to = checkedText('connect', 'address', address);
    if (peerId !== null && typeof peerId !== 'string')
      throw invalidArgument('connect: peerId must be a peer id, or null');
    requireWebRtc();
    return this.begin(
      (engine, handle) => engine.connectNode(handle, peerId ?? undefined, to, timeoutOf(given)),
      given.signal,
    );
  }

  /** @internal */
  protected override typeSynchronized(type: string): void {
    this.emit(new CustomEvent('synchronized', { detail: { type } }));
  }

  static async #opening(
    options: OpenGraphOptions,
    command: Parameters<typeof opening>[2],
  ): Promise<PeerGraph> {
    checked('PeerGraph', 'security', options.security);
    const host = await engine();
    return opening(host, options, command, (opened) => {
      return new PeerGraph(host, opened, options);
    });
  }
}
