// What has happened while somebody looks.

import { useLanguage } from '../language.js';
import { WindowedList } from '../windowed.js';
import type { Change } from './changes.js';

export interface Happening {
  id: number;
  at: number;
  change: Change | { kind: 'ended' };
}

export function ActivityPanel({ happenings }: { happenings: Happening[] }) {
  const language = useLanguage();
  const { activity } = language.texts;
  const say = (change: Happening['change']) => {
    switch (change.kind) {
      case 'endMoved':
        return activity.endMoved(language.moment(change.endAt));
      case 'newSession':
      case 'ended':
        return activity[change.kind];
      default:
        return activity[change.kind](change.name);
    }
  };
  if (happenings.length === 0) return <p class="empty">{activity.none}</p>;
  return (
    <WindowedList items={happenings} keyOf={({ id }) => String(id)} rowHeight={40} label={activity.title}>
      {({ at, change }) => (
        <div class="happening" data-kind={change.kind}>
          <time dateTime={new Date(at).toISOString()}>{language.time(at)}</time>
          <span class="clip">{say(change)}</span>
        </div>
      )}
    </WindowedList>
  );
}
