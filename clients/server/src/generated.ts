// Generated from docs/openapi.json by `npm run generate`.

/** The attendance of a room. */
export type Attendance = {
  /** The attendees, in the order of their first stays. */
  attendees: Array<Attendee>;
};

/** All stays of one user. */
export type Attendee = {
  /** The number of drops in all stays. */
  drops: number;
  /** The sum over all stays. */
  presentMs: number;
  /** The stays, oldest first. */
  stays: Array<Stay>;
  /** The part of it that counts as study: without the times of statuses that the deployment leaves out. */
  studyMs: number;
  /** The user, with the latest type of the id. */
  userId: UserId;
  /** The user's latest name. */
  userName: string;
};

/** The data of the ack of a command to the chat, apart from `chat:history`. */
export type ChatAck = {
  /** The session. */
  epoch: number;
  /** The message, after `chat:send`; none if it was sent long ago. */
  message?: null | Message;
  /** The time of Redis, in milliseconds since 1970. */
  now: number;
  /** The last event that the ack includes. */
  seq: number;
};

/** What to do in the chat of a room. The names are those of the events that clients send. */
export type ChatAction = {
  command: 'chat:send';
  /** Send a message. */
  data: {
    /** The text. */
    text: string;
  };
} | {
  command: 'chat:delete';
  /** Delete a message. */
  data: {
    /** The number of the message. */
    number: number;
  };
} | {
  command: 'chat:mute';
  /** Let a user send nothing for a time. */
  data: {
    /** For how many milliseconds; until the end of the session without it. */
    forMs?: number | null;
    /** The user. */
    userId: UserId;
  };
} | {
  command: 'chat:unmute';
  /** Let a muted user send again. */
  data: {
    /** The user. */
    userId: UserId;
  };
} | {
  command: 'chat:slow';
  /** Let each user send only once in an interval. */
  data: {
    /** The interval in milliseconds, or 0 to end the slow mode. */
    intervalMs: number;
  };
} | {
  command: 'chat:history';
  /** Read messages. */
  data: HistoryRequest;
};

/** An operator's command to the chat of a room. */
export type ChatRequest = (ChatAction) & ({
  /** Names the command. The same command sent again has no second effect. */
  id?: string | null;
});

/** A change of a definition (JSON Merge Patch, RFC 7396): named members are replaced, and `null` removes a member. */
export type DefinitionPatch = {
  /** The most members at once; `null` removes the limit. */
  capacity?: number | null;
  /** What happens when a present user connects again. */
  duplicates?: null | Duplicates;
  /** When the session ends. */
  endAt?: number | null;
  /** The features that the session uses; `null` for all. */
  features?: Array<Feature> | null;
  /** The leader; `null` leaves the room without one. */
  leaderId?: null | UserId;
  /** The users who may enter; `null` admits everybody. */
  members?: Array<UserId> | null;
  /** Who may set the timer of the room, beside operators. */
  timerBy?: null | TimerBy;
};

/** What happens when a present user connects again without the resume token of the first connection. */
export type Duplicates = 'refuse' | 'takeover' | 'share';

/** A user who changes a snippet. */
export type Editor = {
  /** The user. */
  userId: UserId;
  /** The user's name at that time. */
  userName: string;
};

/** Who may change a snippet. */
export type Editors = 'author' | 'everybody' | 'together';

/** How a stay ended. */
export type Ending = 'left' | 'graceExpired' | 'removed' | 'ended';

/** The stable codes of refusals. */
export type ErrorCode = 'TOKEN_MISSING' | 'TOKEN_INVALID' | 'TOKEN_EXPIRED' | 'WRONG_USER' | 'ORIGIN_NOT_ALLOWED' | 'UNSUPPORTED_VERSION' | 'MALFORMED' | 'PAYLOAD_TOO_LARGE' | 'UNKNOWN_EVENT' | 'NO_SUCH_PATH' | 'METHOD_NOT_ALLOWED' | 'NO_SUCH_ROOM' | 'NOT_LIVE' | 'NO_SUCH_MEMBER' | 'NOT_A_MEMBER' | 'SESSION_ENDED' | 'ALREADY_JOINED' | 'TOO_MANY_CONNECTIONS' | 'ROOM_FULL' | 'IN_ANOTHER_ROOM' | 'NOT_IN_ROOM' | 'NOT_ALLOWED' | 'FEATURE_OFF' | 'NO_TIMER' | 'TIMER_STATE' | 'MUTED' | 'SLOW_MODE' | 'MESSAGE_REFUSED' | 'NO_SUCH_MESSAGE' | 'NO_SUCH_SNIPPET' | 'TOO_MANY_SNIPPETS' | 'VERSION_CONFLICT' | 'NOT_TOGETHER' | 'EDITED_TOGETHER' | 'DOCUMENT_FULL' | 'TOO_MANY_DOCUMENTS' | 'ENTRY_CLOSED' | 'SIGNATURE_INVALID' | 'UNAUTHORIZED' | 'CONFLICT' | 'PRECONDITION_FAILED' | 'RATE_LIMITED' | 'TOO_MANY_SOCKETS' | 'TOO_MANY_FROM_ADDRESS' | 'OVERLOADED' | 'UNAVAILABLE';

/** A part of Rollcall that a deployment or a session may do without. */
export type Feature = 'timer' | 'status' | 'chat' | 'code' | 'lobby';

/** A page of the history of a chat. */
export type History = {
  /** The numbers of messages that were deleted in the time of the page. */
  deleted: Array<number>;
  /** The number with which the page before this one ends; none if the page is empty. */
  first?: number | null;
  /** The number after which the next page begins; none if the page is empty. */
  last?: number | null;
  /** The messages, oldest first. */
  messages: Array<Message>;
  /** Whether more follow in the direction of the request. */
  more: boolean;
  /** Until when the reader is muted, if so. */
  mutedUntil?: number | null;
  /** Who may write nothing at the moment; at most 100 users, those who are muted for the longest. */
  mutes?: Array<Mute>;
  /** The time of Redis. */
  now: number;
  /** The interval in which each user may send once, while slow mode is on. */
  slowMs?: number | null;
};

/** Which messages to read: the latest, or those next to a message. */
export type HistoryRequest = {
  /** Read the messages after this number, the oldest of them. Excludes `before`. */
  after?: number | null;
  /** Read the messages before this number, the latest of them. */
  before?: number | null;
  /** The most messages and deletions to read, from 1 to 100; 50 by default. */
  limit?: number;
};

/** A room whose session is live. */
export type LiveRoom = {
  /** The number of members. */
  count: number;
  /** When the session ends. */
  endAt: number;
  /** The session. */
  epoch: number;
  /** The room. */
  id: RoomId;
  /** When the session started, in milliseconds since 1970. */
  startedAt: number;
};

/** One page of live rooms. */
export type LiveRooms = {
  /** The value of `after` for the next page; none on the last page. */
  next?: string | null;
  /** The rooms, in a meaningless but constant order. */
  rooms: Array<LiveRoom>;
};

/** A member of a room. */
export type Member = {
  /** What the member works on, if the member says so. */
  goal?: string | null;
  /** Until when the user may return; only while reconnecting. */
  graceUntil?: number | null;
  /** When the user entered. */
  joinedAt: number;
  /** Whether the user has a connection. */
  state: MemberState;
  /** What the member does at the moment, if the member says so. */
  status?: null | Status;
  /** The user. */
  userId: UserId;
  /** The name that others see. */
  userName: string;
  /** The role, if the token named one. */
  userRole?: string | null;
};

/** Whether a member has a connection. */
export type MemberState = 'present' | 'reconnecting';

/** A message, as clients see it. */
export type Message = {
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
};

/** A user who may write nothing for a time. */
export type Mute = {
  /** Until when, in milliseconds since 1970. */
  mutedUntil: number;
  /** The user. */
  userId: UserId;
};

/** A notice to all members of a room. */
export type Notice = {
  /** Plain text, which clients must not interpret. Control, bidirectional and invisible characters are left out. */
  text: string;
};

/** A refusal (Problem Details, RFC 9457). */
export type Problem = {
  /** The code, for programs. */
  code: ErrorCode;
  /** The reason of this refusal. */
  detail: string;
  /** The HTTP status. */
  status: number;
  /** The meaning of the code. */
  title: string;
};

/** How many are in a room. */
export type RoomCount = {
  /** The number of members; 0 if no session is live, or if the session does without the lobby. */
  count: number;
  /** When the session ends, in milliseconds since 1970, if one is live. */
  endAt?: number | null;
  /** The room, as the client names it. */
  id: RoomId;
};

/** How many are in which room. */
export type RoomCounts = {
  /** The time of Redis, in milliseconds since 1970; none without rooms. */
  now?: number | null;
  /** The rooms, in the order of the request. Rooms whose counts are not known at the moment are left out. */
  rooms: Array<RoomCount>;
};

/** A room of one study group. A number and its text are the same id. Responses hold the type that the platform uses; an integer beyond 2^53 - 1 becomes text. An id has 1 to 128 bytes and no character that people cannot see. */
export type RoomId = string | number;

/** A room and a page of its members. */
export type RoomMembers = (RoomState) & ({
  /** The value of `after` for the next page; none on the last page. */
  next?: string | null;
});

/** The state of a room: the payload of `room:state`. */
export type RoomState = {
  /** The number of members. */
  count: number;
  /** When the session ends. */
  endAt: number;
  /** The session. */
  epoch: number;
  /** The room. */
  groupId: RoomId;
  /** The current host; none in an empty room. */
  hostId?: null | UserId;
  /** The leader of the session, if it has one. */
  leaderId?: null | UserId;
  /** The members, in the order of entering; absent in rooms above the roster limit. */
  members?: Array<Member> | null;
  /** The time of Redis. */
  now: number;
  /** The milliseconds until then. */
  remainMs: number;
  /** The last event that this state includes. */
  seq: number;
  /** The timer, if one has been set. */
  timer?: null | Timer;
};

/** A room's session, as the study service defines it. */
export type SessionDefinition = {
  /** The most members at once; the leader may exceed it. Without it, there is no limit. */
  capacity?: number | null;
  /** What happens when a present user connects again. */
  duplicates?: Duplicates;
  /** When the session ends, in milliseconds since 1970. */
  endAt: number;
  /** The features that the session uses, of those that the deployment has; without this list, all. */
  features?: Array<Feature> | null;
  /** The leader, who may always enter. Without it, or with `null`, the room has no leader. */
  leaderId?: null | UserId;
  /** The users who may enter; without this list, every user with a valid token. */
  members?: Array<UserId> | null;
  /** Who may set the timer of the room, beside operators. */
  timerBy?: TimerBy;
};

/** A snippet without its text, as clients see it. */
export type Snippet = {
  /** The length of the text in bytes. In a document, the length when its updates were last merged. */
  bytes: number;
  /** Who may change the snippet. */
  editors: Editors;
  /** The author's name for the snippet: the id of the command that shared it. */
  id: string;
  /** The programming language, if the author names one. */
  language?: string | null;
  /** The number of the snippet. Numbers of later snippets of the room are larger. */
  number: number;
  /** When the snippet was shared, in milliseconds since 1970. */
  sharedAt: number;
  /** What the snippet is, if the author says so. */
  title?: string | null;
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
};

/** A snippet and its text. */
export type SnippetContent = {
  /** The time of Redis, in milliseconds since 1970. */
  now: number;
  /** The snippet. */
  snippet: Snippet;
  /** Plain text, which clients must not interpret. */
  text: string;
};

/** The snippets of a room. */
export type Snippets = {
  /** The time of Redis, in milliseconds since 1970. */
  now: number;
  /** The snippets, oldest first. */
  snippets: Array<Snippet>;
};

/** What a member does at the moment. */
export type Status = 'focusing' | 'break' | 'away';

/** One stay of a user, from entering to leaving. Times are milliseconds since 1970. */
export type Stay = {
  /** The number of lost connections, and of leaves after which the user came back within the grace period. */
  drops: number;
  /** How the stay ended; none while the user is in the room. */
  ending?: null | Ending;
  /** When the user entered. */
  enteredAt: number;
  /** The session. */
  epoch: number;
  /** When the user was last present; the current time for a present user. */
  leftAt: number;
  /** How long the user was present, without the times of a lost connection. */
  presentMs: number;
  /** How long the user had which status while present; only those that the user has set. */
  statusMs?: Record<string, number>;
};

/** The result of a sweep of all shards. */
export type SweepReport = {
  /** The milliseconds until a room is due next, as far as is known. */
  dueInMs?: number | null;
  /** How many milliseconds the first of them was overdue. */
  lateMs: number;
  /** The number of rooms that were due. */
  settled: number;
};

/** A timer, as clients see it. All times are milliseconds since 1970. */
export type Timer = {
  /** The number of the phase of focus, which the break after it shares; only with phases. */
  cycle?: number | null;
  /** How many milliseconds of the phase have passed; only while it is paused. */
  elapsedMs?: number | null;
  /** When the phase ends; only while it runs, and not of a stopwatch. */
  endsAt?: number | null;
  /** What it counts at the moment. */
  phase: TimerPhase;
  /** What the timer counts. */
  plan: TimerPlan;
  /** Since when the phase counts, without pauses; only while it runs. */
  startedAt?: number | null;
  /** Whether it runs. */
  state: TimerState;
};

/** The data of the ack of a command to the timer. */
export type TimerAck = {
  /** The session. */
  epoch: number;
  /** The time of Redis, in milliseconds since 1970. */
  now: number;
  /** The last event that the timer includes. */
  seq: number;
  /** The timer after the command. */
  timer: Timer;
};

/** What to do with the timer of a room. The names are those of the events that clients send. */
export type TimerAction = {
  command: 'timer:set';
  /** Replace the timer by one with this plan, which does not run yet. */
  data: TimerPlan;
} | {
  command: 'timer:start';
  /** Begin with the first phase. */
  data: Record<string, never>;
} | {
  command: 'timer:pause';
  /** Stop until `timer:resume`. */
  data: Record<string, never>;
} | {
  command: 'timer:resume';
  /** Go on after `timer:pause`. */
  data: Record<string, never>;
} | {
  command: 'timer:skip';
  /** Go on with the next phase. */
  data: Record<string, never>;
} | {
  command: 'timer:reset';
  /** Go back to before the first phase. */
  data: Record<string, never>;
};

/** Who may set the timer of a room, beside operators. */
export type TimerBy = 'leader' | 'host' | 'anyone';

/** What a timer counts at the moment. */
export type TimerPhase = 'focus' | 'shortBreak' | 'longBreak' | 'countdown' | 'stopwatch';

/** What a timer counts. */
export type TimerPlan = {
  /** The phases of focus before the long break; 4 by default. */
  cycles?: number;
  /** The length of a phase of focus, in milliseconds; 25 minutes by default. */
  focusMs?: number;
  /** The length of the break after the last cycle, in milliseconds; 15 minutes by default. */
  longBreakMs?: number;
  mode: 'pomodoro';
  /** The length of a break between two phases of focus, in milliseconds; 5 minutes by default. */
  shortBreakMs?: number;
} | {
  /** The time, in milliseconds. */
  durationMs: number;
  mode: 'countdown';
} | {
  mode: 'stopwatch';
};

/** An operator's command to the timer of a room. */
export type TimerRequest = (TimerAction) & ({
  /** Names the command. The same command sent again has no second effect. */
  id?: string | null;
});

/** Whether a timer runs. */
export type TimerState = 'idle' | 'running' | 'paused' | 'finished';

/** A user of the study platform. A number and its text are the same id. Responses hold the type that the platform uses; an integer beyond 2^53 - 1 becomes text. An id has 1 to 128 bytes and no character that people cannot see. */
export type UserId = string | number;

/** What each operation takes and returns. */
export interface Operations {
  /** Lists live rooms, a page at a time */
  list: {
    path: {};
    query: {
      /** The most rooms of a page; 100 by default */
      'limit'?: number | null | undefined;
      /** The `next` of the previous page */
      'after'?: string | null | undefined;
    };
    headers: {};
    body: undefined;
    result: LiveRooms;
  };
  /** Counts the members of rooms */
  counts: {
    path: {};
    query: {
      /** The ids of up to 100 rooms, separated by commas */
      'ids': string;
    };
    headers: {};
    body: undefined;
    result: RoomCounts;
  };
  /** Reads a definition */
  get: {
    path: {
      /** The room's id, percent-encoded */
      'id': string | number;
    };
    query: {};
    headers: {
      /** Demands one of these `ETag`s of the definition, or any definition (`*`) */
      'If-Match'?: string | null | undefined;
      /** Demands another `ETag` than these, or no definition (`*`) */
      'If-None-Match'?: string | null | undefined;
    };
    body: undefined;
    result: SessionDefinition;
  };
  /** Sets a definition, which a live session adopts at once */
  put: {
    path: {
      /** The room's id, percent-encoded */
      'id': string | number;
    };
    query: {};
    headers: {
      /** Demands one of these `ETag`s of the definition, or any definition (`*`) */
      'If-Match'?: string | null | undefined;
      /** Demands another `ETag` than these, or no definition (`*`) */
      'If-None-Match'?: string | null | undefined;
    };
    body: SessionDefinition;
    result: SessionDefinition;
  };
  /** Deletes a definition and ends its session */
  delete: {
    path: {
      /** The room's id, percent-encoded */
      'id': string | number;
    };
    query: {};
    headers: {
      /** Demands one of these `ETag`s of the definition, or any definition (`*`) */
      'If-Match'?: string | null | undefined;
      /** Demands another `ETag` than these, or no definition (`*`) */
      'If-None-Match'?: string | null | undefined;
    };
    body: undefined;
    result: undefined;
  };
  /** Changes a definition, which a live session adopts at once */
  patch: {
    path: {
      /** The room's id, percent-encoded */
      'id': string | number;
    };
    query: {};
    headers: {
      /** Demands one of these `ETag`s of the definition, or any definition (`*`) */
      'If-Match'?: string | null | undefined;
      /** Demands another `ETag` than these, or no definition (`*`) */
      'If-None-Match'?: string | null | undefined;
    };
    body: DefinitionPatch;
    result: SessionDefinition;
  };
  /** Reads the attendance of a room */
  attendance: {
    path: {
      /** The room's id, percent-encoded */
      'id': string | number;
    };
    query: {};
    headers: {};
    body: undefined;
    result: Attendance;
  };
  /** Deletes a message, mutes a user or lets one send again, or sets the slow mode */
  command_chat: {
    path: {
      /** The room's id, percent-encoded */
      'id': string | number;
    };
    query: {};
    headers: {};
    body: ChatRequest;
    result: ChatAck;
  };
  /** Ends a session now */
  end: {
    path: {
      /** The room's id, percent-encoded */
      'id': string | number;
    };
    query: {};
    headers: {};
    body: undefined;
    result: undefined;
  };
  /** Reads the state of a room and its members, a page at a time */
  members: {
    path: {
      /** The room's id, percent-encoded */
      'id': string | number;
    };
    query: {
      /** The most members of a page; 1000 by default */
      'limit'?: number | null | undefined;
      /** The `next` of the previous page */
      'after'?: string | null | undefined;
    };
    headers: {};
    body: undefined;
    result: RoomMembers;
  };
  /** Removes a member, who may return if the definition admits them */
  kick: {
    path: {
      /** The room's id, percent-encoded */
      'id': string | number;
      /** The user's id, percent-encoded */
      'user': string | number;
    };
    query: {};
    headers: {};
    body: undefined;
    result: undefined;
  };
  /** Reads messages of a room that is live, or that keeps them */
  history: {
    path: {
      /** The room's id, percent-encoded */
      'id': string | number;
    };
    query: {
      /** Read the messages before this number, the latest of them. */
      'before'?: number | null | undefined;
      /** Read the messages after this number, the oldest of them. Excludes `before`. */
      'after'?: number | null | undefined;
      /** The most messages and deletions to read, from 1 to 100; 50 by default. */
      'limit'?: number | null | undefined;
    };
    headers: {};
    body: undefined;
    result: History;
  };
  /** Sends a notice to all members of a room */
  notify: {
    path: {
      /** The room's id, percent-encoded */
      'id': string | number;
    };
    query: {};
    headers: {};
    body: Notice;
    result: undefined;
  };
  /** Lists the snippets of a room that is live, or that keeps them */
  snippets: {
    path: {
      /** The room's id, percent-encoded */
      'id': string | number;
    };
    query: {};
    headers: {};
    body: undefined;
    result: Snippets;
  };
  /** Reads a snippet with its text */
  snippet: {
    path: {
      /** The room's id, percent-encoded */
      'id': string | number;
      /** The number of the snippet */
      'number': number;
    };
    query: {};
    headers: {};
    body: undefined;
    result: SnippetContent;
  };
  /** Closes a snippet of a live room */
  close_snippet: {
    path: {
      /** The room's id, percent-encoded */
      'id': string | number;
      /** The number of the snippet */
      'number': number;
    };
    query: {};
    headers: {};
    body: undefined;
    result: undefined;
  };
  /** Sets the timer of a room, or starts, stops or changes it */
  command_timer: {
    path: {
      /** The room's id, percent-encoded */
      'id': string | number;
    };
    query: {};
    headers: {};
    body: TimerRequest;
    result: TimerAck;
  };
  /** Settles the rooms that are due */
  sweep: {
    path: {};
    query: {};
    headers: {};
    body: undefined;
    result: SweepReport;
  };
  /** Settles the rooms that are due, for schedulers that can only request a path */
  sweep_by_path: {
    path: {
      /** One of the app's `sweep_tokens` */
      'token': string | number;
    };
    query: {};
    headers: {};
    body: undefined;
    result: SweepReport;
  };
}

/** The request of each operation. `type` is the media type of the body. */
export const OPERATIONS = {
  list: {"method":"GET","path":"/rooms","type":null},
  counts: {"method":"GET","path":"/rooms/counts","type":null},
  get: {"method":"GET","path":"/rooms/{id}","type":null},
  put: {"method":"PUT","path":"/rooms/{id}","type":"application/json"},
  delete: {"method":"DELETE","path":"/rooms/{id}","type":null},
  patch: {"method":"PATCH","path":"/rooms/{id}","type":"application/merge-patch+json"},
  attendance: {"method":"GET","path":"/rooms/{id}/attendance","type":null},
  command_chat: {"method":"POST","path":"/rooms/{id}/chat","type":"application/json"},
  end: {"method":"POST","path":"/rooms/{id}/end","type":null},
  members: {"method":"GET","path":"/rooms/{id}/members","type":null},
  kick: {"method":"DELETE","path":"/rooms/{id}/members/{user}","type":null},
  history: {"method":"GET","path":"/rooms/{id}/messages","type":null},
  notify: {"method":"POST","path":"/rooms/{id}/notices","type":"application/json"},
  snippets: {"method":"GET","path":"/rooms/{id}/snippets","type":null},
  snippet: {"method":"GET","path":"/rooms/{id}/snippets/{number}","type":null},
  close_snippet: {"method":"DELETE","path":"/rooms/{id}/snippets/{number}","type":null},
  command_timer: {"method":"POST","path":"/rooms/{id}/timer","type":"application/json"},
  sweep: {"method":"POST","path":"/sweep","type":null},
  sweep_by_path: {"method":"GET","path":"/sweep/{token}","type":null},
} as const satisfies Record<keyof Operations, { method: string; path: string; type: string | null }>;
