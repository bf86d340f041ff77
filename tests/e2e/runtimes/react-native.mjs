// The client as Metro bundles it, with the globals that React Native has, and without those that only browsers and
// Node.js have: no document, no location, no addEventListener, no crypto. React Native itself is not run.

import { createContext, runInContext } from 'node:vm';

import { build } from 'esbuild';
import { WebSocket } from 'ws';

const { outputFiles } = await build({
  entryPoints: ['client.mjs'],
  bundle: true,
  write: false,
  format: 'iife',
  globalName: 'client',
  conditions: ['react-native', 'browser'],
  mainFields: ['react-native', 'browser', 'module', 'main'],
  logLevel: 'error',
});
const globals = {
  setTimeout: (act, ms) => Number(setTimeout(act, ms)),
  clearTimeout,
  setInterval: (act, ms) => Number(setInterval(act, ms)),
  clearInterval,
  setImmediate,
  clearImmediate,
  queueMicrotask,
  console,
  fetch,
  navigator: { product: 'ReactNative' },
  performance: { now: () => performance.now() },
  WebSocket,
};
const context = createContext(Object.assign(globals, { window: globals, self: globals, global: globals }));
runInContext(outputFiles[0].text, context);
const { run } = runInContext('client', context);
await run({ ...JSON.parse(process.argv[2]), print: console.log });
