// What remains of a timer and of a session at a moment. Nothing here has a clock of its own.

import type { Clock } from './clock.js';
import { serverNow } from './clock.js';
import type { Timer, TimerPhase, TimerPlan, TimerState } from './protocol.js';

/** A timer at a moment. */
export interface TimerView {
  state: TimerState;
  phase: TimerPhase;
  cycle: number | null;
  /** How long the phase has lasted. */
  elapsedMs: number;
  /** How long the phase still lasts. A stopwatch has no end. */
  remainingMs: number | null;
  /** How long the whole phase lasts. */
  durationMs: number | null;
}

/** The default lengths of a plan. */
const MINUTE_MS = 60_000;

function durationOf(plan: TimerPlan, phase: TimerPhase): number | null {
  if (plan.mode === 'stopwatch') return null;
  if (plan.mode === 'countdown') return plan.durationMs;
  const { focusMs = 25 * MINUTE_MS, shortBreakMs = 5 * MINUTE_MS, longBreakMs = 15 * MINUTE_MS } = plan;
  return phase === 'focus' ? focusMs : phase === 'longBreak' ? longBreakMs : shortBreakMs;
}

/**
 * A timer at a moment of the server's clock, see `serverNow`. Phases follow each other at their ends, so the view does not
 * wait for the server to say that a phase has ended.
 */
export function timerAt(timer: Timer, now: number): TimerView {
  const { plan, state, phase, cycle = null } = timer;
  const durationMs = durationOf(plan, phase);
  const view = (elapsedMs: number): TimerView => {
    const remainingMs = durationMs === null ? null : Math.max(durationMs - elapsedMs, 0);
    return { state, phase, cycle, elapsedMs, remainingMs, durationMs };
  };
  if (state === 'finished') return view(durationMs ?? 0);
  if (state !== 'running') return view(timer.elapsedMs ?? 0);
  if (timer.endsAt === undefined || durationMs === null) return view(Math.max(now - (timer.startedAt ?? now), 0));
  if (now < timer.endsAt) return view(durationMs - Math.min(timer.endsAt - now, durationMs));
  return plan.mode === 'countdown' ? { ...view(durationMs), state: 'finished' } : timerAt(next(timer, now), now);
}

/** The phase after a phase that has ended. */
function next({ plan, phase, cycle = 1, endsAt = 0 }: Timer, now: number): Timer {
  const { cycles = 4 } = plan as { cycles?: number };
  const [focus, short, long] = (['focus', 'shortBreak', 'longBreak'] as const).map(
    (phase) => durationOf(plan, phase) ?? 0,
  );
  const roundMs = cycles * (focus as number) + (cycles - 1) * (short as number) + (long as number);
  // A computer may have slept through many rounds.
  const startedAt = endsAt + Math.floor((now - endsAt) / roundMs) * roundMs;
  const following: [phase: TimerPhase, cycle: number] =
    phase === 'focus'
      ? [cycle < cycles ? 'shortBreak' : 'longBreak', cycle]
      : ['focus', phase === 'longBreak' ? 1 : cycle + 1];
  const [nextPhase, nextCycle] = following;
  const nextEnd = startedAt + (durationOf(plan, nextPhase) ?? 0);
  return { plan, state: 'running', phase: nextPhase, cycle: nextCycle, startedAt, endsAt: nextEnd };
}

/** How long the session still lasts, at a time of the local clock. */
export function sessionRemainingMs({ endAt }: { endAt: number }, clock: Clock, localNow: number = Date.now()): number {
  return Math.max(endAt - serverNow(clock, localNow), 0);
}
