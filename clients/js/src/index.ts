// A client of Rollcall: the state of a study room in one snapshot.
//
// | file | what it holds |
// |---|---|
// | `room` | a room: what an application calls and learns |
// | `lobby` | how many are in which rooms |
// | `link`, `wire` | one connection after the other: reconnects, tokens, draining bridges, pages that sleep |
// | `outbox` | commands until the server has answered them |
// | `model` | the room, as the server's messages tell of it |
// | `kept-entry` | what a page keeps of its entry while it is reloaded |
// | `members`, `chat`, `snippets` | its parts |
// | `websocket`, `socket-io`, `transport` | transports |
// | `clock`, `countdown` | the server's clock, and what remains of a timer |
// | `protocol` | types of the server's messages |
// | `token`, `errors`, `backoff` | tokens, refusals, pauses |
// | `store`, `share`, `emitter`, `platform` | a value that changes, identity of what has not changed, events, the runtime |

export type { Chat } from './chat.js';
export { type Clock, serverNow } from './clock.js';
export { sessionRemainingMs, type TimerView, timerAt } from './countdown.js';
export { type ClientCode, RollcallError } from './errors.js';
export type { ReloadStorage, StorageSource } from './kept-entry.js';
export type { CloseReason, ConnectionStatus, LinkOptions } from './link.js';
export { Lobby, type LobbySnapshot, watchLobby } from './lobby.js';
export type { RoomView, Session } from './model.js';
export type * from './protocol.js';
export {
  type Channel,
  type ChannelAck,
  type Feature,
  Room,
  type RoomEvents,
  type RoomOptions,
  type RoomSnapshot,
} from './room.js';
export type { Code, SharedSnippet } from './snippets.js';
export type { TokenReason, TokenSource } from './token.js';
export type { Transport, TransportConnection, TransportEnd, TransportEvents } from './transport.js';
export { type WebSocketConstructor, type WebSocketLike, type WebSocketOptions, webSocket } from './websocket.js';
