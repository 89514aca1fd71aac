// What waits for the app: in order, and what is told again of one thing replaces what waits of it.

interface Slot<T> {
  readonly key: string | undefined;
  value: T;
  isDropped: boolean;
}

export class Backlog<T> {
  #slots: Slot<T>[] = [];
  readonly #byKey = new Map<string, Slot<T>>();

  /** At the end; or in the place of what waits under that key, as `merge` says. */
  put(key: string | undefined, value: T, merge: (waiting: T, value: T) => T): void {
    const waiting = key === undefined ? undefined : this.#byKey.get(key);
    if (waiting) {
      waiting.value = merge(waiting.value, value);
      return;
    }
    const slot = { key, value, isDropped: false };
    if (key !== undefined) this.#byKey.set(key, slot);
    this.#slots.push(slot);
  }

  /** What waits under that key. */
  get(key: string): T | undefined {
    return this.#byKey.get(key)?.value;
  }

  /** The first, without taking it. */
  first(): T | undefined {
    while (this.#slots[0]?.isDropped) this.#slots.shift();
    return this.#slots[0]?.value;
  }

  /** Takes the first. */
  shift(): T | undefined {
    const value = this.first();
    const slot = this.#slots.shift();
    if (slot?.key !== undefined) this.#byKey.delete(slot.key);
    return value;
  }

  /** Forgets what waits under that key. */
  drop(key: string): void {
    const slot = this.#byKey.get(key);
    if (slot) slot.isDropped = true;
    this.#byKey.delete(key);
  }

  /** Takes all. */
  clear(): T[] {
    const all = this.#slots.filter(({ isDropped }) => !isDropped).map(({ value }) => value);
    this.#slots = [];
    this.#byKey.clear();
    return all;
  }
}
