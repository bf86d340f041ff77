// Waiting for something to happen, always with an end. Nothing in these suites sleeps and hopes.

import { setTimeout as sleep } from 'node:timers/promises';

/** How long anything may take that is not meant to take long. Generous: only failures use it up. */
export const LIMIT_MS = 10_000;

const POLL_MS = 20;

/** Settles as the promise does, or fails when that takes too long. */
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

/** Asks again and again until the answer is truthy, and returns it. */
export async function until(ask, what, limitMs = LIMIT_MS) {
  const end = performance.now() + limitMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`);
    await sleep(POLL_MS);
  }
}
