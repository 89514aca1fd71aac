// What this machine is and has: programs on PATH, Debian or not, root or not.

import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { attempt, Stop, say } from './talk.mjs';

/** The full path of the first of `names` that is installed. */
export function find(...names) {
  // Debian keeps `ip` and `nft` where only root's PATH looks.
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  for (const name of names) {
    const places = isAbsolute(name) ? [name] : folders.map((folder) => join(folder, name));
    for (const place of places) if (executable(place)) return place;
  }
  return undefined;
}

function executable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export function isDebian() {
  if (!existsSync('/etc/os-release')) return false;
  return (
    /^ID=debian$/m.test(readFileSync('/etc/os-release', 'utf8')) && find('apt-get') !== undefined
  );
}

/** Installs Debian packages, as root or with sudo. */
export async function apt(packages) {
  const isRoot = process.getuid?.() === 0;
  const byHand = `apt-get install -y --no-install-recommends ${packages.join(' ')}`;
  if (!isRoot && !find('sudo')) {
    throw new Stop(
      `Debian's packages ${packages.join(', ')} are missing`,
      `Install them as root: ${byHand}`,
    );
  }
  const asRoot = (args) =>
    isRoot
      ? attempt('apt-get', args, { env: QUIET })
      : attempt('sudo', ['DEBIAN_FRONTEND=noninteractive', 'apt-get', ...args]);
  const install = [
    '-q',
    '-o',
    'DPkg::Lock::Timeout=300',
    'install',
    '-y',
    '--no-install-recommends',
    ...packages,
  ];
  say(`installing Debian's ${packages.join(', ')} (about a minute) ...`);
  await asRoot(['-q', '-o', 'DPkg::Lock::Timeout=300', 'update']);
  const { code } = await asRoot(install);
  if (code !== 0)
    throw new Stop('apt-get failed; its words are above', `Install by hand: ${byHand}`);
}

const QUIET = { DEBIAN_FRONTEND: 'noninteractive' };
