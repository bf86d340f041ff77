// One connection, from its first packet to its last.

import { after, cancel } from './platform.js';
import type { Ack } from './protocol.js';
import type { Transport, TransportConnection, TransportEnd } from './transport.js';

/** An answer, and when its request went out and when it came. */
export interface Answer {
  ack: Ack<unknown>;
  sentAt: number;
  receivedAt: number;
}

export interface WireOwner {
  event(name: string, payload: unknown): void;
  closed(end: TransportEnd): void;
}

export class Wire {
  /** Why the connection has ended, if it has. */
  end: TransportEnd | undefined;
  /** Whether requests can be sent. */
  isOpen = false;
  /** Resolves when the connection is open or has ended. */
  readonly ready: Promise<void>;
  /** When the server last sent something. */
  heardAt = Date.now();
  readonly #connection: TransportConnection;
  readonly #owner: WireOwner;
  /** What to do when the connection ends. */
  readonly #waiting = new Set<() => void>();

  constructor(transport: Transport, token: string, owner: WireOwner) {
    this.#owner = owner;
    let ready = () => {};
    this.ready = new Promise((resolve) => {
      ready = resolve;
    });
    this.#waiting.add(ready);
    this.#connection = transport(token, {
      opened: () => {
        this.isOpen = true;
        ready();
      },
      event: (name, payload) => {
        this.heardAt = Date.now();
        if (!this.end) owner.event(name, payload);
      },
      closed: (end) => this.#ended(end),
    });
  }

  /** Sends a request. Resolves to nothing if the connection ends, or the time is over, before the ack. */
  request(event: string, payload: object, limitMs: number): Promise<Answer | undefined> {
    return new Promise((resolve) => {
      if (this.end) return resolve(undefined);
      const settle = (answer?: Answer) => {
        cancel(limit);
        this.#waiting.delete(lost);
        resolve(answer);
      };
      const lost = () => settle();
      const limit = after(limitMs, lost);
      this.#waiting.add(lost);
      const sentAt = Date.now();
      this.#connection.send(event, payload, (ack) => {
        this.heardAt = Date.now();
        settle({ ack, sentAt, receivedAt: this.heardAt });
      });
    });
  }

  /** Closes the connection. The owner hears nothing of it. */
  close(): void {
    if (this.end) return;
    this.end = {};
    this.#connection.close();
    this.#settle();
  }

  /** Closes a connection that does not answer, as if it had ended by itself. */
  drop(): void {
    if (this.end) return;
    this.#connection.close();
    this.#ended({ message: 'The server did not answer in time.' });
  }

  #ended(end: TransportEnd): void {
    if (this.end) return;
    this.end = end;
    this.#settle();
    this.#owner.closed(end);
  }

  #settle(): void {
    for (const stop of [...this.#waiting]) stop();
    this.#waiting.clear();
  }
}
