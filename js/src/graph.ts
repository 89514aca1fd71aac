// Graphs: the layer below groups, without discovery and credentials.

import { invalidArgument } from './errors.js';
import type {
  ConnectionId,
  ConnectionInfo,
  NodeAddress,
  Opened,
  PeerId,
} from './generated/peer_group.js';
import { Handle, type HandleEvents, opening, requireWebRtc, textOf } from './handle.js';
import type { EngineHost } from './host.js';
import { engine } from './load.js';
import {
  type AcceptDirect,
  checked,
  checkedText,
  type DirectOptions,
  type OpenOptions,
  timeoutOf,
} from './options.js';

/** Events of a graph. */
export interface GraphEvents extends HandleEvents {}

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
  private constructor(host: EngineHost, opened: Opened, acceptDirect: AcceptDirect | undefined) {
    super(host, opened, acceptDirect, 'invalid-graph');
  }

  /** Makes a graph, once ever per id. PeerGraphCreate. */
  static async create(options: OpenOptions & { readonly graphId: string }): Promise<PeerGraph> {
    const given = checked('PeerGraph.create', 'graph', options);
    const id = checkedText('PeerGraph.create', 'graphId', given.graphId);
    return PeerGraph.#opening(given, (engine, open) => engine.createGraph(open, id));
  }

  /** Opens a graph. PeerGraphOpen. */
  static async open(graphId: string, options?: OpenOptions): Promise<PeerGraph> {
    const id = checkedText('PeerGraph.open', 'graphId', graphId);
    const given = checked('PeerGraph.open', 'open', options);
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

  static async #opening(
    options: OpenOptions,
    command: Parameters<typeof opening>[2],
  ): Promise<PeerGraph> {
    const host = await engine();
    return opening(host, options, command, (opened) => {
      return new PeerGraph(host, opened, options.acceptDirect);
    });
  }
}
