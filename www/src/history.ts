// What the group keeps of what is said: messages and topics are records, which every member holds.

import {
  PeerError,
  type PeerGroup,
  type PeerId,
  type PeerRecord,
  type RecordId,
  type WatchedRecord,
} from 'peer-group';
import { Conversation, type Line } from './conversation.js';
import {
  encode,
  MESSAGE,
  newMessage,
  newTopic,
  outlastsMessage,
  readMessage,
  readTopic,
  TOPIC,
} from './messages.js';
import { shortName } from './names.js';
import { explainRecord, type Words } from './words.js';

/** Who has no end of topics is shown the first of them. */
const TOPICS_SHOWN = 50;

/** What is said to everyone about one thing. */
export class Topic extends Conversation {
  /** Empty for the general one. */
  readonly title: string;

  constructor(title: string) {
    super();
    this.title = title;
  }
}

export interface HistoryActions {
  /** What somebody is called now. */
  nameOf(peerId: PeerId): string;
  changed(): void;
}

export class History {
  readonly general = new Topic('');
  /** What went wrong last with something that was to be kept. */
  trouble: Words | undefined;
  readonly #group: PeerGroup;
  readonly #actions: HistoryActions;
  readonly #topics = new Map([['', this.general]]);
  /** In which topic each message is. */
  readonly #places = new Map<RecordId, Topic>();
  /** The topics that were found, by title. */
  #found = new Map<string, PeerRecord>();
  #searches = 0;

  constructor(group: PeerGroup, actions: HistoryActions, signal: AbortSignal) {
    this.#group = group;
    this.#actions = actions;
    group.on('record-changed', () => void this.#findTopics(), { filter: TOPIC, signal });
    group.on('storage-failed', ({ detail }) => this.#fail(detail, 'others'), { signal });
    void this.#findTopics();
    void this.#follow(signal);
  }

  /** The general one, then the others by title. */
  get topics(): Topic[] {
    const titles = [...this.#found.keys()].sort((a, b) => a.localeCompare(b));
    return [this.general, ...titles.slice(0, TOPICS_SHOWN).map((title) => this.#topic(title))];
  }

  /** The group has let us in: what failed before that is no trouble any more. */
  ready(): void {
    if (this.trouble?.code === 'group-not-ready') this.trouble = undefined;
  }

  /** Says it to everyone, those who come later included. True once it is stored here. */
  say(topic: Topic, name: string, text: string): Promise<boolean> {
    return this.#try('say', async () => {
      await this.#keepTopic(topic.title);
      await this.#group.records.add(newMessage(name, topic.title, text));
    });
  }

  /** Changes one of my messages, unless it was changed meanwhile. */
  edit({ record }: Line, text: string): Promise<boolean> {
    return this.#try('edit', async () => {
      if (record === undefined) return;
      const { id, version: ifVersion } = record;
      await this.#group.records.update(id, { data: encode(text), ifVersion });
    });
  }

  /** Deletes one of my messages, everywhere. */
  remove({ record }: Line): Promise<boolean> {
    return this.#try('delete', async () => {
      if (record !== undefined) await this.#group.records.delete(record.id);
    });
  }

  /** Begins a topic; undefined if that failed. */
  async begin(title: string): Promise<Topic | undefined> {
    const done = await this.#try('say', async () => {
      await this.#keepTopic(title);
      await this.#findTopics();
    });
    return done ? this.#topic(title) : undefined;
  }

  /** A topic is there as long as what is said in it, even if whoever began it is gone. */
  async #keepTopic(title: string): Promise<void> {
    const found = this.#found.get(title);
    if (title === '' || (found && outlastsMessage(found, this.#group.peerTime()))) return;
    await this.#group.records.add(newTopic(title));
  }

  /** The list of topics. */
  async #findTopics(): Promise<void> {
    const search = ++this.#searches;
    const all = await this.#group.records
      .search({
        and: [
          { attribute: 'peerrecordtype', is: TOPIC },
          { attribute: 'topic', like: '?*' },
        ],
      })
      .catch((error: unknown) => this.#fail(error, 'read'));
    // Overtaken, or closed meanwhile.
    if (all === undefined || search !== this.#searches) return;
    // Of several with one title the last to end counts.
    all.sort((a, b) => a.expires.getTime() - b.expires.getTime());
    const titled = all.map((record) => [readTopic(record), record] as const);
    this.#found = new Map(titled.filter(([title]) => title !== ''));
    this.#actions.changed();
  }

  /** Every message: those there are, then every change. */
  async #follow(signal: AbortSignal): Promise<void> {
    try {
      for await (const change of this.#group.records.watch({ type: MESSAGE, signal })) {
        this.#take(change);
        this.#actions.changed();
      }
    } catch (error) {
      this.#fail(error, 'read');
    }
  }

  #take({ change, id, record }: WatchedRecord): void {
    const before = this.#places.get(id);
    if (record === undefined) {
      before?.remove(id);
      this.#places.delete(id);
      return;
    }
    const { topic: title, name, text } = readMessage(record);
    const topic = this.#topic(title);
    if (before !== topic) before?.remove(id);
    this.#places.set(id, topic);
    const { creator, version } = record;
    const mine = creator === this.#group.peerId;
    topic.put({
      key: id,
      kind: 'text',
      mine,
      peerId: creator,
      name: name === '' ? shortName(creator) : name,
      text,
      at: record.created.getTime(),
      record: { id, version },
      ...(version > 1 && { edited: this.#edited(record) }),
    });
    if (change === 'added' && !mine) topic.unread += 1;
  }

  #edited({ creator, modifiedBy }: PeerRecord): string {
    if (modifiedBy === undefined || modifiedBy === creator) return 'edited';
    return `changed by ${this.#actions.nameOf(modifiedBy)}`;
  }

  #topic(title: string): Topic {
    const known = this.#topics.get(title);
    if (known) return known;
    const topic = new Topic(title);
    this.#topics.set(title, topic);
    return topic;
  }

  /** Does it; what fails is told in words. */
  async #try(what: Parameters<typeof explainRecord>[1], act: () => Promise<void>) {
    try {
      await act();
      this.trouble = undefined;
    } catch (error) {
      this.#fail(error, what);
      return false;
    } finally {
      this.#actions.changed();
    }
    return true;
  }

  #fail(error: unknown, what: Parameters<typeof explainRecord>[1]): void {
    // Closed here, or forgotten in another tab, which the chat tells.
    if (error instanceof PeerError && error.code === 'invalid-group') return;
    this.trouble = explainRecord(error, what);
    this.#actions.changed();
  }
}
