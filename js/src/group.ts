// Groups: members by credentials, found through a rendezvous server.

import { bytesOf, groupsOf, importedOf, nothing, statusOf, textOf } from './answers.js';
import { invalidArgument, type PeerError } from './errors.js';
import {
  type GroupId,
  type GroupInfo,
  type GroupProperties,
  type ImportedGroup,
  type InvitationInfo,
  type Member,
  type NodeAddress,
  type Opened,
  type PeerId,
  parseInvitation,
} from './generated/peer_group.js';
import {
  type GroupStatus,
  groupStatus,
  Handle,
  type HandleEvents,
  opening,
  requireWebRtc,
} from './handle.js';
import type { EngineHost } from './host.js';
import { engine, requireLoaded } from './load.js';
import type { MemberChange, MemberFilter, PresenceOptions } from './members.js';
import {
  type ConnectOptions,
  type CreateOptions,
  type CredentialOptions,
  checked,
  checkedChange,
  checkedText,
  highest,
  type ImportConfigOptions,
  type InvitationOptions,
  newGroupArguments,
  type OpenOptions,
  type OwnerOptions,
  openArguments,
  type PropertiesChange,
  type RevokeOptions,
  seconds,
  timeoutOf,
} from './options.js';
import { LocalRecords, type Records } from './records.js';

/** Events of a group. */
export interface GroupEvents extends HandleEvents {
  /** They are others, or a joiner knows them for the first time: see properties().
   *  PEER_GROUP_EVENT_PROPERTY_CHANGED. */
  'properties-changed': CustomEvent<void>;
  /** Somebody joined or went, came or left, or shows something else of itself: see members(). Of each
   *  member only the last waits that nobody fetched yet. PEER_GROUP_EVENT_MEMBER_CHANGED. */
  'member-changed': CustomEvent<MemberChange>;
  /** Going online failed, with the reason. PEER_GROUP_EVENT_CONNECTION_FAILED. */
  'connection-failed': CustomEvent<PeerError>;
  /** A member said that the password is wrong: connect({ password }) tries another one.
   *  PEER_GROUP_EVENT_AUTHENTICATION_FAILED. */
  'authentication-failed': CustomEvent<PeerError>;
}

/** An open group: one handle on it. */
export class PeerGroup extends Handle<GroupEvents> {
  /** The group. */
  readonly groupId: GroupId;
  readonly records: Records;
  readonly #host: EngineHost;

  private constructor(host: EngineHost, opened: Opened, options: OpenOptions) {
    super(host, opened, options, 'invalid-group');
    this.records = new LocalRecords(this);
    this.#host = host;
    this.groupId = opened.groupId;
  }

  /** Makes a group, which this identity then owns. Local: no network before connect().
   *  PeerGroupCreate. */
  static async create(options: CreateOptions): Promise<PeerGroup> {
    const call = 'PeerGroup.create';
    const given = checked(call, 'create', options);
    const { connect = false } = given;
    const made = newGroupArguments(given as CreateOptions);
    const online = typeof connect === 'object' ? checked(call, 'connect', connect) : {};
    const group = await PeerGroup.#opening(given, (engine, open) => engine.createGroup(open, made));
    if (connect !== false) await group.#connectOrUndo(online, given);
    return group;
  }

  /** Opens a group that was created or joined before. Local. PeerGroupOpen. */
  static async open(groupId: GroupId, options?: OpenOptions): Promise<PeerGroup> {
    const id = checkedText('PeerGroup.open', 'groupId', groupId);
    const given = checked('PeerGroup.open', 'open', options);
    return PeerGroup.#opening(given, (engine, open) => engine.openGroup(open, id));
  }

  /** Takes an invitation. Local: connect() is what meets the group. Who is a member already gets the
   *  existing group. PeerGroupJoin. */
  static async join(invitation: string, options?: OpenOptions): Promise<PeerGroup> {
    const text = checkedText('PeerGroup.join', 'invitation', invitation);
    const given = checked('PeerGroup.join', 'open', options);
    return PeerGroup.#opening(given, (engine, open) => engine.joinGroup(open, text));
  }

  /** Takes an invitation that asks for the group's password. Local: a member checks it at connect(), and a
   *  wrong one is 'wrong-password' there. PeerGroupPasswordJoin. */
  static async joinWithPassword(
    invitation: string,
    password: string,
    options?: OpenOptions,
  ): Promise<PeerGroup> {
    const call = 'PeerGroup.joinWithPassword';
    const text = checkedText(call, 'invitation', invitation);
    const secret = checkedText(call, 'password', password);
    const given = checked(call, 'open', options);
    return PeerGroup.#opening(given, (engine, open) => engine.joinWithPassword(open, text, secret));
  }

  /** The groups that an identity created or joined here. Local. PeerEnumGroups. */
  static async list(options?: OwnerOptions): Promise<GroupInfo[]> {
    const owner = openArguments(checked('PeerGroup.list', 'owner', options));
    const { answer } = (await engine()).request((engine) => engine.listGroups(owner), groupsOf);
    return answer;
  }

  /** Takes a membership over that was exported elsewhere; then open() it. Its identity must be here:
   *  'identity-not-found'. 'wrong-password'; 'already-exists' unless it may overwrite.
   *  PeerGroupImportConfig. */
  static async importConfig(
    text: string,
    password: string,
    options?: ImportConfigOptions,
  ): Promise<ImportedGroup> {
    const call = 'PeerGroup.importConfig';
    const sealed = checkedText(call, 'text', text);
    const secret = checkedText(call, 'password', password);
    const { overwrite = false, ...storage } = checked(call, 'importConfig', options);
    const { answer } = (await engine()).request(
      (engine) => engine.importConfig(openArguments(storage), sealed, secret, overwrite),
      importedOf,
    );
    return answer;
  }

  /** Removes local data; open handles become invalid. PeerGroupDelete. */
  static async delete(groupId: GroupId, options?: OwnerOptions): Promise<void> {
    const id = checkedText('PeerGroup.delete', 'groupId', groupId);
    const given = checked('PeerGroup.delete', 'owner', options);
    const host = await engine();
    await remove(host, id, given);
  }

  /** What an invitation says, without joining. It does not wait, so the engine must be loaded:
   *  before any other call has, `await init()`; otherwise it throws 'not-initialized'.
   *  PeerGroupParseInvitation. */
  static parseInvitation(text: string): InvitationInfo {
    const given = checkedText('PeerGroup.parseInvitation', 'text', text);
    return requireLoaded('PeerGroup.parseInvitation').call(() => parseInvitation(given));
  }

  /** How far it is; 'closed' for a closed handle. */
  get status(): GroupStatus {
    return groupStatus(this.nodeStatus());
  }

  /** Where this node is reached, once it listens. */
  get address(): NodeAddress | undefined {
    return this.nodeAddress();
  }

  /** Goes online. Resolves when the group is usable: listening (alone or not) and, for a joiner,
   *  synchronised once; the earlier stages are in 'status-changed'. Rejects with the reason of
   *  'connection-failed', within `timeout`; a joiner that finds nobody keeps looking until then. May
   *  be called again after a failure. 'group-in-use' while another page of this storage holds the
   *  node. PeerGroupConnect. */
  async connect(options?: ConnectOptions): Promise<GroupStatus> {
    const given = checked('connect', 'connect', options);
    requireWebRtc();
    const { password } = given;
    if (password !== undefined) {
      const { answer } = this.request(
        (engine, handle) => engine.givePassword(handle, password),
        nothing,
      );
      await answer;
    }
    const { answer } = this.request(
      (engine, handle) => engine.connect(handle, timeoutOf(given), [...(given.addresses ?? [])]),
      statusOf,
      given.signal,
    );
    return groupStatus(await answer);
  }

  /** A text that lets whoever holds it join or, with `to`, the identity of that card. PeerGroupCreateInvitation. */
  async createInvitation(options?: InvitationOptions): Promise<string> {
    const {
      roles = ['member'],
      to,
      maxUses,
      usableUntil,
      expires,
    } = checked('createInvitation', 'invitation', options);
    if (to !== undefined && (maxUses !== undefined || usableUntil !== undefined)) {
      throw invalidArgument(
        'createInvitation: "maxUses" and "usableUntil" are for links; one with "to" lets its identity in once',
      );
    }
    const { answer } = this.request(
      (engine, handle) =>
        engine.createInvitation(
          handle,
          highest(roles),
          to,
          maxUses ?? 1,
          seconds(usableUntil),
          seconds(expires),
        ),
      textOf,
    );
    return answer;
  }

  /** A text that says where the group is: whoever knows its password joins with it. There is no secret of
   *  the password in it. For admins and inviting members. PeerGroupCreatePasswordInvitation. */
  async createPasswordInvitation(): Promise<string> {
    const { answer } = this.request(
      (engine, handle) => engine.createPasswordInvitation(handle),
      textOf,
    );
    return answer;
  }

  /** Ends a membership, or an invitation with every membership that it gave: everywhere, for good,
   *  until an admin lets the person in again. Links to whoever is removed close, the group moves on to
   *  new secrets, and what they wrote so far stays, unless `records` is 'go'. Admins only; an admin is
   *  removed by the creator, or by one who was an admin before it. Resolves once it is stored here;
   *  members that are not connected hear it when they are. (Windows had no way to remove anybody.) */
  async revoke(
    what: PeerId | { readonly invitation: string },
    reason = '',
    options?: RevokeOptions,
  ): Promise<void> {
    const { records = 'stay' } = checked('revoke', 'revoke', options);
    const isPeer = typeof what === 'string';
    const peer = isPeer ? what : undefined;
    const invitation = isPeer ? undefined : checkedText('revoke', 'invitation', what?.invitation);
    const why = checkedText('revoke', 'reason', reason);
    const { answer } = this.request(
      (engine, handle) => engine.revoke(handle, peer, invitation, why, records === 'stay'),
      nothing,
    );
    await answer;
  }

  /** Makes every invitation void that is out and not used yet. Members are not affected. Admins only. */
  async voidInvitations(): Promise<void> {
    await this.request((engine, handle) => engine.voidInvitations(handle), nothing).answer;
  }

  /** Gives the membership up: tells the members that are connected, then forgets the group and its
   *  records here. Handles on it are closed. What was written stays with the others. */
  async leave(): Promise<void> {
    await this.request((engine, handle) => engine.leave(handle), nothing).answer;
  }

  /** Renews a member's credential or changes its role: admins do. Holds at once, everywhere, without
   *  reconnecting; with `publish: false` only for whoever joins again by the text that this resolves to,
   *  which is of use to that member alone. PeerGroupIssueCredentials. */
  async issueCredentials(peerId: PeerId, options?: CredentialOptions): Promise<string> {
    const peer = checkedText('issueCredentials', 'peerId', peerId);
    const { roles, notAfter, publish } = checked('issueCredentials', 'credential', options);
    const { answer } = this.request(
      (engine, handle) =>
        engine.issueCredentials(
          handle,
          peer,
          roles && highest(roles),
          seconds(notAfter),
          publish ?? true,
        ),
      textOf,
    );
    return answer;
  }

  /** What the group is like. 'group-not-ready' before the first synchronisation.
   *  PeerGroupGetProperties. */
  properties(): GroupProperties {
    return this.look((engine, handle) => engine.properties(handle));
  }

  /** Changes what may change: the group's creator alone. Members hear 'properties-changed'. What
   *  never changes may be given only as it is: 'invalid-group-properties'. PeerGroupSetProperties. */
  async setProperties(change: PropertiesChange): Promise<void> {
    if (typeof change !== 'object' || change === null)
      throw invalidArgument('setProperties: the change must be an object');
    const given = checkedChange(change, () => this.properties());
    const { friendlyName, comment, presenceLifetime, password } = given;
    const { answer } = this.request(
      (engine, handle) =>
        engine.setProperties(handle, friendlyName, comment, presenceLifetime, password),
      nothing,
    );
    await answer;
  }

  /** Who is in the group, this member first; as far as this page knows, online or not. `present`: only
   *  those who are, or are not, on the network. PeerGroupEnumMembers. */
  members(filter?: MemberFilter): Member[] {
    const { present, peerId } = checked('members', 'members', filter);
    return this.look((engine, handle) => engine.members(handle, present, peerId));
  }

  /** What this page shows of itself to the others while it is online. `present`: whether they see it at
   *  all, whatever the group has (default: they do, unless the group was made with presenceDisabled).
   *  `attributes`: up to 1024 bytes for whatever the app wants to say. What is not given stays; changes
   *  leave at most once a second. PeerGraphSetPresence, PeerGraphSetNodeAttributes. */
  async setPresence(options: PresenceOptions): Promise<void> {
    const { present, attributes } = checked('setPresence', 'presence', options);
    const { answer } = this.request(
      (engine, handle) => engine.setPresence(handle, present, attributes),
      () => undefined,
    );
    await answer;
  }

  /** Now, as the group counts it. 'group-not-ready' before the first synchronisation. */
  peerTime(): Date {
    return new Date(Date.now() + this.#peerTimeOffset());
  }

  /** By this machine's clock, as it stands to peer time now. PeerGroupPeerTimeToUniversalTime. */
  toUniversalTime(peerTime: Date): Date {
    return new Date(checkedDate('toUniversalTime', peerTime) - this.#peerTimeOffset());
  }

  /** By the group's clock. PeerGroupUniversalTimeToPeerTime. */
  toPeerTime(universalTime: Date): Date {
    return new Date(checkedDate('toPeerTime', universalTime) + this.#peerTimeOffset());
  }

  /** What the membership rests on, as a text sealed under a password, for another browser: export the
   *  identity too. The creator's holds the group's own key: choose a good password.
   *  PeerGroupExportConfig. */
  async exportConfig(password: string): Promise<string> {
    const secret = checkedText('exportConfig', 'password', password);
    const { answer } = this.request(
      (engine, handle) => engine.exportConfig(handle, secret),
      textOf,
    );
    return answer;
  }

  /** The records and what they rest on, to be kept elsewhere. PeerGroupExportDatabase. */
  async exportDatabase(): Promise<Uint8Array> {
    const { answer } = this.request((engine, handle) => engine.exportDatabase(handle), bytesOf);
    return answer;
  }

  /** Takes what was exported from the same group by the same identity; not while online.
   *  PeerGroupImportDatabase. */
  async importDatabase(data: Uint8Array): Promise<void> {
    if (!(data instanceof Uint8Array))
      throw invalidArgument('importDatabase: data must be a Uint8Array');
    const { answer } = this.request(
      (engine, handle) => engine.importDatabase(handle, data),
      () => undefined,
    );
    await answer;
  }

  #peerTimeOffset(): number {
    return this.look((engine, handle) => engine.peerTimeOffset(handle));
  }

  /** @internal */
  protected override memberChanged(detail: MemberChange): void {
    this.emit(new CustomEvent('member-changed', { detail }));
  }

  /** @internal */
  protected override propertiesChanged(): void {
    this.emit(new CustomEvent('properties-changed'));
  }

  /** @internal */
  protected override failed(error: PeerError): void {
    this.emit(new CustomEvent('connection-failed', { detail: error }));
  }

  /** @internal */
  protected override notAuthenticated(error: PeerError): void {
    this.emit(new CustomEvent('authentication-failed', { detail: error }));
  }

  static async #opening(
    options: OpenOptions,
    command: Parameters<typeof opening>[2],
  ): Promise<PeerGroup> {
    const host = await engine();
    return opening(host, options, command, (opened) => {
      return new PeerGroup(host, opened, options);
    });
  }

  /** A create that fails leaves nothing behind. */
  async #connectOrUndo(connect: ConnectOptions, storage: OwnerOptions): Promise<void> {
    try {
      await this.connect(connect);
    } catch (error) {
      await this[Symbol.asyncDispose]();
      await remove(this.#host, this.groupId, storage).catch(() => undefined);
      throw error;
    }
  }
}

async function remove(host: EngineHost, id: string, storage: OwnerOptions): Promise<void> {
  const { answer } = host.request(
    (engine) => engine.deleteGroup(openArguments(storage), id),
    () => undefined,
  );
  await answer;
}

function checkedDate(call: string, date: unknown): number {
  const ms = date instanceof Date ? date.getTime() : Number.NaN;
  if (Number.isNaN(ms)) throw invalidArgument(`${call}: a valid Date is needed`);
  return ms;
}
