// The texts of the page: complete in each language.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { build } from 'esbuild';

const here = (path) => new URL(path, import.meta.url);

const bundle = await build({
  stdin: {
    contents: "export { en } from './en.ts'; export { ko } from './ko.ts';",
    resolveDir: here('../src/texts').pathname,
  },
  bundle: true,
  format: 'esm',
  write: false,
});
const { en, ko } = await import(
  `data:text/javascript;base64,${Buffer.from(bundle.outputFiles[0].contents).toString('base64')}`
);

const SAMPLES = [3, '3', 'x'];

/** Every text, by the path of its key. Functions are called with samples. */
function flatten(texts, path = '') {
  if (typeof texts === 'string') return [[path, texts]];
  if (typeof texts === 'function') return [[path, texts(...SAMPLES)]];
  return Object.entries(texts).flatMap(([key, value]) => flatten(value, path ? `${path}.${key}` : key));
}

test('each language has a text for each key', () => {
  const [english, korean] = [en, ko].map((texts) => Object.fromEntries(flatten(texts)));
  assert.deepEqual(Object.keys(korean).sort(), Object.keys(english).sort());
  for (const [key, text] of [...Object.entries(english), ...Object.entries(korean)]) {
    assert.ok(text.trim() && !text.includes('undefined'), key);
  }
});

test('a Korean text is Korean, unless it is a name', () => {
  const names = ['snippets.languages.javascript', 'snippets.languages.python'];
  const foreign = flatten(ko).filter(([key, text]) => !/\p{Script=Hangul}/u.test(text) && !names.includes(key));
  assert.deepEqual(foreign, []);
});

test('each code of the server has a text in each language', async () => {
  const source = await readFile(here('../../crates/protocol/src/error.rs'), 'utf8');
  const codes = [...source.matchAll(/^ {4}\w+ "([A-Z_]+)" [A-Z_]+ retry:/gm)].map(([, code]) => code);
  assert.ok(codes.length > 40, 'the codes are found');
  for (const texts of [en, ko]) {
    assert.deepEqual(
      codes.filter((code) => !texts.errors[code]),
      [],
    );
  }
});
