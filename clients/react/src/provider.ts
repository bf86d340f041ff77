// Gives a room to the components below it.

import type { Room } from '@rollcall/client';
import { createContext, createElement, type ReactNode, useContext, useEffect } from 'react';

const RoomContext = createContext<Room | null>(null);

export interface RoomProviderProps {
  /** Made once, outside of the render: another object is another room. */
  room: Room;
  children?: ReactNode;
}

/** How many providers are in each room. */
const holders = new WeakMap<Room, number>();

/**
 * Enters the room, and is in it until the last provider of the room is unmounted. A provider that is mounted again at once,
 * as StrictMode does, stays in the room. The room is left by `leave` and entered by `join` before that, too.
 */
export function RoomProvider({ room, children }: RoomProviderProps): ReactNode {
  useEffect(() => {
    holders.set(room, (holders.get(room) ?? 0) + 1);
    // What the server refuses is in the snapshot.
    room.join().catch(() => {});
    return () => {
      holders.set(room, (holders.get(room) ?? 1) - 1);
      queueMicrotask(() => {
        if (holders.get(room) === 0) void room.leave();
      });
    };
  }, [room]);
  return createElement(RoomContext.Provider, { value: room }, children);
}

/** The room of the nearest `RoomProvider`. It stays the same object, so it causes no render. */
export function useRoom(): Room {
  const room = useContext(RoomContext);
  if (!room) throw new Error('There is no RoomProvider above this component.');
  return room;
}
