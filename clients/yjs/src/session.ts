// The time from one `connect` to the end of its connection.

import type { Ack, Channel } from './channel.js';
import { NO_ACK } from './codes.js';

/** How long the provider waits for an ack. */
const ACK_LIMIT_MS = 10_000;

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

/** What a wait may wait for. */
export type Reason = 'changes' | 'presence' | 'unmuted';

/** Requests and waits that end together. After the end, none of them resolves to anything but its end. */
export class Session {
  isOver = false;
  readonly #channel: Channel;
  /** Ends each wait. */
  readonly #waits = new Map<() => void, Reason | undefined>();

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  end(): void {
    this.isOver = true;
    for (const stop of [...this.#waits.keys()]) stop();
  }

  /** Ends the waits for this reason. */
  notify(reason: Reason): void {
    for (const [stop, waitsFor] of [...this.#waits]) if (waitsFor === reason) stop();
  }

  /** Waits for the reason, the time or the end of the session, whichever comes first. */
  wait(ms: number | undefined, reason?: Reason): Promise<void> {
    return new Promise((resolve) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const stop = () => {
        clearTimeout(timer);
        this.#waits.delete(stop);
        resolve();
      };
      if (ms !== undefined) timer = setTimeout(stop, ms);
      this.#waits.set(stop, reason);
      if (this.isOver) stop();
    });
  }

  /** Sends a request. Returns its ack, or a refusal if none came in time. */
  request(event: string, payload: object): Promise<Ack> {
    const lost = (message: string): Ack => ({ success: false, code: NO_ACK, message });
    return new Promise((resolve) => {
      const settle = (ack: Ack) => {
        this.#waits.delete(stop);
        clearTimeout(timer);
        resolve(ack);
      };
      const stop = () => settle(lost('The connection has ended.'));
      const timer = setTimeout(() => settle(lost(`No ack of ${event} came in time.`)), ACK_LIMIT_MS);
      this.#waits.set(stop, undefined);
      this.#channel.request(event, payload).then(settle, (error) => settle(lost(String(error))));
    });
  }
}

/** Growing pauses between attempts, with jitter. */
export class Backoff {
  #failures = 0;

  reset(): void {
    this.#failures = 0;
  }

  /** The pause after one more failure. */
  next(): number {
    const longest = Math.min(FIRST_PAUSE_MS * 2 ** this.#failures, LONGEST_PAUSE_MS);
    this.#failures += 1;
    return longest * (0.5 + Math.random() / 2);
  }
}

/** Spaces requests: the first one at once, each further one this long after the previous one. */
export class Pace {
  readonly #everyMs: number;
  #next = 0;

  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  /** How long the next request has to wait. */
  get delay(): number {
    // A clock that was set back must not stop requests.
    return Math.min(Math.max(this.#next - Date.now(), 0), this.#everyMs);
  }

  /** A request goes out now. */
  passed(): void {
    this.#next = Date.now() + this.#everyMs;
  }
}
