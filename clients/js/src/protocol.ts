// Generated from the types of crates/protocol by `cargo xtask describe`. Change the types there.

/** The version of the protocol that these types describe. */
export const PROTOCOL_VERSION = 1;

/** The payload of `document:awareness`. */
export interface AwarenessUpdated {
  /** The time of Redis, in milliseconds since 1970. */
  now: number;
  /** The number of the snippet. */
  number: number;
  /** What the editor shows of its user: an update of the awareness of Yjs in Base64. */
  update: string;
  /** Whose editor it is. */
  userId: UserId;
}

/** A user whom a change of members is about. */
export interface ChangedUser {
  /** The user. */
  userId: UserId;
  /** The name that others see. */
  userName: string;
  /** The role, if the user has one; only of changes of the type `updated`. */
  userRole?: string;
}

/** The data of the ack of a command to the chat, apart from `chat:history`. */
export interface ChatAck {
  /** The session. */
  epoch: number;
  /** The message, after `chat:send`; none if it was sent long ago. */
  message?: Message;
  /** The time of Redis, in milliseconds since 1970. */
  now: number;
  /** The last event that the ack includes. */
  seq: number;
}

/** The payload of `chat:delete`. */
export interface ChatDelete extends CommandPayload {
  /** The number of the message. */
  number: number;
}

/** The payload of `chat:deleted`. */
export interface ChatDeleted extends Position {
  /** Who did it; absent if it was an operator. */
  by?: NamedUser;
  /** The number of the deleted message. */
  deletes: number;
  /** The time of Redis, in milliseconds since 1970. */
  now: number;
  /** The number of the deletion, among those of messages. */
  number: number;
}

/** The payload of `chat:history`. */
export type ChatHistory = CommandPayload & HistoryRequest;

/** The payload of `chat:message`. */
export interface ChatMessage extends Position {
  /** The message. */
  message: Message;
  /** The time of Redis, in milliseconds since 1970. */
  now: number;
}

/** The payload of `chat:mute`. */
export interface ChatMute extends CommandPayload {
  /** For how many milliseconds; until the end of the session without it. */
  forMs?: number;
  /** The user. */
  userId: UserId;
}

/** The payload of `chat:send`. */
export interface ChatSend extends CommandPayload {
  /** The text. */
  text: string;
}

/** The payload of `chat:slow`. */
export interface ChatSlow extends CommandPayload {
  /** The interval in milliseconds, or 0 to end the slow mode. */
  intervalMs: number;
}

/** The payload of `chat:slowed`. */
export interface ChatSlowed extends Position {
  /** Who did it; absent if it was an operator. */
  by?: NamedUser;
  /** The time of Redis, in milliseconds since 1970. */
  now: number;
  /** The milliseconds in which each user may write once, or 0 after the end of the slow mode. */
  slowMs: number;
}

/** The payload of `chat:unmute`. */
export interface ChatUnmute extends CommandPayload {
  /** The user. */
  userId: UserId;
}

/** The data of the ack of `code:share`, `code:update` and `code:close`. */
export interface CodeAck {
  /** The session. */
  epoch: number;
  /** The time of Redis, in milliseconds since 1970. */
  now: number;
  /** The last event that the ack includes. */
  seq: number;
  /** The snippet as it is now; none if it has been closed. */
  snippet?: Snippet;
}

/** The payload of `code:close`. */
export interface CodeClose extends CommandPayload {
  /** The number of the snippet. */
  number: number;
}

/** The payload of `code:get`. */
export interface CodeGet extends CommandPayload {
  /** The number of the snippet. */
  number: number;
}

/** The payload of `code:list`. */
export type CodeList = CommandPayload;

/** The payload of `code:share`. */
export interface CodeShare extends CommandPayload {
  /** Who may change the snippet. */
  editors?: Editors;
  /** The programming language. */
  language?: string;
  /** The text. */
  text: string;
  /** What it is. An empty title is none. */
  title?: string;
}

/** The payload of `code:update`. */
export type CodeUpdate = CommandPayload & SnippetUpdate;

/** What every command takes, beside its own data. A bridge reads no more of a command's payload. */
export interface CommandPayload {
  /** The client's name for the command. A command that arrives again with the same id has no second effect. */
  id?: string;
}

/** The payload of `document:awareness`. */
export interface DocumentAwareness extends CommandPayload {
  /** The number of the snippet. */
  number: number;
  /** What the editor shows of its user. */
  update: string;
}

/** Names a document: the payload of `document:close` and `document:missed`, and what `document:open` names. */
export interface DocumentName {
  /** The number of the snippet. */
  number: number;
}

/** The payload of `document:open`. */
export interface DocumentOpen extends CommandPayload {
  /** The number of the snippet. */
  number: number;
}

/** The payload of `document:update`. */
export interface DocumentUpdate extends CommandPayload {
  /** The number of the snippet. */
  number: number;
  /** What changes. */
  update: string;
}

/** The payload of `document:updated`. */
export interface DocumentUpdated {
  /** How many updates the document has had, this one included. */
  edit: number;
  /** The time of Redis, in milliseconds since 1970. */
  now: number;
  /** The number of the snippet. */
  number: number;
  /** What changes: an update of Yjs in Base64. */
  update: string;
  /** Who changes the document. */
  userId: UserId;
}

/** Nothing: the payload of an event that says all by its name, and the data of an ack without data. */
export type Done = Record<string, never>;

/** The payload of `server:draining`. */
export interface Draining {
  /**
   * After how many milliseconds the bridge closes this connection. The bridge chooses the delay anew for each client.
   */
  delayMs: number;
}

/** The data of the ack of `document:update`. */
export interface EditAck {
  /** How many updates the document has had, this one included. */
  edit: number;
  /** The time of Redis, in milliseconds since 1970. */
  now: number;
}

/** A user who changes a snippet. */
export interface Editor {
  /** The user. */
  userId: UserId;
  /** The user's name at that time. */
  userName: string;
}

/** Who may change a snippet. */
export type Editors = 'author' | 'everybody' | 'together';

/** Why a session ended. */
export type EndReason = 'time' | 'ended';

/** The stable codes of refusals. */
export type ErrorCode =
  /** The handshake carried no token. */
  | 'TOKEN_MISSING'
  /** The token is malformed, not yet valid, or not signed by a known key. */
  | 'TOKEN_INVALID'
  /** The token has expired; fetch a new one. */
  | 'TOKEN_EXPIRED'
  /** The new token is another user's; open a connection of its own. */
  | 'WRONG_USER'
  /** Pages of this origin may not connect. */
  | 'ORIGIN_NOT_ALLOWED'
  /** The server does not speak this version of the protocol. */
  | 'UNSUPPORTED_VERSION'
  /** The payload is not what this event takes. */
  | 'MALFORMED'
  /** The payload is larger than allowed. */
  | 'PAYLOAD_TOO_LARGE'
  /** There is no event of this name. */
  | 'UNKNOWN_EVENT'
  /** There is nothing at this path. */
  | 'NO_SUCH_PATH'
  /** This cannot be done with what is at this path. */
  | 'METHOD_NOT_ALLOWED'
  /** No session is defined for this room. */
  | 'NO_SUCH_ROOM'
  /** No session is live in this room at the moment. */
  | 'NOT_LIVE'
  /** The user is not in the room. */
  | 'NO_SUCH_MEMBER'
  /** The session does not list this user. */
  | 'NOT_A_MEMBER'
  /** The session is over. */
  | 'SESSION_ENDED'
  /** The user is in the room already, through another connection; close that one, or join with its resume token. */
  | 'ALREADY_JOINED'
  /** The user is in the room through as many connections as are allowed; close one first. */
  | 'TOO_MANY_CONNECTIONS'
  /** The room has no place left. */
  | 'ROOM_FULL'
  /** This connection is in another room; leave that one first. */
  | 'IN_ANOTHER_ROOM'
  /** This connection is not in a room; join one first. */
  | 'NOT_IN_ROOM'
  /** The session lets only others do this. */
  | 'NOT_ALLOWED'
  /** The session or the deployment does without this. */
  | 'FEATURE_OFF'
  /** No timer is set in this room; set one first. */
  | 'NO_TIMER'
  /** The timer is not in a state in which it can do this. */
  | 'TIMER_STATE'
  /** The leader or an operator lets this user write nothing at the moment. */
  | 'MUTED'
  /** Slow mode is on: wait before you send again. */
  | 'SLOW_MODE'
  /** The platform does not accept this message. */
  | 'MESSAGE_REFUSED'
  /** There is no message of this number. */
  | 'NO_SUCH_MESSAGE'
  /** There is no snippet of this number. */
  | 'NO_SUCH_SNIPPET'
  /** The room or the user shares as many snippets as are allowed; close one first. */
  | 'TOO_MANY_SNIPPETS'
  /** Somebody has changed it since; start from the current version. */
  | 'VERSION_CONFLICT'
  /** The members do not edit this snippet together; change it with code:update. */
  | 'NOT_TOGETHER'
  /** The members edit this snippet together; change its text with document:update. */
  | 'EDITED_TOGETHER'
  /** The document is as large as is allowed; share its text anew. */
  | 'DOCUMENT_FULL'
  /** This connection has as many documents open as are allowed; close one first. */
  | 'TOO_MANY_DOCUMENTS'
  /** The event is a late copy: what it began has ended since. */
  | 'ENTRY_CLOSED'
  /** The call is unsigned, altered or stale. */
  | 'SIGNATURE_INVALID'
  /** An operator's token is needed. */
  | 'UNAUTHORIZED'
  /** Another change of the same definition is under way. */
  | 'CONFLICT'
  /** The definition is not the one that the request names; read it again. */
  | 'PRECONDITION_FAILED'
  /** Too many requests; slow down. */
  | 'RATE_LIMITED'
  /** The user holds as many connections as are allowed; close one first. */
  | 'TOO_MANY_SOCKETS'
  /** As many connections as are allowed come from this address, at once or per second. */
  | 'TOO_MANY_FROM_ADDRESS'
  /** The server has as much to do as it can; come back later. */
  | 'OVERLOADED'
  /** A part of the service does not answer at the moment. */
  | 'UNAVAILABLE';

/** The payload of `auth:expiring`. */
export interface Expiring {
  /** When the token expires, in milliseconds since 1970. */
  expiresAt: number;
  /** The milliseconds until then. */
  remainMs: number;
}

/** What a client presents when it connects: over Socket.IO the `auth`. */
export interface Handshake {
  /** A JWT of the user; without it, the header `Authorization` has to carry one. */
  token?: string;
  /** The version of the protocol that the client speaks; without it, the client takes what it gets. */
  version?: number;
}

/** A page of the history of a chat. */
export interface History {
  /** The numbers of messages that were deleted in the time of the page. */
  deleted: number[];
  /** The number with which the page before this one ends; none if the page is empty. */
  first?: number;
  /** The number after which the next page begins; none if the page is empty. */
  last?: number;
  /** The messages, oldest first. */
  messages: Message[];
  /** Whether more follow in the direction of the request. */
  more: boolean;
  /** Until when the reader is muted, if so. */
  mutedUntil?: number;
  /** Who may write nothing at the moment; at most 100 users, those who are muted for the longest. */
  mutes?: Mute[];
  /** The time of Redis. */
  now: number;
  /** The interval in which each user may send once, while slow mode is on. */
  slowMs?: number;
}

/** Which messages to read: the latest, or those next to a message. */
export interface HistoryRequest {
  /** Read the messages after this number, the oldest of them. Excludes `before`. */
  after?: number;
  /** Read the messages before this number, the latest of them. */
  before?: number;
  /** The most messages and deletions to read, from 1 to 100; 50 by default. */
  limit?: number;
}

/** The payload of `room:hostChanged`. */
export interface HostChanged extends Position {
  /** The new host. */
  hostId: UserId;
  /** The name of the host. */
  userName: string;
}

/** The data of the ack of `room:join`. */
export interface JoinAck extends Joined {
  /** A later join with this token replaces this entry, even before anybody has noticed the loss of the connection. */
  resumeToken: string;
  /** The version of the protocol that the server speaks. */
  version: number;
}

/** The payload of `room:join`. The server ignores unknown members, so that newer clients can talk to older servers. */
export interface JoinRequest {
  /** The room to enter. */
  groupId: RoomId;
  /** The token from the ack of an earlier join. The new entry replaces the entry of that join at once. */
  resumeToken?: string;
}

/** A room, for a member who enters. All times are milliseconds since 1970. */
export interface Joined {
  /** The number of members. */
  count: number;
  /** When the session ends. */
  endAt: number;
  /** The session that `seq` counts in. */
  epoch: number;
  /** Whether this entry started the session. */
  first: boolean;
  /** The current host: the leader while present, otherwise the longest-present member. */
  hostId: UserId;
  /** The leader of the session, if it has one. */
  leaderId?: UserId;
  /** The members of the room, in the order of entering; absent in rooms above the roster limit. */
  members?: Member[];
  /** The time of Redis. */
  now: number;
  /** Whether this entry continues a membership, after a lost connection or in place of another connection. */
  recovered: boolean;
  /** The milliseconds until then, by the server's clock. */
  remainMs: number;
  /** The last event that this response includes. Newer changes arrive as events. */
  seq: number;
  /** The timer of the room, if one has been set. */
  timer?: Timer;
}

/** The payload of `room:leaderChanged`. */
export interface LeaderChanged extends Position {
  /** The new leader, if there is one. */
  leaderId?: UserId;
}

/** A member of a room. */
export interface Member {
  /** What the member works on, if the member says so. */
  goal?: string;
  /** Until when the user may return; only while reconnecting. */
  graceUntil?: number;
  /** When the user entered. */
  joinedAt: number;
  /** Whether the user has a connection. */
  state: MemberState;
  /** What the member does at the moment, if the member says so. */
  status?: Status;
  /** The user. */
  userId: UserId;
  /** The name that others see. */
  userName: string;
  /** The role, if the token named one. */
  userRole?: string;
}

/** Whether a member has a connection. */
export type MemberState = 'present' | 'reconnecting';

/** The payload of `member:update`. */
export type MemberUpdate = CommandPayload & StatusUpdate;

/** The payload of `room:memberUpdated`. */
export type MemberUpdated = UpdatedUsers &
  Position & {
    /** The time of Redis, in milliseconds since 1970. */
    now: number;
  };

/** A change of the members of a room. */
export interface MembersChange {
  /** What happened. Further types may come: use `members` and `count`. */
  type: MembersChangeType;
  /** To whom it happened. */
  users: ChangedUser[];
}

/** What happened to members. */
export type MembersChangeType = 'entered' | 'left' | 'graceExpired' | 'removed' | 'updated';

/** A message, as clients see it. */
export interface Message {
  /** The author's name for the message: the id of the command that sent it. */
  id: string;
  /** The number of the message. Numbers of later messages of the room are larger. */
  number: number;
  /** When it was sent, in milliseconds since 1970. */
  sentAt: number;
  /** Plain text, which clients must not interpret. */
  text: string;
  /** The author. */
  userId: UserId;
  /** The author's name at that time. */
  userName: string;
}

/** A user who may write nothing for a time. */
export interface Mute {
  /** Until when, in milliseconds since 1970. */
  mutedUntil: number;
  /** The user. */
  userId: UserId;
}

/** The payload of `room:muted`. */
export interface Muted extends Position {
  /** Who did it; absent if it was an operator. */
  by?: NamedUser;
  /** Until when, in milliseconds since 1970. */
  mutedUntil: number;
  /** The time of Redis, in milliseconds since 1970. */
  now: number;
  /** The user who may write nothing. */
  userId: UserId;
}

/** A user, with the name that others see. */
export interface NamedUser {
  /** The user. */
  userId: UserId;
  /** The name that others see. */
  userName: string;
}

/** The data of the ack of `document:open`. */
export interface OpenedDocument {
  /** The whole document, as one update in Base64. */
  document: string;
  /** How many updates the document has had. */
  edit: number;
  /** The time of Redis, in milliseconds since 1970. */
  now: number;
  /** The snippet. */
  snippet: Snippet;
}

/** The payload of `room:participantReconnected`. */
export type ParticipantReconnected = ReconnectedUsers &
  Position & {
    /** The number of members. */
    count: number;
    /**
     * The members, in the order of entering; absent above the roster limit, and where a later event that goes out at
     * the same time has the list.
     */
    members?: Member[];
  };

/** The payload of `room:participantReconnecting`. */
export type ParticipantReconnecting = ReconnectingUsers & Position;

/** The payload of `room:participantsChanged`. */
export interface ParticipantsChanged extends Position {
  /** What happened, and to whom. */
  change: MembersChange;
  /** The number of members. */
  count: number;
  /**
   * The members after the change, in the order of entering; absent above the roster limit, and where a later event that
   * goes out at the same time has the list.
   */
  members?: Member[];
}

/** The place of an event in its session. */
export interface Position {
  /** The session that `seq` counts in. */
  epoch: number;
  /** The `seq` of the first change, in an event that the bridge has merged from several. */
  firstSeq?: number;
  /** Rises by one with each event of the session. */
  seq: number;
}

/** Who has come back: the fields of one, or `users` of several events that the bridge has merged. */
export type ReconnectedUsers =
  | {
      /** The members. */
      users: NamedUser[];
    }
  | NamedUser;

/** A user who has lost the connection. */
export interface ReconnectingUser {
  /** Until when the user may come back, in milliseconds since 1970. */
  graceUntil: number;
  /** The user. */
  userId: UserId;
  /** The name that others see. */
  userName: string;
}

/** Who has lost the connection: the fields of one, or `users` of several events that the bridge has merged. */
export type ReconnectingUsers =
  | {
      /** The members. */
      users: ReconnectingUser[];
    }
  | ReconnectingUser;

/** The payload of `auth:refresh`. */
export interface RefreshRequest {
  /** A token of the same user. */
  token: string;
}

/** The data of the ack of `auth:refresh`. */
export interface Refreshed {
  /** When the new token expires, in milliseconds since 1970. */
  expiresAt: number;
}

/** A refusal: a code for programs and a sentence for people. */
export interface Refusal {
  /** The code, for programs. */
  code: ErrorCode;
  /** What the request was about, if it started from an earlier state of it. */
  current?: SnippetContent;
  /** The sentence, for people; not stable. */
  message: string;
}

/** The ack of an event that was refused. */
export interface Refused extends Refusal {
  /** Whether the event had its effect. */
  success: false;
}

/** The payload of `room:replaced` and `room:removed`, which concern one user and have no place in the session. */
export interface RoomClosed {
  /** The room. */
  groupId: RoomId;
}

/** How many are in a room. */
export interface RoomCount {
  /** The number of members; 0 if no session is live, or if the session does without the lobby. */
  count: number;
  /** When the session ends, in milliseconds since 1970, if one is live. */
  endAt?: number;
  /** The room, as the client names it. */
  id: RoomId;
}

/** How many are in which room. */
export interface RoomCounts {
  /** The time of Redis, in milliseconds since 1970; none without rooms. */
  now?: number;
  /** The rooms, in the order of the request. Rooms whose counts are not known at the moment are left out. */
  rooms: RoomCount[];
}

/** The payload of `room:ended`. */
export interface RoomEnded {
  /** The session; absent if the client was cut off when it ended. */
  epoch?: number;
  /** The room. */
  groupId: RoomId;
  /** Why the session ended. */
  reason: EndReason;
  /** The place of the event; absent if the client was cut off when the session ended. */
  seq?: number;
}

/**
 * A room of one study group. A number and its text are the same id. Responses hold the type that the platform uses; an
 * integer beyond 2^53 - 1 becomes text. An id has 1 to 128 bytes and no character that people cannot see.
 */
export type RoomId = string | number;

/** The payload of `room:notice`. */
export interface RoomNotice extends Position {
  /** The room. */
  groupId: RoomId;
  /** Plain text, which clients must not interpret. */
  text: string;
}

/** The payload of `room:rescheduled` and `room:reminder`. */
export interface RoomSchedule extends Position {
  /** When the session ends, in milliseconds since 1970. */
  endAt: number;
  /** The room. */
  groupId: RoomId;
  /** The milliseconds until then. */
  remainMs: number;
}

/** The payload of `room:started`. */
export interface RoomStarted extends Position {
  /** The number of members. */
  count: number;
  /** When the session ends. */
  endAt: number;
  /** The room. */
  groupId: RoomId;
  /** The host. */
  hostId: UserId;
  /** The leader of the session, if it has one. */
  leaderId?: UserId;
  /** The members; absent above the roster limit. */
  members?: Member[];
  /** When the session started, in milliseconds since 1970. */
  startedAt: number;
}

/** The state of a room: the payload of `room:state`. */
export interface RoomState {
  /** The number of members. */
  count: number;
  /** When the session ends. */
  endAt: number;
  /** The session. */
  epoch: number;
  /** The room. */
  groupId: RoomId;
  /** The current host; none in an empty room. */
  hostId?: UserId;
  /** The leader of the session, if it has one. */
  leaderId?: UserId;
  /** The members, in the order of entering; absent in rooms above the roster limit. */
  members?: Member[];
  /** The time of Redis. */
  now: number;
  /** The milliseconds until then. */
  remainMs: number;
  /** The last event that this state includes. */
  seq: number;
  /** The timer, if one has been set. */
  timer?: Timer;
}

/** A snippet without its text, as clients see it. */
export interface Snippet {
  /** The length of the text in bytes. In a document, the length when its updates were last merged. */
  bytes: number;
  /** Who may change the snippet. */
  editors: Editors;
  /** The author's name for the snippet: the id of the command that shared it. */
  id: string;
  /** The programming language, if the author names one. */
  language?: string;
  /** The number of the snippet. Numbers of later snippets of the room are larger. */
  number: number;
  /** When the snippet was shared, in milliseconds since 1970. */
  sharedAt: number;
  /** What the snippet is, if the author says so. */
  title?: string;
  /** When that was, in milliseconds since 1970. */
  updatedAt: number;
  /** Who made the latest version. */
  updatedBy: Editor;
  /** The author. */
  userId: UserId;
  /** The author's name at that time. */
  userName: string;
  /** Rises by one with each change, from 1. */
  version: number;
}

/** The payload of `code:shared` and `code:updated`. */
export interface SnippetChanged extends Position {
  /** The time of Redis, in milliseconds since 1970. */
  now: number;
  /** The snippet. */
  snippet: Snippet;
  /** The text, if it has at most 4 KiB. Plain text, which clients must not interpret. */
  text?: string;
}

/** The payload of `code:closed`. */
export interface SnippetClosed extends Position {
  /** Who did it; absent if it was an operator. */
  by?: NamedUser;
  /** The time of Redis, in milliseconds since 1970. */
  now: number;
  /** The number of the snippet. */
  number: number;
}

/** A snippet and its text. */
export interface SnippetContent {
  /** The time of Redis, in milliseconds since 1970. */
  now: number;
  /** The snippet. */
  snippet: Snippet;
  /** Plain text, which clients must not interpret. */
  text: string;
}

/**
 * What a change makes of a snippet. A field that is absent stays as it is, and `null` removes a title or a language.
 */
export interface SnippetUpdate {
  /** Who may change the snippet from now on. */
  editors?: Editors;
  /** The new language. */
  language?: string | null;
  /** The number of the snippet. */
  number: number;
  /** The whole new text. */
  text?: string;
  /** The new title. An empty one is none. */
  title?: string | null;
  /** The version that the change starts from. */
  version: number;
}

/** The snippets of a room. */
export interface Snippets {
  /** The time of Redis, in milliseconds since 1970. */
  now: number;
  /** The snippets, oldest first. */
  snippets: Snippet[];
}

/** What a member does at the moment. */
export type Status = 'focusing' | 'break' | 'away';

/** The data of the ack of `member:update`. */
export interface StatusAck {
  /** The session. */
  epoch: number;
  /** The goal after the command, if the member has said one. */
  goal?: string;
  /** The time of Redis, in milliseconds since 1970. */
  now: number;
  /** The last event that the ack includes. */
  seq: number;
  /** The status after the command, if the member has said one. */
  status?: Status;
  /** The member. */
  userId: UserId;
  /** The member's name. */
  userName: string;
}

/** What a member changes. A field that is absent stays as it is, and `null` removes what was there. */
export interface StatusUpdate {
  /** What the member works on. An empty text is no goal. */
  goal?: string | null;
  /** The status. */
  status?: null | Status;
}

/** A timer, as clients see it. All times are milliseconds since 1970. */
export interface Timer {
  /** The number of the phase of focus, which the break after it shares; only with phases. */
  cycle?: number;
  /** How many milliseconds of the phase have passed; only while it is paused. */
  elapsedMs?: number;
  /** When the phase ends; only while it runs, and not of a stopwatch. */
  endsAt?: number;
  /** What it counts at the moment. */
  phase: TimerPhase;
  /** What the timer counts. */
  plan: TimerPlan;
  /** Since when the phase counts, without pauses; only while it runs. */
  startedAt?: number;
  /** Whether it runs. */
  state: TimerState;
}

/** The data of the ack of a command to the timer. */
export interface TimerAck {
  /** The session. */
  epoch: number;
  /** The time of Redis, in milliseconds since 1970. */
  now: number;
  /** The last event that the timer includes. */
  seq: number;
  /** The timer after the command. */
  timer: Timer;
}

/** The payload of `timer:changed`. */
export interface TimerChanged extends Position {
  /** Who did it; absent if it was an operator. */
  by?: NamedUser;
  /** The time of Redis, in milliseconds since 1970. */
  now: number;
  /** The timer after the change. */
  timer: Timer;
}

/** The payload of `timer:pause`. */
export type TimerPause = CommandPayload;

/** What a timer counts at the moment. */
export type TimerPhase = 'focus' | 'shortBreak' | 'longBreak' | 'countdown' | 'stopwatch';

/** The payload of `timer:phaseChanged`. */
export interface TimerPhaseChanged extends Position {
  /** The time of Redis, in milliseconds since 1970. */
  now: number;
  /** How many phases have ended since the last event: one, unless the app could not be on time. */
  phases: number;
  /** The timer in the new phase. */
  timer: Timer;
}

/** What a timer counts. */
export type TimerPlan =
  | {
      /** The phases of focus before the long break; 4 by default. */
      cycles?: number;
      /** The length of a phase of focus, in milliseconds; 25 minutes by default. */
      focusMs?: number;
      /** The length of the break after the last cycle, in milliseconds; 15 minutes by default. */
      longBreakMs?: number;
      mode: 'pomodoro';
      /** The length of a break between two phases of focus, in milliseconds; 5 minutes by default. */
      shortBreakMs?: number;
    }
  | {
      /** The time, in milliseconds. */
      durationMs: number;
      mode: 'countdown';
    }
  | {
      mode: 'stopwatch';
    };

/** The payload of `timer:reset`. */
export type TimerReset = CommandPayload;

/** The payload of `timer:resume`. */
export type TimerResume = CommandPayload;

/** The payload of `timer:set`. */
export type TimerSet = CommandPayload & TimerPlan;

/** The payload of `timer:skip`. */
export type TimerSkip = CommandPayload;

/** The payload of `timer:start`. */
export type TimerStart = CommandPayload;

/** Whether a timer runs. */
export type TimerState = 'idle' | 'running' | 'paused' | 'finished';

/** The payload of `room:unmuted`. */
export interface Unmuted extends Position {
  /** Who did it; absent if it was an operator. */
  by?: NamedUser;
  /** The time of Redis, in milliseconds since 1970. */
  now: number;
  /** The user who may write again. */
  userId: UserId;
}

/**
 * Who says something else about the status or the goal: the fields of one, or `users` of several events that the bridge
 * has merged.
 */
export type UpdatedUsers =
  | {
      /** The members. */
      users: UserStatus[];
    }
  | UserStatus;

/**
 * A user of the study platform. A number and its text are the same id. Responses hold the type that the platform uses;
 * an integer beyond 2^53 - 1 becomes text. An id has 1 to 128 bytes and no character that people cannot see.
 */
export type UserId = string | number;

/** What a member says about the status and the goal. What is absent the member does not say. */
export interface UserStatus {
  /** What the member works on. */
  goal?: string;
  /** What the member does at the moment. */
  status?: Status;
  /** The member. */
  userId: UserId;
  /** The name that others see. */
  userName: string;
}

/** The payload of `lobby:watch`: the rooms whose counts to watch from now on, instead of those before. */
export interface WatchRequest {
  /** At most 100 rooms. None ends the watch. */
  ids: RoomId[];
}

/** The ack of an event. */
export type Ack<Data> = { success: true; data: Data } | Refused;

/** The events that clients send: the payload, and the data of the ack. */
export interface ClientEvents {
  /** Enter the room, or come back to it. */
  'room:join': { payload: JoinRequest; ack: JoinAck };
  /** Leave the room for good. */
  'room:leave': { payload: Done; ack: Done };
  /** Present a new token of the same user before the old token expires. */
  'auth:refresh': { payload: RefreshRequest; ack: Refreshed };
  /** Watch how many are in these rooms, instead of those before. */
  'lobby:watch': { payload: WatchRequest; ack: RoomCounts };
  /** Get no more events of a document. */
  'document:close': { payload: DocumentName; ack: Done };
  /** Ask whether the connection works. The bridge answers at once, while other events still wait for the app. */
  'server:ping': { payload: Done; ack: Done };
  /** Replace the timer by one with this plan, which does not run yet. */
  'timer:set': { payload: TimerSet; ack: TimerAck };
  /** Begin with the first phase. */
  'timer:start': { payload: TimerStart; ack: TimerAck };
  /** Stop until `timer:resume`. */
  'timer:pause': { payload: TimerPause; ack: TimerAck };
  /** Go on after `timer:pause`. */
  'timer:resume': { payload: TimerResume; ack: TimerAck };
  /** Go on with the next phase. */
  'timer:skip': { payload: TimerSkip; ack: TimerAck };
  /** Go back to before the first phase. */
  'timer:reset': { payload: TimerReset; ack: TimerAck };
  /** Change the status, the goal or both. */
  'member:update': { payload: MemberUpdate; ack: StatusAck };
  /** Send a message. */
  'chat:send': { payload: ChatSend; ack: ChatAck };
  /** Delete a message. */
  'chat:delete': { payload: ChatDelete; ack: ChatAck };
  /** Let a user send nothing for a time. */
  'chat:mute': { payload: ChatMute; ack: ChatAck };
  /** Let a muted user send again. */
  'chat:unmute': { payload: ChatUnmute; ack: ChatAck };
  /** Let each user send only once in an interval. */
  'chat:slow': { payload: ChatSlow; ack: ChatAck };
  /** Read messages. */
  'chat:history': { payload: ChatHistory; ack: History };
  /** Share a snippet. */
  'code:share': { payload: CodeShare; ack: CodeAck };
  /** Change a snippet. */
  'code:update': { payload: CodeUpdate; ack: CodeAck };
  /** Remove a snippet. */
  'code:close': { payload: CodeClose; ack: CodeAck };
  /** Read a snippet with its text. */
  'code:get': { payload: CodeGet; ack: SnippetContent };
  /** List the snippets, without their texts. */
  'code:list': { payload: CodeList; ack: Snippets };
  /** Read a document. The bridge passes on what happens in it from then on. */
  'document:open': { payload: DocumentOpen; ack: OpenedDocument };
  /** Change a document. */
  'document:update': { payload: DocumentUpdate; ack: EditAck };
  /** Show the others where a user is in a document. */
  'document:awareness': { payload: DocumentAwareness; ack: EditAck };
}

/** The events that clients get, and their payloads. */
export interface ServerEvents {
  /** The first member has entered, and the session has started. */
  'room:started': RoomStarted;
  /**
   * Members have entered, left or been removed, have not come back within the grace period, or have another name or
   * role.
   */
  'room:participantsChanged': ParticipantsChanged;
  /** Members have lost their connections, and the grace period runs. */
  'room:participantReconnecting': ParticipantReconnecting;
  /** Members have come back within the grace period. */
  'room:participantReconnected': ParticipantReconnected;
  /** Members say something else about their status or goal. */
  'room:memberUpdated': MemberUpdated;
  /** The room has a new host. */
  'room:hostChanged': HostChanged;
  /** The definition names another leader, or none. */
  'room:leaderChanged': LeaderChanged;
  /** The end of the session has moved. */
  'room:rescheduled': RoomSchedule;
  /** The end of the session is near. */
  'room:reminder': RoomSchedule;
  /** The session is over. The bridge then closes the socket. */
  'room:ended': RoomEnded;
  /** An operator sends plain text to all members. */
  'room:notice': RoomNotice;
  /**
   * The room as it is, after events may have been missed. Replaces everything that the client knows, apart from the
   * chat and the code.
   */
  'room:state': RoomState;
  /**
   * Another connection of the same user has taken the place of this one. The bridge then closes the socket; do not
   * reconnect automatically.
   */
  'room:replaced': RoomClosed;
  /**
   * An operator has removed the user, or the definition no longer lists the user. The bridge then closes the socket.
   */
  'room:removed': RoomClosed;
  /** A user may write nothing for a time. */
  'room:muted': Muted;
  /** A user may write again. */
  'room:unmuted': Unmuted;
  /** Somebody has set, started, stopped or changed the timer. */
  'timer:changed': TimerChanged;
  /** A phase of the timer has ended. */
  'timer:phaseChanged': TimerPhaseChanged;
  /** A member has written a message. */
  'chat:message': ChatMessage;
  /** Somebody has deleted a message. */
  'chat:deleted': ChatDeleted;
  /** Somebody has set the slow mode. */
  'chat:slowed': ChatSlowed;
  /** A member has shared a snippet. */
  'code:shared': SnippetChanged;
  /** A member has changed a snippet. */
  'code:updated': SnippetChanged;
  /** Somebody has closed a snippet. */
  'code:closed': SnippetClosed;
  /** Somebody has changed a document that this connection has open. */
  'document:updated': DocumentUpdated;
  /** Somebody shows a position in a document that this connection has open. */
  'document:awareness': AwarenessUpdated;
  /** Updates of a document may have been missed: open the document again. */
  'document:missed': DocumentName;
  /** Counts of watched rooms have changed. Holds only the rooms that have changed. */
  'lobby:changed': RoomCounts;
  /** The token expires soon. */
  'auth:expiring': Expiring;
  /** The bridge stops, and soon closes this connection. Connect again after the close. */
  'server:draining': Draining;
  /**
   * An error outside a room: a message that the bridge cannot read and that has no id, or the reason for which the
   * bridge is about to close the socket.
   */
  error: Refusal;
}
