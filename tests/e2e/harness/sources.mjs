// The packages of this repository, from their TypeScript sources, so that no suite needs a build.

import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

/** Loads a package that depends on Node.js alone: `server` for `clients/server`. */
export async function loadPackage(name) {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`../../../clients/${name}/src/index.ts`, import.meta.url))],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].text).toString('base64')}`);
}
