// Names in sentences. A name has a direction of its own, and must not turn what stands beside it.

const [ISOLATE, END] = ['\u2068', '\u2069'];

/** A sentence, a template, in which each value is isolated: ``withNames`${name} left` ``. */
export const withNames = (texts: TemplateStringsArray, ...values: string[]): string =>
  String.raw({ raw: texts }, ...values.map((value) => ISOLATE + value + END));

/** The sentence without the marks, for the names of elements: some programs read the marks aloud. */
export const withoutMarks = (sentence: string): string => sentence.replace(/[\u2068\u2069]/g, '');
