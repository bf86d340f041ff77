// The live rooms, of all pages.

import type { LiveRoom } from '@rollcall/server/generated.js';
import { useMemo } from 'preact/hooks';

import { type Polled, usePolling } from '../polling.js';
import { useService } from '../service.js';

/** A page has as many rooms as the server allows, because each page costs a call. */
const PAGE = 1000;

/** One call in this time, however many pages there are. */
const INTERVAL_MS = 3000;

export interface Rooms extends Omit<Polled<LiveRoom[]>, 'data'> {
  all: LiveRoom[] | null;
  /** The members of all rooms. */
  members: number;
}

export function useRooms(): Rooms {
  const { api } = useService();
  const { data, ...polled } = usePolling<LiveRoom[]>(
    'rooms',
    async (_, signal) => {
      const rooms = new Map<string, LiveRoom>();
      let after: string | null | undefined;
      do {
        const page = await api.list({ limit: PAGE, ...(after && { after }), signal });
        // A room that ends and begins again between two pages may be on both.
        for (const room of page.rooms) rooms.set(String(room.id), room);
        after = page.next;
      } while (after);
      return [...rooms.values()];
    },
    (rooms) => INTERVAL_MS * Math.max(1, Math.ceil(rooms.length / PAGE)),
  );
  const members = useMemo(() => (data ?? []).reduce((sum, { count }) => sum + count, 0), [data]);
  return { ...polled, all: data, members };
}
