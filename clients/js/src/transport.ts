// What the client needs of a transport.

import type { Ack } from './protocol.js';

/** Why a connection has ended. */
export interface TransportEnd {
  /** The code of a refusal, or the event after which the server closes a connection. None if the connection was lost. */
  code?: string | undefined;
  message?: string | undefined;
  /** How long the server wants the client to wait. */
  retryAfterMs?: number | undefined;
}

export interface TransportEvents {
  opened(): void;
  event(name: string, payload: unknown): void;
  /** Called once, also for a connection that could not be opened. */
  closed(end: TransportEnd): void;
}

export interface TransportConnection {
  /** Sends a request. `ack` is not called if the connection ends before. */
  send(event: string, payload: object, ack: (ack: Ack<unknown>) => void): void;
  /** Closes the connection. No event follows. */
  close(): void;
}

/** Opens one connection with this token. */
export type Transport = (token: string, events: TransportEvents) => TransportConnection;
