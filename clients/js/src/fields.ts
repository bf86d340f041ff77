// Texts that hold JSON, or should.

/** The fields of the object in a text. None if the text cannot be read, or holds no object. */
export function fieldsOf(read: () => string): { [name: string]: unknown } {
  try {
    return Object(JSON.parse(read()));
  } catch {
    return {};
  }
}
