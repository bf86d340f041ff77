// A clock that jumps from one timer to the next. It replaces the global timers and `Date.now` until it is removed.

import { setImmediate } from 'node:timers/promises';

const REAL = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout, now: Date.now };

export class Clock {
  /** The true time. */
  now = 1_700_000_000_000;
  #timers = [];
  #lastId = 0;

  /** `aheadMs`: how far `Date.now` is ahead of the true time. */
  constructor(aheadMs = 0) {
    this.aheadMs = aheadMs;
  }

  install() {
    globalThis.setTimeout = (act, ms = 0) => this.after(ms, act);
    globalThis.clearTimeout = (timer) => this.cancel(timer);
    Date.now = () => this.now + this.aheadMs;
  }

  remove() {
    Object.assign(globalThis, { setTimeout: REAL.setTimeout, clearTimeout: REAL.clearTimeout });
    Date.now = REAL.now;
  }

  after(ms, act) {
    this.#lastId += 1;
    const timer = { at: this.now + Math.max(Math.ceil(ms), 0), id: this.#lastId, act };
    // From behind: most timers are later than most others.
    let index = this.#timers.length;
    while (index > 0 && this.#timers[index - 1].at > timer.at) index -= 1;
    this.#timers.splice(index, 0, timer);
    return timer;
  }

  cancel(timer) {
    const index = this.#timers.indexOf(timer);
    if (index >= 0) this.#timers.splice(index, 1);
  }

  /** Lets so much time pass. */
  async pass(ms) {
    const end = this.now + ms;
    await setImmediate();
    while (this.#timers[0]?.at <= end) {
      const { at, act } = this.#timers.shift();
      this.now = Math.max(this.now, at);
      act();
      await setImmediate();
    }
    this.now = end;
  }

  /** Lets time pass until something is so. */
  async passUntil(isSo, what, limitMs = 300_000) {
    for (const end = this.now + limitMs; !isSo(); ) {
      if (this.now > end) throw new Error(`not within ${limitMs} ms: ${typeof what === 'function' ? what() : what}`);
      await this.pass(Math.max((this.#timers[0]?.at ?? end) - this.now, 1));
    }
  }
}
