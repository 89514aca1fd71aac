// The package: what its users may import.

export { DirectConnection } from './direct.js';
export type { ListenOptions } from './emitter.js';
export { PeerError } from './errors.js';
export type { PeerErrorClass, PeerErrorCode } from './generated/errors.js';
export type {
  ConnectionEvidence,
  ConnectionId,
  ConnectionInfo,
  ConnectionKind,
  GroupId,
  InvitationInfo,
  NodeAddress,
  NodeId,
  PeerId,
  Role,
} from './generated/peer_group.js';
export { type GraphEvents, type GraphStatus, PeerGraph } from './graph.js';
export { type GroupEvents, PeerGroup } from './group.js';
export type { ConnectionChange, GroupStatus, HandleEvents } from './handle.js';
export { init, shutdown, type VersionInfo, type WasmSource } from './load.js';
export type { IncomingData } from './node.js';
export type {
  AcceptDirect,
  ConnectOptions,
  CreateOptions,
  DirectOptions,
  InvitationOptions,
  OpenOptions,
  SendOptions,
  StorageOptions,
} from './options.js';
