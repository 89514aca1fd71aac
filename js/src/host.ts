// One running engine: pumps it on a clean stack, settles requests, hands events to their nodes.

import type { Answer } from './answers.js';
import { fromFailure, isFailure, PeerError } from './errors.js';
import type { EngineEvent } from './generated/peer_group.js';
import { Engine } from './generated/peer_group.js';
import { LocalNode, type Subject } from './node.js';
import type { Verdict } from './options.js';

/** Events handed out before other work of the page gets its turn. */
const EVENTS_PER_TURN = 256;

interface Request {
  settle(answer: Answer): void;
  fail(error: PeerError): void;
}

export class EngineHost {
  readonly #engine: Engine;
  readonly #requests = new Map<number, Request>();
  readonly #nodes = new Map<number, LocalNode>();
  readonly #subjects = new Map<number, Subject>();
  #isScheduled = false;
  /** Why every call is refused: the engine had a fault, or was shut down. */
  #end: PeerError | undefined;

  constructor() {
    try {
      this.#engine = new Engine(
        () => this.#schedule(),
        (words: string) => this.#die(words),
      );
    } catch (error) {
      throw isFailure(error) ? fromFailure(error) : new PeerError('internal', String(error));
    }
    globalThis.addEventListener?.('pagehide', this.#leave);
    globalThis.document?.addEventListener('visibilitychange', this.#look);
    if (globalThis.document?.hidden) this.#look();
  }

  /** The others see whether somebody looks at this page. */
  readonly #look = (): void => {
    if (!this.#end) this.call((engine) => engine.seen(!document.hidden));
  };

  /** A page that goes away says so at once: the others would notice half a minute later. One that
   *  the browser keeps for its back button loses its connections too: its handles are closed. */
  readonly #leave = (): void => {
    if (this.#end) return;
    this.call((engine) => {
      engine.shutdown();
      engine.pump();
    });
  };

  /** It had a fault: it answers 'internal' for good. */
  get isFaulty(): boolean {
    return this.#end?.code === 'internal';
  }

  /** Calls the engine. What it throws comes out as a PeerError. */
  call<T>(work: (engine: Engine) => T): T {
    if (this.#end) throw this.#end;
    try {
      return work(this.#engine);
    } catch (error) {
      if (isFailure(error)) throw fromFailure(error);
      throw this.#die(error instanceof Error ? error.message : String(error));
    }
  }

  /** Sends a command. What needs no network is thrown at once; the rest settles the promise.
   *  `take` runs before any later event is handed out. */
  request<T>(
    command: (engine: Engine) => number,
    take: (answer: Answer) => T,
    signal?: AbortSignal,
  ): { id: number; answer: Promise<T> } {
    if (signal?.aborted) throw new PeerError('aborted');
    const id = this.call(command);
    const answer = new Promise<T>((resolve, reject) => {
      const abort = () => this.call((engine) => engine.abort(id));
      const done = () => signal?.removeEventListener('abort', abort);
      signal?.addEventListener('abort', abort);
      this.#requests.set(id, {
        settle: (value) => {
          done();
          resolve(take(value));
        },
        fail: (error) => {
          done();
          reject(error);
        },
      });
    });
    return { id, answer };
  }

  /** Joins a handle to what happens at its node. */
  attach(subject: Subject): LocalNode {
    const { handle, node } = subject;
    const known = this.#nodes.get(node) ?? new LocalNode(this, node);
    this.#nodes.set(node, known);
    this.#subjects.set(handle, subject);
    known.subjects.add(subject);
    return known;
  }

  /** Closes every handle and ends. */
  async shutdown(): Promise<void> {
    if (this.#end) return;
    try {
      await this.request(
        (engine) => engine.shutdown(),
        () => undefined,
      ).answer;
    } catch {
      // It is over in any case.
    }
    if (this.#end) return;
    this.#finish(new PeerError('not-initialized'));
    this.#engine.free();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => this.#turn());
  }

  /** Runs with no frame of the engine on the stack: listeners may call anything. */
  #turn(): void {
    this.#isScheduled = false;
    for (let count = 0; count < EVENTS_PER_TURN; count += 1) {
      if (this.#end) return;
      const event = this.#next();
      if (!event) return;
      this.#dispatch(event);
    }
    this.#isScheduled = true;
    yieldToPage(() => this.#turn());
  }

  #next(): EngineEvent | undefined {
    try {
      return this.call((engine) => {
        engine.pump();
        return engine.poll();
      });
    } catch {
      // It has a fault, and everybody was told.
      return undefined;
    }
  }

  #dispatch(event: EngineEvent): void {
    switch (event.type) {
      case 'answered': {
        const request = this.#requests.get(event.request);
        this.#requests.delete(event.request);
        if (event.failure) request?.fail(fromFailure(event.failure));
        else request?.settle(event.value);
        break;
      }
      case 'closed': {
        const subject = this.#subjects.get(event.handle);
        if (subject) this.#detach(subject, event.failure && fromFailure(event.failure));
        break;
      }
      case 'ask': {
        const node = this.#nodes.get(event.node);
        const asked = node?.ask(event).then((yes): Verdict => (yes ? 'accept' : 'reject'));
        this.#answer(event.ask, asked);
        break;
      }
      case 'validate':
        this.#answer(event.ask, this.#nodes.get(event.node)?.validate(event));
        break;
      default:
        this.#nodes.get(event.node)?.hear(event);
    }
  }

  /** Without a handle there is nobody to ask. */
  #answer(ask: number, asked: Promise<Verdict> | undefined): void {
    void Promise.resolve<Verdict>(asked ?? 'reject').then((verdict) => {
      if (!this.#end) this.call((engine) => engine.answer(ask, verdict));
    });
  }

  #detach(subject: Subject, reason: PeerError | undefined): void {
    this.#subjects.delete(subject.handle);
    const node = this.#nodes.get(subject.node);
    node?.subjects.delete(subject);
    if (node?.subjects.size === 0) this.#nodes.delete(subject.node);
    subject.ended(reason);
  }

  /** The engine had a fault: says so once to everybody, and for good. */
  #die(words: string): PeerError {
    this.#end ??= new PeerError('internal', words);
    const end = this.#end;
    // The engine's frame may still be on the stack.
    queueMicrotask(() => this.#finish(end));
    return end;
  }

  #finish(end: PeerError): void {
    this.#end = end;
    globalThis.removeEventListener?.('pagehide', this.#leave);
    globalThis.document?.removeEventListener('visibilitychange', this.#look);
    const requests = [...this.#requests.values()];
    this.#requests.clear();
    for (const { fail } of requests) fail(end);
    for (const subject of [...this.#subjects.values()]) this.#detach(subject, end);
  }
}

/** A task of its own, which hidden pages do not put off as they do timers. */
function yieldToPage(run: () => void): void {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    run();
  };
  port2.postMessage(null);
}
