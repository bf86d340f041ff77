// Tokens.

import type { Member } from './protocol.js';

/**
 * Why a token is needed:
 *
 * - `connect`: a connection is about to be opened.
 * - `expiring`: the token of the connection is about to expire.
 * - `refused`: the server has refused the last token.
 */
export type TokenReason = 'connect' | 'expiring' | 'refused';

/** Returns a valid token. An error counts as temporary: the client asks again later. */
export type TokenSource = (reason: TokenReason) => string | Promise<string>;

/** The entry of a token's user, or null for a text that is no JWT. The server checks the token, and not the client. */
export function entryOf(token: string, joinedAt: number): Member | null {
  const { userId: claimed, sub, username, name, userRole } = claimsOf(token);
  const userId = claimed ?? sub;
  if (typeof userId !== 'string' && typeof userId !== 'number') return null;
  const member: Member = { userId, userName: String(username ?? name ?? userId), joinedAt, state: 'present' };
  return userRole === undefined || userRole === null ? member : { ...member, userRole: String(userRole) };
}

function claimsOf(token: string): { [claim: string]: unknown } {
  try {
    return JSON.parse(textOf(token.split('.')[1] ?? ''));
  } catch {
    return {};
  }
}

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Decodes base64url of UTF-8. React Native has had neither `atob` nor `TextDecoder` for long. */
function textOf(base64url: string): string {
  let [text, rest, bits] = ['', 0, 0];
  for (const character of base64url) {
    rest = ((rest << 6) | BASE64URL.indexOf(character)) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    text += `%${((rest >> bits) & 0xff).toString(16).padStart(2, '0')}`;
  }
  return decodeURIComponent(text);
}
