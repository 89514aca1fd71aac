// Brings what a command needs and says what it cannot bring.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { apt, find, isDebian } from './machine.mjs';
import { nearest } from './nearest.mjs';
import { once } from './stamp.mjs';
import { ask, attempt, ROOT, run, Stop, say } from './talk.mjs';

const TARGET = 'wasm32-unknown-unknown';

/** What can be needed; each brings itself, and is quick when it is there already. */
const NEEDS = { npm: npmPackages, rust, components, wasm: wasmTarget, nats, browsers, network };

/** Brings the named needs, in order. */
export async function bring(...names) {
  for (const name of names) await NEEDS[name]();
}

/** `npm run setup [-- need ...]`: all of them, or those named. */
export async function bringNamed(names) {
  const known = Object.keys(NEEDS);
  for (const name of names) {
    if (!known.includes(name)) throw new Stop(`there is no need "${name}"`, nearest(name, known));
  }
  await bring(...(names.length > 0 ? names : known));
  say('everything is there');
}

async function npmPackages() {
  const [major] = process.versions.node.split('.');
  if (Number(major) < 20)
    throw new Stop(`this is Node ${process.versions.node}`, 'Install Node 20 or later.');
  const step = {
    inputs: ['package-lock.json'],
    outputs: ['node_modules/typescript'],
    doing: 'installing npm packages',
  };
  // No package here needs its install script; puppeteer's would download a browser.
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  await once('npm', step, () =>
    run('npm', args, { advice: 'Is the npm registry reachable? Try: npm ci --ignore-scripts' }),
  );
}

const RUSTUP_ADVICE = 'Install Rust from https://rustup.rs and open a new shell.';

async function rust() {
  const version = ask('rustc', ['--version'])?.match(/^rustc (\d+)\.(\d+)\.\d+/);
  if (!version) throw new Stop('Rust is not installed (no working rustc on PATH)', RUSTUP_ADVICE);
  if (!ask('cargo', ['--version'])) throw new Stop('cargo is missing beside rustc', RUSTUP_ADVICE);
  const wanted = readFileSync(join(ROOT, 'Cargo.toml'), 'utf8').match(
    /^rust-version = "(\d+)\.(\d+)/m,
  );
  const [have, need] = [version, wanted].map(
    ([, major, minor]) => Number(major) * 1000 + Number(minor),
  );
  if (have < need) {
    throw new Stop(
      `Rust ${version[1]}.${version[2]} is too old, ${wanted[1]}.${wanted[2]} is needed`,
      'Run: rustup update stable',
    );
  }
  if (process.platform === 'linux' && !find('cc')) {
    if (isDebian()) await apt(['gcc', 'libc6-dev']);
    if (!find('cc')) throw new Stop('Rust needs a C linker, and there is no "cc"', 'Install gcc.');
  }
}

/** Rustup's name, and cargo's command. */
const COMPONENTS = { rustfmt: 'fmt', clippy: 'clippy' };

/** rustfmt and clippy: rustup's minimal installation leaves them out. */
async function components() {
  await rust();
  const isMissing = ([, command]) => ask('cargo', [command, '--version']) === undefined;
  const missing = () =>
    Object.entries(COMPONENTS)
      .filter(isMissing)
      .map(([name]) => name);
  if (missing().length === 0) return;
  const byHand = `rustup component add ${missing().join(' ')}`;
  if (mayDownload()) {
    say(`adding ${missing().join(' and ')} with rustup ...`);
    await attempt('rustup', ['component', 'add', ...missing()]);
  }
  if (missing().length > 0) throw new Stop(`${missing().join(' and ')} missing`, `Run: ${byHand}`);
}

function mayDownload() {
  return process.env.RUSTUP_AUTO_INSTALL !== '0' && find('rustup') !== undefined;
}

/** Rust's standard library for wasm: from rustup, or built from Debian's source of the same version. */
async function wasmTarget() {
  await rust();
  if (links()) return;
  if (mayDownload()) {
    say(`adding Rust's standard library for ${TARGET} with rustup ...`);
    await attempt('rustup', ['target', 'add', TARGET]);
    if (links()) return;
    say('rustup could not bring it');
  }
  if (!isDebian()) {
    throw new Stop(
      `Rust's standard library for ${TARGET} is missing`,
      `Run: rustup target add ${TARGET}`,
    );
  }
  say(`building Rust's standard library for ${TARGET} from Debian's source (about a minute) ...`);
  await run('bash', ['xtask/wasm-std.sh'], {
    advice: `Or, where rustup may download: rustup target add ${TARGET}`,
  });
}

/** True when rustc compiles and links a program that uses std; a left-over of another version does not. */
function links() {
  const args = [
    '--edition',
    '2021',
    '--target',
    TARGET,
    '--crate-type',
    'cdylib',
    '-C',
    'panic=abort',
    '-o',
    '-',
    '-',
  ];
  const program = 'pub fn f(n: usize) -> Vec<u8> { vec![1; n] }';
  return ask('rustc', args, { input: program, env: { RUSTFLAGS: '' } }) !== undefined;
}

/** Where browsers are looked for when no environment variable names one. */
const BROWSERS = {
  chromium: {
    variable: 'PEER_GROUP_CHROMIUM',
    places: [
      'chromium',
      'chromium-browser',
      'google-chrome-stable',
      'google-chrome',
      '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
      '/Applications/Chromium.app/Contents/MacOS/Chromium',
    ],
    debian: 'chromium',
  },
  firefox: {
    variable: 'PEER_GROUP_FIREFOX',
    places: ['firefox-esr', 'firefox', '/Applications/Firefox.app/Contents/MacOS/firefox'],
    debian: 'firefox-esr',
  },
};

/** The browsers for the tests, as environment variables. */
export function browserPaths() {
  const found = {};
  for (const { variable, places } of Object.values(BROWSERS)) {
    const named = process.env[variable];
    if (named && !find(named)) throw new Stop(`${variable} names ${named}, which is not a program`);
    const path = named ? find(named) : find(...places);
    if (path) found[variable] = path;
  }
  return found;
}

async function browsers() {
  const missing = () => Object.entries(BROWSERS).filter(([, row]) => !browserPaths()[row.variable]);
  if (missing().length === 0) return;
  if (isDebian()) await apt(missing().map(([, row]) => row.debian));
  const [first] = missing();
  if (first) {
    const [name, { variable }] = first;
    throw new Stop(
      `the tests need ${name}, and none was found`,
      `Install it, or set ${variable} to its path.`,
    );
  }
}

/** What carries messages between the machines of a cluster, for its tests. */
async function nats() {
  if (find('nats-server')) return;
  if (isDebian()) await apt(['nats-server']);
  if (!find('nats-server'))
    throw new Stop('the tests of a cluster need nats-server', 'Install it from https://nats.io.');
}

/** Tools for the network namespaces that the browser tests make for themselves. */
async function network() {
  if (process.platform !== 'linux') return;
  const missing = () => [...(find('ip') ? [] : ['iproute2']), ...(find('nft') ? [] : ['nftables'])];
  if (missing().length === 0) return;
  if (isDebian()) await apt(missing());
  if (missing().length > 0) {
    say(
      `${missing().join(' and ')} not found: tests that need a network of their own use the plain one`,
    );
  }
}
