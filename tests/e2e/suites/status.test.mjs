import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';

import { loseFirstResponse, passAgain, startBehindProxy } from '../harness/behind-proxy.mjs';
import { MINUTE, TRANSPORTS } from '../harness/harness.mjs';

describe('status', { timeout: 900_000 }, () => {
  let [harness, proxy] = [];
  before(async () => {
    [harness, proxy] = await startBehindProxy({ persistent: true, variables: {} });
  });
  afterEach(() => passAgain(proxy));
  after(async () => {
    await harness?.stop();
    await proxy?.stop();
  });

  /** Changes a member's own status and goal; returns the ack's data. */
  async function update(member, payload) {
    const ack = await member.request('member:update', payload);
    assert.equal(ack.success, true, JSON.stringify(ack));
    return ack.data;
  }

  for (const transport of TRANSPORTS) {
    test(`everybody learns what a member says, and who comes later finds it (${transport})`, async () => {
      const room = await harness.room();
      const lea = await harness.connect(transport, 'lea');
      const kim = await harness.connect(transport, 'kim', { bridge: 1 });
      await lea.enter(room);
      await kim.enter(room);
      const said = await update(kim, { status: 'break', goal: ' 수학의 정석\n3장 ' });
      assert.deepEqual([said.status, said.goal], ['break', '수학의 정석 3장']);
      for (const member of [lea, kim]) {
        const { userId, userName, status, goal, seq, epoch } = await member.next('room:memberUpdated');
        assert.deepEqual(
          [userId, userName, status, goal, seq, epoch],
          ['kim', 'Name of kim', 'break', '수학의 정석 3장', said.seq, said.epoch],
        );
      }
      const ali = await harness.connect(transport, 'ali');
      const { members } = await ali.enter(room);
      const { status, goal } = members.find(({ userId }) => userId === 'kim');
      assert.deepEqual([status, goal], ['break', '수학의 정석 3장']);
      const listed = await (await harness.api('GET', `/rooms/${room}/members`)).json();
      assert.equal(listed.members.find(({ userId }) => userId === 'kim').status, 'break');
    });
  }

  test('whoever merges changes of many members, each is known at last as the member says', async () => {
    const room = await harness.room();
    const lea = await harness.socketIo('lea');
    await lea.enter(room);
    const others = await Promise.all(
      ['ali', 'ben', 'kim'].map(async (user) => {
        const member = await harness.socketIo(user);
        await member.enter(room);
        return member;
      }),
    );
    await Promise.all(
      others.map(async (member) => {
        for (const status of ['break', 'focusing', 'break', 'away']) await update(member, { status });
      }),
    );
    const latest = {};
    while (others.some(({ user }) => latest[user] !== 'away')) {
      const { users, userId, status } = await lea.next('room:memberUpdated');
      for (const user of users ?? [{ userId, status }]) latest[user.userId] = user.status;
    }
  });

  test('a status outlives a lost connection, and its time is in the attendance', async () => {
    const room = await harness.room();
    const lea = await harness.socketIo('lea');
    const kim = await harness.socketIo('kim');
    await lea.enter(room);
    await kim.enter(room);
    await update(kim, { status: 'break' });
    await harness.redis.advance(2 * MINUTE);
    kim.terminate();
    await lea.next('room:participantReconnecting');
    const back = await harness.socketIo('kim');
    const { members, recovered } = await back.enter(room);
    assert.equal(recovered, true);
    assert.equal(members.find(({ userId }) => userId === 'kim').status, 'break');
    await update(back, { status: 'focusing' });
    await harness.redis.advance(MINUTE);
    await back.request('room:leave');
    const { attendees } = await (await harness.api('GET', `/rooms/${room}/attendance`)).json();
    const { presentMs, studyMs, stays } = attendees.find(({ userId }) => userId === 'kim');
    const { break: pause, focusing } = stays[0].statusMs;
    assert.ok(pause >= 2 * MINUTE && focusing >= MINUTE, JSON.stringify(stays));
    assert.equal(studyMs, presentMs - pause);
  });

  test('a change whose ack was lost has one effect, and the client gets the ack', async () => {
    const room = await harness.room();
    const kim = await harness.socketIo('kim', { bridge: 1 });
    await kim.enter(room);
    const countCalls = loseFirstResponse(proxy, '/events/status');
    const said = await update(kim, { status: 'away' });
    assert.equal(countCalls(), 2, 'the bridge sends the change again');
    assert.equal((await kim.next('room:memberUpdated')).seq, said.seq);
    const again = await update(kim, { status: 'away', id: 'mine' });
    assert.equal(again.seq, said.seq);
  });

  test('what is no status is refused with a reason and changes nothing', async () => {
    const room = await harness.room();
    const kim = await harness.socketIo('kim');
    assert.equal((await kim.request('member:update', { status: 'away' })).code, 'NOT_IN_ROOM');
    await kim.enter(room);
    for (const [payload, reason] of [
      [{ status: 'asleep' }, /focusing/],
      [{ status: 1 }, /./],
      [{ goal: 'x'.repeat(201) }, /200 characters/],
      [{ goal: ['x'] }, /string/],
      [['away'], /object/],
      ['away', /object/],
    ]) {
      const ack = await kim.request('member:update', payload);
      assert.equal(ack.code, 'MALFORMED', JSON.stringify(payload));
      assert.match(ack.message, reason);
    }
    const { seq } = await update(kim, {});
    assert.equal((await update(kim, { status: 'away' })).seq, seq + 1);
  });

  test('no client of this suite saw a gap in the sequence numbers', () => harness.assertNoGaps());
});
