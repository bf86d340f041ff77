// A module of a page, for tests in Node.js.

import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

/** Bundles TypeScript, whose imports are relative to `src`, and imports the result. */
export async function load(contents) {
  const bundle = await build({
    stdin: { contents, resolveDir: fileURLToPath(new URL('../src', import.meta.url)), loader: 'ts' },
    bundle: true,
    format: 'esm',
    write: false,
  });
  return import(`data:text/javascript;base64,${Buffer.from(bundle.outputFiles[0].contents).toString('base64')}`);
}
