// One person in one open group: who is there, what is said, and what went wrong.
// It knows peer-group and nothing of the page; a view looks at it after every `changed`.

import {
  type ConnectionChange,
  type ConnectionId,
  type ConnectionInfo,
  type GroupEvents,
  Identity,
  type MemberChange,
  type PeerErrorCode,
  PeerGroup,
  type PeerId,
} from 'peer-group';
import type { Line } from './conversation.js';
import { History, type Topic } from './history.js';
import { Invitations } from './invitations.js';
import { Membership } from './membership.js';
import { forget, type KnownGroup, type Person, remember, storageOf } from './memory.js';
import { HELLO, hello, readHello, readText, TEXT } from './messages.js';
import { Whisper } from './whisper.js';
import { explain, said, type Words } from './words.js';

export interface Neighbor {
  readonly peerId: PeerId;
  readonly name: string;
  /** It told us its name. */
  readonly introduced: boolean;
  readonly path: ConnectionInfo['path'];
  readonly rttMs: number | undefined;
}

/** How often round-trip times on the screen are renewed. */
const LOOK_AGAIN_MS = 2000;

/** One attempt to go online. Short: the words come soon, and the next attempt follows by itself. */
const ATTEMPT_MS = 15_000;
const NEXT_ATTEMPT_MS = 3000;
/** What may pass without anybody doing anything about it. */
const MAY_PASS: readonly Words['code'][] = [
  'no-members-found',
  'no-member-connections',
  'service-not-available',
];

/** We are out, and stay so: nothing is tried again. */
const OUT: readonly PeerErrorCode[] = ['credential-revoked', 'invitation-revoked'];

export class Chat {
  readonly group: PeerGroup;
  readonly name: string;
  readonly person: Person;
  /** What the person came in with; undefined where the group is its own. */
  readonly invitation: string | undefined;
  readonly history: History;
  readonly membership: Membership;
  readonly invitations: Invitations;
  readonly whispers = new Map<PeerId, Whisper>();
  /** Why the group is not online, in words. */
  trouble: Words | undefined;
  /** Called after every change, at most once per task. */
  changed: () => void = () => {};
  readonly #identity: Identity;
  /** Neighbors whose arrival was told. */
  readonly #greeted = new Set<PeerId>();
  readonly #closing = new AbortController();
  #announced = false;
  #nextAttempt: ReturnType<typeof setTimeout> | undefined;

  /** Makes a group; with a password, whoever knows that may come in. Local: `connect` goes online. */
  static async create(person: Person, name: string, password: string): Promise<Chat> {
    const about = { friendlyName: name, rendezvous: location.origin };
    return Chat.#start(person, { name }, (options) =>
      PeerGroup.create({ ...options, ...about, ...(password !== '' && { password }) }),
    );
  }

  /** `password`: of an invitation that asks for one. It is checked when it goes online. */
  static async join(person: Person, invitation: string, password?: string): Promise<Chat> {
    const { friendlyName } = PeerGroup.parseInvitation(invitation);
    return Chat.#start(person, { name: friendlyName, invitation }, (options) =>
      password === undefined
        ? PeerGroup.join(invitation, options)
        : PeerGroup.joinWithPassword(invitation, password, options),
    );
  }

  static async open(person: Person, known: KnownGroup): Promise<Chat> {
    return Chat.#start(person, known, (options) =>
      PeerGroup.open(known.groupId, { ...options, rendezvous: location.origin }),
    );
  }

  static async #start(
    person: Person,
    known: Omit<KnownGroup, 'groupId'>,
    enter: (options: ChatOptions) => Promise<PeerGroup>,
  ): Promise<Chat> {
    const storage = storageOf(person);
    // What the other members see; whoever is called nothing yet is asked first.
    const identity = await Identity.default({ storage });
    if (identity.name !== person.name) await identity.setName(person.name);
    const group = await enter({ storage, acceptDirect: () => person.whispers });
    const { groupId } = group;
    remember(person, { ...known, groupId });
    return new Chat(person, known, group, identity);
  }

  private constructor(
    person: Person,
    known: Omit<KnownGroup, 'groupId'>,
    group: PeerGroup,
    identity: Identity,
  ) {
    this.person = person;
    this.#identity = identity;
    this.name = known.name;
    this.invitation = known.invitation;
    this.group = group;
    this.membership = new Membership(group);
    this.invitations = new Invitations(this);
    const { signal } = this.#closing;
    const nameOf = (peerId: PeerId) => this.membership.nameOf(peerId);
    const of = { nameOf, changed: () => this.#announce() };
    this.history = new History(group, of, signal);
    group.on('status-changed', () => this.#announce(), { signal });
    group.on('connection-failed', ({ detail }) => this.#onFailed(detail), { signal });
    group.on('member-changed', ({ detail }) => this.#onMember(detail), { signal });
    group.on('closed', ({ detail }) => this.#onClosed(detail), { signal });
    group.on('neighbor-connection', ({ detail }) => this.#onNeighbor(detail), { signal });
    group.on('direct-connection', ({ detail }) => this.#onDirect(detail), { signal });
    group.on('incoming-data', ({ detail }) => this.#onData(detail), { signal });
    const clock = setInterval(() => this.#announce(), LOOK_AGAIN_MS);
    signal.addEventListener('abort', () => clearInterval(clock));
  }

  /** The person closed it here. */
  get closed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Goes online, with another password where the last one was wrong. A failure becomes `trouble`; one that may pass is followed by new attempts. */
  async connect(password?: string): Promise<void> {
    clearTimeout(this.#nextAttempt);
    try {
      const timeout = ATTEMPT_MS;
      const connecting = this.group.connect(
        password === undefined ? { timeout } : { timeout, password },
      );
      this.#announce();
      await connecting;
      this.trouble = undefined;
      this.history.ready();
    } catch (error) {
      if (this.closed) return;
      this.trouble = explain(error);
      if (MAY_PASS.includes(this.trouble.code)) {
        this.#nextAttempt = setTimeout(() => void this.connect(), NEXT_ATTEMPT_MS);
      }
    }
    this.#announce();
  }

  /** Goes offline and ends. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.#closing.abort();
    clearTimeout(this.#nextAttempt);
    // A group deleted meanwhile has nothing left to close.
    await this.group.close().catch(() => {});
  }

  /** Gives the membership up for good: the others are told, and the group is forgotten here. */
  async leave(): Promise<void> {
    clearTimeout(this.#nextAttempt);
    await this.group.leave();
    this.#closing.abort();
    forget(this.person, this.group.groupId);
  }

  /** Members said that the password is wrong, or that they hear no more guesses now. */
  get wantsPassword(): boolean {
    return this.trouble?.remedies.includes('password') ?? false;
  }

  /** The group has ended this person's membership. */
  get isOut(): boolean {
    return this.trouble !== undefined && OUT.some((code) => code === this.trouble?.code);
  }

  neighbors(): Neighbor[] {
    if (this.closed || this.group.status.state === 'closed') return [];
    const seen = new Map<PeerId, Neighbor>();
    for (const { peerId, path, rttMs } of this.#connections('neighbor')) {
      const introduced = this.membership.hasMet(peerId);
      seen.set(peerId, { peerId, name: this.membership.nameOf(peerId), introduced, path, rttMs });
    }
    return [...seen.values()];
  }

  /** Says it to everyone, those who come later included; false: it could not be kept. */
  say(topic: Topic, text: string): Promise<boolean> {
    return this.history.say(topic, this.person.name, text);
  }

  async whisper(to: Whisper, text: string): Promise<void> {
    const line: Line = to.add({
      kind: 'text',
      mine: true,
      peerId: this.group.peerId,
      name: this.person.name,
      text,
      delivery: 'sending',
    });
    this.#announce();
    to.delivered(line, (await to.send(text)) ? 'delivered' : 'missed');
    this.#announce();
  }

  /** The whisper with somebody; `open()` on it asks for the connection. */
  whisperWith(peerId: PeerId): Whisper {
    const known = this.whispers.get(peerId);
    if (known) return known;
    const whisper = new Whisper(this.group, peerId);
    this.whispers.set(peerId, whisper);
    return whisper;
  }

  /** Tells everybody the person's new name. */
  renamed(): void {
    // A name that cannot be stored is still told to those who are here.
    this.#identity.setName(this.person.name).catch(() => {});
    for (const { id } of this.#connections('neighbor')) this.#introduce(id);
    this.#announce();
  }

  #connections(kind: ConnectionInfo['kind']): ConnectionInfo[] {
    try {
      return this.group.connections(kind);
    } catch {
      // The last connections of a group that was left end after it is gone.
      return [];
    }
  }

  #introduce(connection: ConnectionId): void {
    // Who left meanwhile needs no name.
    this.group.send(connection, HELLO, hello(this.person.name)).catch(() => {});
  }

  #onNeighbor({ status, connectionId, peerId }: ConnectionChange): void {
    if (status === 'connected') {
      this.trouble = undefined;
      this.#introduce(connectionId);
    } else if (status === 'disconnected' && peerId !== undefined) {
      const stays = this.#connections('neighbor').some((other) => other.peerId === peerId);
      // Of who is no member any more, and to who is none, something else is said.
      const isMember = !this.isOut && this.membership.has(peerId);
      if (!stays && this.#greeted.delete(peerId) && isMember) {
        this.history.general.note(`${this.membership.nameOf(peerId)} left.`);
      }
    }
    this.#announce();
  }

  #onMember({ change, peerId }: MemberChange): void {
    const name = this.membership.nameOf(peerId);
    if (peerId !== this.group.peerId) {
      if (change === 'left') this.history.general.note(said.memberLeft(name));
      if (change === 'revoked') this.history.general.note(said.memberRemoved(name));
    }
    this.#announce();
  }

  /** Also said while nobody waits for it: somebody removed us. */
  #onFailed(error: GroupEvents['connection-failed']['detail']): void {
    if (OUT.includes(error.code)) this.trouble = explain(error);
    this.#announce();
  }

  /** Closed by something else: forgotten in another tab, or a fault. */
  #onClosed({ reason }: GroupEvents['closed']['detail']): void {
    if (reason !== undefined) this.trouble = explain(reason);
    this.#announce();
  }

  #onDirect(change: ConnectionChange): void {
    if (change.peerId !== undefined) {
      const whisper = this.whisperWith(change.peerId);
      whisper.changed(change, this.membership.nameOf(change.peerId));
    }
    this.#announce();
  }

  #onData({ connectionId, from, type, ...message }: GroupEvents['incoming-data']['detail']): void {
    const text = new TextDecoder().decode(message.data);
    if (type === HELLO) this.#meet(from, readHello(text));
    const direct = this.#connections('direct').some(({ id }) => id === connectionId);
    if (type === TEXT && direct) {
      const whisper = this.whisperWith(from);
      const words = readText(text);
      if (words !== '') {
        const name = this.membership.nameOf(from);
        whisper.add({ kind: 'text', mine: false, peerId: from, name, text: words });
        whisper.unread += 1;
      }
    }
    this.#announce();
  }

  #meet(peerId: PeerId, name: string | undefined): void {
    if (name === undefined) return;
    const before = this.membership.meet(peerId, name);
    if (!this.#greeted.has(peerId)) {
      this.#greeted.add(peerId);
      this.history.general.note(`${name} is here.`);
    } else if (before !== undefined && before !== name) {
      this.history.general.note(`${before} is now called ${name}.`);
    }
  }

  #announce(): void {
    if (this.#announced) return;
    this.#announced = true;
    queueMicrotask(() => {
      this.#announced = false;
      this.changed();
    });
  }
}

interface ChatOptions {
  readonly storage: ReturnType<typeof storageOf>;
  readonly acceptDirect: () => boolean;
}
