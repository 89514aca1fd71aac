// Starts and stops the real rendezvous server, on a port that stays the same over a restart.

import { fail } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const STARTS_WITHIN_MS = 10_000;
const ENDS_WITHIN_MS = 10_000;

export class Server {
  #program;
  #www;
  #more;
  #child;
  #at;
  #port;

  /** `www` is the folder it serves; `more` are further arguments; `at`: where it is to be. */
  static async start(www, more = [], at = 'http://127.0.0.1:0') {
    const program = process.env.PEER_GROUP_SERVER;
    if (!program) fail('PEER_GROUP_SERVER names no server: run `npm test -- browser`');
    const server = new Server(program, www, more, at);
    await server.start();
    return server;
  }

  constructor(program, www, more, at) {
    const { protocol, hostname, port } = new URL(at);
    this.#at = { protocol, hostname };
    this.#port = Number(port);
    this.#program = program;
    this.#www = www;
    this.#more = more;
  }

  /** Where it is: what pages are loaded from and groups meet at. */
  get origin() {
    return `${this.#at.protocol}//${this.#at.hostname}:${this.#port}`;
  }

  async start() {
    const listen = `${this.#at.hostname}:${this.#port}`;
    const args = ['--listen', listen, '--www', this.#www, ...this.#more];
    const child = spawn(this.#program, args, {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { RUST_LOG: 'warn', ...process.env },
    });
    this.#child = child;
    const limit = AbortSignal.timeout(STARTS_WITHIN_MS);
    const lines = createInterface({ input: child.stdout });
    const [line] = await once(lines, 'line', { signal: limit });
    const port = /https?:\/\/[^:]+:(\d+)/.exec(line)?.[1];
    if (port === undefined) fail(`the server's first line names no address: ${line}`);
    this.#port = Number(port);
    child.stdout.resume();
  }

  /** Ends it, as an operator would. */
  async stop() {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    const force = setTimeout(() => child.kill('SIGKILL'), ENDS_WITHIN_MS);
    await ended;
    clearTimeout(force);
  }
}
