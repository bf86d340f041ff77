// The service that Rollcall is measured against does what Rollcall does, so the comparison is fair.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { BenchReference } from '../harness/bench-reference.mjs';
import { HOUR, MINUTE } from '../harness/harness.mjs';
import { Redis } from '../harness/redis.mjs';
import { SocketIoMember } from '../harness/socket-io.mjs';
import { foreignKey, nameOf, tokenFor } from '../harness/tokens.mjs';

const LEAD_MS = 10 * MINUTE;

/** How long before a deadline the tests for it begin, at first. */
const FIRST_NOTICE_MS = 500;

describe('the reference service of the benchmark', { timeout: 900_000 }, () => {
  let redis;
  let patient;
  let impatient;
  const members = [];
  before(async () => {
    redis = await Redis.start();
    patient = await BenchReference.start({ redis, graceMs: HOUR, reminderLeadMs: LEAD_MS });
    impatient = await BenchReference.start({ redis, graceMs: 1, reminderLeadMs: LEAD_MS });
  });
  after(async () => {
    for (const member of members) member.disconnect();
    for (const part of [impatient, patient, redis]) await part?.stop();
  });

  async function connect(user, service = patient) {
    const member = new SocketIoMember(user, service, { auth: { token: await tokenFor(user) } });
    members.push(member);
    return member.connected();
  }

  async function defineRoom(room, lastsMs = HOUR) {
    const endAt = Date.now() + lastsMs;
    await patient.define(room, { endAt, leaderId: 'lea' });
    return endAt;
  }

  /** Two members in a room, each at another process. */
  async function meet(room) {
    const [lea, kim] = [await connect('lea'), await connect('kim', impatient)];
    await defineRoom(room);
    const first = await lea.enter(room);
    const second = await kim.enter(room);
    return { lea, kim, first, second };
  }

  const idsIn = (list) => list.map(({ userId }) => userId);

  test('members at two processes get the list, and see each other enter and leave', async () => {
    const { lea, kim, first, second } = await meet('enter');
    assert.deepEqual([first.first, first.count, second.first, second.count], [true, 1, false, 2]);
    assert.deepEqual(idsIn(second.members), ['lea', 'kim']);
    assert.deepEqual(Object.keys(second.members[1]).sort(), ['joinedAt', 'state', 'userId', 'userName']);
    assert.equal((await lea.next('room:started')).groupId, 'enter');
    assert.deepEqual(await lea.next('room:participantsChanged'), {
      change: { type: 'entered', users: [{ userId: 'kim', userName: nameOf('kim') }] },
      count: 2,
      members: second.members,
    });
    assert.equal((await kim.leave()).success, true);
    const { change, members } = await lea.next('room:participantsChanged');
    assert.deepEqual([change.type, idsIn(members)], ['left', ['lea']]);
    assert.equal((await kim.leave()).code, 'NOT_IN_ROOM');
  });

  test('strangers, unknown rooms and second connections are refused', async () => {
    const stranger = new SocketIoMember('stranger', patient, {
      auth: { token: await tokenFor('stranger', { signedWith: foreignKey() }) },
    });
    await assert.rejects(stranger.connected(), /TOKEN_INVALID/);
    await meet('refused');
    const again = await connect('lea', impatient);
    assert.equal((await again.join('refused')).code, 'ALREADY_JOINED');
    assert.equal((await again.join('unknown')).code, 'NO_SUCH_ROOM');
  });

  test('a member who comes back within the grace period is recovered', async () => {
    const { lea, kim } = await meet('back');
    lea.terminate();
    const lost = await kim.next('room:participantReconnecting');
    assert.equal(lost.userId, 'lea');
    assert.ok(lost.graceUntil > Date.now() + HOUR / 2);
    const ack = await (await connect('lea', impatient)).enter('back');
    assert.deepEqual([ack.recovered, ack.first, idsIn(ack.members)], [true, false, ['lea', 'kim']]);
    const back = await kim.next('room:participantReconnected');
    assert.deepEqual([back.userId, back.count], ['lea', 2]);
    assert.equal(back.members[0].state, 'present');
    assert.equal(
      await redis.client.zCard('bull:study:delayed'),
      (await redis.client.keys('study:*:started')).length * 2,
    );
  });

  test('a member who does not come back is removed', async () => {
    const { lea, kim } = await meet('lost');
    kim.terminate();
    await lea.next('room:participantReconnecting');
    const { change, members } = await lea.next('room:participantsChanged', ({ count }) => count === 1);
    assert.deepEqual([change.type, idsIn(change.users), idsIn(members)], ['graceExpired', ['kim'], ['lea']]);
  });

  /** Joins a room some time before a deadline, and earlier before the next one if that was too late. */
  async function enterBefore(name, deadlineMs) {
    for (let noticeMs = FIRST_NOTICE_MS; ; noticeMs *= 2) {
      const room = `${name}-${noticeMs}`;
      const endAt = await defineRoom(room, deadlineMs + noticeMs);
      const member = await connect('lea');
      const ack = await member.join(room);
      if (ack.success && ack.data.remainMs > deadlineMs) return { member, room, endAt };
    }
  }

  test('ten minutes before the end comes the reminder', async () => {
    const { member, room, endAt } = await enterBefore('reminder', LEAD_MS);
    const { remainMs, ...reminder } = await member.next('room:reminder');
    assert.deepEqual(reminder, { groupId: room, endAt });
    assert.ok(remainMs <= LEAD_MS);
  });

  test('at the end all members get an event and are closed, and the room is cleared', async () => {
    const { member, room } = await enterBefore('end', 0);
    assert.deepEqual(await member.next('room:ended'), { groupId: room, reason: 'time' });
    await member.closed;
    assert.deepEqual(await redis.client.keys(`study:${room}:*`), [`study:${room}:definition`]);
    assert.equal((await (await connect('kim')).join(room)).code, 'SESSION_ENDED');
  });
});
