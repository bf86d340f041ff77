// What the operator's page changes in a definition.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { load } from './bundle.mjs';

const { toForm, toPatch, mayAdmit } = await load(`
  export { toForm, toPatch, mayAdmit } from './operator/room/definition-form.ts';
`);

test('a patch holds what the operator has changed, and for the rest what the definition holds now', () => {
  const definition = { endAt: 1, leaderId: 7, capacity: 9, duplicates: 'share', timerBy: 'leader' };
  assert.deepEqual(toPatch(definition, { capacity: '7' }), { capacity: 7, duplicates: 'share', timerBy: 'leader' });
  assert.deepEqual(toPatch(definition, { capacity: '' }), { capacity: null, duplicates: 'share', timerBy: 'leader' });
  assert.equal(toPatch(definition, { timerBy: 'anyone' }).timerBy, 'anyone');
});

test('a leader who stays is not named, so that the id keeps its type', () => {
  const definition = { endAt: 1, leaderId: 7 };
  assert.equal('leaderId' in toPatch(definition, { leader: ' 7 ' }), false);
  assert.equal(toPatch(definition, { leader: 'kim' }).leaderId, 'kim');
  assert.equal(toPatch(definition, { leader: ' ' }).leaderId, null);
});

test('a form shows what counts where a definition says nothing', () => {
  assert.deepEqual(toForm({ endAt: 1 }), { leader: '', capacity: '', duplicates: 'refuse', timerBy: 'host' });
});

test('users are admitted to a list on which they are not', () => {
  assert.equal(mayAdmit({ endAt: 1, members: [7] }, 'kim'), true);
  assert.equal(mayAdmit({ endAt: 1, members: [7] }, '7'), false);
  assert.equal(mayAdmit({ endAt: 1, members: [] }, ''), false);
  // A list of one user would lock out everybody else.
  assert.equal(mayAdmit({ endAt: 1 }, 'kim'), false);
  assert.equal(mayAdmit({ endAt: 1, members: null }, 'kim'), false);
});
