// The server's clock, as far as messages tell.

/** How far the server's clock is ahead of the local one. */
export interface Clock {
  /** In milliseconds. */
  readonly offsetMs: number;
  /** How far off `offsetMs` is at most, unless a clock has been set since. `Infinity` before the first message. */
  readonly errorMs: number;
}

export const UNKNOWN_CLOCK: Clock = { offsetMs: 0, errorMs: Number.POSITIVE_INFINITY };

/** The server's time at a local time. */
export const serverNow = ({ offsetMs }: Clock, localNow: number = Date.now()): number => localNow + offsetMs;

/**
 * Narrows the offset by each message. The server reads its clock after a request was sent and before the ack arrives, so
 * each ack gives a range, and an event gives its lower end. The offset lies in all ranges. The ack with the shortest
 * round trip narrows most.
 */
export class ClockEstimate {
  #least = Number.NEGATIVE_INFINITY;
  #greatest = Number.POSITIVE_INFINITY;
  #clock = UNKNOWN_CLOCK;

  get clock(): Clock {
    return this.#clock;
  }

  /** A message with the server's time has arrived. `sentAt` is when its request was sent; none for an event. */
  heard(now: number, receivedAt: number, sentAt?: number): void {
    const least = now - receivedAt;
    const greatest = sentAt === undefined ? Number.POSITIVE_INFINITY : now - sentAt;
    if (least > this.#greatest || greatest < this.#least) {
      // A clock has been set, or runs wrong.
      [this.#least, this.#greatest] = [least, greatest];
    } else {
      this.#least = Math.max(this.#least, least);
      this.#greatest = Math.min(this.#greatest, greatest);
    }
    this.#publish();
  }

  /** Moves the clock only if it is wrong, or becomes much better: whoever shows it would show each move. */
  #publish(): void {
    const { offsetMs, errorMs } = this.#clock;
    const isWrong = offsetMs < this.#least || offsetMs > this.#greatest;
    const width = this.#greatest - this.#least;
    if (!isWrong && !(width / 2 < errorMs / 2)) return;
    if (Number.isFinite(width)) {
      this.#clock = { offsetMs: Math.round((this.#least + this.#greatest) / 2), errorMs: Math.ceil(width / 2) };
    } else if (isWrong) {
      this.#clock = { offsetMs: this.#least, errorMs };
    }
  }
}
