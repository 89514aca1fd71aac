// One person in one open group: who is there, what is said, and what went wrong.
// It knows peer-group and nothing of the page; a view looks at it after every `changed`.

import {
  type ConnectionChange,
  type ConnectionId,
  type ConnectionInfo,
  type GroupEvents,
  PeerGroup,
  type PeerId,
} from 'peer-group';
import { Conversation, type Line } from './conversation.js';
import { linkWith } from './link.js';
import { type KnownGroup, lines, type Person, remember, saveLines, storageOf } from './memory.js';
import { HELLO, hello, readHello, readText, TEXT } from './messages.js';
import { shortName } from './names.js';
import { Whisper } from './whisper.js';
import { explain, type Words } from './words.js';

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
const MAY_PASS: readonly Words['code'][] = ['no-members-found', 'service-not-available'];

/** How many may come in with one link. */
export const LINK_USES = 20;

export class Chat {
  readonly group: PeerGroup;
  readonly name: string;
  readonly person: Person;
  /** What the person came in with; undefined where the group is its own. */
  readonly invitation: string | undefined;
  readonly everyone = new Conversation();
  readonly whispers = new Map<PeerId, Whisper>();
  /** Why the group is not online, in words. */
  trouble: Words | undefined;
  /** Called after every change, at most once per task. */
  changed: () => void = () => {};
  readonly #names = new Map<PeerId, string>();
  /** Neighbors whose arrival was told. */
  readonly #greeted = new Set<PeerId>();
  readonly #closing = new AbortController();
  #announced = false;
  #nextAttempt: ReturnType<typeof setTimeout> | undefined;

  /** Makes a group. Local: `connect` goes online. */
  static async create(person: Person, name: string): Promise<Chat> {
    return Chat.#start(person, { name }, (options) =>
      PeerGroup.create({ ...options, friendlyName: name, rendezvous: location.origin }),
    );
  }

  static async join(person: Person, invitation: string): Promise<Chat> {
    const { friendlyName } = PeerGroup.parseInvitation(invitation);
    return Chat.#start(person, { name: friendlyName, invitation }, (options) =>
      PeerGroup.join(invitation, options),
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
    const group = await enter({
      storage: storageOf(person),
      acceptDirect: () => person.whispers,
    });
    const { groupId } = group;
    remember(person, { ...known, groupId });
    return new Chat(person, known, group);
  }

  private constructor(person: Person, known: Omit<KnownGroup, 'groupId'>, group: PeerGroup) {
    this.person = person;
    this.name = known.name;
    this.invitation = known.invitation;
    this.group = group;
    this.#restore();
    const { signal } = this.#closing;
    group.on('status-changed', () => this.#announce(), { signal });
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

  /** Goes online. A failure becomes `trouble`; one that may pass is followed by new attempts. */
  async connect(): Promise<void> {
    clearTimeout(this.#nextAttempt);
    try {
      const connecting = this.group.connect({ timeout: ATTEMPT_MS });
      this.#announce();
      await connecting;
      this.trouble = undefined;
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

  neighbors(): Neighbor[] {
    if (this.closed || this.group.status.state === 'closed') return [];
    const seen = new Map<PeerId, Neighbor>();
    for (const { peerId, path, rttMs } of this.group.connections('neighbor')) {
      const introduced = this.#names.has(peerId);
      seen.set(peerId, { peerId, name: this.nameOf(peerId), introduced, path, rttMs });
    }
    return [...seen.values()];
  }

  nameOf(peerId: PeerId): string {
    return this.#names.get(peerId) ?? shortName(peerId);
  }

  /** A link that lets up to `maxUses` people in; in a group of others, the one that was come with. */
  async link(maxUses = LINK_USES): Promise<string> {
    const invitation = this.invitation ?? (await this.group.createInvitation({ maxUses }));
    return linkWith(invitation);
  }

  /** Says it to every neighbor, each over its own connection. */
  async say(text: string): Promise<void> {
    const line = this.#mine(this.everyone, text);
    const sent = this.group
      .connections('neighbor')
      .map(({ id }) => this.group.send(id, TEXT, text));
    this.#keep();
    const results = await Promise.allSettled(sent);
    const reached = results.filter(({ status }) => status === 'fulfilled').length;
    line.delivery = { state: 'done', reached, missed: results.length - reached };
    this.#announce();
  }

  async whisper(to: Whisper, text: string): Promise<void> {
    const line = this.#mine(to, text);
    const reached = (await to.send(text)) ? 1 : 0;
    line.delivery = { state: 'done', reached, missed: 1 - reached };
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
    for (const { id } of this.group.connections('neighbor')) this.#introduce(id);
    this.#announce();
  }

  #mine(conversation: Conversation, text: string): Line {
    const line = conversation.add({
      kind: 'text',
      mine: true,
      peerId: this.group.peerId,
      name: this.person.name,
      text,
      delivery: { state: 'sending' },
    });
    this.#announce();
    return line;
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
      const stays = this.group.connections('neighbor').some((other) => other.peerId === peerId);
      if (!stays && this.#greeted.delete(peerId)) {
        this.everyone.note(`${this.nameOf(peerId)} left.`);
      }
    }
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
      whisper.changed(change, this.nameOf(change.peerId));
    }
    this.#announce();
  }

  #onData({ connectionId, from, type, ...message }: GroupEvents['incoming-data']['detail']): void {
    const text = new TextDecoder().decode(message.data);
    if (type === HELLO) this.#meet(from, readHello(text));
    if (type === TEXT) {
      const direct = this.group.connections('direct').some(({ id }) => id === connectionId);
      const conversation = direct ? this.whisperWith(from) : this.everyone;
      const words = readText(text);
      if (words !== '') {
        const name = this.nameOf(from);
        conversation.add({ kind: 'text', mine: false, peerId: from, name, text: words });
        conversation.unread += 1;
      }
    }
    this.#keep();
    this.#announce();
  }

  #meet(peerId: PeerId, name: string | undefined): void {
    if (name === undefined) return;
    const before = this.#names.get(peerId);
    this.#names.set(peerId, name);
    if (!this.#greeted.has(peerId)) {
      this.#greeted.add(peerId);
      this.everyone.note(`${name} is here.`);
    } else if (before !== undefined && before !== name) {
      this.everyone.note(`${before} is now called ${name}.`);
    }
  }

  #restore(): void {
    for (const { peerId, ...line } of lines(this.person.id, this.group.groupId)) {
      this.everyone.add(peerId === undefined ? line : { ...line, peerId: peerId as PeerId });
    }
  }

  #keep(): void {
    const kept = this.everyone.lines
      .filter(({ kind }) => kind === 'text')
      .map(({ kind, mine, peerId, name, text, at }) => ({
        kind,
        mine,
        name,
        text,
        at,
        ...(peerId === undefined ? {} : { peerId }),
      }));
    saveLines(this.person.id, this.group.groupId, kept);
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
