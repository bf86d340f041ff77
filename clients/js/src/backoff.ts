// Growing pauses between attempts, with jitter.

const FIRST_MS = 500;
const LONGEST_MS = 30_000;
/** Who sent too much waits for longer. */
const FIRST_LIMITED_MS = 2000;

export class Backoff {
  #failures = 0;

  reset(): void {
    this.#failures = 0;
  }

  /** The pause after one more failure with this code. */
  next(code?: string, leastMs = 0): number {
    const first = code === 'RATE_LIMITED' || code === 'TOO_MANY_FROM_ADDRESS' ? FIRST_LIMITED_MS : FIRST_MS;
    const longest = Math.min(first * 2 ** this.#failures, LONGEST_MS);
    this.#failures += 1;
    return Math.max(leastMs, longest / 2) + (Math.random() * longest) / 2;
  }
}
