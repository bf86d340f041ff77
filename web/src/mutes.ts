// Mutes, which end by themselves.

import { useEffect, useState } from 'preact/hooks';

const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The mutes that are not over, by the server's clock. Renders again when the next one is. */
export function useLasting<Mute extends { mutedUntil: number }>(
  mutes: readonly Mute[],
  clockOffsetMs: number,
): readonly Mute[] {
  const [turn, setTurn] = useState(0);
  const now = Date.now() + clockOffsetMs;
  const lasting = mutes.filter(({ mutedUntil }) => mutedUntil > now);
  const next = Math.min(...lasting.map(({ mutedUntil }) => mutedUntil));
  useEffect(() => {
    if (next === Number.POSITIVE_INFINITY) return;
    const timer = setTimeout(() => setTurn((turn) => turn + 1), Math.min(next - now, LONGEST_TIMER_MS));
    return () => clearTimeout(timer);
  }, [next, turn, clockOffsetMs]);
  return lasting;
}
