// The payloads of Rollcall's messages. The names are those of the types in `crates/protocol`. All times are milliseconds
// since 1970 by the server's clock, unless a name says otherwise.

/** The id of a user, with the type that the user's token gives it. */
export type UserId = string | number;
/** The id of a room. */
export type RoomId = string | number;

/** The stable code of a refusal. `docs/protocol.md` lists them with their meanings. */
export type ErrorCode =
  | 'TOKEN_MISSING'
  | 'TOKEN_INVALID'
  | 'TOKEN_EXPIRED'
  | 'WRONG_USER'
  | 'ORIGIN_NOT_ALLOWED'
  | 'MALFORMED'
  | 'PAYLOAD_TOO_LARGE'
  | 'UNKNOWN_EVENT'
  | 'NO_SUCH_PATH'
  | 'METHOD_NOT_ALLOWED'
  | 'NO_SUCH_ROOM'
  | 'NOT_LIVE'
  | 'NO_SUCH_MEMBER'
  | 'NOT_A_MEMBER'
  | 'SESSION_ENDED'
  | 'ALREADY_JOINED'
  | 'TOO_MANY_CONNECTIONS'
  | 'ROOM_FULL'
  | 'IN_ANOTHER_ROOM'
  | 'NOT_IN_ROOM'
  | 'NOT_ALLOWED'
  | 'FEATURE_OFF'
  | 'NO_TIMER'
  | 'TIMER_STATE'
  | 'MUTED'
  | 'SLOW_MODE'
  | 'MESSAGE_REFUSED'
  | 'NO_SUCH_MESSAGE'
  | 'NO_SUCH_SNIPPET'
  | 'TOO_MANY_SNIPPETS'
  | 'VERSION_CONFLICT'
  | 'NOT_TOGETHER'
  | 'EDITED_TOGETHER'
  | 'DOCUMENT_FULL'
  | 'TOO_MANY_DOCUMENTS'
  | 'ENTRY_CLOSED'
  | 'SIGNATURE_INVALID'
  | 'UNAUTHORIZED'
  | 'CONFLICT'
  | 'PRECONDITION_FAILED'
  | 'RATE_LIMITED'
  | 'TOO_MANY_SOCKETS'
  | 'TOO_MANY_FROM_ADDRESS'
  | 'OVERLOADED'
  | 'UNAVAILABLE';

/** Why the server did not do what a request asked for. */
export interface Refusal {
  code: ErrorCode;
  /** For people. The text may change. */
  message: string;
  /** With `VERSION_CONFLICT`: what the request wanted to change, as it is now. */
  current?: unknown;
}

/** The response to a request. */
export type Ack<Data> = { success: true; data: Data } | ({ success: false } & Refusal);

/** The position of an event among those of its session. */
export interface Position {
  /** The number of the first of the events that an event has been merged from. */
  firstSeq?: number;
  /** The number of the session. */
  epoch: number;
  /** The number of the event in the session. In an ack: of the last event that the ack includes. */
  seq: number;
}

// Members

export type MemberState = 'present' | 'reconnecting';
export type Status = 'focusing' | 'break' | 'away';

export interface Member {
  userId: UserId;
  userName: string;
  userRole?: string;
  joinedAt: number;
  state: MemberState;
  /** Until when the member may come back; only while reconnecting. */
  graceUntil?: number;
  status?: Status;
  goal?: string;
}

/** A user and the user's name at that time. */
export interface Editor {
  userId: UserId;
  userName: string;
}

/** What a member changes. A field that is absent stays as it is, and `null` removes what was there. */
export interface StatusUpdate {
  status?: Status | null;
  goal?: string | null;
}

export interface StatusAck extends Position {
  userId: UserId;
  userName: string;
  status?: Status;
  goal?: string;
  now: number;
}

// The timer

export type TimerPlan =
  | { mode: 'pomodoro'; focusMs?: number; shortBreakMs?: number; longBreakMs?: number; cycles?: number }
  | { mode: 'countdown'; durationMs: number }
  | { mode: 'stopwatch' };

export type TimerState = 'idle' | 'running' | 'paused' | 'finished';
export type TimerPhase = 'focus' | 'shortBreak' | 'longBreak' | 'countdown' | 'stopwatch';

export interface Timer {
  plan: TimerPlan;
  state: TimerState;
  phase: TimerPhase;
  /** The number of the phase of focus, from 1, which the break after it shares. */
  cycle?: number;
  /** Since when the phase counts, without pauses; only while it runs. */
  startedAt?: number;
  /** When the phase ends; only while it runs, and not of a stopwatch. */
  endsAt?: number;
  /** How long the phase has lasted; only while it is paused. */
  elapsedMs?: number;
}

export interface TimerAck extends Position {
  timer: Timer;
  now: number;
}

// The chat

export interface Message {
  /** Rises with each message and each deletion of the room. */
  number: number;
  /** The id of the command that sent the message. */
  id: string;
  userId: UserId;
  userName: string;
  /** Plain text. */
  text: string;
  sentAt: number;
}

export interface HistoryRequest {
  before?: number;
  after?: number;
  limit?: number;
}

export interface History {
  /** The oldest first. */
  messages: Message[];
  /** The numbers of messages whose deletion lies in the page. */
  deleted: number[];
  first?: number;
  last?: number;
  /** Whether more follow in the direction of the request. */
  more: boolean;
  slowMs?: number;
  mutedUntil?: number;
  now: number;
}

export interface ChatAck extends Position {
  message?: Message;
  now: number;
}

// Code

export type Editors = 'author' | 'everybody' | 'together';

export interface Snippet {
  number: number;
  /** The id of the command that shared the snippet. */
  id: string;
  title?: string;
  language?: string;
  editors: Editors;
  /** 1 at first, and one more with each change. */
  version: number;
  /** The length of the text in UTF-8. */
  bytes: number;
  userId: UserId;
  userName: string;
  sharedAt: number;
  updatedBy: Editor;
  updatedAt: number;
}

export interface SnippetUpdate {
  number: number;
  /** The version that the change starts from. */
  version: number;
  text?: string;
  title?: string | null;
  language?: string | null;
  editors?: Editors;
}

export interface CodeAck extends Position {
  /** The snippet as it is now; none if it has been closed. */
  snippet?: Snippet;
  now: number;
}

export interface SnippetContent {
  snippet: Snippet;
  text: string;
  now: number;
}

export interface Snippets {
  snippets: Snippet[];
  now: number;
}

// The lobby

export interface RoomCount {
  /** As the client names the room. */
  id: RoomId;
  /** 0 if no session is live. */
  count: number;
  endAt?: number;
}

export interface RoomCounts {
  rooms: RoomCount[];
  now?: number;
}

// Requests and acks of a connection

export interface JoinRequest {
  groupId: RoomId;
  resumeToken?: string;
}

export interface JoinAck extends Position {
  /** Rooms above the roster limit omit the list. */
  members?: Member[];
  count: number;
  endAt: number;
  remainMs: number;
  leaderId?: UserId;
  hostId: UserId;
  now: number;
  timer?: Timer;
  /** Whether this entry started the session. */
  first: boolean;
  /** Whether this entry continues a membership. */
  recovered: boolean;
  resumeToken: string;
}

export interface Refreshed {
  expiresAt: number;
}

// Events

export interface RoomStarted extends Position {
  groupId: RoomId;
  startedAt: number;
  endAt: number;
  leaderId?: UserId;
  hostId: UserId;
  members?: Member[];
  count: number;
}

export interface ParticipantsChanged extends Position {
  change: {
    /** `entered`, `left`, `graceExpired`, `removed` or `updated`. Others may come, which leave the count as it is. */
    type: string;
    users: { userId: UserId; userName: string; userRole?: string }[];
  };
  count: number;
  members?: Member[];
}

/** One member, or `users` for several. */
export type ParticipantReconnecting = Position &
  ({ userId: UserId; userName: string; graceUntil: number } | { users: (Editor & { graceUntil: number })[] });

/** One member, or `users` for several. */
export type ParticipantReconnected = Position & { count: number; members?: Member[] } & (Editor | { users: Editor[] });

/** One member, or `users` for several. What is absent the member does not say. */
export type MemberUpdated = Position & { now: number } & (
    | (Editor & { status?: Status; goal?: string })
    | { users: (Editor & { status?: Status; goal?: string })[] }
  );

export interface HostChanged extends Position {
  hostId: UserId;
  userName: string;
}

export interface LeaderChanged extends Position {
  leaderId?: UserId;
}

/** The payload of `room:rescheduled` and `room:reminder`. */
export interface SessionEnd extends Position {
  groupId: RoomId;
  endAt: number;
  remainMs: number;
}

export interface RoomEnded extends Position {
  groupId: RoomId;
  /** `ended`: an operator ended the session. */
  reason: 'time' | 'ended';
}

export interface TimerChanged extends Position {
  timer: Timer;
  /** None if it was an operator. */
  by?: Editor;
  now: number;
}

export interface TimerPhaseChanged extends Position {
  timer: Timer;
  /** How many phases have ended since the last event. */
  phases: number;
  now: number;
}

export interface ChatMessage extends Position {
  message: Message;
  now: number;
}

export interface ChatDeleted extends Position {
  number: number;
  /** The number of the deleted message. */
  deletes: number;
  by?: Editor;
  now: number;
}

export interface RoomMuted extends Position {
  userId: UserId;
  mutedUntil: number;
  by?: Editor;
  now: number;
}

export interface RoomUnmuted extends Position {
  userId: UserId;
  by?: Editor;
  now: number;
}

export interface ChatSlowed extends Position {
  /** 0 ends the slow mode. */
  slowMs: number;
  by?: Editor;
  now: number;
}

/** The payload of `code:shared` and `code:updated`. */
export interface SnippetChanged extends Position {
  snippet: Snippet;
  /** Only if it has at most 4 KiB. */
  text?: string;
  now: number;
}

export interface SnippetClosed extends Position {
  number: number;
  by?: Editor;
  now: number;
}

export interface RoomNotice extends Position {
  groupId: RoomId;
  text: string;
}

export interface RoomState extends Position {
  groupId: RoomId;
  members?: Member[];
  count: number;
  endAt: number;
  remainMs: number;
  now: number;
  timer?: Timer;
  leaderId?: UserId;
  hostId?: UserId;
}

/** The payload of `room:replaced` and `room:removed`. */
export interface EntryGone {
  groupId: RoomId;
}

export interface Expiring {
  expiresAt: number;
  remainMs: number;
}

export interface Draining {
  delayMs: number;
}

export interface DocumentUpdated {
  number: number;
  edit: number;
  /** An update of Yjs in Base64. */
  update: string;
  userId: UserId;
  now: number;
}

export interface DocumentAwareness {
  number: number;
  update: string;
  userId: UserId;
  now: number;
}

export interface DocumentMissed {
  number: number;
}

/** The events of the server, by name. */
export interface ServerEvents {
  'room:started': RoomStarted;
  'room:participantsChanged': ParticipantsChanged;
  'room:participantReconnecting': ParticipantReconnecting;
  'room:participantReconnected': ParticipantReconnected;
  'room:memberUpdated': MemberUpdated;
  'room:hostChanged': HostChanged;
  'room:leaderChanged': LeaderChanged;
  'room:rescheduled': SessionEnd;
  'room:reminder': SessionEnd;
  'room:ended': RoomEnded;
  'room:muted': RoomMuted;
  'room:unmuted': RoomUnmuted;
  'room:notice': RoomNotice;
  'room:state': RoomState;
  'room:replaced': EntryGone;
  'room:removed': EntryGone;
  'timer:changed': TimerChanged;
  'timer:phaseChanged': TimerPhaseChanged;
  'chat:message': ChatMessage;
  'chat:deleted': ChatDeleted;
  'chat:slowed': ChatSlowed;
  'code:shared': SnippetChanged;
  'code:updated': SnippetChanged;
  'code:closed': SnippetClosed;
  'document:updated': DocumentUpdated;
  'document:awareness': DocumentAwareness;
  'document:missed': DocumentMissed;
  'lobby:changed': RoomCounts;
  'auth:expiring': Expiring;
  'server:draining': Draining;
  /** The server could not read a message, or is about to close the connection. */
  error: Refusal;
}
