// Records from one iterator: those there are, then every change, none lost and none twice.

import { Backlog } from './backlog.js';
import { PeerError } from './errors.js';
import type { PeerErrorCode } from './generated/errors.js';
import type { PeerId, PeerRecord, RecordId } from './generated/peer_group.js';

/** What 'record-changed' says. Ids only: fetch the record. It may have changed again since. */
export interface RecordChange {
  readonly change: 'added' | 'updated' | 'deleted' | 'expired';
  readonly id: RecordId;
  readonly type: string;
}

/** A record of `watch`. */
export interface WatchedRecord {
  /** 'present': it was there when the watching began. */
  readonly change: 'present' | RecordChange['change'];
  readonly id: RecordId;
  /** As it is now; of what was deleted or expired there is none. */
  readonly record?: PeerRecord;
}

/** Which records. */
export interface RecordFilter {
  readonly type?: string;
  readonly creator?: PeerId;
}

/** Where records are read. The function that each call takes runs when the engine answers, before
 *  anything that happened later is told. */
export interface Source {
  /** Tells changes, and the end, until the function that it returns is called. */
  listen(changed: (change: RecordChange) => void, ended: () => void): () => void;
  isOpen(): boolean;
  list(filter: RecordFilter, answered: () => void): Promise<PeerRecord[]>;
  get(id: RecordId, answered: () => void): Promise<PeerRecord>;
}

/** Begins when the first is asked for; ends with its source or by one of the signals. */
export async function* watchRecords(
  source: Source,
  filter: RecordFilter,
  signals: readonly (AbortSignal | undefined)[],
): AsyncGenerator<WatchedRecord, void, undefined> {
  const waiting = new Backlog<RecordChange>();
  let wake = (): void => undefined;
  let isOver = signals.some((signal) => signal?.aborted);
  const end = (): void => {
    isOver = true;
    wake();
  };
  const unlisten = source.listen((change) => {
    if (filter.type !== undefined && filter.type !== change.type) return;
    waiting.put(change.id, change, (_, later) => later);
    wake();
  }, end);
  for (const signal of signals) signal?.addEventListener('abort', end);
  try {
    /** The versions that were handed out. */
    const known = new Map<RecordId, number>();
    if (isOver) return;
    // What was told before the answer is in it.
    const present = await source.list(filter, () => waiting.clear());
    for (const record of present) known.set(record.id, record.version);
    for (const record of present) {
      if (isOver) return;
      yield { change: 'present', id: record.id, record };
    }
    while (!isOver) {
      const next = waiting.first();
      if (next) {
        const told = await tell(source, filter, next, waiting, known);
        if (told && !isOver) yield told;
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    unlisten();
    for (const signal of signals) signal?.removeEventListener('abort', end);
  }
}

/** The first change that waits, with its record; undefined if there is nothing to say. */
async function tell(
  source: Source,
  filter: RecordFilter,
  next: RecordChange,
  waiting: Backlog<RecordChange>,
  known: Map<RecordId, number>,
): Promise<WatchedRecord | undefined> {
  const { change, id } = next;
  if (change === 'deleted' || change === 'expired') {
    waiting.drop(id);
    return known.delete(id) ? { change, id } : undefined;
  }
  const record = await read(source, id, () => waiting.drop(id));
  if (!record) {
    // It went, which then is told next.
    if (waiting.get(id) === next) waiting.drop(id);
    return undefined;
  }
  if (filter.creator !== undefined && filter.creator !== record.creator) return undefined;
  const before = known.get(id);
  known.set(id, record.version);
  if (before === undefined) return { change: 'added', id, record };
  // It was handed out while its being added was still on the way.
  if (change === 'added' && before === record.version) return undefined;
  return { change: 'updated', id, record };
}

/** It went meanwhile, or did during the first synchronisation. */
const GONE: readonly PeerErrorCode[] = ['record-not-found', 'group-not-ready', 'graph-not-ready'];

async function read(
  source: Source,
  id: RecordId,
  answered: () => void,
): Promise<PeerRecord | undefined> {
  try {
    return await source.get(id, answered);
  } catch (error) {
    const isGone = error instanceof PeerError && GONE.includes(error.code);
    if (isGone || !source.isOpen()) return undefined;
    throw error;
  }
}
