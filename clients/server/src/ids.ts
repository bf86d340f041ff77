// Ids of users and rooms, by Rollcall's rules.

/** The id of a user or of a room. A number and its text are the same id. */
export type Id = string | number;

const MAX_ID_BYTES = 128;

/** Characters that people cannot see. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}\p{Noncharacter_Code_Point}\p{Default_Ignorable_Code_Point}]/u;

/**
 * Checks an id as Rollcall does. `name` says in the error what the id is.
 *
 * @throws {TypeError} for an id that Rollcall would refuse, or whose digits JavaScript has lost
 */
export function checkId(id: Id, name: string): void {
  if (typeof id === 'number') {
    if (!Number.isSafeInteger(id)) throw new TypeError(`${name}: a number must be an integer of up to 2^53 - 1`);
    return;
  }
  if (typeof id !== 'string') throw new TypeError(`${name}: must be a string or an integer`);
  if (id === '') throw new TypeError(`${name}: an id must not be empty`);
  if (new TextEncoder().encode(id).length > MAX_ID_BYTES) {
    throw new TypeError(`${name}: an id must not be longer than ${MAX_ID_BYTES} bytes`);
  }
  const hidden = HIDDEN.exec(id)?.[0].codePointAt(0);
  if (hidden !== undefined) {
    const code = hidden.toString(16).toUpperCase().padStart(4, '0');
    throw new TypeError(`${name}: an id must not contain U+${code}, which people cannot see`);
  }
}
