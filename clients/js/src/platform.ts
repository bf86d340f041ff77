// What browsers, Node.js, Deno, Bun and React Native have in common, and what only some of them have.

/** A timer that is running. */
export type Timeout = { readonly timeout: unique symbol };

interface Target {
  addEventListener?(event: string, listener: (event: never) => void): void;
  removeEventListener?(event: string, listener: (event: never) => void): void;
}

interface Platform extends Target {
  setTimeout(act: () => void, ms: number): Timeout;
  clearTimeout(timeout: Timeout | undefined): void;
  document?: Target & { visibilityState?: string };
  crypto?: { randomUUID?(): string };
  WebSocket?: unknown;
}

export const platform = globalThis as unknown as Platform;

/** Does something later. */
export const after = (ms: number, act: () => void): Timeout => platform.setTimeout(act, ms);

export const cancel = (timeout: Timeout | undefined): void => platform.clearTimeout(timeout);

/** An error of a listener must not keep the client from going on, and must not get lost. */
export function report(error: unknown): void {
  after(0, () => {
    throw error;
  });
}

/** A text that no other client chooses. */
export function uniqueId(): string {
  const random = () => Math.random().toString(36).slice(2);
  return platform.crypto?.randomUUID?.() ?? `${Date.now().toString(36)}-${random()}${random()}`;
}

/** Calls `away` when the page goes away, perhaps to come back, and `back` when it may have missed something. Returns a
    function that ends this. */
export function watchPage(away: () => void, back: () => void): () => void {
  const { document } = platform;
  const shown = () => {
    if (document?.visibilityState === 'visible') back();
  };
  const listeners: [target: Target | undefined, event: string, listener: (event: never) => void][] = [
    // A page with an open connection would not be kept for the way back.
    [platform, 'pagehide', away],
    [platform, 'pageshow', back],
    [platform, 'online', back],
    [platform, 'offline', back],
    [document, 'resume', back],
    [document, 'visibilitychange', shown],
  ];
  for (const [target, event, listener] of listeners) target?.addEventListener?.(event, listener);
  return () => {
    for (const [target, event, listener] of listeners) target?.removeEventListener?.(event, listener);
  };
}
