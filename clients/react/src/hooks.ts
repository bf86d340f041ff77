// The parts of a room, with what can be done to them.

import type {
  Chat,
  Code,
  ConnectionStatus,
  Feature,
  Member,
  Room,
  RoomEvents,
  RoomSnapshot,
  StatusAck,
  StatusUpdate,
  UserId,
} from '@rollcall/client';
import { useEffect, useMemo, useRef } from 'react';

import { useRoom } from './provider.js';
import { useRoomSelector } from './selector.js';

export interface MembersPart {
  /** In the order of their arrival. Null where the server lists none: in rooms above the roster limit. */
  readonly members: readonly Member[] | null;
  readonly count: number;
  readonly hostId: UserId | null;
  readonly leaderId: UserId | null;
}

const membersOf = ({ members, count, hostId, leaderId }: RoomSnapshot): MembersPart => ({
  members,
  count,
  hostId,
  leaderId,
});

/** Who is in the room. */
export const useMembers = (): MembersPart => useRoomSelector(membersOf);

export interface SelfPart {
  /** The own entry. Null before the first join. */
  readonly self: Member | null;
  readonly isHost: boolean;
  readonly isLeader: boolean;
  /** Whether the members of this room say what they do. False only after the server has said so. */
  readonly hasStatus: boolean;
  /** Says what the user does at the moment. */
  update(update: StatusUpdate): Promise<StatusAck>;
}

const selfOf = ({ self, hostId, leaderId, off }: RoomSnapshot) => ({
  self,
  isHost: isUser(self, hostId),
  isLeader: isUser(self, leaderId),
  hasStatus: !off.includes('status'),
});

const isUser = (self: Member | null, id: UserId | null) =>
  self !== null && id !== null && String(self.userId) === String(id);

/** The user's own entry. */
export function useSelf(): SelfPart {
  return useWithCommands(useRoomSelector(selfOf), (room) => ({
    update: (update: StatusUpdate) => room.updateMember(update),
  }));
}

export interface ChatPart extends Chat, Readonly<Room['chat']> {
  /** Whether the room has a chat. False only after the server has said so. */
  readonly hasChat: boolean;
}

const chatOf = ({ chat, off }: RoomSnapshot) => ({ ...chat, hasChat: has(off, 'chat') });

/** The messages of the room. */
export const useChat = (): ChatPart => useWithCommands(useRoomSelector(chatOf), (room) => room.chat);

export interface CodePart extends Code, Readonly<Room['code']> {
  /** Whether the members of this room share code. False only after the server has said so. */
  readonly hasCode: boolean;
}

const codeOf = ({ code, off }: RoomSnapshot) => ({ ...code, hasCode: has(off, 'code') });

/** The code that the members share. */
export const useCode = (): CodePart => useWithCommands(useRoomSelector(codeOf), (room) => room.code);

export interface ConnectionPart extends ConnectionStatus {
  join(): void;
  leave(): Promise<void>;
}

/** The connection to the server. */
export function useConnection(): ConnectionPart {
  return useWithCommands(useRoomSelector(connectionOf), (room) => ({
    // What the server refuses is in the snapshot.
    join: () => void room.join().catch(() => {}),
    leave: () => room.leave(),
  }));
}

const connectionOf = ({ connection }: RoomSnapshot): ConnectionStatus => connection;

/** Calls the listener with each event of this name, and always the listener of the latest render. */
export function useRoomEvent<Name extends keyof RoomEvents>(
  name: Name,
  listener: (payload: RoomEvents[Name]) => void,
): void {
  const room = useRoom();
  const latest = useRef(listener);
  useEffect(() => {
    latest.current = listener;
  });
  useEffect(() => room.on(name, (payload) => latest.current(payload)), [room, name]);
}

const has = (off: readonly Feature[], feature: Feature) => !off.includes(feature);

/** The state and the commands in one object, which stays the same while the state does. */
export function useWithCommands<State extends object, Commands extends object>(
  state: State,
  commandsOf: (room: Room) => Commands,
): State & Commands {
  const room = useRoom();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the commands depend on the room only.
  const commands = useMemo(() => commandsOf(room), [room]);
  return useMemo(() => ({ ...state, ...commands }), [state, commands]);
}
