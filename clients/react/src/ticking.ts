// Parts that change by themselves as time passes.

import {
  type Clock,
  type Room,
  type RoomSnapshot,
  type Session,
  serverNow,
  sessionRemainingMs,
  type Timer,
  type TimerView,
  timerAt,
} from '@rollcall/client';
import { useMemo, useSyncExternalStore } from 'react';

import { useWithCommands } from './hooks.js';
import { useRoom } from './provider.js';
import { isShallowEqual, useRoomSelector } from './selector.js';

const SECOND_MS = 1000;

/** Something that depends on the room and on the time. */
interface Ticking<Part> {
  /** The part now, and how long it stays so. Null: until the room changes. */
  at(snapshot: RoomSnapshot): { part: Part; lastsMs: number | null };
  /** What a server renders. */
  readonly initial: Part;
}

/** The time as a store. It has a timeout only while somebody listens and something changes. */
function createStore<Part>(room: Room, { at, initial }: Ticking<Part>) {
  let part = initial;
  const read = () => {
    const next = at(room.getSnapshot());
    if (!isShallowEqual(part, next.part)) part = next.part;
    return next.lastsMs;
  };
  return {
    subscribe: (listener: () => void): (() => void) => {
      let timeout: ReturnType<typeof setTimeout> | undefined;
      const schedule = () => {
        clearTimeout(timeout);
        const lastsMs = read();
        if (lastsMs === null) return;
        timeout = setTimeout(() => {
          schedule();
          listener();
        }, lastsMs);
      };
      const unsubscribe = room.subscribe(() => {
        schedule();
        listener();
      });
      schedule();
      return () => {
        clearTimeout(timeout);
        unsubscribe();
      };
    },
    getSnapshot: (): Part => {
      read();
      return part;
    },
    getServerSnapshot: (): Part => initial,
  };
}

function useTicking<Part>(ticking: Ticking<Part>): Part {
  const room = useRoom();
  const store = useMemo(() => createStore(room, ticking), [room, ticking]);
  return useSyncExternalStore(store.subscribe, store.getSnapshot, store.getServerSnapshot);
}

/** A remaining time is rounded up and an elapsed one down, to whole steps: what a display shows. */
const roundUp = (ms: number, stepMs: number) => Math.ceil(ms / stepMs) * stepMs;
const roundDown = (ms: number, stepMs: number) => Math.floor(ms / stepMs) * stepMs;
/** How long a remaining or an elapsed time is rounded to the same. At least a moment, because timeouts may be early. */
const untilNext = (ms: number, stepMs: number) => Math.max(ms, 0) % stepMs || stepMs;

export interface TimerPart extends Readonly<Room['timer']> {
  /** As the server tells of it. Null where none is set. */
  readonly timer: Timer | null;
  /** Now, in whole seconds: it changes each second while the timer runs. Null where none is set. */
  readonly view: TimerView | null;
  /** Whether the room has a timer. False only after the server has said so. */
  readonly hasTimer: boolean;
}

const TIMER_VIEW: Ticking<TimerView | null> = {
  at: ({ timer, clock }) => (timer ? viewOf(timer, clock) : { part: null, lastsMs: null }),
  initial: null,
};

function viewOf(timer: Timer, clock: Clock): { part: TimerView; lastsMs: number | null } {
  const view = timerAt(timer, serverNow(clock));
  const { state, elapsedMs, remainingMs } = view;
  const part = {
    ...view,
    elapsedMs: roundDown(elapsedMs, SECOND_MS),
    remainingMs: remainingMs === null ? null : roundUp(remainingMs, SECOND_MS),
  };
  if (state !== 'running') return { part, lastsMs: null };
  const lastsMs = remainingMs === null ? SECOND_MS - (elapsedMs % SECOND_MS) : untilNext(remainingMs, SECOND_MS);
  return { part, lastsMs };
}

const timerOf = ({ timer, off }: RoomSnapshot) => ({ timer, hasTimer: !off.includes('timer') });

/** The timer of the room. */
export function useTimer(): TimerPart {
  const { timer, hasTimer } = useRoomSelector(timerOf);
  const view = useTicking(TIMER_VIEW);
  const state = useMemo(() => ({ timer, view, hasTimer }), [timer, view, hasTimer]);
  return useWithCommands(state, (room) => room.timer);
}

export interface SessionPart {
  /** Null before the first join. */
  readonly session: Session | null;
  /** How long the session lasts, rounded up to whole steps. Null before the first join, and 0 after the end. */
  readonly remainingMs: number | null;
  readonly isReminded: boolean;
  readonly ended: Session['ended'];
}

/** `stepMs`: how often the remaining time changes. */
export function useSession(stepMs: number = SECOND_MS): SessionPart {
  const ticking = useMemo(() => sessionTicking(stepMs), [stepMs]);
  return useTicking(ticking);
}

function sessionTicking(stepMs: number): Ticking<SessionPart> {
  return {
    at: ({ session, clock }) => {
      if (!session) return { part: NO_SESSION, lastsMs: null };
      const { isReminded, ended } = session;
      const remainingMs = ended ? 0 : sessionRemainingMs(session, clock);
      const part = { session, remainingMs: roundUp(remainingMs, stepMs), isReminded, ended };
      return { part, lastsMs: remainingMs === 0 ? null : untilNext(remainingMs, stepMs) };
    },
    initial: NO_SESSION,
  };
}

const NO_SESSION: SessionPart = { session: null, remainingMs: null, isReminded: false, ended: null };
