// `npm run size`: what a page downloads, raw and compressed, before and after wasm-opt.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { buildPackage, PACKAGE } from './build.mjs';
import { ROOT } from './talk.mjs';

/** The third column is the target the project set itself: bytes in the named compression. */
const ROWS = [
  ['wasm before wasm-opt', 'js/src/generated/peer_group_before_opt.wasm'],
  ['wasm', `${PACKAGE}/peer_group_bg.wasm`, { brotli: 100 * 1024 }],
  ['JavaScript', `${PACKAGE}/index.js`, { gzip: 25 * 1024 }],
];

export async function size() {
  await buildPackage();
  const format = (cells) =>
    `${cells[0].padEnd(24)}${cells
      .slice(1)
      .map((cell) => `${cell}`.padStart(12))
      .join('')}`;
  const lines = [format(['', 'raw', 'gzip -9', 'brotli -11', 'target'])];
  const over = [];
  for (const [name, path, limits = {}] of ROWS) {
    const bytes = readFileSync(join(ROOT, path));
    const sizes = {
      raw: bytes.length,
      gzip: gzipSync(bytes, { level: 9 }).length,
      brotli: brotli(bytes),
    };
    const [[kind, limit] = []] = Object.entries(limits);
    if (kind && sizes[kind] > limit) {
      over.push(`${name} is ${(sizes[kind] / limit).toFixed(2)} times its target`);
    }
    lines.push(
      format([name, sizes.raw, sizes.gzip, sizes.brotli, kind ? `${limit} ${kind[0]}` : '']),
    );
  }
  process.stdout.write(`${[...lines, ...over].join('\n')}\n`);
  return 0;
}

function brotli(bytes) {
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: 11,
    [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
  };
  return brotliCompressSync(bytes, { params }).length;
}
