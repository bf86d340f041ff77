// Why a call had no success.

import type { ErrorCode } from './generated.js';

/**
 * Codes of the client itself.
 *
 * - `TIMED_OUT`: no response came in time.
 * - `UNREACHABLE`: there is no connection, or it broke.
 * - `UNREADABLE`: the response is not Rollcall's, but perhaps that of a proxy.
 */
export type ClientCode = 'TIMED_OUT' | 'UNREACHABLE' | 'UNREADABLE';

/** A call of the HTTP API had no success. */
export class RollcallError extends Error {
  override readonly name = 'RollcallError';
  /** The code, for programs. */
  readonly code: ErrorCode | ClientCode;
  /** The HTTP status; none if no response came. */
  readonly status: number | undefined;
  /** Whether the call may have had its effect nevertheless, itself or an earlier attempt. */
  readonly isUncertain: boolean;

  constructor(code: ErrorCode | ClientCode, message: string, { status, isUncertain, cause }: ErrorDetails) {
    super(message, { cause });
    this.code = code;
    this.status = status;
    this.isUncertain = isUncertain;
  }
}

interface ErrorDetails {
  status?: number | undefined;
  isUncertain: boolean;
  cause?: unknown;
}
