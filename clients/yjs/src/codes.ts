// What a refusal means for the provider.

/** Codes of Rollcall that tell to try again later. `docs/protocol.md` lists them. */
export const RETRYABLE: ReadonlySet<string> = new Set([
  'CONFLICT',
  'MUTED',
  'NOT_LIVE',
  'OVERLOADED',
  'RATE_LIMITED',
  'ROOM_FULL',
  'SLOW_MODE',
  'TOO_MANY_FROM_ADDRESS',
  'TOO_MANY_SOCKETS',
  'UNAVAILABLE',
]);

/** The user may write nothing at the moment. */
export const MUTED = 'MUTED';
/** The connection is not in the room, or the bridge is about to enter it again. */
export const NOT_IN_ROOM = 'NOT_IN_ROOM';
/** The snippet has been closed. */
export const NO_SUCH_SNIPPET = 'NO_SUCH_SNIPPET';

// Codes of the provider itself.

/** No ack came in time. */
export const NO_ACK = 'NO_ACK';
/** One change is too large for a message, and cannot be split. */
export const UPDATE_TOO_LARGE = 'UPDATE_TOO_LARGE';
/** The local awareness state is too large for a message. */
export const AWARENESS_TOO_LARGE = 'AWARENESS_TOO_LARGE';
/** Yjs cannot read what the server sent. */
export const UNREADABLE = 'UNREADABLE';
