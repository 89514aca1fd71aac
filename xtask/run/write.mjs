// What writes into the sources: `npm run format` and `npm run generate`.

import { bring } from './setup.mjs';
import { run } from './talk.mjs';

export async function format() {
  await bring('npm', 'components');
  await run('cargo', ['fmt', '--all']);
  await run(process.execPath, ['node_modules/@biomejs/biome/bin/biome', 'check', '--write', '.']);
}

/** `npm run generate`: the TypeScript that Rust tables are the source of. */
export async function generate() {
  await bring('rust');
  const test = [
    'test',
    '--locked',
    '-p',
    'peer-group-tests',
    '--test',
    'tidy',
    'generated_typescript',
  ];
  await run('cargo', test, { env: { PEER_GROUP_GENERATE: '1' } });
}
