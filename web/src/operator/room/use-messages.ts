// Reads the messages of a session.

import { useRef, useState } from 'preact/hooks';

import { useService } from '../service.js';
import { addNewer, addOlder, EMPTY_LOG, type MessageLog } from './message-log.js';
import { type Read, useRead } from './use-read.js';

/** The most that a call returns. */
const PAGE = 100;

export interface Messages
  extends Pick<Read<unknown>, 'error' | 'refresh'>,
    Pick<MessageLog, 'messages' | 'hasOlder' | 'slowMs'> {
  /** Whether messages were read yet. */
  isRead: boolean;
  readOlder: () => void;
  olderError: unknown;
}

/** Each session needs a component of its own, because the messages of the session before it are gone. */
export function useMessages(id: string, version: string): Messages {
  const { api } = useService();
  const [log, setLog] = useState(EMPTY_LOG);
  const [olderError, setOlderError] = useState<unknown>(null);
  // Also what was read since the last rendering.
  const latest = useRef(log);
  const change = (next: MessageLog) => {
    latest.current = next;
    setLog(next);
  };

  const { data, error, refresh } = useRead(async (signal) => {
    const { last } = latest.current;
    let page = await api.history(id, { limit: PAGE, ...(last !== undefined && { after: last }), signal });
    change(addNewer(latest.current, page));
    // Only messages that follow each other leave no hole, so what is new is read from the last known one on.
    while (last !== undefined && page.more && page.last !== undefined) {
      page = await api.history(id, { limit: PAGE, after: page.last, signal });
      change(addNewer(latest.current, page));
    }
    return true;
  }, version);

  const readOlder = () => {
    const { first } = latest.current;
    if (first === undefined) return;
    api.history(id, { before: first, limit: PAGE }).then((page) => {
      setOlderError(null);
      change(addOlder(latest.current, first, page));
    }, setOlderError);
  };

  const { messages, hasOlder, slowMs } = log;
  return { messages, hasOlder, slowMs, isRead: data === true, error, refresh, readOlder, olderError };
}
