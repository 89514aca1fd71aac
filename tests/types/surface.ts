// The public types against the contract, written out by hand: tsc fails where they part.

import {
  type AcceptDirect,
  type AttributeValue,
  type ConnectionChange,
  type ConnectionEvidence,
  type ConnectionId,
  type ConnectionInfo,
  type ConnectionKind,
  type ConnectOptions,
  type CreateOptions,
  type CredentialInfo,
  DirectConnection,
  type GraphEvents,
  type GroupEvents,
  type GroupId,
  type GroupProperties,
  type GroupStatus,
  type GraphSecurity,
  type Identity,
  type InvitationInfo,
  type init,
  type ListenOptions,
  type Member,
  type NewRecord,
  type NodeAddress,
  type NodeId,
  PeerError,
  type PeerErrorClass,
  type PeerErrorCode,
  type PeerGraph,
  type PeerGroup,
  type PeerId,
  type PeerRecord,
  type RecordId,
  type Records,
  type Role,
  type OpenOptions,
  type Search,
  type StorageOptions,
  type shutdown,
  type Verdict,
  type VersionInfo,
  type WasmSource,
} from 'peer-group';

/** Exactly the same type, `readonly` and `?` included. */
type Same<A, B> =
  (<T>() => T extends Plain<A> ? 1 : 2) extends <T>() => T extends Plain<B> ? 1 : 2 ? true : false;
type Plain<T> = T extends object ? { [K in keyof T]: T[K] } : T;
type Fits<A, B> = [A] extends [B] ? true : false;
const holds = <T extends true>(_: T | undefined = undefined): void => {};
const not = <T extends false>(_: T | undefined = undefined): void => {};

// Names are told apart.
not<Fits<string, PeerId>>();
not<Fits<PeerId, GroupId>>();
not<Fits<NodeId, PeerId>>();
not<Fits<number, ConnectionId>>();
holds<Fits<PeerId, string>>();
holds<Fits<NodeAddress, string>>();
holds<Same<Role, 'admin' | 'inviting-member' | 'member'>>();
holds<Same<ConnectionKind, 'neighbor' | 'direct'>>();

// Errors.
holds<Fits<'invalid-group' | 'wrong-password' | 'not-found', PeerErrorCode>>();
not<Fits<'no-such-code', PeerErrorCode>>();
holds<Same<PeerErrorClass, 'caller' | 'network' | 'peer' | 'internal'>>();
holds<Fits<PeerError, Error>>();
holds<
  Same<
    Pick<PeerError, 'code' | 'class' | 'hresult' | 'retryAfter' | 'evidence'>,
    {
      readonly code: PeerErrorCode;
      readonly class: PeerErrorClass;
      readonly hresult?: number;
      readonly retryAfter?: number;
      readonly evidence?: ConnectionEvidence;
    }
  >
>();
holds<
  Same<
    ConnectionEvidence,
    {
      readonly stage:
        | 'rendezvous'
        | 'discovery'
        | 'handshake'
        | 'ice'
        | 'dtls'
        | 'channel'
        | 'synchronization';
      readonly candidates?: readonly ('host' | 'srflx' | 'prflx' | 'relay')[];
      readonly turnTried?: boolean;
      readonly relayTried?: boolean;
      readonly clockOffsetMs?: number;
    }
  >
>();

// Plain objects.
holds<Same<VersionInfo, { readonly version: string; readonly protocol: number }>>();
holds<
  Same<
    GroupStatus,
    {
      readonly state:
        | 'disconnected'
        | 'connecting'
        | 'synchronizing'
        | 'listening'
        | 'online'
        | 'suspended'
        | 'closed';
      readonly listening: boolean;
      readonly hasConnections: boolean;
    }
  >
>();
holds<
  Same<
    ConnectionInfo,
    {
      readonly id: ConnectionId;
      readonly kind: ConnectionKind;
      readonly peerId: PeerId;
      readonly nodeId: NodeId;
      readonly address: NodeAddress;
      readonly path: 'direct' | 'turn' | 'relay';
      readonly rttMs?: number;
      readonly openedAt: Date;
      readonly bytesSent: number;
      readonly bytesReceived: number;
    }
  >
>();
holds<
  Same<
    ConnectionChange,
    {
      readonly status: 'connected' | 'disconnected' | 'failed';
      readonly connectionId: ConnectionId;
      readonly nodeId?: NodeId;
      readonly peerId?: PeerId;
      readonly nextConnectionId?: ConnectionId;
      readonly reason?: PeerError;
    }
  >
>();
holds<
  Same<
    InvitationInfo,
    {
      readonly kind: 'bound' | 'bearer' | 'password';
      readonly groupId: GroupId;
      readonly friendlyName: string;
      readonly issuer: PeerId;
      readonly issuerName: string;
      readonly subject?: PeerId;
      readonly roles: readonly Role[];
      readonly notBefore: Date;
      readonly notAfter: Date;
      readonly rendezvous: readonly string[];
    }
  >
>();
holds<
  Same<
    ConnectOptions,
    {
      readonly timeout?: number;
      readonly signal?: AbortSignal;
      readonly addresses?: readonly NodeAddress[];
      readonly password?: string;
    }
  >
>();
holds<
  Same<StorageOptions, { readonly storage?: 'default' | 'memory' | { readonly name: string } }>
>();
holds<
  Same<
    ListenOptions,
    { readonly signal?: AbortSignal; readonly once?: boolean; readonly filter?: string }
  >
>();
holds<Fits<(from: { peerId: PeerId; nodeId: NodeId }) => Promise<boolean>, AcceptDirect>>();

// Events.
holds<Same<GroupEvents['status-changed'], CustomEvent<GroupStatus>>>();
holds<Same<GroupEvents['neighbor-connection'], CustomEvent<ConnectionChange>>>();
holds<Same<GroupEvents['connection-failed'], CustomEvent<PeerError>>>();
holds<Fits<GroupEvents['closed']['detail'], { reason?: PeerError }>>();
holds<Fits<GroupEvents['direct-connection']['detail'], { connection?: DirectConnection }>>();
holds<Fits<GroupEvents['direct-connection']['detail'], ConnectionChange>>();
holds<
  Fits<
    GroupEvents['incoming-data']['detail'],
    {
      connectionId?: ConnectionId;
      from: PeerId;
      type: string;
      data: Uint8Array;
      text(): string;
      broadcast: boolean;
    }
  >
>();
not<Fits<'connection-failed', keyof GraphEvents>>();
holds<Same<Exclude<keyof GraphEvents, keyof GroupEvents>, 'synchronized'>>();
holds<Same<GraphEvents['synchronized']['detail'], { readonly type: string }>>();
holds<
  Same<
    GroupEvents['record-changed']['detail'],
    {
      readonly change: 'added' | 'updated' | 'deleted' | 'expired';
      readonly id: RecordId;
      readonly type: string;
    }
  >
>();
holds<Same<GroupEvents['storage-failed'], CustomEvent<PeerError>>>();

// Records.
holds<Same<AttributeValue, string | number | Date>>();
not<Fits<string, RecordId>>();
not<Fits<PeerId, RecordId>>();
holds<
  Same<
    PeerRecord,
    {
      readonly id: RecordId;
      readonly type: string;
      readonly version: number;
      readonly creator: PeerId;
      readonly modifiedBy?: PeerId;
      readonly created: Date;
      readonly modified: Date;
      readonly expires: Date;
      readonly autoRefresh: boolean;
      readonly attributes: Readonly<Record<string, AttributeValue | readonly AttributeValue[]>>;
      readonly data: Uint8Array<ArrayBuffer>;
    }
  >
>();
holds<
  Same<
    NewRecord,
    {
      readonly type: string;
      readonly data?: Uint8Array;
      readonly attributes?: PeerRecord['attributes'];
      readonly expires: Date | number;
      readonly autoRefresh?: boolean;
    }
  >
>();
holds<Fits<{ and: [{ attribute: string; like: string }, { or: Search[] }] }, Search>>();
holds<Fits<{ attribute: 'peercreationtime'; atLeast: Date; below: Date }, Search>>();
not<Fits<{ attribute: string; like: number }, Search>>();
not<Fits<{ is: string }, Search>>();
holds<Same<Verdict, 'accept' | 'reject' | 'defer'>>();
holds<
  Fits<
    (record: PeerRecord, change: 'added' | 'updated' | 'deleted') => Promise<Verdict>,
    NonNullable<GraphSecurity['validateRecord']>
  >
>();
holds<
  Same<
    Omit<CreateOptions, keyof OpenOptions>,
    {
      readonly friendlyName: string;
      readonly comment?: string;
      readonly classifier?: string;
      readonly memberDataOptional?: boolean;
      readonly presenceDisabled?: boolean;
      readonly deferExpiration?: boolean;
      readonly memberDataLifetime?: number;
      readonly presenceLifetime?: number;
      readonly maxRecordSize?: number;
      readonly password?: string;
      readonly passwordRole?: Exclude<Role, 'admin'>;
      readonly connect?: boolean | ConnectOptions;
    }
  >
>();
holds<
  Same<
    GroupProperties,
    {
      readonly friendlyName: string;
      readonly comment: string;
      readonly classifier: string;
      readonly groupId: GroupId;
      readonly creator: PeerId;
      readonly memberDataOptional: boolean;
      readonly presenceDisabled: boolean;
      readonly deferExpiration: boolean;
      readonly memberDataLifetime: number;
      readonly presenceLifetime: number;
      readonly maxRecordSize: number;
      readonly passwordRole?: Role;
    }
  >
>();
holds<
  Same<
    Pick<PeerGroup, 'properties' | 'setProperties'>,
    {
      properties: () => GroupProperties;
      setProperties: (
        change: Partial<Pick<GroupProperties, 'friendlyName' | 'comment' | 'presenceLifetime'>> & {
          readonly password?: string;
        },
      ) => Promise<void>;
    }
  >
>();
holds<Same<PeerGroup['createPasswordInvitation'], () => Promise<string>>>();
holds<
  Same<
    (typeof PeerGroup)['joinWithPassword'],
    (invitation: string, password: string, options?: OpenOptions) => Promise<PeerGroup>
  >
>();
holds<Same<GroupEvents['authentication-failed'], CustomEvent<PeerError>>>();
holds<Same<GroupEvents['properties-changed'], CustomEvent<void>>>();
holds<
  Same<
    CredentialInfo,
    {
      readonly subject: PeerId;
      readonly issuer: PeerId | GroupId;
      readonly issuedByGroup: boolean;
      readonly roles: readonly Role[];
      readonly notBefore: Date;
      readonly notAfter: Date;
    }
  >
>();
holds<
  Same<
    Omit<Member, 'nodes'>,
    {
      readonly peerId: PeerId;
      readonly name: string;
      readonly roles: readonly Role[];
      readonly present: boolean;
      readonly credential: CredentialInfo;
    }
  >
>();
holds<
  Fits<
    Member['nodes'],
    readonly { nodeId: NodeId; address: NodeAddress; away: boolean; attributes: string }[]
  >
>();
holds<
  Fits<
    Pick<PeerGroup, 'members' | 'setPresence'>,
    {
      members(filter?: { present?: boolean; peerId?: PeerId }): Member[];
      setPresence(options: { present?: boolean; attributes?: string }): Promise<void>;
    }
  >
>();
holds<
  Fits<
    GroupEvents['member-changed'],
    CustomEvent<{
      change: 'connected' | 'disconnected' | 'updated' | 'joined' | 'left' | 'revoked';
      peerId: PeerId;
    }>
  >
>();
holds<Same<Records['add'], (record: NewRecord) => Promise<RecordId>>>();
holds<
  Fits<
    Records['update'],
    (
      id: RecordId,
      change: {
        data?: Uint8Array;
        attributes?: PeerRecord['attributes'];
        expires?: Date | number;
        ifVersion?: number;
      },
    ) => Promise<void>
  >
>();
holds<Same<Records['delete'], (id: RecordId) => Promise<void>>>();
holds<Same<Records['get'], (id: RecordId) => Promise<PeerRecord>>>();
holds<
  Fits<Records['list'], (filter?: { type?: string; creator?: PeerId }) => Promise<PeerRecord[]>>
>();
holds<Same<Records['search'], (criteria: Search) => Promise<PeerRecord[]>>>();
holds<
  Fits<
    Records['watch'],
    (filter?: { type?: string; creator?: PeerId } & ListenOptions) => AsyncIterableIterator<{
      change: 'present' | 'added' | 'updated' | 'deleted' | 'expired';
      id: RecordId;
      record?: PeerRecord;
    }>
  >
>();
holds<Same<PeerGroup['records'], Records>>();
holds<
  Fits<
    PeerGraph['records'],
    Records & {
      deleteLocal(id: RecordId): Promise<void>;
      validateDeferred(ids?: readonly RecordId[]): Promise<void>;
    }
  >
>();
not<Fits<'deleteLocal', keyof PeerGroup['records']>>();
holds<
  Same<
    Pick<
      PeerGroup,
      'exportDatabase' | 'importDatabase' | 'peerTime' | 'toUniversalTime' | 'toPeerTime'
    >,
    {
      peerTime: () => Date;
      toUniversalTime: (peerTime: Date) => Date;
      toPeerTime: (universalTime: Date) => Date;
      exportDatabase: () => Promise<Uint8Array>;
      importDatabase: (data: Uint8Array) => Promise<void>;
    }
  >
>();
holds<
  Fits<
    typeof PeerGraph.open,
    (
      id: string,
      options: { security: GraphSecurity; syncPrecedence: string[] },
    ) => Promise<PeerGraph>
  >
>();

// Identities.
holds<
  Same<
    Pick<Identity, 'peerId' | 'name' | 'setName' | 'card' | 'export' | 'delete'>,
    {
      readonly peerId: PeerId;
      readonly name: string;
      setName: (name: string) => Promise<void>;
      card: () => string;
      export: (password: string) => Promise<string>;
      delete: () => Promise<void>;
    }
  >
>();
holds<
  Fits<
    typeof Identity.create,
    (options?: StorageOptions & { name?: string; classifier?: string }) => Promise<Identity>
  >
>();
holds<Fits<typeof Identity.default, (options?: StorageOptions) => Promise<Identity>>>();
holds<Fits<typeof Identity.list, (options?: StorageOptions) => Promise<Identity[]>>>();
holds<
  Fits<
    typeof Identity.import,
    (text: string, password: string, options?: StorageOptions) => Promise<Identity>
  >
>();
not<Fits<new () => Identity, typeof Identity>>();
holds<Same<OpenOptions['identity'], Identity | undefined>>();
holds<Fits<CreateOptions, { readonly identity?: Identity }>>();
holds<
  Fits<
    typeof PeerGroup.delete,
    (id: GroupId, options?: StorageOptions & { identity?: Identity }) => Promise<void>
  >
>();

// Groups of an identity.
holds<
  Fits<
    typeof PeerGroup.list,
    (
      options?: StorageOptions & { identity?: Identity },
    ) => Promise<{ groupId: GroupId; friendlyName: string }[]>
  >
>();
holds<
  Fits<
    typeof PeerGroup.importConfig,
    (
      text: string,
      password: string,
      options?: StorageOptions & { overwrite?: boolean },
    ) => Promise<{ groupId: GroupId; peerId: PeerId }>
  >
>();
holds<Same<PeerGroup['exportConfig'], (password: string) => Promise<string>>>();

// What there is to call.
holds<Fits<typeof init, (source?: WasmSource) => Promise<VersionInfo>>>();
holds<Fits<typeof shutdown, () => Promise<void>>>();
holds<Fits<PeerGroup, EventTarget & AsyncDisposable>>();
holds<Fits<PeerGraph, EventTarget & AsyncDisposable>>();
holds<Fits<DirectConnection, AsyncDisposable>>();
holds<
  Fits<
    typeof PeerGroup.create,
    (options: { friendlyName: string; connect: true }) => Promise<PeerGroup>
  >
>();
holds<Fits<typeof PeerGroup.open, (id: GroupId) => Promise<PeerGroup>>>();
holds<Fits<typeof PeerGroup.join, (text: string) => Promise<PeerGroup>>>();
holds<Fits<typeof PeerGroup.delete, (id: GroupId, options?: StorageOptions) => Promise<void>>>();
holds<Fits<typeof PeerGroup.parseInvitation, (text: string) => InvitationInfo>>();
holds<
  Same<
    Pick<PeerGroup, 'groupId' | 'peerId' | 'nodeId' | 'address' | 'status'>,
    {
      readonly groupId: GroupId;
      readonly peerId: PeerId;
      readonly nodeId: NodeId;
      readonly address: NodeAddress | undefined;
      readonly status: GroupStatus;
    }
  >
>();
holds<Fits<PeerGroup['connect'], (options?: ConnectOptions) => Promise<GroupStatus>>>();
holds<Fits<PeerGroup['connections'], (kind?: ConnectionKind) => ConnectionInfo[]>>();
holds<
  Fits<PeerGroup['openDirectConnection'], (to: PeerId | NodeId | NodeAddress) => DirectConnection>
>();
holds<Fits<PeerGroup['closeDirectConnection'], (id: ConnectionId) => void>>();
holds<
  Fits<
    PeerGroup['send'],
    (id: ConnectionId, type: string, data: Uint8Array | string) => Promise<void>
  >
>();
holds<
  Fits<
    DirectConnection['send'],
    (type: string, data: Uint8Array | ArrayBuffer | string | Blob) => Promise<void>
  >
>();
holds<
  Same<
    Pick<DirectConnection, 'id' | 'opened' | 'peerId' | 'nodeId' | 'label' | 'closed'>,
    {
      readonly id: ConnectionId;
      readonly opened: Promise<DirectConnection>;
      readonly peerId: PeerId;
      readonly nodeId: NodeId | undefined;
      readonly label: string;
      readonly closed: Promise<PeerError | undefined>;
    }
  >
>();
holds<Fits<typeof PeerGraph.create, (options: { graphId: string }) => Promise<PeerGraph>>>();
holds<Fits<PeerGraph['listen'], () => Promise<NodeAddress>>>();
holds<
  Fits<
    PeerGraph['connect'],
    (
      peerId: PeerId | null,
      address: NodeAddress,
    ) => { id: ConnectionId; opened: Promise<ConnectionInfo> }
  >
>();
holds<
  Same<
    PeerGraph['status'],
    {
      readonly listening: boolean;
      readonly hasConnections: boolean;
      readonly synchronized: boolean;
    }
  >
>();

/** Listeners get the type of their event, without a word from the app. */
export function typedListeners(group: PeerGroup): void {
  const undo: () => void = group.on('incoming-data', ({ detail }) => detail.text(), {
    filter: 'chat',
  });
  undo();
  group.addEventListener('connection-failed', ({ detail }) => detail.evidence?.stage);
  const events: AsyncIterableIterator<CustomEvent<GroupStatus>> = group.events('status-changed');
  void events;
  if (new Error() instanceof PeerError || group instanceof DirectConnection) return;
}
