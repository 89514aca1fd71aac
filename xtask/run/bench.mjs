// `npm run bench [-- name ...]`: benchmarks, each of which prints its figures.

import { nearest } from './nearest.mjs';
import { bring } from './setup.mjs';
import { run, Stop, say } from './talk.mjs';

/** name: what `npm run bench -- name` runs; what: for people; ready: brings what it needs. */
const BENCHMARKS = [
  {
    name: 'crypto',
    what: 'handshakes and signatures, on this machine',
    ready: () => bring('rust'),
    command: ['cargo', 'bench', '--locked', '-p', 'peer-group-tests', '--bench', 'crypto'],
  },
];

export async function bench(names) {
  const known = BENCHMARKS.map(({ name }) => name);
  for (const name of names) {
    if (!known.includes(name)) {
      throw new Stop(`there is no benchmark "${name}"`, nearest(name, known));
    }
  }
  const chosen = BENCHMARKS.filter(({ name }) => names.length === 0 || names.includes(name));
  for (const { name, what, ready, command } of chosen) {
    say(`── ${name}: ${what}`);
    await ready();
    const [program, ...args] = command;
    await run(program, args);
  }
}
