// What metrics mean for the operator.

import type { BridgeMetrics } from './metrics.js';

export const STATES = ['ok', 'unknown', 'attention', 'bad'] as const;
export type State = (typeof STATES)[number];

/** Something that is not as it should be. */
export interface Finding {
  kind:
    | 'silent'
    | 'redis'
    | 'app'
    | 'events'
    | 'draining'
    | 'nearlyFull'
    | 'full'
    | 'callsFailing'
    | 'circuitOpen'
    | 'overdue'
    | 'leaseLost'
    | 'restarted';
  state: State;
  /** A share, or seconds. */
  value?: number;
}

export const worst = (states: readonly State[]): State =>
  STATES[Math.max(0, ...states.map((state) => STATES.indexOf(state)))] as State;

/** One look at a bridge; null if it did not answer. */
export type Look = { at: number; metrics: BridgeMetrics | null };

/** How far back the looks go that are compared. */
export const WINDOW_MS = 60_000;

const NEARLY_FULL = 0.8;
const FULL = 0.98;
/** Of fewer calls, one failure would be a large share. */
const LEAST_CALLS = 10;
const SOME_CALLS = 0.05;
const MOST_CALLS = 0.5;
const OVERDUE_S = 5;
const LONG_OVERDUE_S = 30;

/** Judges the looks at a bridge within the window, oldest first. */
export function judgeBridge(looks: readonly Look[]): Finding[] {
  const last = looks.at(-1);
  if (!last) return [];
  if (!last.metrics) {
    // A single answer may be lost on its way.
    const isSilent = looks.slice(-2).every(({ metrics }) => metrics === null);
    return [{ kind: 'silent', state: isSilent ? 'bad' : 'attention' }];
  }
  const now = last.metrics;
  const findings: Finding[] = [];
  const add = (kind: Finding['kind'], state: State, value?: number) =>
    findings.push({ kind, state, ...(value !== undefined && { value }) });

  for (const part of now.missing) {
    if (part === 'draining') add('draining', 'attention');
    else if (part === 'redis' || part === 'app' || part === 'events') add(part, 'bad');
  }
  const share = now.maxSockets > 0 ? now.sockets / now.maxSockets : 0;
  if (share >= FULL) add('full', 'bad', share);
  else if (share >= NEARLY_FULL) add('nearlyFull', 'attention', share);

  const known = looks.flatMap(({ metrics }) => metrics ?? []);
  const lastStart = known.findLastIndex(({ startedAt }) => startedAt !== now.startedAt);
  if (lastStart >= 0) add('restarted', 'attention');
  // Counters begin anew with each start.
  const first = known[lastStart + 1] ?? now;
  const calls = now.calls - first.calls;
  const failing = calls > 0 ? (now.failedCalls - first.failedCalls) / calls : 0;
  if (calls >= LEAST_CALLS && failing >= SOME_CALLS) {
    add('callsFailing', failing >= MOST_CALLS ? 'bad' : 'attention', failing);
  }
  if (now.circuit === 'open') add('circuitOpen', 'bad');
  if (now.overdueS >= OVERDUE_S) add('overdue', now.overdueS >= LONG_OVERDUE_S ? 'bad' : 'attention', now.overdueS);
  if (now.leaseLosses > first.leaseLosses) add('leaseLost', 'attention');
  return findings;
}
