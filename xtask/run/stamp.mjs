// Skips a step whose inputs have not changed: a hash of their contents is kept in .setup/.

import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { ROOT, say, seconds } from './talk.mjs';

const FOLDER = join(ROOT, '.setup');
/** Folders that builds write into. */
const WRITTEN = new Set(['dist', 'generated', 'node_modules', 'target']);

/**
 * Does `work` unless its inputs are those of last time and its outputs are still there.
 * `inputs` are files and folders of the project; `also` is any text the result depends on.
 */
export async function once(name, { inputs, also = '', outputs, doing }, work) {
  const file = join(FOLDER, name);
  const hash = createHash('sha256').update(also);
  for (const input of inputs) feed(hash, input);
  const now = hash.digest('hex');
  const known = existsSync(file) ? readFileSync(file, 'utf8') : '';
  if (known === now && outputs.every((path) => existsSync(join(ROOT, path)))) return;
  say(`${doing} ...`);
  const start = performance.now();
  rmSync(file, { force: true });
  await work();
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(file, now);
  say(`${doing}: done in ${seconds(start)}`);
}

function feed(hash, path) {
  const full = join(ROOT, path);
  if (!existsSync(full)) return;
  if (!statSync(full).isDirectory()) {
    hash.update(`${path}\0`).update(readFileSync(full));
    return;
  }
  for (const name of readdirSync(full).sort())
    if (!WRITTEN.has(name)) feed(hash, `${path}/${name}`);
}
