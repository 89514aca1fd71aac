// Loading the engine: once, on first use; counted by init() and shutdown().

import { invalidArgument, PeerError } from './errors.js';
import start, { initSync, protocol, version } from './generated/peer_group.js';
import { EngineHost } from './host.js';

/** Where the engine's wasm file comes from. */
export type WasmSource = URL | Request | Response | BufferSource | WebAssembly.Module;

/** What is running. */
export interface VersionInfo {
  readonly version: string;
  /** Nodes of one protocol version understand each other. */
  readonly protocol: number;
}

let loading: Promise<void> | undefined;
let isLoaded = false;
let host: EngineHost | undefined;
let uses = 0;

/** Loads the engine. Optional (the first async call does it), idempotent, reference counted.
 *  PeerGroupStartup / PeerGraphStartup. */
export async function init(source?: WasmSource): Promise<VersionInfo> {
  uses += 1;
  try {
    const loaded = await engine(source);
    loaded.call(() => undefined);
  } catch (error) {
    uses -= 1;
    throw error;
  }
  return { version: version(), protocol: protocol() };
}

/** Undoes one init(); the last one closes every handle. PeerGroupShutdown / PeerGraphShutdown. */
export async function shutdown(): Promise<void> {
  uses = Math.max(0, uses - 1);
  // An engine that had a fault stays: this page has no other.
  if (uses > 0 || host?.isFaulty) return;
  const ending = host;
  host = undefined;
  await ending?.shutdown();
}

/** The engine, loaded and started when it is not. */
export async function engine(source?: WasmSource): Promise<EngineHost> {
  if (!isLoaded) {
    loading ??= load(source).finally(() => {
      loading = undefined;
    });
    await loading;
  }
  host ??= new EngineHost();
  return host;
}

/** Whether calls that cannot wait may be made. */
export function requireLoaded(call: string): EngineHost {
  if (!isLoaded)
    throw new PeerError('not-initialized', `${call} does not wait: await init() first`);
  host ??= new EngineHost();
  return host;
}

async function load(source: WasmSource | undefined): Promise<void> {
  if (typeof WebAssembly !== 'object')
    throw new PeerError('unsupported-platform', 'there is no WebAssembly here');
  if (source !== undefined && (typeof source !== 'object' || source === null))
    throw invalidArgument('init: a URL, Request, Response, bytes or a WebAssembly.Module');
  const from = source ?? new URL('./peer_group_bg.wasm', import.meta.url);
  try {
    if (from instanceof WebAssembly.Module) initSync({ module: from });
    else await start({ module_or_path: isFile(from) ? await readFile(from) : from });
  } catch (error) {
    throw unloadable(error, from);
  }
  isLoaded = true;
}

/** In Node the package lies on disk, where fetch() does not go. */
function isFile(source: WasmSource): source is URL {
  return source instanceof URL && source.protocol === 'file:' && 'process' in globalThis;
}

async function readFile(url: URL): Promise<BufferSource> {
  const files: { readFile(url: URL): Promise<Uint8Array<ArrayBuffer>> } =
    await nodeModule('node:fs/promises');
  return files.readFile(url);
}

/** Bundlers for browsers must not look for it. */
function nodeModule(name: string) {
  return import(/* webpackIgnore: true */ /* @vite-ignore */ name);
}

function unloadable(error: unknown, from: WasmSource): PeerError {
  const reason = error instanceof Error ? error.message : String(error);
  // A content security policy without 'wasm-unsafe-eval' says so in a CompileError.
  if (error instanceof WebAssembly.CompileError)
    return new PeerError('unsupported-platform', `this page cannot run the engine: ${reason}`);
  const where = from instanceof URL ? from.href : 'the given source';
  return new PeerError('not-initialized', `cannot load the engine from ${where}: ${reason}`);
}
