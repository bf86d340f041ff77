// One HTTP request, and what its outcome means.

import { RollcallError } from './errors.js';
import type { Problem } from './generated.js';

export interface HttpRequest {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string | null;
}

export interface HttpResponse {
  status: number;
  etag: string | null;
  body: unknown;
}

export interface Failure {
  error: RollcallError;
  /** Whether the request certainly had no effect. */
  isWithoutEffect: boolean;
  /** Whether the same request may succeed later. */
  isTemporary: boolean;
  /** How long the server wants the caller to wait. */
  retryAfterMs: number;
}

/** Sends a request. `signal` ends it, and then its reason is thrown. */
export async function attempt(
  request: HttpRequest,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<HttpResponse | Failure> {
  const timeout = AbortSignal.timeout(Math.max(1, Math.ceil(timeoutMs)));
  try {
    const response = await fetch(request.url, {
      method: request.method,
      headers: request.headers,
      body: request.body,
      // No route of Rollcall redirects, and the token is for nobody else.
      redirect: 'manual',
      signal: signal ? AbortSignal.any([timeout, signal]) : timeout,
    });
    return readResponse(response, await response.text());
  } catch (error) {
    signal?.throwIfAborted();
    return timeout.aborted ? timedOut() : unreachable(error);
  }
}

export const isFailure = (outcome: HttpResponse | Failure): outcome is Failure => 'error' in outcome;

function readResponse({ status, headers }: Response, text: string): HttpResponse | Failure {
  const isRefusal = headers.get('content-type')?.startsWith('application/problem+json') ?? false;
  const body = text === '' ? undefined : parse(text);
  if (isRefusal && isProblem(body)) return refusal(status, headers, body);
  const isSuccess = (status >= 200 && status < 300) || status === 304;
  if (isSuccess && body !== UNREADABLE) return { status, etag: headers.get('etag'), body };
  const error = new RollcallError('UNREADABLE', `the response with the status ${status} is not Rollcall's`, {
    status,
    isUncertain: status !== 429,
  });
  const isTemporary = status === 429 || status >= 500;
  return { error, isWithoutEffect: !error.isUncertain, isTemporary, retryAfterMs: readRetryAfter(headers) };
}

/** The service was busy with something else. */
const WITHOUT_EFFECT = ['CONFLICT', 'RATE_LIMITED', 'TOO_MANY_FROM_ADDRESS'];

function refusal(status: number, headers: Headers, { code, detail }: Problem): Failure {
  const isTemporary = WITHOUT_EFFECT.includes(code) || status === 503;
  // What is unavailable may have become so after the effect.
  const isWithoutEffect = status !== 503;
  const error = new RollcallError(code, detail, { status, isUncertain: !isWithoutEffect });
  return { error, isWithoutEffect, isTemporary, retryAfterMs: readRetryAfter(headers) };
}

function timedOut(): Failure {
  const error = new RollcallError('TIMED_OUT', 'no response came in time', { isUncertain: true });
  return { error, isWithoutEffect: false, isTemporary: true, retryAfterMs: 0 };
}

/** The request never left. */
const UNSENT = ['ECONNREFUSED', 'EAI_AGAIN', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT'];

function unreachable(cause: unknown): Failure {
  const { code, message } = (cause as { cause?: { code?: string; message?: string } }).cause ?? {};
  const isWithoutEffect = UNSENT.includes(code ?? '');
  const error = new RollcallError('UNREACHABLE', message || code || 'the connection broke', {
    isUncertain: !isWithoutEffect,
    cause,
  });
  return { error, isWithoutEffect, isTemporary: true, retryAfterMs: 0 };
}

const UNREADABLE = Symbol('unreadable');

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return UNREADABLE;
  }
}

function isProblem(body: unknown): body is Problem {
  const { code, detail } = (body ?? {}) as Partial<Problem>;
  return typeof code === 'string' && typeof detail === 'string';
}

/** `Retry-After` has seconds or a date. */
function readRetryAfter(headers: Headers): number {
  const text = headers.get('retry-after') ?? '';
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Math.max(0, ms || 0);
}
