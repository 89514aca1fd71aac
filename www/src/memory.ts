// What this browser remembers between visits: who I am, my groups, who sits in this window.
// The keys and memberships themselves are kept by peer-group; this is only what a chat adds.

import type { GroupId, StorageOptions } from 'peer-group';

export interface KnownGroup {
  readonly groupId: GroupId;
  readonly name: string;
  /** What the person came in with, to be handed on: plain members make no invitations. */
  readonly invitation?: string;
}

/** Somebody who chats from this browser. */
export interface Person {
  /** 'me', or the name of a durable store of its own. */
  readonly id: string;
  name: string;
  groups: KnownGroup[];
  /** Answers whispers. */
  whispers: boolean;
}

/** What one tab remembers of a person until it is closed. */
export interface Session {
  /** The group that was open: opened again after a reload. */
  open?: GroupId;
  /** An invitation that was read and not yet answered. */
  invitation?: string;
}

const PREFIX = 'peer-group-chat/';
export const ME = 'me';

/** A browser's storage, or a stand-in that lasts as long as the page where storage is blocked. */
class Shelf {
  readonly #memory = new Map<string, string>();
  readonly #storage: Storage | undefined;

  constructor(get: () => Storage) {
    try {
      const storage = get();
      storage.setItem(`${PREFIX}probe`, '1');
      storage.removeItem(`${PREFIX}probe`);
      this.#storage = storage;
    } catch {
      this.#storage = undefined;
    }
  }

  read(key: string): unknown {
    const text = this.#storage?.getItem(PREFIX + key) ?? this.#memory.get(key);
    try {
      return text === undefined || text === null ? undefined : JSON.parse(text);
    } catch {
      return undefined;
    }
  }

  write(key: string, value: unknown): void {
    const text = JSON.stringify(value);
    this.#memory.set(key, text);
    try {
      this.#storage?.setItem(PREFIX + key, text);
    } catch {
      // Full: the page goes on with what it has in memory.
    }
  }
}

const browser = new Shelf(() => localStorage);
const tab = new Shelf(() => sessionStorage);
/** People whose keys are kept by this page only, because storage is blocked. */
const unstored = new Set<string>();

type Stored = keyof Person | keyof KnownGroup;

const isObject = (value: unknown): value is Readonly<Partial<Record<Stored, unknown>>> =>
  typeof value === 'object' && value !== null;

export function person(id: string): Person {
  const stored = browser.read(`person/${id}`);
  if (!isObject(stored)) return { id, name: '', groups: [], whispers: true };
  const groups = Array.isArray(stored.groups) ? stored.groups.filter(isKnownGroup) : [];
  const name = typeof stored.name === 'string' ? stored.name : '';
  return { id, name, groups, whispers: stored.whispers !== false };
}

function isKnownGroup(value: unknown): value is KnownGroup {
  return isObject(value) && typeof value.groupId === 'string' && typeof value.name === 'string';
}

export function save({ id, ...rest }: Person): void {
  browser.write(`person/${id}`, rest);
}

/** Puts a group at the head of a person's list. */
export function remember(person: Person, group: KnownGroup): void {
  person.groups = [group, ...person.groups.filter(({ groupId }) => groupId !== group.groupId)];
  save(person);
}

export function forget(person: Person, groupId: GroupId): void {
  person.groups = person.groups.filter((group) => group.groupId !== groupId);
  save(person);
}

/** Where peer-group keeps a person's keys. */
export function storageOf({ id }: Person): NonNullable<StorageOptions['storage']> {
  if (unstored.has(id)) return 'memory';
  return id === ME ? 'default' : { name: id };
}

/** Goes on without storage, until the page is closed. */
export function keepInMemory({ id }: Person): void {
  unstored.add(id);
}

export function session(id: string): Session {
  const stored = tab.read(`session/${id}`);
  return isObject(stored) ? (stored as Session) : {};
}

export function saveSession(id: string, change: Session): void {
  tab.write(`session/${id}`, change);
}

/** Who sits in this window, first the owner of the browser. */
export function seated(): string[] {
  const stored = tab.read('seated');
  const others = Array.isArray(stored) ? stored.filter((id) => typeof id === 'string') : [];
  return [ME, ...others.filter((id) => id !== ME)];
}

export function saveSeated(ids: readonly string[]): void {
  tab.write('seated', ids);
}
