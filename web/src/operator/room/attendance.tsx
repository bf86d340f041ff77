// Who was in the room, and for how long.

import type { Attendance } from '@rollcall/server/generated.js';

import { toCsv } from '../csv.js';
import { useLanguage } from '../language.js';
import { useService } from '../service.js';
import { WindowedList } from '../windowed.js';
import { attendanceTable } from './attendance-table.js';
import { useRead } from './use-read.js';
import type { PartProps } from './view.js';

export function AttendancePanel({ id }: PartProps) {
  const { api } = useService();
  const language = useLanguage();
  const { attendance: words } = language.texts;
  // The times of present members always change, so the operator says when to read again.
  const { data, error, refresh } = useRead((signal) => api.attendance(id, { signal }), id);
  return (
    <>
      <div class="tools">
        <button type="button" class="primary" disabled={!data} onClick={() => data && download(id, data)}>
          {words.download}
        </button>
        <button type="button" onClick={refresh}>
          {words.refresh}
        </button>
        <p class="fine" role="status">
          {data && words.count(data.attendees.length, language.number(data.attendees.length))}
        </p>
      </div>
      {error !== null && <p class="problem">{language.error(error)}</p>}
      {!data && error === null && <p class="empty">{language.texts.loading}</p>}
      {data?.attendees.length === 0 && <p class="empty">{words.none}</p>}
      {data && data.attendees.length > 0 && (
        <WindowedList
          items={data.attendees}
          keyOf={({ userId }) => String(userId)}
          rowHeight={60}
          label={language.texts.room.tabs.attendance}
        >
          {({ userId, userName, presentMs, studyMs, drops, stays }) => (
            <div class="attendee">
              <span class="who">
                <bdi class="name">{userName}</bdi>
                <bdi class="fine">{String(userId)}</bdi>
                {stays.some(({ ending }) => !ending) && <span class="tag">{words.present}</span>}
              </span>
              <span class="what">
                {words.times(language.length(presentMs), language.length(studyMs))}
                {' · '}
                {words.stays(stays.length, language.number(stays.length))}
                {' · '}
                {words.drops(drops, language.number(drops))}
              </span>
            </div>
          )}
        </WindowedList>
      )}
    </>
  );
}

function download(id: string, attendance: Attendance) {
  const file = new Blob([toCsv(attendanceTable(id, attendance))], { type: 'text/csv;charset=utf-8' });
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  // Browsers replace what no name of a file may hold.
  link.download = `attendance-${id}-${new Date().toISOString().slice(0, 10)}.csv`;
  link.click();
  // The browser has begun to read by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
