// The package: what its users may import.

export type { Attributes, Search } from './criteria.js';
export { DirectConnection } from './direct.js';
export type { ListenOptions } from './emitter.js';
export { PeerError } from './errors.js';
export type { PeerErrorClass, PeerErrorCode } from './generated/errors.js';
export type {
  AttributeValue,
  ConnectionEvidence,
  ConnectionId,
  ConnectionInfo,
  ConnectionKind,
  CredentialInfo,
  GroupId,
  GroupInfo,
  GroupProperties,
  ImportedGroup,
  InvitationInfo,
  Member,
  MemberNode,
  NodeAddress,
  NodeId,
  PeerId,
  PeerRecord,
  RecordId,
  Role,
} from './generated/peer_group.js';
export { type GraphEvents, type GraphStatus, PeerGraph } from './graph.js';
export { type GroupEvents, PeerGroup } from './group.js';
export type { ConnectionChange, GroupStatus, HandleEvents } from './handle.js';
export { type CreateIdentityOptions, Identity } from './identity.js';
export { init, shutdown, type VersionInfo, type WasmSource } from './load.js';
export type { MemberChange, MemberFilter, PresenceOptions } from './members.js';
export type { IncomingData } from './node.js';
export type {
  AcceptDirect,
  ConnectOptions,
  CreateGraphOptions,
  CreateOptions,
  CredentialOptions,
  DirectOptions,
  GraphSecurity,
  ImportConfigOptions,
  InvitationOptions,
  OpenGraphOptions,
  OpenOptions,
  OwnerOptions,
  PropertiesChange,
  RevokeOptions,
  SendOptions,
  StorageOptions,
  ValidateRecord,
  Verdict,
} from './options.js';
export type { GraphRecords, NewRecord, Records, RecordUpdate } from './records.js';
export type { RecordChange, RecordFilter, WatchedRecord } from './watch.js';
