#!/usr/bin/env node

// What the npm scripts call: `node xtask/run.mjs COMMAND [ARGUMENTS]`.
// It brings what the command needs, so it may use nothing but Node itself until that is done.

import { nearest } from './run/nearest.mjs';
import { Stop, say } from './run/talk.mjs';

/** One row for each npm script; the README lists them all. */
const COMMANDS = {
  start: async (args) => (await import('./run/start.mjs')).start(args),
  test: async (args) => (await import('./run/test.mjs')).test(args),
  build: async () => (await import('./run/build.mjs')).buildPackage(),
  bench: async (args) => (await import('./run/bench.mjs')).bench(args),
  size: async () => (await import('./run/size.mjs')).size(),
  lint: async () => (await import('./run/test.mjs')).test(['format', 'lint']),
  format: async () => (await import('./run/write.mjs')).format(),
  generate: async () => (await import('./run/write.mjs')).generate(),
  setup: async (args) => (await import('./run/setup.mjs')).bringNamed(args),
};

const [name = '', ...args] = process.argv.slice(2);
try {
  const command = COMMANDS[name];
  if (!command)
    throw new Stop(`there is no command "${name}"`, nearest(name, Object.keys(COMMANDS)));
  process.exitCode = (await command(args)) ?? 0;
} catch (error) {
  if (!(error instanceof Stop)) throw error;
  say(`cannot go on: ${error.message}`);
  if (error.advice) say(error.advice);
  process.exitCode = 1;
}
