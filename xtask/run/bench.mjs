// `npm run bench [-- name ...]`: benchmarks, each of which prints its figures.

import { buildBenchmarks } from './build.mjs';
import { nearest } from './nearest.mjs';
import { run, Stop, say } from './talk.mjs';

/** name: what `npm run bench -- name` runs, a row of tests/bench/lib.rs too; what: for people. */
const BENCHMARKS = [
  { name: 'crypto', what: 'handshakes and signatures' },
  { name: 'store', what: 'what a node does with 100 000 records' },
  { name: 'sync', what: 'finding out how two sets of records differ, beside negentropy' },
  { name: 'verify', what: 'records verified, singly and in batches, beside WebCrypto' },
];

export async function bench(names) {
  const known = BENCHMARKS.map(({ name }) => name);
  for (const name of names) {
    if (!known.includes(name)) {
      throw new Stop(`there is no benchmark "${name}"`, nearest(name, known));
    }
  }
  const chosen = BENCHMARKS.filter(({ name }) => names.length === 0 || names.includes(name));
  const built = await buildBenchmarks();
  for (const { name, what } of chosen) {
    say(`── ${name}: ${what}`);
    await run(process.execPath, ['tests/bench/run.mjs', name, ...built]);
  }
}
