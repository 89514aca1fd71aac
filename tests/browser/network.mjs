// Gives a test file a network of its own, so that its traffic stays on this machine.
//
// Browsers gather no candidate without an interface that has a default route, and a namespace with
// one behaves like a machine on a network where nobody else is. The namespace has no name: the
// kernel takes it away with its last process, however that ends.

import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const INSIDE = 'PEER_GROUP_OWN_NETWORK';

/**
 * Set up inside: two ends of one cable; one end has the address and the way out. No end makes IPv6
 * addresses of its own: they would come two seconds later, and Chromium breaks off what it loads when
 * the network changes.
 */
const CABLE = `
PATH="$PATH:/usr/sbin:/sbin"
ip link set lo up &&
ip link add cable0 type veth peer name cable1 &&
ip link set cable0 addrgenmode none && ip link set cable1 addrgenmode none &&
ip addr add 10.77.0.1/24 dev cable0 &&
ip link set cable0 up && ip link set cable1 up &&
ip route add default via 10.77.0.2 dev cable0`;

/** How to get a namespace: as root, or as anybody where the system lets users have their own. */
const WAYS = [
  ['unshare', '--net'],
  ['unshare', '--user', '--map-root-user', '--net'],
];

/**
 * Runs the calling test file in a network of its own: returns inside of it. Outside it starts the
 * file anew, waits for it and ends this process with its result. Where no namespace may be made it
 * says so and returns in the plain network.
 */
export async function ownNetwork(moduleUrl) {
  if (process.env[INSIDE] !== undefined) return;
  const way = process.platform === 'linux' ? WAYS.find(works) : undefined;
  if (way === undefined) {
    process.env[INSIDE] = 'no';
    process.stderr.write(
      'No network namespace may be made here: these tests run in the plain network.\n',
    );
    return;
  }
  const script = `${CABLE} && exec "$0" "$@"`;
  const [program, ...args] = [...way, 'sh', '-c', script, process.execPath, ...process.execArgv];
  const file = fileURLToPath(moduleUrl);
  const child = spawn(program, [...args, file], {
    stdio: 'inherit',
    env: { ...process.env, [INSIDE]: 'yes' },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => child.kill(signal));
  const code = await new Promise((resolve) => {
    child.on('error', () => resolve(1));
    child.on('exit', (status) => resolve(status ?? 1));
  });
  process.exit(code);
}

/** Whether this is a network of our own, with what drops packets. */
export function canDropUdp() {
  return process.env[INSIDE] === 'yes' && nft('list ruleset').status === 0;
}

/** From now on no UDP arrives anywhere in this network, and nothing over TCP at that port, if any. */
export function dropUdp(port) {
  const tcp = port === undefined ? '' : `; tcp dport ${port} reject with tcp reset`;
  const rules = `table inet peer_group { chain input {
    type filter hook input priority 0; meta l4proto udp counter drop${tcp}
  }; }`;
  const { status, stderr } = nft('-f -', rules);
  if (status !== 0) throw new Error(`nft: ${stderr}`);
}

/** How many packets that took. */
export function droppedUdp() {
  const { stdout } = nft('list table inet peer_group');
  return Number(/counter packets (\d+)/.exec(stdout)?.[1]);
}

function nft(args, input = '') {
  const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;
  const env = { ...process.env, PATH };
  return spawnSync('nft', args.split(' '), { env, input, encoding: 'utf8', timeout: 10_000 });
}

function works([program, ...args]) {
  const { status } = spawnSync(program, [...args, 'sh', '-c', CABLE], {
    stdio: 'ignore',
    timeout: 10_000,
  });
  return status === 0;
}
