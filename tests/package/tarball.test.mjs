// The npm package as its users get it: what is in it, and that importing it does nothing.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DIST = join(ROOT, 'dist');

test('the tarball holds one wasm file, the script, its types and nothing of ours', () => {
  const { stdout } = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  const [{ files }] = JSON.parse(stdout);
  const names = files.map(({ path }) => path);
  for (const needed of [
    'dist/index.js',
    'dist/index.d.ts',
    'package.json',
    'README.md',
    'LICENSE-MIT',
  ]) {
    assert.ok(names.includes(needed), `${needed} is missing`);
  }
  assert.deepEqual(
    names.filter((name) => name.endsWith('.wasm')),
    ['dist/peer_group_bg.wasm'],
  );
  const foreign = names.filter(
    (name) => !/^(dist\/|package\.json$|README\.md$|LICENSE-)/.test(name),
  );
  assert.deepEqual(foreign, []);
});

test('the engine asks its host for nothing but what the script beside it gives', () => {
  const module = new WebAssembly.Module(readFileSync(join(DIST, 'peer_group_bg.wasm')));
  const from = new Set(WebAssembly.Module.imports(module).map(({ module }) => module));
  assert.ok(!from.has('env'));
  for (const name of from) assert.match(name, /^\.\/peer_group_bg\.js$/);
});

test('no file names a folder of the machine that built it', () => {
  const folders = [ROOT.replace(/\/$/, ''), homedir(), process.env.CARGO_HOME ?? homedir()];
  for (const name of readdirSync(DIST, { recursive: true, encoding: 'utf8' })) {
    if (!/\.(js|ts|wasm|map)$/.test(name)) continue;
    const text = readFileSync(join(DIST, name), 'latin1');
    for (const folder of folders) assert.ok(!text.includes(folder), `${name} names ${folder}`);
  }
});

test('importing it touches nothing: no global is added, nothing keeps the process alive', () => {
  const program = `
    const before = new Set(Object.getOwnPropertyNames(globalThis));
    const entry = await import(process.argv[1]);
    const added = Object.getOwnPropertyNames(globalThis).filter((name) => !before.has(name));
    console.log(JSON.stringify({ added, exports: Object.keys(entry).length }));`;
  const entry = join(DIST, 'index.js');
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', program, entry],
    { encoding: 'utf8', timeout: 20_000 },
  );
  assert.equal(status, 0, stderr);
  const { added, exports } = JSON.parse(stdout);
  assert.deepEqual(added, []);
  assert.ok(exports > 0);
});
