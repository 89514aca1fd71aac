// What an operator installs: the program by cargo, the unit of systemd, the image. The last cannot be
// built everywhere, so what it copies and runs is tried by itself.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { find } from '../../xtask/run/machine.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'peer-group-operator-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const read = (path) => readFileSync(join(ROOT, path), 'utf8');

function ran(program, args, cwd = ROOT) {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8' });
  assert.equal(status, 0, `${program} ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** The lines of a Dockerfile as [instruction, rest]. */
const image = read('signaling/Dockerfile')
  .split('\n')
  .filter((line) => line && !line.startsWith('#'))
  .map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]);
const all = (name) => image.filter(([is]) => is === name).map(([, rest]) => rest);

const unit = read('signaling/peer-group-signaling.service');
const installed = join(folder, 'root/bin/peer-group-signaling');

test('cargo installs the program, which runs', () => {
  // As the README and the image do it, but not optimised: that would only take longer.
  ran('cargo', [
    'install',
    '--locked',
    '--path',
    'signaling',
    '--root',
    join(folder, 'root'),
    '--debug',
    '--quiet',
  ]);
  const { version } = JSON.parse(read('package.json'));
  assert.equal(ran(installed, ['--version']).trim(), `peer-group-signaling ${version}`);
});

test('the unit starts it with options that it knows, and systemd understands the rest', () => {
  const [, start] = unit.match(/^ExecStart=(.*)$/m);
  const [, ...args] = start.split(' ');
  const config = join(folder, 'signaling.toml');
  writeFileSync(config, ran(installed, ['--print-config']));
  const own = args.map((arg) => (arg.endsWith('.toml') ? config : arg));
  ran(installed, [...own, '--print-config']);
  const analyze = find('systemd-analyze');
  if (!analyze) return;
  // It looks whether the program is there.
  const path = join(folder, 'peer-group-signaling.service');
  writeFileSync(path, unit.replace(/^ExecStart=\S+/m, `ExecStart=${installed}`));
  const { stderr } = spawnSync(analyze, ['verify', '--recursive-errors=no', path], {
    encoding: 'utf8',
  });
  const about = stderr.split('\n').filter((line) => line.includes('peer-group-signaling.service'));
  assert.deepEqual(about, []);
});

test('the image is built from what it needs, by the command that was tried, and starts as it may', () => {
  const project = join(folder, 'project');
  mkdirSync(project);
  const copied = all('COPY').filter((rest) => !rest.startsWith('--from'));
  for (const rest of copied) {
    const names = rest.split(' ').slice(0, -1);
    for (const name of names) {
      assert.ok(existsSync(join(ROOT, name)), `${name} is not there to be copied`);
      const isOurs = (path) => !/\/(target|node_modules)$/.test(path);
      cpSync(join(ROOT, name), join(project, name), { recursive: true, filter: isOurs });
    }
  }
  // All members of the workspace are there, and the lock file is right for them.
  const metadata = ran(
    'cargo',
    ['metadata', '--locked', '--offline', '--no-deps', '--format-version', '1'],
    project,
  );
  assert.ok(JSON.parse(metadata).packages.some(({ name }) => name === 'peer-group-signaling'));
  const [build] = all('RUN');
  assert.equal(build, 'cargo install --locked --path signaling --root /built');
  const [, wanted] = read('Cargo.toml').match(/^rust-version = "([\d.]+)"/m);
  const [from, runs] = all('FROM');
  assert.ok(from.startsWith(`rust:${wanted}-`), `${from} is not Rust ${wanted}`);
  // Built against one C library and run with an older one, it would not start.
  const debian = /bookworm/;
  assert.ok(debian.test(from) && debian.test(runs));
  const [program, ...args] = ['ENTRYPOINT', 'CMD'].flatMap((name) => JSON.parse(all(name)[0]));
  assert.ok(
    all('COPY').some((rest) => rest === `--from=build /built/bin/peer-group-signaling ${program}`),
  );
  const config = ran(installed, [...args, '--print-config']);
  const [, port] = config.match(/^listen = "[^"]*:(\d+)"/m);
  assert.ok(all('EXPOSE')[0].includes(`${port}/tcp`) && all('EXPOSE')[0].includes(`${port}/udp`));
});
