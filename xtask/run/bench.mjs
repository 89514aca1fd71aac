// `npm run bench [-- name ...]`: benchmarks, each of which prints its figures.

import { buildBenchmarks, buildServerBenchmark } from './build.mjs';
import { nearest } from './nearest.mjs';
import { bringRivals } from './rivals.mjs';
import { bring } from './setup.mjs';
import { run, Stop, say } from './talk.mjs';

/**
 * name: what `npm run bench -- name` runs; what: for people; go: runs it, where it is no row of
 * tests/bench/lib.rs.
 */
const BENCHMARKS = [
  { name: 'crypto', what: 'handshakes and signatures' },
  { name: 'join', what: 'lengths of invitations, and what a join costs both sides' },
  { name: 'store', what: 'what a node does with 100 000 records' },
  { name: 'sync', what: 'finding out how two sets of records differ, beside negentropy' },
  { name: 'verify', what: 'records verified, singly and in batches, beside WebCrypto' },
  { name: 'server', what: 'the rendezvous server beside others, some ten minutes', go: server },
];

export async function bench(names) {
  const known = BENCHMARKS.map(({ name }) => name);
  for (const name of names) {
    if (!known.includes(name)) {
      throw new Stop(`there is no benchmark "${name}"`, nearest(name, known));
    }
  }
  const chosen = BENCHMARKS.filter(({ name }) => names.length === 0 || names.includes(name));
  for (const { name, what, go = both } of chosen) {
    say(`── ${name}: ${what}`);
    await go(name);
  }
}

/** Natively and as wasm. */
async function both(name) {
  await run(process.execPath, ['tests/bench/run.mjs', name, ...(await buildBenchmarks())]);
}

/** Only natively, over sockets. PEER_GROUP_BENCH_PARTS names some of its parts. */
async function server() {
  await bring('nats');
  const [program, measured] = await buildServerBenchmark();
  const parts = process.env.PEER_GROUP_BENCH_PARTS?.split(',') ?? [];
  await run(program, [measured, await bringRivals(), ...parts]);
}
