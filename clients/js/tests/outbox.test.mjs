// What a command that was given up may have done.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { Outbox } from '../dist/outbox.js';

const refused = (code) => ({ ack: { success: false, code, message: code } });
const settled = () => new Promise((resolve) => setImmediate(resolve));

const outboxWith = (answers) =>
  new Outbox({
    send: () => Promise.resolve(answers.shift()),
    answered() {},
    outside() {},
  });

/** Sends a command over one connection after the other, each with an answer or without, and gives up. */
async function isUncertainAfter(...answers) {
  const outbox = outboxWith(answers);
  const outcome = outbox.add('chat:send', { text: 'Hello' }).catch((error) => error.isUncertain);
  for (let connections = answers.length; connections > 0; connections -= 1) {
    outbox.resume();
    await settled();
    outbox.pause();
  }
  outbox.fail((isUncertain) => Object.assign(new Error('closed'), { isUncertain }));
  return outcome;
}

describe('a command that was given up', () => {
  test('has had no effect if it was never sent, or each attempt was refused', async () => {
    assert.equal(await isUncertainAfter(), false);
    assert.equal(await isUncertainAfter(refused('RATE_LIMITED')), false);
    assert.equal(await isUncertainAfter(refused('NOT_IN_ROOM'), refused('OVERLOADED')), false);
  });

  test('may have had its effect after an attempt without an answer, whatever came of later ones', async () => {
    assert.equal(await isUncertainAfter(undefined), true);
    assert.equal(await isUncertainAfter(undefined, refused('RATE_LIMITED')), true);
    assert.equal(await isUncertainAfter(refused('RATE_LIMITED'), undefined), true);
    assert.equal(await isUncertainAfter(refused('UNAVAILABLE'), refused('NOT_IN_ROOM')), true);
  });

  test('may have had its effect in the session for which it was given', async () => {
    for (const isSent of [false, true]) {
      const outbox = outboxWith([]);
      outbox.inSession(1);
      const outcome = outbox.add('chat:send', { text: 'Hello' }).catch(({ code, isUncertain }) => [code, isUncertain]);
      if (isSent) outbox.resume();
      outbox.pause();
      outbox.inSession(2);
      assert.deepEqual(await outcome, ['SESSION_ENDED', isSent]);
    }
  });
});
