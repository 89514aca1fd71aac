// The build steps and what each depends on: wasm, the npm package, the demo, the server.

import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { bring } from './setup.mjs';
import { once } from './stamp.mjs';
import { ask, ROOT, run, Stop } from './talk.mjs';

export const PACKAGE = 'dist';
export const DEMO = 'www/dist';
/** The package with the hooks that tests look through; never published. */
export const TEST_PACKAGE = 'target/test-package';

const GENERATED = 'js/src/generated';
const BENCHMARKS = 'target/bench-wasm';
const TEST_GENERATED = 'target/test-generated';
const RUST_INPUTS = [
  'Cargo.toml',
  'Cargo.lock',
  'crate',
  'xtask/src',
  'xtask/Cargo.toml',
  'package-lock.json',
];

/** `npm run build`: the npm package, complete, in dist/. */
export async function buildPackage() {
  await bring('npm', 'wasm');
  await wasm('wasm', GENERATED);
  await bundled('package', PACKAGE, GENERATED);
}

/** The same package from a test build of the engine. */
export async function buildTestPackage() {
  await buildPackage();
  await wasm('test-wasm', TEST_GENERATED, ['--features', 'test-hooks']);
  await bundled('test-package', TEST_PACKAGE, TEST_GENERATED, ['liveCounts']);
}

/** The demo in www/dist/, ready to be served. */
export async function buildDemo() {
  await buildPackage();
  const step = {
    inputs: ['www', 'xtask/run', 'package-lock.json'],
    also: stampOf('package'),
    outputs: [`${DEMO}/index.html`],
    doing: 'bundling the demo',
  };
  await once('demo', step, async () => (await import('./bundle.mjs')).bundleDemo(PACKAGE, DEMO));
}

/** The rendezvous server; the path of its program. */
export async function buildServer() {
  await bring('rust');
  return program('peer-group-signaling', 'debug');
}

/** The benchmarks: the path of the native program, and that of the wasm module's JavaScript. */
export async function buildBenchmarks() {
  await bring('npm', 'wasm');
  const its = { name: 'peer-group-bench', inputs: ['tests/bench'] };
  await wasm('bench-wasm', BENCHMARKS, ['--package', its.name], its);
  const native = await program('peer-group-bench', 'release', ['--release']);
  return [native, join(ROOT, BENCHMARKS, 'peer_group_bench.js')];
}

/** The benchmark of the server: the paths of its program and of the server's. */
export async function buildServerBenchmark() {
  await bring('rust');
  const optimised = (name) => program(name, 'release', ['--release']);
  return [await optimised('peer-group-bench-server'), await optimised('peer-group-signaling')];
}

/** Builds a native program; its path. Cargo itself knows when there is nothing to do. */
async function program(name, folder, options = []) {
  const target = process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target');
  const path = join(target, folder, process.platform === 'win32' ? `${name}.exe` : name);
  const quiet = existsSync(path) ? ['--quiet'] : [];
  await run('cargo', ['build', '--locked', '--package', name, ...options, ...quiet]);
  if (!existsSync(path)) throw new Stop(`cargo built no ${path}`);
  return path;
}

async function wasm(name, folder, options = [], its = { name: 'peer-group', inputs: [] }) {
  const file = `${folder}/${its.name.replaceAll('-', '_')}`;
  const step = {
    inputs: [...RUST_INPUTS, ...its.inputs],
    also: `${ask('rustc', ['-vV'])} ${options}`,
    outputs: [`${file}.js`, `${file}.d.ts`, `${file}_bg.wasm`],
    doing:
      options.length > 0
        ? `building the engine for browsers (${options.join(' ')})`
        : 'building the engine for browsers',
  };
  const tool = ['run', '--locked', '--quiet', '--package', 'xtask', '--profile', 'tool', '--'];
  await once(name, step, () =>
    run('cargo', [...tool, 'wasm', '--out', join(ROOT, folder), ...options]),
  );
}

async function bundled(name, folder, generated, hooks) {
  const step = {
    inputs: ['js', 'package.json', 'package-lock.json', 'tsconfig.json', 'xtask/run'],
    also: stampOf(name.replace('package', 'wasm')),
    outputs: [`${folder}/index.js`, `${folder}/index.d.ts`],
    doing: `building the npm package into ${folder}/`,
  };
  await once(name, step, async () => {
    rmSync(join(ROOT, folder), { recursive: true, force: true });
    mkdirSync(join(ROOT, folder), { recursive: true });
    const { bundlePackage } = await import('./bundle.mjs');
    await bundlePackage(generated, folder, hooks);
    await run(process.execPath, [
      'node_modules/typescript/bin/tsc',
      '-p',
      'js/tsconfig.json',
      '--outDir',
      folder,
    ]);
    copy(`${GENERATED}/peer_group.d.ts`, `${folder}/generated/peer_group.d.ts`);
    copy(`${generated}/peer_group_bg.wasm`, `${folder}/peer_group_bg.wasm`);
  });
}

function copy(from, to) {
  cpSync(join(ROOT, from), join(ROOT, to), { recursive: true });
}

function stampOf(name) {
  return readFileSync(join(ROOT, '.setup', name), 'utf8');
}
