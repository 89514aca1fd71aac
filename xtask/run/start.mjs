// `npm start`: builds the demo and the rendezvous server, and serves both until stopped.

import { spawn } from 'node:child_process';
import { once as happens } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { buildDemo, buildServer, DEMO } from './build.mjs';
import { ROOT, Stop, say } from './talk.mjs';

const HOST = '127.0.0.1';
const FIRST_PORT = 8080;

/** `args` go to the server; `--listen` there, or PORT, decides the address. */
export async function start(args) {
  const given = listenOption(args);
  const address = given ?? `${HOST}:${await freePort()}`;
  await buildDemo();
  const program = await buildServer();
  const all = ['--www', DEMO, ...(given ? [] : ['--listen', address]), ...args];
  const server = spawn(program, all, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => server.kill(signal));
  const ended = happens(server, 'exit');
  if (await answers(address, server))
    say(`open http://${address}/ in two windows. Ctrl-C ends it.`);
  const [code, signal] = await ended;
  return code ?? (signal === 'SIGINT' || signal === 'SIGTERM' ? 0 : 1);
}

function listenOption(args) {
  const at = args.indexOf('--listen');
  return at >= 0
    ? args[at + 1]
    : args.find((arg) => arg.startsWith('--listen='))?.slice('--listen='.length);
}

async function freePort() {
  const wanted = process.env.PORT;
  if (wanted !== undefined) {
    if (!/^\d{1,5}$/.test(wanted))
      throw new Stop(`PORT is "${wanted}", which is not a port number`);
    if (!(await isFree(Number(wanted))))
      throw new Stop(`port ${wanted} is taken`, 'Set PORT to another one.');
    return Number(wanted);
  }
  for (let port = FIRST_PORT; port < FIRST_PORT + 20; port += 1) {
    if (await isFree(port)) return port;
    say(`port ${port} is taken, trying ${port + 1}`);
  }
  throw new Stop('no free port found', 'Set PORT to a free one.');
}

function isFree(port) {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, HOST, () => probe.close(() => resolve(true)));
  });
}

/** Waits until the server takes a connection; false when it ended first. */
async function answers(address, server) {
  const [, host, port] = address.match(/^\[?(.*?)\]?:(\d+)$/) ?? [];
  if (port === undefined || port === '0') return false;
  while (server.exitCode === null && server.signalCode === null) {
    const taken = await new Promise((resolve) => {
      const socket = connect(Number(port), host === '0.0.0.0' ? HOST : host);
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (taken) return true;
    await pause(50);
  }
  return false;
}
