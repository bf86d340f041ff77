// What the package is: its size, and its files.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';

import { build } from 'esbuild';

const FOLDER = fileURLToPath(new URL('..', import.meta.url));
const LIMIT_BYTES = 10_000;

async function bundle(contents) {
  const options = { bundle: true, minify: true, format: 'esm', target: 'es2022', write: false };
  const { outputFiles, metafile } = await build({
    ...options,
    metafile: true,
    stdin: { contents, resolveDir: FOLDER },
  });
  return { bytes: gzipSync(outputFiles[0].contents, { level: 9 }).length, inputs: Object.keys(metafile.inputs) };
}

test('the client has less than 10 KB when minified and compressed, without its transports', async () => {
  const names = Object.keys(await import('../dist/index.js')).filter((name) => name !== 'webSocket');
  const { bytes } = await bundle(`export { ${names} } from './dist/index.js';`);
  assert.ok(bytes < LIMIT_BYTES, `${bytes} bytes`);
});

test('a bundle leaves out what an application does not import, and needs no other package', async () => {
  const { bytes, inputs } = await bundle("export { timerAt } from './dist/index.js';");
  assert.ok(bytes < 1000, `${bytes} bytes`);
  assert.deepEqual(
    inputs.filter((path) => path.includes('node_modules')),
    [],
  );
});

test('the published package holds the compiled sources, their types, and what people read', async () => {
  const pack = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const { stdout } = await promisify(execFile)('npm', pack, { cwd: FOLDER });
  const [{ files }] = JSON.parse(stdout);
  const paths = files.map(({ path }) => path);
  const others = paths.filter((path) => !/^dist\/[a-z-]+\.(js|d\.ts)$/.test(path));
  assert.deepEqual(others.sort(), ['README.md', 'package.json']);
  for (const path of [
    'dist/index.js',
    'dist/index.d.ts',
    'dist/socket-io.js',
    'dist/socket-io.d.ts',
    'dist/protocol.d.ts',
  ]) {
    assert.ok(paths.includes(path), path);
  }
});
