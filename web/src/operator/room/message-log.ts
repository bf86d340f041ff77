// The messages of a session that the page knows: without a hole, without a double, and without what was deleted.

import type { History, Message } from '@rollcall/server/generated.js';

export interface MessageLog {
  /** Oldest first. */
  messages: readonly Message[];
  /** Whether the server has older ones. */
  hasOlder: boolean;
  /** The number before which older messages are; none before the first page that is not empty. */
  first: number | undefined;
  /** The number up to which all messages and deletions are known; none before the first page that is not empty. */
  last: number | undefined;
  /** A page that was read before a deletion must not bring the message back. */
  deleted: ReadonlySet<number>;
  /** The interval in which each member may write once; 0 without slow mode. */
  slowMs: number;
}

export const EMPTY_LOG: MessageLog = {
  messages: [],
  hasOlder: false,
  first: undefined,
  last: undefined,
  deleted: new Set(),
  slowMs: 0,
};

/** The most messages that are kept while new ones come. */
const KEPT = 2000;

/** Adds the latest page, or a page after `last`. */
export function addNewer(log: MessageLog, page: History): MessageLog {
  const isFirst = log.last === undefined;
  const merged = merge(log, page);
  const messages = merged.messages.slice(-KEPT);
  const isCut = messages.length < merged.messages.length;
  return {
    ...merged,
    messages,
    hasOlder: isCut || (isFirst ? page.more : log.hasOlder),
    first: isCut ? messages[0]?.number : (log.first ?? page.first ?? undefined),
    last: Math.max(log.last ?? 0, page.last ?? 0) || undefined,
    slowMs: page.slowMs ?? 0,
  };
}

/** Adds the page before a number, unless other messages have become the oldest ones since it was asked for. */
export function addOlder(log: MessageLog, before: number, page: History): MessageLog {
  if (before !== log.first) return log;
  return { ...merge(log, page), hasOlder: page.more, first: page.first ?? before };
}

function merge(log: MessageLog, page: Pick<History, 'messages' | 'deleted'>): MessageLog {
  const deleted = new Set([...log.deleted, ...page.deleted]);
  const known = new Map([...log.messages, ...page.messages].map((message) => [message.number, message]));
  const messages = [...known.values()]
    .filter(({ number }) => !deleted.has(number))
    .sort((one, other) => one.number - other.number);
  return { ...log, messages, deleted };
}
