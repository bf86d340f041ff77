// The server's clock, and what remains of timers.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { ClockEstimate } from '../dist/clock.js';
import { serverNow, sessionRemainingMs, timerAt } from '../dist/index.js';
import { randomFrom } from './random.mjs';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

describe('the clock', () => {
  test('the ack with the shortest round trip narrows the offset most', () => {
    const estimate = new ClockEstimate();
    estimate.heard(10_500, 1000, 0);
    assert.deepEqual(estimate.clock, { offsetMs: 10_000, errorMs: 500 });
    estimate.heard(12_005, 2010, 2000);
    assert.deepEqual(estimate.clock, { offsetMs: 10_000, errorMs: 5 });
    estimate.heard(14_100, 4900, 4000);
    assert.deepEqual(estimate.clock, { offsetMs: 10_000, errorMs: 5 }, 'a slow answer changes nothing');
  });

  test('the offset lies within its error, whatever messages take', () => {
    const random = randomFrom(1);
    for (let run = 0; run < 1000; run += 1) {
      const [estimate, offset] = [new ClockEstimate(), Math.round((random() - 0.5) * HOUR)];
      let local = 1_700_000_000_000;
      for (let step = 0; step < 20; step += 1) {
        const [sentAt, up, down] = [local, Math.round(random() ** 4 * 3000), Math.round(random() ** 4 * 3000)];
        local += up + down + Math.round(random() * 1000);
        estimate.heard(sentAt + up + offset, sentAt + up + down, random() < 0.5 ? sentAt : undefined);
        const { offsetMs, errorMs } = estimate.clock;
        assert.ok(Math.abs(offsetMs - offset) <= errorMs, `${offsetMs} is not ${offset} +- ${errorMs}`);
      }
    }
  });

  test('a clock that is set does not keep the estimate wrong', () => {
    const estimate = new ClockEstimate();
    estimate.heard(10_005, 10, 0);
    estimate.heard(10_105, 5110, 5100);
    assert.deepEqual(estimate.clock.offsetMs, 5000);
  });

  test('the remaining time of a session never goes below 0', () => {
    const clock = { offsetMs: 1000, errorMs: 1 };
    assert.equal(serverNow(clock, 500), 1500);
    assert.equal(sessionRemainingMs({ endAt: 2000 }, clock, 500), 500);
    assert.equal(sessionRemainingMs({ endAt: 2000 }, clock, 5000), 0);
  });
});

describe('timers', () => {
  const plan = {
    mode: 'pomodoro',
    focusMs: 25 * MINUTE,
    shortBreakMs: 5 * MINUTE,
    longBreakMs: 15 * MINUTE,
    cycles: 2,
  };
  const running = { plan, state: 'running', phase: 'focus', cycle: 1, startedAt: 0, endsAt: 25 * MINUTE };
  const at = (now, timer = running) => {
    const { state, phase, cycle, elapsedMs, remainingMs } = timerAt(timer, now);
    return [state, phase, cycle, elapsedMs, remainingMs];
  };

  test('a phase runs from its start to its end', () => {
    assert.deepEqual(at(0), ['running', 'focus', 1, 0, 25 * MINUTE]);
    assert.deepEqual(at(10 * MINUTE), ['running', 'focus', 1, 10 * MINUTE, 15 * MINUTE]);
    assert.equal(timerAt(running, 0).durationMs, 25 * MINUTE);
  });

  test('the next phases follow at their ends, without an event', () => {
    assert.deepEqual(at(25 * MINUTE), ['running', 'shortBreak', 1, 0, 5 * MINUTE]);
    assert.deepEqual(at(31 * MINUTE), ['running', 'focus', 2, MINUTE, 24 * MINUTE]);
    assert.deepEqual(at(60 * MINUTE), ['running', 'longBreak', 2, 5 * MINUTE, 10 * MINUTE]);
    assert.deepEqual(at(70 * MINUTE), ['running', 'focus', 1, 0, 25 * MINUTE]);
  });

  test('a computer that slept through many rounds shows the same as one that did not', () => {
    const roundMs = 70 * MINUTE;
    for (const within of [0, 24 * MINUTE, 25 * MINUTE, 29 * MINUTE, 54 * MINUTE, 69 * MINUTE]) {
      assert.deepEqual(at(1000 * roundMs + within), at(within), `${within}`);
    }
  });

  test('a paused phase stands still, and one that was paused ends later', () => {
    const { startedAt: _, endsAt: __, ...paused } = { ...running, state: 'paused', elapsedMs: MINUTE };
    assert.deepEqual(at(HOUR, paused), ['paused', 'focus', 1, MINUTE, 24 * MINUTE]);
    assert.deepEqual(at(30 * MINUTE, { ...running, startedAt: 10 * MINUTE, endsAt: 35 * MINUTE }), at(20 * MINUTE));
  });

  test('a countdown finishes, and a stopwatch does not', () => {
    const countdown = {
      plan: { mode: 'countdown', durationMs: MINUTE },
      phase: 'countdown',
      startedAt: 0,
      endsAt: MINUTE,
    };
    assert.deepEqual(at(HOUR, { ...countdown, state: 'running' }), ['finished', 'countdown', null, MINUTE, 0]);
    assert.deepEqual(at(HOUR, { ...countdown, state: 'idle' }), ['idle', 'countdown', null, 0, MINUTE]);
    assert.deepEqual(at(HOUR, { ...countdown, state: 'finished' }), ['finished', 'countdown', null, MINUTE, 0]);
    const stopwatch = { plan: { mode: 'stopwatch' }, state: 'running', phase: 'stopwatch', startedAt: 1000 };
    assert.deepEqual(at(HOUR, stopwatch), ['running', 'stopwatch', null, HOUR - 1000, null]);
  });
});
