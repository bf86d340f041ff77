// The texts of the pages: complete in each language.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { load } from './bundle.mjs';

/** The texts of each page in each language. */
const PAGES = await load(`
  import { en } from './texts/en.ts';
  import { ko } from './texts/ko.ts';
  import { en as operatorEn } from './operator/texts/en.ts';
  import { ko as operatorKo } from './operator/texts/ko.ts';
  export const study = { en, ko };
  export const operator = { en: operatorEn, ko: operatorKo };
  export { withoutMarks } from './operator/texts/with-names.ts';
`);

const SAMPLES = [3, '3', 'x'];

/** Every text, by the path of its key. Functions are called with samples. */
function flatten(texts, path = '') {
  if (typeof texts === 'string') return [[path, texts]];
  if (typeof texts === 'function') return [[path, texts(...SAMPLES)]];
  return Object.entries(texts).flatMap(([key, value]) => flatten(value, path ? `${path}.${key}` : key));
}

/** Names, which are the same in each language. */
const NAMES = ['snippets.languages.javascript', 'snippets.languages.python'];

const source = await readFile(new URL('../../crates/protocol/src/error.rs', import.meta.url), 'utf8');
const CODES = [...source.matchAll(/^ {4}\w+ "([A-Z_]+)" [A-Z_]+ retry:/gm)].map(([, code]) => code);

for (const page of ['study', 'operator']) {
  const { en, ko } = PAGES[page];

  test(`each language has a text for each key of the page ${page}`, () => {
    const [english, korean] = [en, ko].map((texts) => Object.fromEntries(flatten(texts)));
    assert.deepEqual(Object.keys(korean).sort(), Object.keys(english).sort());
    for (const [key, text] of [...Object.entries(english), ...Object.entries(korean)]) {
      assert.ok(text.trim() && !text.includes('undefined'), key);
    }
  });

  test(`a Korean text of the page ${page} is Korean, unless it is a name`, () => {
    const foreign = flatten(ko).filter(([key, text]) => !/\p{Script=Hangul}/u.test(text) && !NAMES.includes(key));
    assert.deepEqual(foreign, []);
  });

  test(`each code of the server has a text in each language of the page ${page}`, () => {
    assert.ok(CODES.length > 40, 'the codes are found');
    for (const texts of [en, ko]) {
      assert.deepEqual(
        CODES.filter((code) => !texts.errors[code]),
        [],
      );
    }
  });
}

/** What functions of texts call the names of users, rooms and code. */
const NAMED = ['name', 'room', 'user', 'title'];

test("names in sentences of the operator's page turn nothing beside them, and the name of an element has no marks", () => {
  let sentences = 0;
  const check = (texts, path) => {
    if (typeof texts === 'object') for (const key of Object.keys(texts)) check(texts[key], `${path}.${key}`);
    if (typeof texts !== 'function') return;
    const parameters = /^\(([^)]*)\)/.exec(texts)[1].split(', ');
    const sentence = texts(...parameters);
    const names = parameters.filter((parameter) => NAMED.includes(parameter));
    for (const name of names) assert.ok(sentence.includes(`\u2068${name}\u2069`), path);
    assert.doesNotMatch(PAGES.withoutMarks(sentence), /[\u2066-\u2069]/);
    sentences += names.length > 0;
  };
  for (const [language, texts] of Object.entries(PAGES.operator)) check(texts, language);
  assert.ok(sentences > 60, `${sentences} sentences have names`);
});
