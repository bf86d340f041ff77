// What is known of the chat besides its messages.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ChatLog } from '../dist/chat.js';

const page = (more = {}) => ({ messages: [], deleted: [], more: false, now: 0, ...more });

test('a page that is older than an event does not undo it', () => {
  const log = new ChatLog();
  log.asked();
  log.slowed(10_000);
  log.muted('kim', 5000, true);
  log.muted('lea', null, false);
  log.page(page({ slowMs: 5, mutes: [{ userId: 'lea', mutedUntil: 9 }] }));
  assert.deepEqual(
    [log.chat.slowMs, log.chat.mutedUntil, log.chat.mutes],
    [10_000, 5000, [{ userId: 'kim', mutedUntil: 5000 }]],
  );
  log.asked();
  log.page(page());
  assert.deepEqual([log.chat.slowMs, log.chat.mutedUntil, log.chat.mutes], [0, null, []]);
});

test('a user is muted once, whatever the type of the id', () => {
  const log = new ChatLog();
  log.asked();
  log.page(page({ mutes: [{ userId: '7', mutedUntil: 5 }] }));
  log.muted(7, 6, false);
  assert.deepEqual(log.chat.mutes, [{ userId: 7, mutedUntil: 6 }]);
  log.muted('7', null, false);
  assert.deepEqual(log.chat.mutes, []);
});
