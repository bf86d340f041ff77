// Hooks over a room of `@rollcall/client`.
//
// | file | what it holds |
// |---|---|
// | `provider` | gives a room to the components below it, and is in the room while it is mounted |
// | `selector` | one part of the snapshot, and no render while that part stays as it is |
// | `hooks` | the parts of a room, with what can be done to them |
// | `ticking` | parts that change by themselves as time passes |

export {
  type ChatPart,
  type CodePart,
  type ConnectionPart,
  type MembersPart,
  type SelfPart,
  useChat,
  useCode,
  useConnection,
  useMembers,
  useRoomEvent,
  useSelf,
} from './hooks.js';
export { RoomProvider, type RoomProviderProps, useRoom } from './provider.js';
export { useRoomSelector } from './selector.js';
export { type SessionPart, type TimerPart, useSession, useTimer } from './ticking.js';
