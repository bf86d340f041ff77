// Who the user is, as the token says.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { entryOf } from '../dist/token.js';

const tokenOf = (claims) => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2lnbmF0dXJl`;

test('the claims of a token are read, whatever their letters and their length', () => {
  for (let length = 1; length < 50; length += 1) {
    const name = [...'가😀é?>~a'.repeat(10)].slice(0, length).join('');
    const member = entryOf(tokenOf({ userId: 'kim', username: name, userRole: 'tutor' }), 5);
    assert.deepEqual(member, { userId: 'kim', userName: name, userRole: 'tutor', joinedAt: 5, state: 'present' });
  }
});

test('ids keep their type, and names of other claims count', () => {
  assert.deepEqual(entryOf(tokenOf({ sub: 7, name: 'Kim' }), 0), {
    userId: 7,
    userName: 'Kim',
    joinedAt: 0,
    state: 'present',
  });
});

test('a text that is no token has no user', () => {
  for (const text of [
    '',
    'abc',
    'a.b.c',
    'e30.!!!.x',
    `e30.${Buffer.from('[1]').toString('base64url')}.x`,
    'e30.bnVsbA.x',
    'e30.7w.x',
  ]) {
    assert.equal(entryOf(text, 0), null, text);
  }
});
