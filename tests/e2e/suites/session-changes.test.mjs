import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { changed, entered, Harness, HOUR, MINUTE } from '../harness/harness.mjs';

describe('changes of live sessions', { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    harness = await Harness.start({ bridges: 2 });
  });
  after(() => harness?.stop());

  /** A room with lea on one bridge and kim on the other. */
  async function liveRoom(definition) {
    const room = await harness.room(definition);
    const [lea, kim] = [await harness.socketIo('lea'), await harness.webSocket('kim', { bridge: 1 })];
    await lea.enter(room);
    await kim.enter(room);
    await lea.next('room:participantsChanged', entered('kim'));
    return { room, lea, kim };
  }

  test('members get an event when a session is rescheduled, and it ends at the new time', async () => {
    const { room, lea, kim } = await liveRoom({ lastsMs: 2 * HOUR });
    const endAt = await harness.define(room, { lastsMs: 20 * MINUTE });
    for (const member of [lea, kim]) {
      const { epoch: _, seq: __, remainMs, ...data } = await member.next('room:rescheduled');
      assert.deepEqual(data, { groupId: room, endAt });
      assert.ok(remainMs > 19 * MINUTE && remainMs <= 20 * MINUTE);
    }
    await harness.redis.advance(10 * MINUTE);
    for (const member of [lea, kim]) assert.equal((await member.next('room:reminder')).endAt, endAt);
    await harness.redis.advance(10 * MINUTE);
    for (const member of [lea, kim]) {
      assert.equal((await member.next('room:ended')).reason, 'time');
      await member.closed;
      assert.deepEqual([member.count('room:reminder'), member.count('room:ended')], [1, 1]);
    }
  });

  test('every member of a session that is ended now is closed', async () => {
    for (const end of [
      (room) => harness.define(room, { lastsMs: 0 }),
      (room) => harness.api('DELETE', `/rooms/${room}`),
    ]) {
      const { room, lea, kim } = await liveRoom();
      await end(room);
      for (const member of [lea, kim]) {
        assert.equal((await member.next('room:ended')).reason, 'ended');
        await member.closed;
      }
      const { code } = await (await harness.socketIo('kim')).join(room);
      assert.ok(['SESSION_ENDED', 'NO_SUCH_ROOM'].includes(code), code);
    }
  });

  test('members get an event about a new leader, who becomes host', async () => {
    const { room, lea, kim } = await liveRoom();
    await harness.define(room, { leaderId: 'kim' });
    for (const member of [lea, kim]) {
      assert.equal((await member.next('room:leaderChanged')).leaderId, 'kim');
      assert.equal((await member.next('room:hostChanged')).hostId, 'kim');
    }
  });

  test('a member who is taken off the list is removed and cannot join again', async () => {
    const { room, lea, kim } = await liveRoom();
    await harness.define(room, { members: ['lea', 'ali'] });
    assert.deepEqual(await kim.next('room:removed'), { groupId: room });
    assert.deepEqual(await kim.closed, { code: 4410, reason: 'room:removed' });
    const { members } = await lea.next('room:participantsChanged', changed('removed', 'kim'));
    assert.deepEqual(
      members.map(({ userId }) => userId),
      ['lea'],
    );
    assert.equal((await (await harness.socketIo('kim')).join(room)).code, 'NOT_A_MEMBER');
  });

  test('a full room refuses everybody but its own members', async () => {
    const { room, lea, kim } = await liveRoom({ capacity: 2 });
    const ali = await harness.socketIo('ali');
    assert.equal((await ali.join(room)).code, 'ROOM_FULL');
    kim.terminate();
    await lea.next('room:participantReconnecting');
    assert.equal((await ali.join(room)).code, 'ROOM_FULL', 'kim may still come back');
    assert.equal((await (await harness.socketIo('kim')).enter(room)).recovered, true);
    await harness.define(room, { capacity: 3 });
    await ali.enter(room);
  });

  test('attendance lists members, their times and their drops after the end', async () => {
    const { room, lea, kim } = await liveRoom({ lastsMs: HOUR });
    await harness.redis.advance(10 * MINUTE);
    kim.terminate();
    await lea.next('room:participantReconnecting');
    await (await harness.socketIo('kim')).enter(room);
    await harness.redis.advance(HOUR);
    await lea.next('room:ended');
    const response = await harness.api('GET', `/rooms/${room}/attendance`);
    assert.equal(response.status, 200);
    const { attendees } = await response.json();
    assert.deepEqual(
      attendees.map(({ userId, drops }) => [userId, drops]),
      [
        ['lea', 0],
        ['kim', 1],
      ],
    );
    for (const { presentMs, stays } of attendees) {
      assert.ok(presentMs > 59 * MINUTE && presentMs <= HOUR, `${presentMs}`);
      assert.deepEqual(
        stays.map(({ ending }) => ending),
        ['ended'],
      );
    }
    assert.equal((await harness.api('GET', `/rooms/${room}/attendance`, undefined, 'x'.repeat(32))).status, 401);
  });

  test('no client of this suite saw a gap in the sequence numbers', () => harness.assertNoGaps());
});
