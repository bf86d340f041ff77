// The file of the attendance.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { load } from './bundle.mjs';

const { toCsv, attendanceTable } = await load(`
  export { toCsv } from './operator/csv.ts';
  export { attendanceTable } from './operator/room/attendance-table.ts';
`);

/** Reads a file as RFC 4180 says. */
function parse(csv) {
  const cells = /("(?:[^"]|"")*"|[^",\r\n]*)(,|\r\n)/y;
  const rows = [[]];
  cells.lastIndex = 1;
  while (cells.lastIndex < csv.length) {
    const at = cells.lastIndex;
    const [, cell, end] = cells.exec(csv) ?? assert.fail(`not CSV from ${at}: ${csv.slice(at, at + 40)}`);
    rows.at(-1).push(cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell);
    if (end === '\r\n') rows.push([]);
  }
  return rows.slice(0, -1);
}

test('a file begins with the mark of UTF-8, and its lines end as the standard says', () => {
  assert.equal(toCsv([['이름', 1]]), '\uFEFF"이름",1\r\n');
});

test('every text comes back as it was', () => {
  const rows = [['a "quoted" name', 'a,b', 'line\nbreak', 'carriage\r\nreturn', ' 김 ', '']];
  assert.deepEqual(parse(toCsv(rows)), rows);
});

test('a text that a spreadsheet could run is a text', () => {
  for (const text of [
    '=1+1',
    '+1',
    '-1',
    '@SUM(A1)',
    '  =1',
    '\t=1',
    '\r=1',
    '\u00a0=1',
    '＝1',
    '＋1',
    '－1',
    '＠A1',
    '|cmd',
  ]) {
    assert.deepEqual(parse(toCsv([[text]])), [[`'${text}`]], JSON.stringify(text));
  }
  assert.deepEqual(parse(toCsv([['a=1', 'a-b', -1]])), [['a=1', 'a-b', '-1']]);
});

test('the attendance has a row for each stay, with times that no locale changes', () => {
  const stay = { epoch: 7, enteredAt: 0, leftAt: 61_000, presentMs: 60_000, drops: 1 };
  const attendees = [
    {
      userId: 5,
      userName: '=김',
      presentMs: 120_000,
      studyMs: 90_000,
      drops: 2,
      stays: [{ ...stay, ending: 'left', statusMs: { break: 30_000 } }, stay],
    },
  ];
  const [head, first, second] = parse(toCsv(attendanceTable('algebra', { attendees })));
  const row = (cells) => Object.fromEntries(head.map((name, at) => [name, cells[at]]));
  assert.deepEqual(row(first), {
    room: 'algebra',
    user_id: '5',
    user_name: "'=김",
    epoch: '7',
    entered_at: '1970-01-01T00:00:00.000Z',
    left_at: '1970-01-01T00:01:01.000Z',
    ending: 'left',
    present_ms: '60000',
    drops: '1',
    focusing_ms: '0',
    break_ms: '30000',
    away_ms: '0',
    user_present_ms: '120000',
    user_study_ms: '90000',
  });
  assert.deepEqual([row(second).left_at, row(second).ending], ['', ''], 'who is in the room has not left');
});
