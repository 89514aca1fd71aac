// `npm test [-- suite ...]`: runs suites one after another and ends with a table of all of them.

import { nearest } from './nearest.mjs';
import { SUITES } from './suites.mjs';
import { attempt, Stop, say, seconds } from './talk.mjs';

/** Lines in which a test runner says how it went. */
const CLOSING = [/^test result: /, /^ℹ (tests|pass|fail|cancelled|skipped) /, /^Checked \d+ files/];
/** What they say when there was nothing to run: no news, and no success either. */
const NOTHING_RAN = /^test result: ok\. 0 passed|^ℹ \w+ 0$|^Checked 0 files/;

export async function test(names) {
  const known = SUITES.map(({ name }) => name);
  for (const name of names) {
    if (!known.includes(name)) throw new Stop(`there is no suite "${name}"`, nearest(name, known));
  }
  const chosen = SUITES.filter(({ name }) => names.length === 0 || names.includes(name));
  const start = performance.now();
  const results = [];
  for (const suite of chosen) results.push(await runSuite(suite));
  print(results, seconds(start));
  return results.every(({ failures }) => failures.length === 0) ? 0 : 1;
}

/** A step that fails does not keep the next from running: one run shows everything. */
export async function runSuite({ name, what, ready, steps, env }) {
  const start = performance.now();
  const failures = [];
  const closing = [];
  say(`── ${name}: ${what}`);
  try {
    await ready();
    const variables = (await env?.()) ?? {};
    for (const [program, ...args] of steps()) {
      const listen = (line) => {
        const plain = withoutColors(line);
        if (CLOSING.some((pattern) => pattern.test(plain)) && !NOTHING_RAN.test(plain)) {
          closing.push(plain);
        }
      };
      const { code } = await attempt(program, args, { env: { ...COLORS, ...variables }, listen });
      if (code !== 0) failures.push([program.replace(/.*\//, ''), ...args].join(' '));
    }
    if (closing.length === 0) failures.push('nothing was tested');
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    say(`cannot go on: ${error.message}`);
    if (error.advice) say(error.advice);
    failures.push(error.message);
  }
  return { name, failures, closing, time: seconds(start) };
}

/** Our pipes hide the terminal from cargo; it is told that there is one. */
const COLORS = process.stdout.isTTY ? { CARGO_TERM_COLOR: 'always', FORCE_COLOR: '1' } : {};

// biome-ignore lint/suspicious/noControlCharactersInRegex: colors are control characters
const withoutColors = (line) => line.replace(/\u001b\[[0-9;]*m/g, '');

function print(results, total) {
  const lines = ['', 'What the runners said:'];
  for (const { name, closing } of results)
    for (const line of closing) lines.push(`  ${name}: ${line}`);
  lines.push('', `${'suite'.padEnd(10)}${'outcome'.padEnd(10)}time`);
  for (const { name, failures, time } of results) {
    lines.push(`${name.padEnd(10)}${(failures.length === 0 ? 'ok' : 'FAILED').padEnd(10)}${time}`);
    for (const failure of failures) lines.push(`${' '.repeat(10)}${failure}`);
  }
  lines.push(`${'in all'.padEnd(20)}${total}`);
  process.stdout.write(`${lines.join('\n')}\n`);
}
