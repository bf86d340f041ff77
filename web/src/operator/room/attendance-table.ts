// The attendance of a room as rows of a table: one for each stay.

import type { Attendance } from '@rollcall/server/generated.js';

const STATUSES = ['focusing', 'break', 'away'] as const;

/** Fixed words, because programs read the file too. */
const HEAD = [
  'room',
  'user_id',
  'user_name',
  'epoch',
  'entered_at',
  'left_at',
  'ending',
  'present_ms',
  'drops',
  ...STATUSES.map((status) => `${status}_ms`),
  'user_present_ms',
  'user_study_ms',
];

const isoTime = (ms: number) => new Date(ms).toISOString();

export function attendanceTable(room: string, { attendees }: Attendance): (string | number)[][] {
  const rows = attendees.flatMap(({ userId, userName, presentMs, studyMs, stays }) =>
    stays.map((stay) => [
      room,
      String(userId),
      userName,
      stay.epoch,
      isoTime(stay.enteredAt),
      // Who is still in the room has left at no time.
      stay.ending ? isoTime(stay.leftAt) : '',
      stay.ending ?? '',
      stay.presentMs,
      stay.drops,
      ...STATUSES.map((status) => stay.statusMs?.[status] ?? 0),
      presentMs,
      studyMs,
    ]),
  );
  return [HEAD, ...rows];
}
