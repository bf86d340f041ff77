// Keeps the identity of what has not changed, so that `===` tells whether something has.

/** Makes the same object of equal ones: returns `previous` if `next` has the same content. Both are plain JSON. */
export function share<Value>(previous: Value | null | undefined, next: Value): Value {
  return isEqual(previous, next) ? (previous as Value) : next;
}

function isEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length || Array.isArray(a) !== Array.isArray(b)) return false;
  return keys.every((key) => isEqual((a as Fields)[key], (b as Fields)[key]));
}

type Fields = { [key: string]: unknown };

/** The same for a list whose items have a key: each item that has not changed stays, wherever it moves. */
export function shareList<Item>(
  previous: readonly Item[] | null,
  next: readonly Item[],
  keyOf: (item: Item) => unknown,
): readonly Item[] {
  if (!previous) return next;
  const known = new Map(previous.map((item) => [keyOf(item), item]));
  const shared = next.map((item) => share(known.get(keyOf(item)), item));
  const isSame = shared.length === previous.length && shared.every((item, index) => item === previous[index]);
  return isSame ? previous : shared;
}

/** An object without the fields that are undefined. */
export function defined<Value extends object>(value: { [Key in keyof Value]: Value[Key] | undefined }): Value {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as Value;
}
