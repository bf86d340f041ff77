import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { entered, Harness, HOUR, MINUTE } from '../harness/harness.mjs';

const LEAD_MS = 10 * MINUTE;

describe('reminder and end', { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    harness = await Harness.start({ bridges: 2 });
  });
  after(() => harness?.stop());

  /** Moves the clock to a time before the end of a session. */
  async function goTo(endAt, beforeMs) {
    await harness.redis.advance(endAt - beforeMs - (await harness.redis.now()));
  }

  test('ten minutes before the end every member gets one reminder', async () => {
    const room = await harness.room({ lastsMs: HOUR });
    const published = await harness.redis.published(room);
    const lea = await harness.socketIo('lea');
    const kim = await harness.webSocket('kim', { bridge: 1 });
    const { endAt, epoch } = await lea.enter(room);
    await lea.next('room:started');
    await kim.enter(room);
    await lea.next('room:participantsChanged', entered('kim'));

    // A little too early for the reminder.
    await goTo(endAt, LEAD_MS + 20_000);
    await harness.redis.swept();
    await lea.assertNoEvents(
      async () => (await harness.webSocket('bo')).enter(room),
      'room:participantsChanged',
      entered('bo'),
    );

    await goTo(endAt, LEAD_MS);
    for (const member of [lea, kim]) {
      const { remainMs, seq, ...reminder } = await member.next('room:reminder');
      assert.deepEqual(reminder, { groupId: room, endAt, epoch });
      assert.equal(seq, 4);
      assert.ok(remainMs <= LEAD_MS && remainMs > LEAD_MS - 5000, `${remainMs} ms remain`);
    }

    await goTo(endAt, LEAD_MS / 2);
    await harness.redis.swept();
    await lea.assertNoEvents(
      async () => {
        const ali = await harness.socketIo('ali');
        const { remainMs } = await ali.enter(room);
        assert.ok(remainMs <= LEAD_MS / 2);
      },
      'room:participantsChanged',
      entered('ali'),
    );
    assert.equal(published.filter(({ event }) => event === 'room:reminder').length, 1);
  });

  test('a session that starts less than ten minutes before its end has no reminder', async () => {
    const room = await harness.room({ lastsMs: LEAD_MS - 1000 });
    const lea = await harness.socketIo('lea');
    await lea.enter(room);
    await lea.next('room:started');
    await harness.redis.advance(LEAD_MS);
    await lea.next('room:ended');
    assert.deepEqual(lea.names, ['room:started', 'room:ended']);
  });

  test('at the end every member gets an event and is closed, the room is cleared, and nobody can join any more', async () => {
    const room = await harness.room({ lastsMs: HOUR });
    const published = await harness.redis.published(room);
    const lea = await harness.socketIo('lea');
    const kim = await harness.webSocket('kim');
    const ali = await harness.socketIo('ali', { bridge: 1, transports: ['polling'] });
    const bo = await harness.webSocket('bo', { bridge: 1 });
    const gone = await harness.webSocket('gone');
    const present = [lea, kim, ali, bo];
    const { endAt, epoch } = await lea.enter(room);
    for (const member of [kim, ali, bo, gone]) await member.enter(room);
    gone.terminate();
    await lea.next('room:participantReconnecting');
    assert.notDeepEqual(await harness.redis.keysOf(room), []);

    await goTo(endAt, 0);
    for (const member of present) {
      const { seq, ...ended } = await member.next('room:ended');
      assert.deepEqual(ended, { groupId: room, reason: 'time', epoch });
      const end = await member.closed;
      const expected = 'io' in member.socket ? 'io server disconnect' : { code: 4410, reason: 'room:ended' };
      assert.deepEqual(end, expected, `how ${member.user} was closed`);
      assert.equal(member.names.at(-1), 'room:ended', 'nothing comes after the end');
      assert.equal(member.count('room:ended'), 1);
    }
    assert.equal(published.filter(({ event }) => event === 'room:ended').length, 1);
    assert.equal(published.at(-1).event, 'room:ended');

    const left = await harness.redis.keysOf(room);
    const kinds = left.map((key) => key.split(':')[2]);
    assert.deepEqual(kinds, ['attendees', 'closed', 'stays'], 'only attendance and closed entries are kept');
    for (const key of left) assert.ok((await harness.redis.client.pTTL(key)) > 0, `${key} expires by itself`);

    for (const [transport, bridge] of [
      ['Socket.IO', 0],
      ['WebSocket', 1],
    ]) {
      const late = await harness.connect(transport, 'late', { bridge });
      const { success, code } = await late.join(room);
      assert.deepEqual([success, code], [false, 'SESSION_ENDED']);
    }
    assert.deepEqual(await harness.redis.keysOf(room), left, 'a late join leaves no trace');
  });

  test('an operator may define the room again, and its next session has a new epoch whose events start at one', async () => {
    const room = await harness.room({ lastsMs: MINUTE });
    const lea = await harness.socketIo('lea');
    const { epoch } = await lea.enter(room);
    await harness.redis.advance(MINUTE);
    await lea.next('room:ended');
    await harness.define(room, { lastsMs: HOUR });
    const again = await harness.socketIo('lea', { bridge: 1 });
    const ack = await again.enter(room);
    assert.ok(ack.epoch > epoch);
    assert.deepEqual([ack.first, ack.seq], [true, 0]);
    assert.equal((await again.next('room:started')).seq, 1);
  });

  test('no client of this suite saw a gap in the sequence numbers', () => harness.assertNoGaps());
});
