// Calls of operations, which are tried again where that is safe.

import { attempt, type Failure, type HttpRequest, type HttpResponse, isFailure } from './attempt.js';
import { RollcallError } from './errors.js';
import { OPERATIONS, type Operations } from './generated.js';

export interface CallsOptions {
  /** The address of the app: `https://app.example`. */
  url: string;
  /** A token of operators. For `sweep` a token for sweeps, and for reading also the token of a user. */
  token: string;
  /** How long a call may take with all its attempts, in milliseconds; 15 seconds by default. */
  timeoutMs?: number;
  /** How long one attempt may take, in milliseconds; 5 seconds by default. */
  attemptTimeoutMs?: number;
}

export interface CallOptions {
  /** Ends the call. It then rejects with the reason of the signal. */
  signal?: AbortSignal | undefined;
}

/** What an operation takes, apart from parts that it does not have. */
export interface Parameters<O extends keyof Operations> {
  path: Operations[O]['path'];
  query?: Operations[O]['query'];
  headers?: Operations[O]['headers'];
  body?: Operations[O]['body'];
  /** Whether the same request may have its effect twice without harm. */
  isRepeatable: boolean;
}

export interface Result<O extends keyof Operations> {
  status: number;
  etag: string | null;
  body: Operations[O]['result'];
}

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5000;

export class Calls {
  readonly #url: string;
  readonly #token: string;
  readonly #timeoutMs: number;
  readonly #attemptTimeoutMs: number;

  constructor({ url, token, timeoutMs = 15_000, attemptTimeoutMs = 5000 }: CallsOptions) {
    if (!/^https?:$/.test(new URL(url).protocol)) throw new TypeError('url: must begin with https:// or http://');
    if (!/^[!-~]+$/.test(token)) throw new TypeError('token: must be visible ASCII characters');
    this.#url = url.replace(/\/+$/, '');
    this.#token = token;
    this.#timeoutMs = timeoutMs;
    this.#attemptTimeoutMs = attemptTimeoutMs;
  }

  /** @throws {RollcallError} */
  async call<O extends keyof Operations>(
    operation: O,
    parameters: Parameters<O>,
    { signal }: CallOptions = {},
  ): Promise<Result<O>> {
    const request = this.#request(operation, parameters);
    const until = performance.now() + this.#timeoutMs;
    let wasUncertain = false;
    for (let attempts = 1; ; attempts += 1) {
      const limit = Math.min(this.#attemptTimeoutMs, until - performance.now());
      const outcome = await attempt(request, limit, signal);
      if (!isFailure(outcome)) return outcome as HttpResponse & Result<O>;
      const isSafe = outcome.isWithoutEffect || parameters.isRepeatable;
      const pause = pauseAfter(outcome, attempts);
      if (!isSafe || !outcome.isTemporary || performance.now() + pause >= until) {
        throw wasUncertain ? uncertain(outcome.error) : outcome.error;
      }
      wasUncertain ||= !outcome.isWithoutEffect;
      await sleep(pause, signal);
    }
  }

  #request<O extends keyof Operations>(operation: O, { path, query, headers, body }: Parameters<O>): HttpRequest {
    const { method, path: template, type } = OPERATIONS[operation];
    const names = path as Record<string, string | number>;
    const filled = template.replace(/\{(\w+)\}/g, (_, name: string) => segment(names[name], name));
    const search = new URLSearchParams(given(query)).toString();
    return {
      method,
      url: `${this.#url}${filled}${search && `?${search}`}`,
      headers: {
        authorization: `Bearer ${this.#token}`,
        ...given(headers),
        ...(type && { 'content-type': type }),
      },
      body: body === undefined ? null : JSON.stringify(body),
    };
  }
}

/** Ends early, with the reason of the signal, when it is aborted. */
function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}

/** Doubles, with jitter, because many callers fail at once. */
function pauseAfter({ retryAfterMs }: Failure, attempts: number): number {
  const longest = Math.min(FIRST_PAUSE_MS * 2 ** (attempts - 1), LONGEST_PAUSE_MS);
  return Math.max(retryAfterMs, longest / 2) + (Math.random() * longest) / 2;
}

/** An earlier attempt may be why the last one failed. */
function uncertain({ code, message, status, cause }: RollcallError): RollcallError {
  return new RollcallError(code, message, { status, cause, isUncertain: true });
}

/** URLs resolve `.` and `..`, percent-encoded too, so that another path would be called. */
function segment(value: string | number | undefined, name: string): string {
  const text = String(value ?? '');
  if (text === '' || text === '.' || text === '..') throw new TypeError(`${name}: cannot be named in a URL`);
  return encodeURIComponent(text);
}

function given(parameters: object = {}): Record<string, string> {
  const entries = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null);
  return Object.fromEntries(entries.map(([name, value]) => [name, String(value)]));
}
