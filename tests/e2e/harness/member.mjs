// What all clients have in common, however they are connected: an ordered log of everything that they got, and
// ways to wait for what is to come.

import assert from 'node:assert/strict';

import { LIMIT_MS, within } from './wait.mjs';

export class Member {
  /** Everything that arrived: {event, data}, in order. */
  log = [];
  /** The epoch and seq that the client is at: from the ack of its join, then from each event. */
  position = null;
  /** Whatever contradicts the numbering that is promised. */
  gaps = [];
  #read = 0;
  #wake = new Set();
  #closing;

  constructor(user) {
    this.user = user;
    this.#closing = {};
    this.#closing.promise = new Promise((resolve) => (this.#closing.resolve = resolve));
  }

  /** How the connection ended, once it has. */
  get closed() {
    return within(this.#closing.promise, `the connection of ${this.user} is closed`);
  }

  /** Called by the transport: waits for an ack, in vain if the connection is closed first. */
  answered(ack, what) {
    const lost = this.#closing.promise.then((how) => {
      throw new Error(`${this.user}: closed (${JSON.stringify(how)}) before ${what}`);
    });
    return within(Promise.race([ack, lost]), `${this.user} gets ${what}`);
  }

  /** Called by the transport. */
  arrived(event, data) {
    this.log.push({ event, data });
    if (this.position && data?.seq !== undefined) {
      const { epoch, seq } = this.position;
      const first = data.firstSeq ?? data.seq;
      // A state replaces everything known.
      const isExpected = event === 'room:state' || (data.epoch === epoch && first === seq + 1);
      if (!isExpected) {
        this.gaps.push(`${event} at ${data.epoch}/${first} after ${epoch}/${seq}`);
      }
      this.position = { epoch: data.epoch, seq: data.seq };
    }
    for (const wake of [...this.#wake]) wake();
  }

  /** Called by the transport. */
  ended(how) {
    this.#closing.resolve(how);
  }

  /** Called by the transport as soon as an ack is there, before anything that follows it. */
  acknowledged(event, ack) {
    if (event === 'room:join' && ack?.success) this.position = { epoch: ack.data.epoch, seq: ack.data.seq };
  }

  /** The data of the next event of this name that fits; whatever comes before it is passed over. */
  async next(event, fits = () => true, limitMs = LIMIT_MS) {
    let look;
    const found = new Promise((resolve) => {
      look = () => {
        while (this.#read < this.log.length) {
          const entry = this.log[this.#read];
          this.#read += 1;
          if (entry.event === event && fits(entry.data)) {
            // At once: what arrives next is not for this call.
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

  /** Proves that nothing came since the last `next`: does something that this client hears of after it. */
  async quiet(doSomething, event, fits) {
    const from = this.#read;
    await doSomething();
    await this.next(event, fits);
    assert.deepEqual(this.log.slice(from, this.#read - 1), [], `${this.user} was to hear of nothing`);
  }

  /** How often an event came so far. */
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

  /** Joins and expects to be let in; returns the ack's data. */
  async enter(groupId, options) {
    const ack = await this.join(groupId, options);
    assert.equal(ack.success, true, `${this.user} is let in: ${JSON.stringify(ack)}`);
    return ack.data;
  }
}
