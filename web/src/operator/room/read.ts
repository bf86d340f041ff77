// The state of a live room with all of its members, read as seldom as possible.

import type { RollcallApi } from '@rollcall/server/api.js';
import type { Member, RoomMembers, Timer } from '@rollcall/server/generated.js';

export interface RoomNow {
  epoch: number;
  /** The last event that all of this includes; null if the room changed while it was read. */
  seq: number | null;
  endAt: number;
  hostId: string | null;
  leaderId: string | null;
  timer: Timer | null;
  members: Member[];
  /** The server's clock minus the browser's. */
  clockOffsetMs: number;
}

/** Rooms of up to so many members are read in one call. Of larger ones, a small call says first whether they changed. */
const SMALL = 100;
const PAGE = 1000;

/** @throws {RollcallError} */
export async function readRoom(
  api: RollcallApi,
  id: string,
  last: RoomNow | null,
  signal: AbortSignal,
): Promise<RoomNow> {
  if (last && last.members.length > SMALL) {
    const { epoch, seq } = await api.members(id, { limit: 1, signal });
    if (epoch === last.epoch && seq === last.seq) return last;
  }
  const first = await api.members(id, { limit: PAGE, signal });
  const members = new Map<string, Member>();
  let page: RoomMembers = first;
  for (;;) {
    for (const member of page.members ?? []) members.set(String(member.userId), member);
    if (!page.next || page.epoch !== first.epoch) break;
    page = await api.members(id, { limit: PAGE, after: page.next, signal });
  }
  const isWhole = page.epoch === first.epoch && page.seq === first.seq;
  return {
    epoch: first.epoch,
    seq: isWhole ? first.seq : null,
    endAt: first.endAt,
    hostId: first.hostId == null ? null : String(first.hostId),
    leaderId: first.leaderId == null ? null : String(first.leaderId),
    timer: first.timer ?? null,
    members: [...members.values()],
    clockOffsetMs: first.now - Date.now(),
  };
}

/** How long to wait until the next look. */
export const pauseAfter = ({ members }: RoomNow) => (members.length > PAGE ? 4000 : 2000);
