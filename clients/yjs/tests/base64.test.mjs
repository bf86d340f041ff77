import assert from 'node:assert/strict';
import { test } from 'node:test';

import { fromBase64, toBase64 } from '../dist/base64.js';

const bytesOf = (length) => Uint8Array.from({ length }, (_, index) => (index * 151 + length) % 256);

test('bytes of every length become standard Base64 and come back', () => {
  for (const length of [0, 1, 2, 3, 4, 255, 256, 8191, 8192, 8193, 67_584]) {
    const bytes = bytesOf(length);
    const text = toBase64(bytes);
    assert.equal(text, Buffer.from(bytes).toString('base64'));
    assert.deepEqual(fromBase64(text), bytes);
  }
});
