// The messages that the operator's page knows of a session.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { load } from './bundle.mjs';

const { addNewer, addOlder, EMPTY_LOG } = await load(`
  export { addNewer, addOlder, EMPTY_LOG } from './operator/room/message-log.ts';
`);

/** A page from one number to another. `deletions` says which numbers are deletions, and of what. */
function page(first, last, { more = false, deletions = {}, ...rest } = {}) {
  const numbers = Array.from({ length: last - first + 1 }, (_, at) => first + at);
  const isMessage = (number) => !(number in deletions);
  const messages = numbers.filter(isMessage).map((number) => ({ number, text: `Message ${number}` }));
  return { messages, deleted: Object.values(deletions), first, last, more, now: 0, ...rest };
}

const EMPTY_PAGE = { messages: [], deleted: [], more: false, now: 0 };

const numbersOf = ({ messages }) => messages.map(({ number }) => number);
const range = (first, last) => Array.from({ length: last - first + 1 }, (_, at) => first + at);

test('pages before and after the known messages join them without a hole or a double', () => {
  let log = addNewer(EMPTY_LOG, page(101, 200, { more: true }));
  assert.deepEqual([log.first, log.last, log.hasOlder], [101, 200, true]);
  log = addOlder(log, 101, page(1, 100));
  log = addNewer(log, page(201, 250, { more: true }));
  log = addNewer(log, page(251, 260));
  log = addNewer(log, page(251, 260));
  assert.deepEqual(numbersOf(log), range(1, 260));
  assert.deepEqual([log.first, log.last, log.hasOlder], [1, 260, false]);
});

test('a message is gone when its deletion is read, however old the message is', () => {
  let log = addNewer(EMPTY_LOG, page(101, 200, { more: true }));
  log = addOlder(log, 101, page(1, 100));
  log = addNewer(log, page(201, 202, { deletions: { 201: 7, 202: 150 } }));
  assert.deepEqual(
    range(1, 200).filter((number) => !numbersOf(log).includes(number)),
    [7, 150],
  );
  assert.equal(log.last, 202);
});

test('an older page that was read before a deletion does not bring the message back', () => {
  let log = addNewer(EMPTY_LOG, page(101, 200, { more: true }));
  log = addNewer(log, page(201, 201, { deletions: { 201: 50 } }));
  log = addOlder(log, 101, page(1, 100));
  assert.equal(numbersOf(log).includes(50), false);
});

test('the answer to a second press of the button changes nothing', () => {
  let log = addNewer(EMPTY_LOG, page(101, 200, { more: true }));
  log = addOlder(log, 101, page(51, 100, { more: true }));
  log = addOlder(log, 51, page(1, 50));
  assert.equal(addOlder(log, 101, page(51, 100, { more: true })), log);
});

test('older messages that the server has forgotten meanwhile are asked for once', () => {
  const log = addOlder(addNewer(EMPTY_LOG, page(101, 200, { more: true })), 101, EMPTY_PAGE);
  assert.deepEqual([log.first, log.hasOlder], [101, false]);
});

test('an empty chat stays open for its first messages, of which there may be many', () => {
  let log = addNewer(EMPTY_LOG, EMPTY_PAGE);
  assert.deepEqual([log.first, log.last, log.hasOlder], [undefined, undefined, false]);
  log = addNewer(log, page(51, 150, { more: true }));
  assert.deepEqual([log.first, log.last, log.hasOlder], [51, 150, true]);
});

test('a page of deletions alone moves the log on', () => {
  const log = addNewer(addNewer(EMPTY_LOG, page(1, 2)), page(3, 4, { deletions: { 3: 1, 4: 2 } }));
  assert.deepEqual([numbersOf(log), log.last], [[], 4]);
  assert.equal(addNewer(log, EMPTY_PAGE).last, 4);
});

test('the slow mode is that of the latest page', () => {
  const log = addNewer(EMPTY_LOG, page(1, 2, { slowMs: 5000 }));
  assert.equal(log.slowMs, 5000);
  assert.equal(addNewer(log, EMPTY_PAGE).slowMs, 0);
});

test('a page that stays open for long keeps the latest messages, and can read the others again', () => {
  let log = addNewer(EMPTY_LOG, page(1, 100));
  for (let first = 101; first < 2500; first += 100) log = addNewer(log, page(first, first + 99));
  assert.deepEqual(numbersOf(log), range(501, 2500));
  assert.deepEqual([log.first, log.hasOlder], [501, true]);
  log = addOlder(log, 501, page(401, 500, { more: true }));
  assert.deepEqual(numbersOf(log), range(401, 2500));
});
