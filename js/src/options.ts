// Options as the app gives them: known names only, of the right types, with defaults.

import { invalidArgument, PeerError } from './errors.js';
import type {
  GroupProperties,
  NewGroupArguments,
  NodeAddress,
  NodeId,
  OpenArguments,
  PeerId,
  PeerRecord,
  Role,
  ValidateEvent,
} from './generated/peer_group.js';
import type { Identity } from './identity.js';
import { noSuch } from './nearest.js';

/** Where a group and its identity are kept. */
export interface StorageOptions {
  /** 'default': durable (IndexedDB in browsers). 'memory': kept by this page only, shared by its handles, gone with it.
   *  A name: a durable store of its own, so that one person can be two on one machine. */
  readonly storage?: 'default' | 'memory' | { readonly name: string };
}

/** Where something is kept, and whose it is. */
export interface OwnerOptions extends StorageOptions {
  /** Default: the default identity. Without `storage`, what is kept where the identity is. */
  readonly identity?: Identity;
}

/** How to open a group or graph. */
export interface OpenOptions extends OwnerOptions {
  /** One or several, tried in turn, failed over. Default: the invitation's; else required.
   *  For a server that asks for a token, `wss://example.org/?token=TOKEN`: it goes to that server only,
   *  and is neither kept nor passed on with invitations, so it is given each time. */
  readonly rendezvous?: string | readonly string[];
  /** Added to what the rendezvous server hands out. */
  readonly iceServers?: readonly RTCIceServer[];
  /** 'relay' hides addresses from other members: everything goes over TURN servers, the rendezvous
   *  server's own or those in iceServers, or else over the rendezvous server itself. Where that relays
   *  nothing either, connect() says 'service-not-available'. */
  readonly iceTransportPolicy?: RTCIceTransportPolicy;
  /** Answered for each inbound direct connection. Default: accept exactly while somebody listens for
   *  'direct-connection', as Windows does. */
  readonly acceptDirect?: AcceptDirect;
}

export type AcceptDirect = (from: { peerId: PeerId; nodeId: NodeId }) => boolean | Promise<boolean>;

/** Where a group that moved here is kept. */
export interface ImportConfigOptions extends StorageOptions {
  /** Also where the group is here already. Default false: 'already-exists'. */
  readonly overwrite?: boolean;
}

/** What a new group is to be like. */
export interface CreateOptions extends OpenOptions {
  readonly friendlyName: string;
  readonly comment?: string;
  readonly classifier?: string;
  /** While a member is not connected, nothing expires at it. Default false. */
  readonly deferExpiration?: boolean;
  /** Bytes of data and attributes that a record may have: 1024 (1 KiB) to 62 914 560 (60 MiB).
   *  Default 1 048 576 (1 MiB). */
  readonly maxRecordSize?: number;
  /** Members publish who they are only once they do something. Default false. */
  readonly memberDataOptional?: boolean;
  /** Nobody publishes its presence unless its app asks for it. Default false. */
  readonly presenceDisabled?: boolean;
  /** Seconds that what a member publishes of itself lives: 28 800 (8 hours) to 315 360 000 (10 years).
   *  Default 2 419 200 (28 days). */
  readonly memberDataLifetime?: number;
  /** Seconds that a presence lives: 300 to 86 400 (a day). Default 300. */
  readonly presenceLifetime?: number;
  /** Whoever knows it may join, at any member that may invite: 'password-does-not-meet-policy' says what
   *  is too easy about one. Default: nobody joins by a password. */
  readonly password?: string;
  /** What the password makes of whoever knows it. Default 'member'. */
  readonly passwordRole?: Exclude<Role, 'admin'>;
  /** Go online at once: a group that nobody serves cannot be joined. Default false. */
  readonly connect?: boolean | ConnectOptions;
}

/** What is to be different about a group. */
export type PropertiesChange = Partial<
  Pick<GroupProperties, 'friendlyName' | 'comment' | 'presenceLifetime'>
> & {
  /** Another password, of a group that was made with one. The old one opens nothing any more. */
  readonly password?: string;
};

/** What the app says about a record: keep it, refuse it, or ask again when told to. */
export type Verdict = 'accept' | 'reject' | 'defer';

export type ValidateRecord = (
  record: PeerRecord,
  change: ValidateEvent['change'],
) => Verdict | Promise<Verdict>;

/** What is kept of a graph, which has no secrets of its own: who knows its id can find it. */
export interface GraphSecurity {
  /** Asked about every record that comes. A throw, a rejection or 5 s of silence rejects. With several
   *  handles that ask, one that rejects is enough. */
  readonly validateRecord?: ValidateRecord;
}

/** How to open a graph. */
export interface OpenGraphOptions extends OpenOptions {
  readonly security?: GraphSecurity;
  /** Types of records that are wanted first, at most 16; 'synchronized' tells when one is complete. */
  readonly syncPrecedence?: readonly string[];
}

/** What a new graph is to be like. */
export interface CreateGraphOptions extends OpenOptions {
  /** Once ever per id. */
  readonly graphId: string;
  readonly security?: GraphSecurity;
}

export interface ConnectOptions {
  /** Milliseconds; default 30 000. The call never hangs. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  /** Skip discovery and try these. PeerGroupConnectByAddress. */
  readonly addresses?: readonly NodeAddress[];
  /** Of a group that is joined by password: another one, after 'wrong-password'. */
  readonly password?: string;
}

export interface DirectOptions {
  /** Milliseconds; default 30 000. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  /** What it is for, shown to the far side. */
  readonly label?: string;
}

export interface SendOptions {
  readonly signal?: AbortSignal;
}

export interface InvitationOptions {
  /** What it makes of whoever joins by it: the highest of these. Default ['member']; never above the issuer's own. */
  readonly roles?: readonly Role[];
  /** End of the membership it gives. Default: the issuer's own end. */
  readonly expires?: Date;
  /** The invitee's Identity.card(): nobody else can use the text. */
  readonly to?: string;
  /** No `to`: whoever holds the text joins, at most this often (default 1), until usableUntil (default 7 days). */
  readonly maxUses?: number;
  readonly usableUntil?: Date;
}

export interface RevokeOptions {
  /** What they wrote so far: 'stay', the default, or 'go'. */
  readonly records?: 'stay' | 'go';
}

/** Another credential for a member. */
export interface CredentialOptions {
  /** What it may do from then on: the highest of these. Default: what it may do now. */
  readonly roles?: readonly Role[];
  /** Its end, at most the issuer's own. Default: it lasts as long as the one before. */
  readonly notAfter?: Date;
  /** Tell the members. Default true. */
  readonly publish?: boolean;
}

/** How long connecting may take unless the call says otherwise. */
const TIMEOUT_MS = 30_000;

/** What a value must be: words for it when it is something else. */
type Check = (value: unknown) => string | undefined;
type Checks = Readonly<Record<string, Check>>;

const is =
  (fits: (value: unknown) => boolean, words: string): Check =>
  (value) =>
    fits(value) ? undefined : words;

const text = is((value) => typeof value === 'string', 'a string');
const flag = is((value) => typeof value === 'boolean', 'true or false');
const callable = is((value) => typeof value === 'function', 'a function');
const signal = is((value) => value instanceof AbortSignal, 'an AbortSignal');
const date = is(
  (value) => value instanceof Date && Number.isFinite(value.getTime()),
  'a valid Date',
);
const milliseconds = is(
  (value) => typeof value === 'number' && value >= 0 && value <= 86_400_000,
  'a number of milliseconds, at most a day',
);
const uses = is(
  (value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 10_000,
  'a whole number from 1 to 10 000',
);
const count = is(
  (value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 0xffff_ffff,
  'a version, a whole number from 1',
);
const stayOrGo = is((value) => value === 'stay' || value === 'go', "'stay' or 'go'");
const size = is(Number.isSafeInteger, 'a whole number of bytes');
const lifetime = is(Number.isSafeInteger, 'a whole number of seconds');
/** The lowest first. */
const ROLES: readonly Role[] = ['member', 'inviting-member', 'admin'];
const roles = is(
  (value) =>
    Array.isArray(value) && value.length > 0 && value.every((role) => ROLES.includes(role)),
  "a list of 'member', 'inviting-member' and 'admin'",
);

/** The one of several roles that includes the others. */
export function highest(given: readonly Role[]): Role {
  return ROLES.findLast((role) => given.includes(role)) ?? 'member';
}

const types = is(
  (value) => isTexts(value) && value.length <= 16,
  'a list of at most 16 record types',
);
const bytes = is((value) => value instanceof Uint8Array, 'a Uint8Array');
/** Judged by what reads it, with a code of its own. */
const anything: Check = () => undefined;
const addresses = is(
  (value) => isTexts(value) && value.every((one) => one.startsWith('pg-node:')),
  'a list of node addresses, which begin with pg-node:',
);
const servers = is(
  (value) => typeof value === 'string' || (isTexts(value) && value.length <= 4),
  'the address of a rendezvous server, or a list of at most four',
);
const policy = is((value) => value === 'all' || value === 'relay', "'all' or 'relay'");
const storage = is(
  (value) => value === 'default' || value === 'memory' || isNamed(value),
  "'default', 'memory' or { name }",
);

const identity = is(isIdentity, 'an Identity');

const STORAGE: Checks = { storage };
const OWNER: Checks = { ...STORAGE, identity };
const OPEN: Checks = {
  ...OWNER,
  rendezvous: servers,
  iceServers: is(
    isIceServers,
    'a list of { urls, username, credential } with stun: or turn: URLs, the latter with both others',
  ),
  iceTransportPolicy: policy,
  acceptDirect: callable,
};
const GRAPH: Checks = {
  ...OPEN,
  security: is(isObject, '{ validateRecord }'),
};
const LISTEN: Checks = { signal, once: flag, filter: text };
const OF_RECORDS: Checks = { type: text, creator: text };
const CONNECT: Checks = { timeout: milliseconds, signal, addresses, password: text };

/** The tables of options, by call. */
export const TABLES = {
  storage: STORAGE,
  owner: OWNER,
  importConfig: { ...STORAGE, overwrite: flag },
  createIdentity: { ...STORAGE, name: text, classifier: text },
  open: OPEN,
  connect: CONNECT,
  create: {
    ...OPEN,
    friendlyName: text,
    comment: text,
    classifier: text,
    deferExpiration: flag,
    maxRecordSize: size,
    memberDataOptional: flag,
    presenceDisabled: flag,
    memberDataLifetime: lifetime,
    presenceLifetime: lifetime,
    password: text,
    passwordRole: is(
      (value) => value === 'member' || value === 'inviting-member',
      "'member' or 'inviting-member'",
    ),
    connect: (value: unknown) =>
      typeof value === 'boolean' || isObject(value) ? undefined : 'true, false or connect options',
  },
  properties: { friendlyName: text, comment: text, presenceLifetime: lifetime, password: text },
  createGraph: { ...GRAPH, graphId: text },
  openGraph: { ...GRAPH, syncPrecedence: types },
  security: { validateRecord: callable },
  node: { timeout: milliseconds, signal },
  direct: { timeout: milliseconds, signal, label: text },
  send: { signal },
  invitation: { roles, to: text, expires: date, maxUses: uses, usableUntil: date },
  revoke: { records: stayOrGo },
  members: { present: flag, peerId: text },
  presence: { present: flag, attributes: text },
  credential: { roles, notAfter: date, publish: flag },
  listen: LISTEN,
  record: { type: text, data: bytes, attributes: anything, expires: anything, autoRefresh: flag },
  update: { data: bytes, attributes: anything, expires: anything, ifVersion: count },
  records: OF_RECORDS,
  watch: { ...OF_RECORDS, ...LISTEN },
} as const satisfies Record<string, Checks>;

/** Refuses what is misspelt or of a wrong type, and says which. */
export function checked<T extends object>(
  call: string,
  table: keyof typeof TABLES,
  options: T | undefined,
): T | Record<string, never> {
  if (options === undefined) return {};
  if (!isObject(options)) throw invalidArgument(`${call}: options must be an object`);
  const checks: Checks = TABLES[table];
  for (const [name, value] of Object.entries(options)) {
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
    if (!check) throw invalidArgument(`${call}: ${noSuch('option ', name, Object.keys(checks))}`);
    const wanted = value === undefined ? undefined : check(value);
    if (wanted) throw invalidArgument(`${call}: "${name}" must be ${wanted}`);
  }
  return options;
}

/** Refuses an argument that is no string. */
export function checkedText(call: string, name: string, value: unknown): string {
  if (!isText(value)) throw invalidArgument(`${call}: ${name} must be a string`);
  return value;
}

export function timeoutOf(options: { readonly timeout?: number }): number {
  return options.timeout ?? TIMEOUT_MS;
}

/** Open options in the engine's form. */
export function openArguments(options: OpenGraphOptions): OpenArguments {
  const { identity, rendezvous = [], iceServers = [] } = options;
  const { storage = identity?.storage ?? 'default' } = options;
  return {
    memory: storage === 'memory',
    store: typeof storage === 'object' ? storage.name : undefined,
    identity: identity?.peerId,
    rendezvous: typeof rendezvous === 'string' ? [rendezvous] : [...rendezvous],
    iceServers: iceServers.map(({ urls, username = '', credential = '' }) => ({
      urls: typeof urls === 'string' ? [urls] : [...urls],
      username,
      credential,
    })),
    relayOnly: options.iceTransportPolicy === 'relay',
    validates: options.security?.validateRecord !== undefined,
    syncPrecedence: [...(options.syncPrecedence ?? [])],
  };
}

/** A new group in the engine's form. */
export function newGroupArguments(given: CreateOptions): NewGroupArguments {
  const { comment = '', classifier = '', maxRecordSize, memberDataLifetime } = given;
  return {
    friendlyName: checkedText('PeerGroup.create', 'friendlyName', given.friendlyName),
    comment,
    classifier,
    deferExpiration: given.deferExpiration ?? false,
    maxRecordSize,
    memberDataOptional: given.memberDataOptional ?? false,
    presenceDisabled: given.presenceDisabled ?? false,
    memberDataLifetime,
    presenceLifetime: given.presenceLifetime,
    password: given.password,
    passwordRole: given.passwordRole,
  };
}

/** What may change of a group's properties. What never does may be given as it is: read, modify, write. */
export function checkedChange(change: object, now: () => GroupProperties): PropertiesChange {
  const fixed = Object.keys(change).filter((name) => FIXED.has(name));
  const current: object = fixed.length > 0 ? now() : {};
  for (const name of fixed) {
    if (Reflect.get(change, name) !== Reflect.get(current, name))
      throw new PeerError('invalid-group-properties', `setProperties: "${name}" never changes`);
  }
  const rest = Object.entries(change).filter(([name]) => !FIXED.has(name));
  return checked<PropertiesChange>('setProperties', 'properties', Object.fromEntries(rest));
}

/** Properties that are chosen once. */
const FIXED = new Set<string>([
  'classifier',
  'groupId',
  'creator',
  'memberDataOptional',
  'presenceDisabled',
  'deferExpiration',
  'memberDataLifetime',
  'maxRecordSize',
  'passwordRole',
] satisfies (keyof GroupProperties)[]);

/** Seconds since 1970, as credentials count. */
export function seconds(date: Date | undefined): number | undefined {
  return date && Math.floor(date.getTime() / 1000);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isNamed(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { name } = value;
  return isText(name) && name !== '';
}

function isIdentity(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { peerId, card } = value;
  return isText(peerId) && typeof card === 'function';
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isIceServers(value: unknown): boolean {
  return Array.isArray(value) && value.every(isIceServer);
}

function isIceServer(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { urls, username, credential } = value;
  const list = isText(urls) ? [urls] : urls;
  if (!isTexts(list) || list.length === 0) return false;
  // Browsers refuse every connection where a TURN server has neither name nor password.
  const mayLack = !list.some((url) => /^turns?:/.test(url));
  return (
    list.every((url) => /^(?:stuns?|turns?):./.test(url)) &&
    [username, credential].every((one) => (mayLack && one === undefined) || isText(one))
  );
}
