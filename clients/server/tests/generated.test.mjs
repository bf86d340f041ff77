import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

test('the types are those of the description of the API', () => {
  const generated = execFileSync(process.execPath, [path('../scripts/generate.mjs')], { encoding: 'utf8' });
  assert.equal(readFileSync(path('../src/generated.ts'), 'utf8'), generated, 'run `npm run generate`');
});
