// Tokens of clients, signed with the app's key.

import { randomBytes } from 'node:crypto';

import { base64url, SignJWT } from 'jose';

const key = randomBytes(32);

/** The key set for the app. */
export const JWT_KEYS = JSON.stringify({ keys: [{ kty: 'oct', alg: 'HS256', k: base64url.encode(key) }] });

/** The name that a user's token carries. */
export const nameOf = (user) => `Name of ${user}`;

/** A token for a user. `expiresInS` may be negative, and `signedWith` may be a key that the app does not know. */
export function tokenFor(user, { expiresInS = 3600, signedWith = key, claims = {} } = {}) {
  return new SignJWT({ userId: user, username: nameOf(user), ...claims })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime(Math.floor(Date.now() / 1000) + expiresInS)
    .sign(signedWith);
}

/** A key that the app does not know. */
export const foreignKey = () => randomBytes(32);
