// Reads something again and again: not while the page is hidden, and more seldom while the server does not answer.

import { useCallback, useEffect, useRef, useState } from 'preact/hooks';

import { isRefusal, useService } from './service.js';

export interface Polled<Data> {
  /** What was read last; null before that. */
  data: Data | null;
  /** Why the last attempt failed; null if it did not. */
  error: unknown;
  /** When `data` was read, by the browser's clock. */
  readAt: number | null;
  /** Reads at once, for example after a change. */
  refresh: () => void;
}

const LONGEST_PAUSE_MS = 30_000;

/** How long to wait after so many failures in a row. Pages that were refused together come back apart. */
export const pauseAfterFailures = (failures: number) =>
  Math.min(1000 * 2 ** failures, LONGEST_PAUSE_MS) * (0.75 + Math.random() / 4);

/**
 * `read` gets what it has read last, and returns what is now. A change of `key` begins anew. `intervalMs` may depend on
 * what was read.
 */
export function usePolling<Data>(
  key: string,
  read: (last: Data | null, signal: AbortSignal) => Promise<Data>,
  intervalMs: (data: Data) => number,
): Polled<Data> {
  const { onRefused } = useService();
  const [state, setState] = useState<Omit<Polled<Data>, 'refresh'> & { key: string }>(() => nothing(key));
  const work = useRef({ read, intervalMs });
  work.current = { read, intervalMs };
  const wake = useRef(() => {});

  useEffect(() => {
    const controller = new AbortController();
    let last: Data | null = null;
    let failures = 0;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isReading = false;
    let isWanted = false;
    const begin = async () => {
      clearTimeout(timer);
      if (isReading) isWanted = true;
      if (isReading || document.hidden) return;
      isReading = true;
      isWanted = false;
      let pauseMs: number;
      try {
        last = await work.current.read(last, controller.signal);
        failures = 0;
        pauseMs = work.current.intervalMs(last);
        setState({ key, data: last, error: null, readAt: Date.now() });
      } catch (error) {
        if (controller.signal.aborted) return;
        if (isRefusal(error)) return onRefused();
        failures += 1;
        pauseMs = pauseAfterFailures(failures);
        setState((state) => ({ ...(state.key === key ? state : nothing<Data>(key)), error }));
      }
      isReading = false;
      if (controller.signal.aborted) return;
      if (isWanted) void begin();
      else timer = setTimeout(begin, pauseMs);
    };
    wake.current = () => void begin();
    const onVisible = () => void begin();
    document.addEventListener('visibilitychange', onVisible);
    addEventListener('online', onVisible);
    void begin();
    return () => {
      controller.abort();
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', onVisible);
      removeEventListener('online', onVisible);
    };
  }, [key, onRefused]);

  const refresh = useCallback(() => wake.current(), []);
  // What belongs to the key before is not shown under the new one.
  return { ...(state.key === key ? state : nothing<Data>(key)), refresh };
}

const nothing = <Data>(key: string) => ({ key, data: null as Data | null, error: null, readAt: null });
