// Keys that sign tokens, each with the one algorithm that Rollcall verifies by it.

import { createHmac, createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject, sign } from 'node:crypto';

/** A JSON Web Key (RFC 7517): a shared key (`oct`) with `alg`, or a private key. */
export type Jwk = JsonWebKey & { alg?: string; kid?: string };

/** A key with its algorithm. */
export interface Signing {
  alg: string;
  kid: string | undefined;
  sign(data: string): Buffer;
  /** What verifies the tokens. Null for a shared key, which must not be published. */
  publicKey: Jwk | null;
}

/** The hash of each algorithm with a shared key, and the least bytes of the key (RFC 7518, section 3.2). */
const SHARED = new Map([
  ['HS256', { hash: 'sha256', bytes: 32 }],
  ['HS384', { hash: 'sha384', bytes: 48 }],
  ['HS512', { hash: 'sha512', bytes: 64 }],
]);

const RSA_BITS = { least: 2048, most: 4096 };

/**
 * Reads a key: a JSON Web Key, or a private key as PEM.
 *
 * @throws {TypeError} for a key whose tokens Rollcall would refuse. The message holds nothing of the key.
 */
export function readKey(key: Jwk | string, kid: string | undefined): Signing {
  if (typeof key === 'object' && key.kty === 'oct') return sharedKey(key, kid ?? key.kid);
  const named = kid ?? (typeof key === 'object' ? key.kid : undefined);
  return privateKey(parse(key), named, typeof key === 'object' ? key.alg : undefined);
}

function sharedKey({ alg = '', k = '' }: Jwk, kid: string | undefined): Signing {
  const algorithm = SHARED.get(alg);
  if (!algorithm) throw new TypeError(`key: a shared key needs "alg", one of ${[...SHARED.keys()].join(', ')}`);
  const secret = Buffer.from(k, 'base64url');
  if (secret.toString('base64url') !== k) throw new TypeError('key: "k" is not Base64url without padding');
  if (secret.length < algorithm.bytes) {
    throw new TypeError(`key: "k" must hold at least ${algorithm.bytes} bytes for ${alg}`);
  }
  return {
    alg,
    kid,
    sign: (data) => createHmac(algorithm.hash, secret).update(data).digest(),
    publicKey: null,
  };
}

function parse(key: Jwk | string): KeyObject {
  try {
    return typeof key === 'string' ? createPrivateKey(key) : createPrivateKey({ key, format: 'jwk' });
  } catch {
    throw new TypeError('key: neither a shared key as JWK nor a private key as JWK or PEM');
  }
}

function privateKey(key: KeyObject, kid: string | undefined, demanded: string | undefined): Signing {
  const { alg, hash } = algorithmOf(key);
  if (demanded !== undefined && demanded !== alg && !(alg === 'EdDSA' && demanded === 'Ed25519')) {
    throw new TypeError(`key: Rollcall verifies ${alg} by such a key, and not ${demanded}`);
  }
  const named = kid === undefined ? {} : { kid };
  return {
    alg,
    kid,
    sign: (data) => sign(hash, Buffer.from(data), { key, dsaEncoding: 'ieee-p1363' }),
    publicKey: { ...createPublicKey(key).export({ format: 'jwk' }), alg, use: 'sig', ...named },
  };
}

function algorithmOf({ asymmetricKeyType: type, asymmetricKeyDetails: details = {} }: KeyObject) {
  if (type === 'ed25519') return { alg: 'EdDSA', hash: null };
  if (type === 'ec' && details.namedCurve === 'prime256v1') return { alg: 'ES256', hash: 'sha256' };
  if (type !== 'rsa') throw new TypeError('key: must be RSA, EC with the curve P-256, or Ed25519');
  const bits = details.modulusLength ?? 0;
  if (bits < RSA_BITS.least || bits > RSA_BITS.most) {
    throw new TypeError(`key: RSA needs ${RSA_BITS.least} to ${RSA_BITS.most} bits`);
  }
  return { alg: 'RS256', hash: 'sha256' };
}
