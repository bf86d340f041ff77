// Signs the tokens with which users come to Rollcall.

import { claimsAbout, type User } from './claims.js';
import { type Jwk, readKey, type Signing } from './keys.js';

/** The longest token that Rollcall reads. */
const MAX_TOKEN_BYTES = 8 * 1024;

const DEFAULT_LIFETIME_S = 3600;

export interface SignerOptions {
  /** A JSON Web Key, shared (`oct`, with `alg`) or private, or a private key as PEM. */
  key: Jwk | string;
  /** The id of the key. By default, that in the JSON Web Key. */
  kid?: string;
  /** What Rollcall's `jwt_issuer` demands. */
  issuer?: string;
  /** What Rollcall's `jwt_audience` demands. */
  audience?: string | string[];
}

export interface TokenOptions {
  /** How long the token is valid, in seconds; an hour by default. A connection lives no longer than its token. */
  expiresInS?: number;
  /** Before this moment, the token is not valid yet. */
  notBefore?: Date;
}

/** Signs tokens with one key. */
export class TokenSigner {
  readonly #key: Signing;
  readonly #registered: { iss?: string; aud?: string | string[] };

  /** @throws {TypeError} for a key, an issuer or an audience that Rollcall would refuse */
  constructor({ key, kid, issuer, audience }: SignerOptions) {
    this.#key = readKey(key, kid);
    for (const [name, text] of [
      ['kid', kid],
      ['issuer', issuer],
      ...[audience].flat().map((one) => ['audience', one]),
    ]) {
      if (text !== undefined && (typeof text !== 'string' || text === '' || !text.isWellFormed())) {
        throw new TypeError(`${name}: must be a text`);
      }
    }
    this.#registered = { ...(issuer === undefined ? {} : { iss: issuer }), ...(audience ? { aud: audience } : {}) };
  }

  /**
   * Signs a token for a user.
   *
   * @throws {TypeError} for what Rollcall would refuse: hidden characters in ids, times in the past, sizes
   */
  sign(user: User, { expiresInS = DEFAULT_LIFETIME_S, notBefore }: TokenOptions = {}): string {
    const nowS = Math.floor(Date.now() / 1000);
    const exp = Math.floor(nowS + expiresInS);
    if (!(expiresInS >= 1) || !Number.isSafeInteger(exp)) {
      throw new TypeError('expiresInS: must be a number of seconds, at least 1');
    }
    const nbf = notBefore && Math.floor(notBefore.getTime() / 1000);
    if (nbf !== undefined && !(nbf < exp)) throw new TypeError('notBefore: must be a time before the token expires');
    const claims = {
      ...claimsAbout(user),
      ...this.#registered,
      iat: nowS,
      ...(nbf === undefined ? {} : { nbf }),
      exp,
    };
    const { alg, kid } = this.#key;
    const signed = `${encode({ alg, typ: 'JWT', kid })}.${encode(claims)}`;
    const token = `${signed}.${this.#key.sign(signed).toString('base64url')}`;
    if (token.length > MAX_TOKEN_BYTES) throw new TypeError(`the token has more than ${MAX_TOKEN_BYTES} bytes`);
    return token;
  }

  /**
   * The key set that verifies the tokens, for Rollcall's `jwt_keys` or to be published at `jwks_path`.
   *
   * @throws {TypeError} for a shared key, which nobody may see
   */
  get publicKeys(): { keys: Jwk[] } {
    const { publicKey } = this.#key;
    if (!publicKey) throw new TypeError('a shared key must not be published');
    return { keys: [publicKey] };
  }
}

const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
