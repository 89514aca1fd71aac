// `npm run format`: Rust and TypeScript, in place.

import { bring } from './setup.mjs';
import { run } from './talk.mjs';

export async function format() {
  await bring('npm', 'rust');
  await run('cargo', ['fmt', '--all']);
  await run(process.execPath, ['node_modules/@biomejs/biome/bin/biome', 'check', '--write', '.']);
}
