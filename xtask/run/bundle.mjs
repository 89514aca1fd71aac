// What esbuild makes: the one file of the npm package, and the demo's page.

import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as esbuild from 'esbuild';
import { ROOT, Stop } from './talk.mjs';

const COMMON = {
  absWorkingDir: ROOT,
  bundle: true,
  format: 'esm',
  target: 'es2022',
  sourcemap: true,
  legalComments: 'none',
  logLevel: 'warning',
};

const GLUE = { format: 'esm', target: COMMON.target, minify: true, sourcemap: 'inline' };

/** esbuild prints what is wrong and where; its exception adds nothing. */
async function build(options) {
  await esbuild.build({ ...COMMON, ...options }).catch(() => {
    throw new Stop(
      `bundling ${options.outfile ?? options.outdir} failed; esbuild's words are above`,
    );
  });
}

/**
 * js/src with the glue of one wasm build. Our own names stay readable in a user's stack traces.
 * `hooks`: functions of the glue that are exported too, for tests.
 */
export async function bundlePackage(generated, folder, hooks = []) {
  const glue = './js/src/generated/peer_group.js';
  const lines = ["export * from './js/src/index.ts';"];
  if (hooks.length > 0) lines.push(`export { ${hooks} } from '${glue}';`);
  await build({
    stdin: { contents: lines.join('\n'), resolveDir: ROOT, sourcefile: 'package.js' },
    outfile: `${folder}/index.js`,
    platform: 'neutral',
    minifyWhitespace: true,
    minifySyntax: true,
    plugins: [glueFrom(generated)],
  });
}

/** www/ bundled like a page of any user of the package; the wasm file lies beside the script. */
export async function bundleDemo(packageFolder, folder) {
  const out = join(ROOT, folder);
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  for (const name of readdirSync(join(ROOT, 'www'))) {
    if (name !== 'src' && name !== 'dist')
      cpSync(join(ROOT, 'www', name), join(out, name), { recursive: true });
  }
  await build({
    entryPoints: ['www/src/main.ts'],
    outdir: folder,
    platform: 'browser',
    minify: true,
    alias: { 'peer-group': `./${packageFolder}/index.js` },
  });
  cpSync(join(ROOT, packageFolder, 'peer_group_bg.wasm'), join(out, 'peer_group_bg.wasm'));
}

/**
 * Takes wasm-bindgen's glue from `folder`, with short names: it is long, and nobody
 * reads it in a stack trace.
 */
function glueFrom(folder) {
  return {
    name: 'glue',
    setup(builder) {
      builder.onLoad({ filter: /[\\/]peer_group\.js$/ }, async ({ path }) => {
        const { code } = await esbuild.transform(readFileSync(path, 'utf8'), {
          ...GLUE,
          sourcefile: path,
        });
        return { contents: code, loader: 'js' };
      });
      builder.onResolve({ filter: /generated\/peer_group\.js$/ }, () => ({
        path: join(ROOT, folder, 'peer_group.js'),
      }));
    },
  };
}
