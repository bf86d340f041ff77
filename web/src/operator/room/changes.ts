// What has happened in a room between two looks at it.

import type { Member } from '@rollcall/server/generated.js';

import type { RoomNow } from './read.js';

export type Change =
  | { kind: 'entered' | 'left' | 'lost' | 'returned' | 'host'; name: string }
  | { kind: 'endMoved'; endAt: number }
  | { kind: 'newSession' };

export function compare(before: RoomNow, now: RoomNow): Change[] {
  if (before.epoch !== now.epoch) return [{ kind: 'newSession' }];
  const changes: Change[] = [];
  const earlier = new Map(before.members.map((member) => [String(member.userId), member]));
  for (const member of now.members) {
    const known = earlier.get(String(member.userId));
    earlier.delete(String(member.userId));
    const name = member.userName;
    if (!known) changes.push({ kind: 'entered', name });
    else if (known.state !== member.state) {
      changes.push({ kind: member.state === 'present' ? 'returned' : 'lost', name });
    }
  }
  for (const { userName } of earlier.values()) changes.push({ kind: 'left', name: userName });
  if (now.hostId !== before.hostId && now.hostId !== null) {
    changes.push({ kind: 'host', name: nameOf(now.members, now.hostId) });
  }
  if (now.endAt !== before.endAt) changes.push({ kind: 'endMoved', endAt: now.endAt });
  return changes;
}

export const nameOf = (members: Member[], id: string): string =>
  members.find(({ userId }) => String(userId) === id)?.userName ?? id;
