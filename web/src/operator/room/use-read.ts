// Reads a part of a room when the part is shown, and again when the room has changed or the read has failed.

import { useEffect, useRef, useState } from 'preact/hooks';

import { pauseAfterFailures } from '../polling.js';
import { isRefusal, useService } from '../service.js';

export interface Read<Data> {
  data: Data | null;
  error: unknown;
  refresh: () => void;
  /** Shows what is known from elsewhere. */
  set: (data: Data) => void;
}

/** `version` says when to read again. */
export function useRead<Data>(read: (signal: AbortSignal) => Promise<Data>, version: string): Read<Data> {
  const { onRefused } = useService();
  const [state, setState] = useState<{ data: Data | null; error: unknown }>({ data: null, error: null });
  const [wanted, setWanted] = useState(0);
  // `read` is another function with each rendering, so the version alone says when to read again.
  const latest = useRef(read);
  latest.current = read;
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    let failures = 0;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const begin = async () => {
      try {
        const data = await latest.current(signal);
        if (!signal.aborted) setState({ data, error: null });
      } catch (error) {
        if (signal.aborted) return;
        if (isRefusal(error)) return onRefused();
        setState(({ data }) => ({ data, error }));
        failures += 1;
        // The version does not change because an outage is over.
        timer = setTimeout(begin, pauseAfterFailures(failures));
      }
    };
    void begin();
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [version, wanted, onRefused]);
  return {
    ...state,
    refresh: () => setWanted((wanted) => wanted + 1),
    set: (data) => setState({ data, error: null }),
  };
}
