// Signatures according to the Standard Webhooks specification.

import { createHmac, timingSafeEqual } from 'node:crypto';

/** How far the time of a call may be from now, in either direction. */
const TOLERANCE_S = 300;

const PREFIX = 'whsec_';
const MIN_SECRET_BYTES = 24;

/** Headers of a request: those of the Fetch API, or an object with names in lower case as in Node.js. */
export type RequestHeaders = Headers | Readonly<Record<string, string | string[] | undefined>>;

/** A call whose sender is not proved, or that is not what it has to be. */
export class WebhookError extends Error {
  override readonly name = 'WebhookError';

  /** `status` is the status for the response. */
  constructor(
    readonly status: 400 | 401 | 413,
    message: string,
  ) {
    super(message);
  }
}

/**
 * Reads a secret.
 *
 * @throws {TypeError} for a secret that Rollcall would refuse. The message holds nothing of the secret.
 */
export function readSecret(secret: string): Buffer {
  const encoded = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : '';
  const key = Buffer.from(encoded, 'base64');
  if (key.length < MIN_SECRET_BYTES || key.toString('base64') !== encoded) {
    throw new TypeError('secret: must be `whsec_` and the Base64 of at least 24 bytes');
  }
  return key;
}

/**
 * Checks the signature and the time of a call. Any of the secrets will do. Returns the id of the call.
 *
 * @throws {WebhookError} for a call that is unsigned, altered or stale
 */
export function checkSignature(
  body: Uint8Array,
  headers: RequestHeaders,
  secrets: readonly Buffer[],
  nowS = Date.now() / 1000,
): string {
  const id = header(headers, 'webhook-id');
  const timestamp = header(headers, 'webhook-timestamp');
  if (!/^\d{1,15}$/.test(timestamp) || Math.abs(nowS - Number(timestamp)) > TOLERANCE_S) {
    throw new WebhookError(401, 'the time of the call is too far from now');
  }
  const given = header(headers, 'webhook-signature').split(' ').flatMap(readSignature);
  const expected = secrets.map((secret) =>
    createHmac('sha256', secret).update(`${id}.${timestamp}.`).update(body).digest(),
  );
  // Every pair is compared, so that the time tells nothing.
  const fits = expected.flatMap((one) => given.map((other) => timingSafeEqual(one, other)));
  if (!fits.includes(true)) throw new WebhookError(401, 'the signature is not that of this call');
  return id;
}

const HASH_BYTES = 32;

function readSignature(text: string): Buffer[] {
  const [version, encoded = ''] = text.split(',', 2);
  const signature = Buffer.from(encoded, 'base64');
  const isHash = signature.length === HASH_BYTES && signature.toString('base64') === encoded;
  return version === 'v1' && isHash ? [signature] : [];
}

function header(headers: RequestHeaders, name: string): string {
  const value = headers instanceof Headers ? headers.get(name) : headers[name];
  if (typeof value !== 'string' || value === '') throw new WebhookError(401, `the call has not one ${name}`);
  return value;
}
