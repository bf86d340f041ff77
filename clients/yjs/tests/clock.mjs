// A clock that only tests move, and the modules that take their time from it.

import { mock } from 'node:test';

// lib0 takes `Date.now` when it is loaded, so the modules follow the clock.
mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1_700_000_000_000 });

export const Y = await import('yjs');
export const { Awareness } = await import('y-protocols/awareness');
export const { RollcallProvider, socketIoChannel } = await import('../dist/index.js');

const STEP_MS = 10;

/** Lets everything happen that needs no time. */
export const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Lets time pass. */
export async function pass(ms, stepMs = STEP_MS) {
  await settle();
  for (let left = ms; left > 0; left -= stepMs) {
    mock.timers.tick(Math.min(stepMs, left));
    await settle();
  }
}

/** Lets time pass until something is so. */
export async function passUntil(isSo, what, limitMs = 120_000, stepMs = STEP_MS) {
  for (let passed = 0; passed <= limitMs; passed += stepMs) {
    if (isSo()) return;
    await pass(stepMs, stepMs);
  }
  throw new Error(`not within ${limitMs} ms: ${what}`);
}
