// Waits with time limits. No suite sleeps instead of waiting for an event.

import { setTimeout as sleep } from 'node:timers/promises';

/** The default time limit. It is generous, because only failures reach it. */
export const LIMIT_MS = 30_000;

/** The time limit of starting and stopping processes. A bridge compiles the components when it starts. */
export const PROCESS_LIMIT_MS = 180_000;

const POLL_MS = 20;

/** Waits for a promise; fails after the time limit. */
export async function within(promise, what, limitMs = LIMIT_MS) {
  const abort = new AbortController();
  const limit = sleep(limitMs, undefined, { signal: abort.signal }).then(
    () => {
      throw new Error(`not within ${limitMs} ms: ${typeof what === 'function' ? what() : what}`);
    },
    () => {},
  );
  try {
    return await Promise.race([promise, limit]);
  } finally {
    abort.abort();
  }
}

/** Calls a function until its result is truthy, and returns that result. */
export async function until(ask, what, limitMs = LIMIT_MS) {
  const end = performance.now() + limitMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (performance.now() > end) {
      throw new Error(`not within ${limitMs} ms: ${typeof what === 'function' ? what() : what}`);
    }
    await sleep(POLL_MS);
  }
}
