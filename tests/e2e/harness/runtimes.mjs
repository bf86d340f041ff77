// Runtimes of JavaScript, beside browsers: how each runs a program of `../runtimes`.

import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** The binary for this machine, which npm installs as one of the optional packages that `name` lists. */
function binaryOf(name, file) {
  for (const candidate of Object.keys(require(`${name}/package.json`).optionalDependencies)) {
    try {
      return require.resolve(`${candidate}/${file}`);
    } catch {
      // It is for another machine.
    }
  }
  throw new Error(`npm has installed no ${name} for this machine`);
}

export const RUNTIMES = {
  'Node.js': [process.execPath, 'main.mjs'],
  Deno: [
    binaryOf('deno', 'deno'),
    'run',
    '--quiet',
    '--no-remote',
    '--node-modules-dir=manual',
    '--allow-all',
    'main.mjs',
  ],
  Bun: [binaryOf('bun', 'bin/bun'), '--no-install', 'main.mjs'],
  'the globals of React Native': [process.execPath, 'react-native.mjs'],
};
