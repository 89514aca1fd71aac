// The table of test suites: what each runs. A suite is one row.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  buildDemo,
  buildPackage,
  buildServer,
  buildTestPackage,
  DEMO,
  TEST_PACKAGE,
} from './build.mjs';
import { bring, browserPaths } from './setup.mjs';
import { ask, ROOT, Stop } from './talk.mjs';

const node = (script, ...args) => [process.execPath, script, ...args];
const biome = (...args) => node('node_modules/@biomejs/biome/bin/biome', ...args);
const cargo = (...args) => ['cargo', ...args];
const nodeTests = (folder) =>
  node('--test', '--test-concurrency=1', '--test-reporter=spec', ...testFiles(folder));

/**
 * name: what `npm test -- name` runs; what: for people; ready: brings and builds what it needs;
 * steps: its commands, all of which must succeed; env: told to them.
 */
export const SUITES = [
  {
    name: 'format',
    what: 'Rust and TypeScript are formatted',
    ready: () => bring('npm', 'components'),
    steps: () => [cargo('fmt', '--all', '--check'), biome('format', '.')],
  },
  {
    name: 'lint',
    what: 'no warnings from clippy, Biome or tsc',
    ready: async () => {
      await bring('components');
      await buildPackage();
    },
    steps: () => [
      cargo('clippy', '--locked', '--workspace', '--all-targets', '--', '-D', 'warnings'),
      clippyForBrowsers(),
      clippyForBrowsers('--all-features'),
      biome('lint', '.'),
      node('node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'),
    ],
  },
  {
    name: 'tidy',
    what: 'the rules of the house, licences, generated files',
    ready: () => bring('rust'),
    steps: () => [cargo('test', '--locked', '-p', 'peer-group-tests', '--test', 'tidy')],
  },
  {
    name: 'rust',
    what: 'engine, server and what joins them',
    ready: () => bring('rust', 'nats'),
    steps: () => [
      cargo('test', '--locked', '-p', 'peer-group', '-p', 'peer-group-signaling'),
      cargo('test', '--locked', '-p', 'peer-group-tests', '--lib', ...otherTestTargets()),
      cargo('test', '--locked', '-p', 'xtask', '--profile', 'tool'),
    ],
  },
  {
    name: 'sim',
    what: 'groups of engines over a faulty network, from seeds',
    ready: () => bring('rust'),
    steps: () => [
      cargo('test', '--locked', '-p', 'peer-group-tests', '--profile', 'sim', '--test', 'sim'),
    ],
  },
  {
    name: 'fuzz',
    what: 'changed messages for every decoder and for live engines',
    ready: () => bring('rust'),
    steps: () => [
      cargo('test', '--locked', '-p', 'peer-group-fuzz', '--profile', 'sim'),
      cargo('run', '--locked', '-p', 'peer-group-fuzz', '--profile', 'sim', '--', ...fuzzTime()),
    ],
    // Where the flags are known to work; elsewhere the search is not guided.
    env: () =>
      process.platform === 'linux'
        ? { RUSTC_WORKSPACE_WRAPPER: join(ROOT, 'tests/fuzz/covered.sh') }
        : {},
  },
  {
    name: 'package',
    what: 'the npm package as its users get it, and these scripts',
    ready: async () => {
      await buildDemo();
      await buildServer();
    },
    steps: () => [nodeTests('tests/package')],
  },
  {
    name: 'browser',
    what: 'Chromium and Firefox in a group',
    ready: async () => {
      await bring('browsers', 'network');
      await buildTestPackage();
      await buildDemo();
    },
    steps: () => [nodeTests('tests/browser')],
    env: async () => ({
      ...browserPaths(),
      PEER_GROUP_SERVER: await buildServer(),
      PEER_GROUP_DEMO: join(ROOT, DEMO),
      PEER_GROUP_TEST_PACKAGE: join(ROOT, TEST_PACKAGE),
    }),
  },
];

/** How long all targets together are searched: CI's half minute unless more is wanted. */
function fuzzTime() {
  return ['--seconds', process.env.PEER_GROUP_FUZZ_SECONDS ?? '30'];
}

function clippyForBrowsers(...features) {
  const packages = ['-p', 'peer-group', '-p', 'peer-group-bench'];
  const what = [...packages, '--lib', '--target', 'wasm32-unknown-unknown', ...features];
  return cargo('clippy', '--locked', ...what, '--', '-D', 'warnings');
}

/** `--test NAME` for each test target of the tests package that is no suite of its own. */
function otherTestTargets() {
  const text = ask('cargo', ['metadata', '--locked', '--no-deps', '--format-version', '1']);
  if (text === undefined)
    throw new Stop('cargo metadata failed', 'See: cargo metadata --locked --no-deps');
  const { targets } = JSON.parse(text).packages.find(({ name }) => name === 'peer-group-tests');
  const names = targets.filter(({ kind }) => kind.includes('test')).map(({ name }) => name);
  const own = SUITES.map(({ name }) => name);
  return names.filter((name) => !own.includes(name)).flatMap((name) => ['--test', name]);
}

function testFiles(folder) {
  const all = readdirSync(join(ROOT, folder), { recursive: true });
  const files = all.filter((name) => name.endsWith('.test.mjs')).sort();
  if (files.length === 0) throw new Stop(`${folder} holds no *.test.mjs`);
  return files.map((name) => `${folder}/${name}`);
}
