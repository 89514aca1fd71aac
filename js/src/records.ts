// The records of one handle: commands for the engine, and what it answers.

import { type Answer, recordOf, recordsOf, textOf } from './answers.js';
import { type Attributes, attributeRows, expiryOf, type Search, searchRows } from './criteria.js';
import type { ListenOptions } from './emitter.js';
import { invalidArgument } from './errors.js';
import type { Engine, PeerRecord, RecordId } from './generated/peer_group.js';
import { checked, checkedText } from './options.js';
import {
  type RecordChange,
  type RecordFilter,
  type Source,
  type WatchedRecord,
  watchRecords,
} from './watch.js';

/** A record to add. */
export interface NewRecord {
  /** At most 64 bytes; not beginning with peer-group/. */
  readonly type: string;
  readonly data?: Uint8Array;
  readonly attributes?: Attributes;
  /** A date in peer time, or a life in milliseconds. Required: every record ends. */
  readonly expires: Date | number;
  /** Its life is extended while its creator is online. */
  readonly autoRefresh?: boolean;
}

/** What is to be different about a record; the rest stays. */
export interface RecordUpdate {
  readonly data?: Uint8Array;
  readonly attributes?: Attributes;
  /** Only ever later. */
  readonly expires?: Date | number;
  /** Rejects 'invalid-record' when somebody was faster, instead of overwriting. */
  readonly ifVersion?: number;
}

/** Small signed records that every member holds, that survive who wrote them, and that end by
 *  themselves. A promise of a change resolves once it is stored durably here. */
export interface Records {
  /** PeerGroupAddRecord. */
  add(record: NewRecord): Promise<RecordId>;
  /** By its creator or an admin. PeerGroupUpdateRecord. */
  update(id: RecordId, change: RecordUpdate): Promise<void>;
  /** Everywhere. By its creator or an admin. PeerGroupDeleteRecord. */
  delete(id: RecordId): Promise<void>;
  /** PeerGroupGetRecord. */
  get(id: RecordId): Promise<PeerRecord>;
  /** PeerGroupEnumRecords. */
  list(filter?: RecordFilter): Promise<PeerRecord[]>;
  /** What is there now, then every change, in one iterator; the loop everybody would write by hand.
   *  What changes often while nobody asks is told once, as it is then. */
  watch(filter?: RecordFilter & ListenOptions): AsyncIterableIterator<WatchedRecord>;
  /** In the local database; never asks the network. PeerGroupSearchRecords. */
  search(criteria: Search): Promise<PeerRecord[]>;
}

/** The records of a graph. */
export interface GraphRecords extends Records {
  /** Here only; it comes back with the next synchronisation unless it is rejected. */
  deleteLocal(id: RecordId): Promise<void>;
  /** Asks `validateRecord` again about records that it deferred: these, or all. */
  validateDeferred(ids?: readonly RecordId[]): Promise<void>;
}

/** What records need of their handle. */
export interface Owner extends Pick<EventTarget, 'addEventListener' | 'removeEventListener'> {
  readonly isOpen: boolean;
  request<T>(
    command: (engine: Engine, handle: number) => number,
    take: (answer: Answer) => T,
  ): { readonly answer: Promise<T> };
}

/** Changes that the engine has at once; of all calls it takes some thousands. */
const AT_ONCE = 1024;

export class LocalRecords implements Records {
  readonly #owner: Owner;
  #changing = 0;
  /** Changes that wait until an earlier one is done, in order. */
  readonly #waiting: (() => void)[] = [];

  constructor(owner: Owner) {
    this.#owner = owner;
  }

  async add(record: NewRecord): Promise<RecordId> {
    const call = 'records.add';
    const given = checked(call, 'record', record);
    const type = checkedText(call, 'type', given.type);
    const { data = new Uint8Array(), attributes = {}, autoRefresh = false } = given;
    const rows = attributeRows(attributes);
    const [expires, life] = expiryOf(given.expires);
    return this.#change(
      data,
      (engine, handle, bytes = data) =>
        engine.addRecord(handle, type, bytes, rows, expires, life, autoRefresh),
      (answer) => textOf(answer) as RecordId,
    );
  }

  async update(id: RecordId, change: RecordUpdate): Promise<void> {
    const call = 'records.update';
    const of = checkedText(call, 'id', id);
    const { data, attributes, expires, ifVersion } = checked(call, 'update', change);
    const rows = attributes && attributeRows(attributes);
    const [at, life] = expiryOf(expires);
    await this.#change(
      data,
      (engine, handle, bytes) => engine.updateRecord(handle, of, bytes, rows, at, life, ifVersion),
      () => undefined,
    );
  }

  async delete(id: RecordId): Promise<void> {
    const of = checkedText('records.delete', 'id', id);
    await this.#change(
      undefined,
      (engine, handle) => engine.deleteRecord(handle, of, false),
      () => undefined,
    );
  }

  async get(id: RecordId): Promise<PeerRecord> {
    return this.#get(checkedText('records.get', 'id', id));
  }

  async list(filter?: RecordFilter): Promise<PeerRecord[]> {
    return this.#list(checked('records.list', 'records', filter));
  }

  async search(criteria: Search): Promise<PeerRecord[]> {
    const rows = searchRows(criteria);
    return this.ask((engine, handle) => engine.searchRecords(handle, rows), recordsOf);
  }

  watch(filter?: RecordFilter & ListenOptions): AsyncIterableIterator<WatchedRecord> {
    const given = checked('records.watch', 'watch', filter);
    const { type = given.filter, signal, once } = given;
    if (given.filter !== undefined && given.filter !== type)
      throw invalidArgument('records.watch: "type" and "filter" name two types');
    const wanted: RecordFilter = {
      ...(type !== undefined && { type }),
      ...(given.creator !== undefined && { creator: given.creator }),
    };
    const stop = new AbortController();
    const changes = watchRecords(this.#source(), wanted, [signal, stop.signal]);
    return {
      next: async () => {
        const result = await changes.next();
        if (once) stop.abort();
        return result;
      },
      return: () => {
        // One that waits for a change ends now.
        stop.abort();
        return changes.return();
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  /** Sends a command and takes its answer. */
  protected ask(command: Parameters<Owner['request']>[0]): Promise<void>;
  protected ask<T>(
    command: Parameters<Owner['request']>[0],
    take: (answer: Answer) => T,
  ): Promise<T>;
  protected ask(
    command: Parameters<Owner['request']>[0],
    take: (answer: Answer) => unknown = () => undefined,
  ): Promise<unknown> {
    return this.#owner.request(command, take).answer;
  }

  /** However many changes the app makes at once, the engine gets them as it can take them. What waits
   *  is as it was when the app called. */
  async #change<T>(
    data: Uint8Array | undefined,
    command: (engine: Engine, handle: number, data: Uint8Array | undefined) => number,
    take: (answer: Answer) => T,
  ): Promise<T> {
    this.#changing += 1;
    let bytes = data;
    if (this.#changing > AT_ONCE) {
      bytes = data?.slice();
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    try {
      return await this.ask((engine, handle) => command(engine, handle, bytes), take);
    } finally {
      this.#changing -= 1;
      this.#waiting.shift()?.();
    }
  }

  #get(id: string, answered?: () => void): Promise<PeerRecord> {
    return this.ask(
      (engine, handle) => engine.getRecord(handle, id),
      (answer) => {
        answered?.();
        return recordOf(answer);
      },
    );
  }

  #list({ type, creator }: RecordFilter, answered?: () => void): Promise<PeerRecord[]> {
    return this.ask(
      (engine, handle) => engine.listRecords(handle, type, creator),
      (answer) => {
        answered?.();
        return recordsOf(answer);
      },
    );
  }

  #source(): Source {
    const owner = this.#owner;
    return {
      listen: (changed, ended) => {
        const heard = (event: Event): void => {
          if (event instanceof CustomEvent) changed(event.detail as RecordChange);
        };
        owner.addEventListener('record-changed', heard);
        owner.addEventListener('closed', ended);
        return () => {
          owner.removeEventListener('record-changed', heard);
          owner.removeEventListener('closed', ended);
        };
      },
      isOpen: () => owner.isOpen,
      list: (filter, answered) => this.#list(filter, answered),
      get: (id, answered) => this.#get(id, answered),
    };
  }
}

export class LocalGraphRecords extends LocalRecords implements GraphRecords {
  async deleteLocal(id: RecordId): Promise<void> {
    const of = checkedText('records.deleteLocal', 'id', id);
    await this.ask((engine, handle) => engine.deleteRecord(handle, of, true));
  }

  async validateDeferred(ids?: readonly RecordId[]): Promise<void> {
    const call = 'records.validateDeferred';
    if (ids !== undefined && !Array.isArray(ids))
      throw invalidArgument(`${call}: ids must be a list of record ids`);
    const named = (ids ?? []).map((id) => checkedText(call, 'each id', id));
    // To the engine, none named means all.
    if (ids && named.length === 0) return;
    await this.ask((engine, handle) => engine.validateDeferred(handle, named));
  }
}
