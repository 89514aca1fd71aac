// Typed events on EventTarget: on() with its undo, events() as an iterator, and who listens to what.

import { Backlog } from './backlog.js';
import { joinedChange, type MemberChange } from './members.js';
import type { RecordChange } from './watch.js';

/** How to listen. */
export interface ListenOptions {
  /** Ends it. */
  readonly signal?: AbortSignal;
  /** Only the first. */
  readonly once?: boolean;
  /** For 'record-changed' and 'incoming-data': only this type. */
  readonly filter?: string;
}

/** Of any of the event types. */
type Listener = ((event: never) => void) | EventListenerObject;
type Options = boolean | AddEventListenerOptions | undefined;

interface Entry {
  readonly listener: Listener;
  readonly capture: boolean;
  readonly relay: (event: Event) => void;
  readonly end: () => void;
}

/** What the emitter lets its owner see to. */
export interface Watcher {
  /** Somebody began to listen for `type`. */
  listened(type: string): void;
  /** The event waits in an iterator. The function is called when the app took it, or never will. */
  hold(event: Event): () => void;
}

/** An event that waits in an iterator. */
interface Held<E> {
  readonly event: E;
  readonly release: () => void;
}

/** An EventTarget whose event types are `M`. */
export class Emitter<M> extends EventTarget {
  readonly #entries = new Map<string, Entry[]>();
  readonly #iterators = new Set<() => void>();
  #watcher: Watcher | undefined;

  override addEventListener<T extends keyof M & string>(
    type: T,
    listener: ((event: M[T]) => void) | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  override addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: Options,
  ): void;
  override addEventListener(type: string, listener: Listener | null, options?: Options): void {
    const given = typeof options === 'object' ? options : { capture: options ?? false };
    if (listener === null || given.signal?.aborted) return;
    const capture = given.capture ?? false;
    if (this.#find(type, listener, capture)) return;
    const end = () => this.#remove(type, listener, capture);
    const relay = (event: Event) => {
      if (given.once) end();
      if (typeof listener === 'function') listener.call(this, event as never);
      else listener.handleEvent(event);
    };
    const entries = this.#entries.get(type) ?? [];
    entries.push({
      listener,
      capture,
      relay,
      end: () => given.signal?.removeEventListener('abort', end),
    });
    this.#entries.set(type, entries);
    given.signal?.addEventListener('abort', end);
    super.addEventListener(type, relay, { capture, passive: given.passive ?? false });
    this.#watcher?.listened(type);
  }

  override removeEventListener<T extends keyof M & string>(
    type: T,
    listener: ((event: M[T]) => void) | null,
    options?: boolean | EventListenerOptions,
  ): void;
  override removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
  override removeEventListener(
    type: string,
    listener: Listener | null,
    options?: boolean | EventListenerOptions,
  ): void {
    const capture = (typeof options === 'object' ? options.capture : options) ?? false;
    if (listener !== null) this.#remove(type, listener, capture);
  }

  /** Listens; the function that it returns undoes it. */
  on<T extends keyof M & string>(
    type: T,
    listener: (event: M[T]) => void,
    options: ListenOptions = {},
  ): () => void {
    const { signal, once, filter } = options;
    const undo = () => this.removeEventListener(type, heard);
    // Its own function each time: listening twice is two subscriptions. `once` counts what passes
    // the filter.
    const heard: EventListener = (event) => {
      if (!passes(event, filter)) return;
      if (once) undo();
      listener(event as M[T] & Event);
    };
    this.addEventListener(type, heard, signal ? { signal } : {});
    return undo;
  }

  /** Every event from now on. Ends with the object, by its signal, or when the loop is left. Of a
   *  status, and of each record, only the last waits that nobody fetched yet. */
  events<T extends keyof M & string>(
    type: T,
    options: ListenOptions = {},
  ): AsyncIterableIterator<M[T]> {
    const waiting = new Backlog<Held<M[T]>>();
    const askers: ((result: IteratorResult<M[T]>) => void)[] = [];
    let over = false;
    const finish = () => {
      if (over) return;
      over = true;
      undo();
      options.signal?.removeEventListener('abort', drop);
      this.#iterators.delete(finish);
      for (const ask of askers.splice(0)) ask({ done: true, value: undefined });
    };
    const drop = () => {
      finish();
      for (const { release } of waiting.clear()) release();
    };
    const heard: EventListener = (event) => {
      if (!passes(event, options.filter)) return;
      const ask = askers.shift();
      if (ask) {
        ask({ done: false, value: event as M[T] & Event });
      } else {
        const release = this.#watcher?.hold(event) ?? none;
        waiting.put(keyOf(event), { event: event as M[T] & Event, release }, latest);
      }
      if (options.once) finish();
    };
    const undo = () => this.removeEventListener(type, heard);
    if (options.signal?.aborted || !this.#watcher) {
      over = true;
    } else {
      this.#iterators.add(finish);
      options.signal?.addEventListener('abort', drop);
      this.addEventListener(type, heard);
    }
    return {
      next: () => {
        const first = waiting.shift();
        if (first) {
          first.release();
          return Promise.resolve({ done: false, value: first.event });
        }
        if (over) return Promise.resolve({ done: true, value: undefined });
        return new Promise((resolve) => askers.push(resolve));
      },
      return: () => {
        drop();
        return Promise.resolve({ done: true, value: undefined });
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  /** @internal */
  watch(watcher: Watcher): void {
    this.#watcher = watcher;
  }

  /** @internal Whether anybody listens for `type`. */
  hears(type: string): boolean {
    return this.#entries.has(type);
  }

  /** @internal Tells everybody. The browser reports listeners that throw, as it does anywhere. */
  emit(event: Event): void {
    this.dispatchEvent(event);
  }

  /** @internal Ends every iterator once what waits in it is fetched. */
  endIterators(): void {
    this.#watcher = undefined;
    for (const finish of [...this.#iterators]) finish();
  }

  #remove(type: string, listener: Listener, capture: boolean): void {
    const entry = this.#find(type, listener, capture);
    if (!entry) return;
    entry.end();
    const rest = this.#entries.get(type)?.filter((other) => other !== entry) ?? [];
    if (rest.length > 0) this.#entries.set(type, rest);
    else this.#entries.delete(type);
    super.removeEventListener(type, entry.relay, capture);
  }

  #find(type: string, listener: Listener, capture: boolean): Entry | undefined {
    const entries = this.#entries.get(type);
    return entries?.find((entry) => entry.listener === listener && entry.capture === capture);
  }
}

function passes(event: Event, filter: string | undefined): boolean {
  if (filter === undefined || !(event instanceof CustomEvent)) return true;
  const detail: unknown = event.detail;
  return (
    typeof detail === 'object' && detail !== null && 'type' in detail && detail.type === filter
  );
}

/** Of which thing only the last event waits. */
function keyOf(event: Event): string | undefined {
  if (event.type === 'status-changed' || event.type === 'properties-changed') return event.type;
  return memberOf(event)?.peerId ?? changeOf(event)?.id;
}

function memberOf(event: unknown): MemberChange | undefined {
  return event instanceof CustomEvent && event.type === 'member-changed' ? event.detail : undefined;
}

function changeOf(event: unknown): RecordChange | undefined {
  return event instanceof CustomEvent && event.type === 'record-changed' ? event.detail : undefined;
}

/** What says most of both: the later event; a record that the app has not heard of yet is new to it. */
function latest<E>(waiting: Held<E>, later: Held<E>): Held<E> {
  const [was, is] = [memberOf(waiting.event), memberOf(later.event)];
  if (was && is) {
    const detail = { ...is, change: joinedChange(was.change, is.change) };
    return { ...later, event: new CustomEvent('member-changed', { detail }) as E };
  }
  const [before, after] = [changeOf(waiting.event), changeOf(later.event)];
  if (!before || !after || isGone(after)) return later;
  const change = before.change === 'added' ? 'added' : 'updated';
  if (change === after.change) return later;
  const event = new CustomEvent('record-changed', { detail: { ...after, change } });
  return { ...later, event: event as E };
}

function isGone({ change }: RecordChange): boolean {
  return change === 'deleted' || change === 'expired';
}

function none(): void {}
