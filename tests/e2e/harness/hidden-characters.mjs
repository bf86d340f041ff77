// The characters that ids must not contain, as a package knows them.

/** Whether a package refuses a character in an id. */
export function isHidden(code, checkId) {
  try {
    checkId(String.fromCodePoint(code), 'id');
    return false;
  } catch {
    return true;
  }
}

/** The code points on both sides of each edge between hidden and other characters. */
export function edgesOfHidden(checkId) {
  const edges = [];
  for (let code = 1, before = isHidden(0, checkId); code <= 0x10ffff; code += 1) {
    const now = isHidden(code, checkId);
    if (now !== before) edges.push(code - 1, code);
    before = now;
  }
  // Halves of surrogate pairs are no characters.
  return edges.filter((code) => code < 0xd800 || code > 0xdfff);
}
