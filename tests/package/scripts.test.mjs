// What npm's scripts say when they are called wrongly, and when something is missing.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { distance, nearest } from '../../xtask/run/nearest.mjs';

const ENTRY = fileURLToPath(new URL('../../xtask/run.mjs', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'peer-group-scripts-'));
after(() => rmSync(scratch, { recursive: true }));

function call(args, env = {}) {
  return spawnSync(process.execPath, [ENTRY, ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
}

/** A PATH with nothing on it but what is given: name to shell script. */
function pathWith(name, programs) {
  const folder = join(scratch, name);
  mkdirSync(folder);
  symlinkSync(process.execPath, join(folder, 'node'));
  for (const [program, script] of Object.entries(programs)) {
    writeFileSync(join(folder, program), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, program), 0o755);
  }
  return folder;
}

for (const [args, words] of [
  [['strat'], /Did you mean "start"/],
  [['test', 'browsr'], /Did you mean "browser"/],
  [['test', 'nothing-like-it'], /There are: format, lint, /],
  [['bench', 'cripto'], /Did you mean "crypto"/],
  [['setup', 'wsam'], /Did you mean "wasm"/],
]) {
  test(`"${args.join(' ')}" is answered with the right names`, () => {
    const { status, stderr } = call(args);
    assert.equal(status, 1);
    assert.match(stderr, words);
  });
}

test('without Rust it says where to get it', () => {
  const { status, stderr } = call(['setup', 'rust'], { PATH: pathWith('no-rust', {}) });
  assert.equal(status, 1);
  assert.match(stderr, /Rust is not installed/);
  assert.match(stderr, /rustup\.rs/);
});

test('with an old Rust it says which is needed', () => {
  const programs = { rustc: 'echo "rustc 1.60.0 (old 2022-04-07)"', cargo: 'echo cargo 1.60.0' };
  const { status, stderr } = call(['setup', 'rust'], { PATH: pathWith('old-rust', programs) });
  assert.equal(status, 1);
  assert.match(stderr, /Rust 1\.60 is too old, 1\.\d+ is needed/);
});

test('without rustfmt it says how to get it, where rustup may not download', () => {
  const programs = {
    rustc: 'echo "rustc 1.999.0 (new 2040-01-01)"',
    cargo: '[ "$1" != fmt ] && echo cargo',
    cc: '',
  };
  const env = { PATH: pathWith('no-rustfmt', programs), RUSTUP_AUTO_INSTALL: '0' };
  const { status, stderr } = call(['setup', 'components'], env);
  assert.equal(status, 1);
  assert.match(stderr, /rustup component add rustfmt$/m);
});

test('a browser named by its variable must be there', () => {
  const { status, stderr } = call(['setup', 'browsers'], { PEER_GROUP_CHROMIUM: '/no/such' });
  assert.equal(status, 1);
  assert.match(stderr, /PEER_GROUP_CHROMIUM names \/no\/such/);
});

test('browsers named by their variables are enough', () => {
  const folder = pathWith('browsers', { a: '', b: '' });
  const variables = {
    PEER_GROUP_CHROMIUM: join(folder, 'a'),
    PEER_GROUP_FIREFOX: join(folder, 'b'),
  };
  const { status, stderr } = call(['setup', 'browsers'], { ...variables, PATH: folder });
  assert.equal(status, 0, stderr);
});

test('without browsers Debian installs them, and others are told what is missing', () => {
  const folder = join(scratch, 'debian');
  const log = join(scratch, 'apt.log');
  const install = `echo "$@" >> ${log}; case "$*" in *install*)
    for name in chromium firefox-esr; do printf '#!/bin/sh\n' > ${folder}/$name; /bin/chmod 755 ${folder}/$name; done;;
  esac`;
  const programs = { 'apt-get': install, sudo: 'exec /usr/bin/env "$@"' };
  const { status, stderr } = call(['setup', 'browsers'], { PATH: pathWith('debian', programs) });
  const system = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  if (/^ID=debian$/m.test(system)) {
    assert.equal(status, 0, stderr);
    const [update, installed] = readFileSync(log, 'utf8').trim().split('\n');
    assert.match(update, / update$/);
    assert.match(installed, / install -y --no-install-recommends chromium firefox-esr$/);
  } else {
    assert.equal(status, 1);
    assert.match(stderr, /set PEER_GROUP_CHROMIUM/);
  }
});

/** What becomes of a suite with these shell commands. */
function outcome(...commands) {
  const program = `
    import { runSuite } from ${JSON.stringify(new URL('../../xtask/run/test.mjs', import.meta.url))};
    const steps = () => process.argv.slice(1).map((command) => ['/bin/sh', '-c', command]);
    const { failures, closing } = await runSuite({ name: 'x', what: 'x', ready: () => {}, steps });
    process.stdout.write('\\n' + JSON.stringify({ failures: failures.length, closing }));`;
  const args = ['--input-type=module', '-e', program, ...commands];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  const last = stdout.split('\n').at(-1);
  assert.ok(last, stderr);
  return JSON.parse(last);
}

test('a suite passes when its runners say what they tested', () => {
  const { failures, closing } = outcome('echo "test result: ok. 2 passed; 0 failed"');
  assert.equal(failures, 0);
  assert.deepEqual(closing, ['test result: ok. 2 passed; 0 failed']);
});

test('a suite in which nothing was tested fails', () => {
  assert.equal(outcome('echo "test result: ok. 0 passed; 0 failed"').failures, 1);
  assert.equal(outcome('echo fine').failures, 1);
});

test('a step that fails does not hide the next one', () => {
  const { failures, closing } = outcome('exit 3', 'echo "ℹ pass 4"', 'exit 4');
  assert.equal(failures, 2);
  assert.deepEqual(closing, ['ℹ pass 4']);
});

test('distances between names', () => {
  assert.equal(distance('', 'abc'), 3);
  assert.equal(distance('sim', 'sim'), 0);
  assert.equal(distance('kitten', 'sitting'), 3);
  assert.equal(nearest('x', ['rust', 'sim']), 'There are: rust, sim');
});
