// Other signaling servers, to be measured beside ours: installed into a folder of the benchmark's
// own, so that the project does not depend on them.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { once } from './stamp.mjs';
import { ROOT, run } from './talk.mjs';

const FOLDER = 'target/rivals';
const NPM = { peer: '1.0.2', 'y-webrtc': '10.3.0', 'bittorrent-tracker': '11.2.3' };
/** Its own program wants a native library for its clients, which is not built here. */
const TRACKER = `import Server from 'bittorrent-tracker/server';
const server = new Server({ http: false, udp: false, ws: true, stats: false });
server.listen(Number(process.env.PORT), '127.0.0.1');
`;
/** The program around the library `matchbox_signaling`. */
const CRATE = ['matchbox_server', '0.15.0'];

/** Installs them where they are missing; their folder. */
export async function bringRivals() {
  const step = {
    inputs: ['xtask/run/rivals.mjs'],
    outputs: [`${FOLDER}/npm/node_modules/peer`, `${FOLDER}/cargo/bin/${CRATE[0]}`],
    doing: `installing other signaling servers into ${FOLDER} (some two minutes)`,
  };
  const folder = join(ROOT, FOLDER);
  await once('rivals', step, async () => {
    mkdirSync(join(folder, 'npm'), { recursive: true });
    const manifest = { private: true, dependencies: NPM };
    writeFileSync(join(folder, 'npm/package.json'), JSON.stringify(manifest));
    writeFileSync(join(folder, 'npm/tracker.mjs'), TRACKER);
    const quiet = ['--ignore-scripts', '--omit=optional', '--no-audit', '--no-fund'];
    await run('npm', ['install', '--prefix', join(folder, 'npm'), ...quiet, '--loglevel=error']);
    const [name, version] = CRATE;
    const where = ['--root', join(folder, 'cargo'), '--target-dir', join(folder, 'build')];
    await run('cargo', ['install', '--locked', '--quiet', ...where, name, '--version', version]);
  });
  return folder;
}
