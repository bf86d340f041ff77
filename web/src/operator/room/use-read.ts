// Reads a part of a room when the part is shown, and again when the room has changed.

import { useEffect, useState } from 'preact/hooks';

import { isRefusal, useService } from '../service.js';

export interface Read<Data> {
  data: Data | null;
  error: unknown;
  refresh: () => void;
}

/** `version` says when to read again. */
export function useRead<Data>(read: (signal: AbortSignal) => Promise<Data>, version: string): Read<Data> {
  const { onRefused } = useService();
  const [state, setState] = useState<{ data: Data | null; error: unknown }>({ data: null, error: null });
  const [wanted, setWanted] = useState(0);
  // `read` is another function with each rendering, so the version alone says when to read again.
  useEffect(() => {
    const controller = new AbortController();
    read(controller.signal).then(
      (data) => !controller.signal.aborted && setState({ data, error: null }),
      (error: unknown) => {
        if (controller.signal.aborted) return;
        if (isRefusal(error)) onRefused();
        else setState(({ data }) => ({ data, error }));
      },
    );
    return () => controller.abort();
  }, [version, wanted, onRefused]);
  return { ...state, refresh: () => setWanted((wanted) => wanted + 1) };
}
