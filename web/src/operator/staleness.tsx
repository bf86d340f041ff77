// Says that what is shown is old.

import { useLanguage } from './language.js';
import type { Polled } from './polling.js';

export function Staleness({ polled }: { polled: Pick<Polled<unknown>, 'error' | 'readAt' | 'refresh'> }) {
  const language = useLanguage();
  const { stale } = language.texts;
  const { error, readAt, refresh } = polled;
  return (
    <div class="staleness" role="status">
      {error !== null && (
        <p class="problem">
          <span>
            {language.error(error)} {readAt !== null && stale.since(language.time(readAt))}
          </span>
          <button type="button" class="link" onClick={refresh}>
            {stale.retry}
          </button>
        </p>
      )}
    </div>
  );
}
