// Refusals, and what they mean for the client.

import type { ErrorCode, Refusal } from './protocol.js';

/**
 * Codes of the client itself.
 *
 * - `CLOSED`: the room is not open, or has been closed before the server answered.
 * - `TIMED_OUT`: the server did not answer in time.
 * - `QUEUE_FULL`: too many commands wait for the connection.
 */
export type ClientCode = 'CLOSED' | 'TIMED_OUT' | 'QUEUE_FULL';

/** Why something did not happen. */
export class RollcallError extends Error {
  override readonly name = 'RollcallError';
  readonly code: ErrorCode | ClientCode;
  /** With `VERSION_CONFLICT`: what the command wanted to change, as it is now. */
  readonly current: unknown;
  /** Whether it may have happened nevertheless: a request was sent, and no answer came. */
  readonly isUncertain: boolean;

  constructor(code: ErrorCode | ClientCode, message: string, { current, isUncertain = false }: ErrorDetails = {}) {
    super(message || code);
    this.code = code;
    this.current = current;
    this.isUncertain = isUncertain;
  }

  static of({ code, message, current }: Refusal): RollcallError {
    return new RollcallError(code, message, { current });
  }
}

interface ErrorDetails {
  current?: unknown;
  isUncertain?: boolean;
}

/** A fresh token may help. */
export const TOKEN_CODES: ReadonlySet<string> = new Set(['TOKEN_EXPIRED', 'TOKEN_INVALID', 'TOKEN_MISSING']);

/** The same request may succeed later, without anybody doing anything. */
const TEMPORARY: ReadonlySet<string> = new Set([
  'CONFLICT',
  // The server has taken the connection for lost, and the bridge or the client is about to enter again.
  'ENTRY_CLOSED',
  'NOT_IN_ROOM',
  'OVERLOADED',
  'RATE_LIMITED',
  'TOO_MANY_FROM_ADDRESS',
  'TOO_MANY_SOCKETS',
  'UNAVAILABLE',
]);

export const isTemporary = (code: string): boolean => TEMPORARY.has(code);
