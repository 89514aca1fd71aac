// Runs one benchmark natively, as wasm and beside its rivals, and prints the figures side by side:
// node run.mjs NAME PROGRAM MODULE, all of which `npm run bench` knows.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const [name, program, module] = process.argv.slice(2);
const table = print(native(), await wasm(), await rivals());
process.stdout.write(`${table}\n`);

function native() {
  const { status, stdout } = spawnSync(program, [name], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error(`${program} ${name} failed`);
  const lines = stdout.trim().split('\n');
  return lines.map((line) => JSON.parse(line));
}

async function wasm() {
  const { default: start, runBenchmark } = await import(pathToFileURL(module));
  await start({ module_or_path: readFileSync(module.replace(/\.js$/, '_bg.wasm')) });
  const figures = [];
  const there = runBenchmark(name, (what, value, unit) => figures.push({ what, value, unit }));
  if (!there) throw new Error(`${module} has no benchmark "${name}"`);
  return figures;
}

async function rivals() {
  const file = join(dirname(fileURLToPath(import.meta.url)), `${name}.mjs`);
  return existsSync(file) ? (await import(pathToFileURL(file))).rivals() : [];
}

function print(native, wasm, rivals) {
  const rows = [
    ['', 'unit', 'native', 'wasm', 'wasm/native', ...rivals.map(({ what }) => `/ ${what}`)],
  ];
  for (const { what, value, unit } of native) {
    const other = wasm.find((figure) => figure.what === what)?.value;
    const ratios = rivals.map((rival) => (rival.unit === unit ? times(other, rival.value) : ''));
    rows.push([what, unit, figure(value), figure(other), times(other, value), ...ratios]);
  }
  for (const { what, value, unit } of rivals) rows.push([what, unit, figure(value)]);
  const widths = rows[0].map((_, at) => Math.max(...rows.map((row) => (row[at] ?? '').length)));
  const line = (row) =>
    row
      .map((cell, at) => (at < 2 ? cell.padEnd(widths[at]) : cell.padStart(widths[at])))
      .join('  ')
      .trimEnd();
  return rows.map(line).join('\n');
}

function figure(value) {
  if (value === undefined) return '';
  return value >= 100 ? `${Math.round(value)}` : `${Number(value.toPrecision(3))}`;
}

function times(value, of) {
  return value === undefined ? '' : (value / of).toFixed(2);
}
