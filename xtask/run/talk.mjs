// Words to the user, and other programs run on their behalf.

import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The folder of the project. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A failure with words for the user: what is wrong, and what to do about it. */
export class Stop extends Error {
  constructor(message, advice = '') {
    super(message);
    this.advice = advice;
  }
}

export function say(words) {
  for (const line of words.split('\n')) process.stderr.write(`peer-group: ${line}\n`);
}

/** Seconds since `start` (performance.now()), for people. */
export const seconds = (start) => `${((performance.now() - start) / 1000).toFixed(1)} s`;

/** Runs a program in the project's folder with the user's terminal; a failure stops us. */
export async function run(program, args, { env = {}, advice = '' } = {}) {
  const { code, missing } = await attempt(program, args, { env });
  const line = [program, ...args].join(' ');
  if (missing) throw new Stop(`"${program}" is not installed (needed for: ${line})`, advice);
  if (code !== 0) throw new Stop(`this failed: ${line}`, advice);
}

/** As `run`, but answers the exit code. With `listen`, every line of output is shown and handed over. */
export function attempt(program, args, { env = {}, listen } = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: listen ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'],
    });
    child.on('error', (error) => resolve({ code: 127, missing: error.code === 'ENOENT' }));
    child.on('close', (code) => resolve({ code: code ?? 1, missing: false }));
    if (listen) {
      child.stdout.on('data', teeLines(process.stdout, listen));
      child.stderr.on('data', teeLines(process.stderr, listen));
    }
  });
}

/** What a program prints, or undefined where it is missing or fails. */
export function ask(program, args, { input, env = {} } = {}) {
  const answer = spawnSync(program, args, {
    cwd: ROOT,
    encoding: 'utf8',
    input: input ?? '',
    env: { ...process.env, ...env },
    maxBuffer: 64 << 20,
  });
  return answer.status === 0 ? answer.stdout.trim() : undefined;
}

function teeLines(stream, listen) {
  const decoder = new TextDecoder();
  let pending = '';
  return (chunk) => {
    stream.write(chunk);
    const lines = (pending + decoder.decode(chunk, { stream: true })).split('\n');
    pending = lines.pop() ?? '';
    for (const line of lines) listen(line);
  };
}
