// One part of the snapshot.

import { Room, type RoomSnapshot } from '@rollcall/client';
import { useEffect, useMemo, useRef, useSyncExternalStore } from 'react';

import { useRoom } from './provider.js';

/** A room before its first join. A server renders it, and so does a page that takes over what the server has rendered. */
const BEFORE_JOIN: RoomSnapshot = new Room({
  groupId: '',
  token: '',
  transport: () => ({ send: () => {}, close: () => {} }),
} as never).getSnapshot();

export type Selector<Part> = (snapshot: RoomSnapshot) => Part;
export type IsEqual<Part> = (a: Part, b: Part) => boolean;

/**
 * A part of the room, or something computed from it. Renders only when `isEqual` tells the part from the one before. By
 * default, two objects or lists are equal if what they hold is the same, so a selector may make a new one each time.
 */
export function useRoomSelector<Part>(selector: Selector<Part>, isEqual: IsEqual<Part> = isShallowEqual): Part {
  const { subscribe, getSnapshot } = useRoom();
  /** What was rendered last: a selector that is another function each time may select the same. */
  const rendered = useRef<{ part: Part } | null>(null);
  const select = useMemo(() => {
    let last: { snapshot: RoomSnapshot; part: Part } | undefined;
    return (snapshot: RoomSnapshot): Part => {
      if (last?.snapshot === snapshot) return last.part;
      const before = last ?? rendered.current;
      const next = selector(snapshot);
      last = { snapshot, part: before && isEqual(before.part, next) ? before.part : next };
      return last.part;
    };
  }, [selector, isEqual]);
  const part = useSyncExternalStore(
    subscribe,
    () => select(getSnapshot()),
    () => select(BEFORE_JOIN),
  );
  useEffect(() => {
    rendered.current = { part };
  }, [part]);
  return part;
}

export function isShallowEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || !a || !b) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [inA, inB] = [a as Record<string, unknown>, b as Record<string, unknown>];
  const keys = Object.keys(inA);
  if (keys.length !== Object.keys(inB).length) return false;
  return keys.every((key) => Object.hasOwn(inB, key) && Object.is(inA[key], inB[key]));
}
