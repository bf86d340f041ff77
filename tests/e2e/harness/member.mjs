// The base of all clients: an ordered log of events and acks, and ways to wait for the next ones.

import assert from 'node:assert/strict';

import { LIMIT_MS, within } from './wait.mjs';

export class Member {
  /** All events in order: {event, data}. */
  log = [];
  /** The client's epoch and seq: from the ack of its join, then from each event. */
  position = null;
  /** Events whose sequence number did not follow the previous one. */
  gaps = [];
  /** Whether no snapshot has followed the last gap. */
  lacksSnapshot = false;
  #read = 0;
  #wake = new Set();
  #closing;

  constructor(user) {
    this.user = user;
    this.#closing = {};
    this.#closing.promise = new Promise((resolve) => (this.#closing.resolve = resolve));
  }

  /** Waits for the end of the connection; returns its reason. */
  get closed() {
    return within(this.#closing.promise, `the connection of ${this.user} is closed`);
  }

  /** For transports: waits for an ack; fails if the connection closes before. */
  answered(ack, what) {
    const lost = this.#closing.promise.then((how) => {
      throw new Error(`${this.user}: closed (${JSON.stringify(how)}) before ${what}`);
    });
    return within(Promise.race([ack, lost]), `${this.user} gets ${what}`);
  }

  /** For transports. */
  arrived(event, data) {
    this.log.push({ event, data });
    if (this.position && data?.seq !== undefined) {
      const { epoch, seq } = this.position;
      const first = data.firstSeq ?? data.seq;
      // A snapshot replaces everything before it.
      const isExpected = event === 'room:state' || (data.epoch === epoch && first === seq + 1);
      if (!isExpected) {
        this.gaps.push(`${event} at ${data.epoch}/${first} after ${epoch}/${seq}`);
      }
      // The bridge reads a room again of which it has missed events.
      this.lacksSnapshot = event === 'room:state' ? false : this.lacksSnapshot || !isExpected;
      this.position = { epoch: data.epoch, seq: data.seq };
    }
    for (const wake of [...this.#wake]) wake();
  }

  /** For transports. */
  ended(how) {
    this.#closing.resolve(how);
  }

  /** For transports: to be called for an ack before any later event. */
  acknowledged(event, ack) {
    if (event === 'room:join' && ack?.success) this.position = { epoch: ack.data.epoch, seq: ack.data.seq };
  }

  /** Waits for the next event of this name that fits; skips earlier events. Returns its data. */
  async next(event, fits = () => true, limitMs = LIMIT_MS) {
    let look;
    const found = new Promise((resolve) => {
      look = () => {
        while (this.#read < this.log.length) {
          const entry = this.log[this.#read];
          this.#read += 1;
          if (entry.event === event && fits(entry.data)) {
            // At once, because this call must not read later events.
            this.#wake.delete(look);
            return resolve(entry.data);
          }
        }
      };
      this.#wake.add(look);
      look();
    });
    try {
      return await within(found, () => `${this.user} gets ${event}; so far: ${JSON.stringify(this.log)}`, limitMs);
    } finally {
      this.#wake.delete(look);
    }
  }

  /** Proves that no event came since the last `next`: causes a later event and expects it to be the first one. */
  async assertNoEvents(doSomething, event, fits) {
    const from = this.#read;
    await doSomething();
    await this.next(event, fits);
    assert.deepEqual(this.log.slice(from, this.#read - 1), [], `${this.user} gets no other event`);
  }

  /** How many events of this name came so far. */
  count(event) {
    return this.log.filter((entry) => entry.event === event).length;
  }

  /** The names of all events so far. */
  get names() {
    return this.log.map((entry) => entry.event);
  }

  /** Options: resumeToken. */
  join(groupId, options = {}) {
    return this.request('room:join', { groupId, ...options });
  }

  leave() {
    return this.request('room:leave', {});
  }

  /** Joins and expects success; returns the ack's data. */
  async enter(groupId, options) {
    const ack = await this.join(groupId, options);
    assert.equal(ack.success, true, `${this.user} can join: ${JSON.stringify(ack)}`);
    return ack.data;
  }
}
