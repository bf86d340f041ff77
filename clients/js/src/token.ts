// Tokens.

import { fieldsOf } from './fields.js';
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
  const { userId: claimed, sub, username, name, userRole } = fieldsOf(() => textOf(token.split('.')[1] ?? ''));
  const userId = claimed ?? sub;
  if (typeof userId !== 'string' && typeof userId !== 'number') return null;
  const member: Member = { userId, userName: String(username ?? name ?? userId), joinedAt, state: 'present' };
  return userRole === undefined || userRole === null ? member : { ...member, userRole: String(userRole) };
}

/** Decodes base64url of UTF-8. React Native has had neither `atob` nor `TextDecoder` for long. */
function textOf(base64url: string): string {
  let [text, bits] = ['', ''];
  for (const character of base64url) {
    const code = character.charCodeAt(0);
    const six = code > 96 ? code - 71 : code === 95 ? 63 : code > 64 ? code - 65 : code > 47 ? code + 4 : 62;
    bits += six.toString(2).padStart(6, '0');
  }
  for (const byte of bits.match(/.{8}/g) ?? []) text += `%${Number.parseInt(byte, 2).toString(16).padStart(2, '0')}`;
  return decodeURIComponent(text);
}
