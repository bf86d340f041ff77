import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { changed, entered, Harness } from '../harness/harness.mjs';
import { nameOf, tokenFor } from '../harness/tokens.mjs';

describe('members see each other', { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    harness = await Harness.start({ bridges: 2 });
  });
  after(() => harness?.stop());

  test('the first to join starts the room and gets the documented ack', async () => {
    const room = await harness.room();
    const before = await harness.redis.now();
    const lea = await harness.socketIo('lea');
    const ack = await lea.join(room);
    const after = await harness.redis.now();

    assert.deepEqual(Object.keys(ack).sort(), ['data', 'success']);
    assert.equal(ack.success, true);
    const { endAt, epoch, members, now, remainMs, resumeToken, ...rest } = ack.data;
    assert.equal(now, endAt - remainMs);
    const roles = { leaderId: 'lea', hostId: 'lea' };
    assert.deepEqual(rest, { count: 1, ...roles, seq: 0, first: true, recovered: false, version: 1 });
    assert.match(resumeToken, /^[\w-]{43}$/);
    // An epoch is never used twice, so it may be a little ahead of the clock.
    assert.ok(epoch >= before && epoch <= after + 1000, 'the epoch is the time of the start');
    assert.ok(remainMs > 0 && endAt - remainMs >= before && endAt - remainMs <= after);
    const [{ joinedAt, ...member }, ...others] = members;
    assert.deepEqual(member, { userId: 'lea', userName: nameOf('lea'), state: 'present' });
    assert.ok(joinedAt >= before && joinedAt <= after);
    assert.deepEqual(others, []);

    const started = await lea.next('room:started');
    assert.deepEqual(started, {
      groupId: room,
      startedAt: joinedAt,
      endAt,
      leaderId: 'lea',
      hostId: 'lea',
      members,
      count: 1,
      epoch,
      seq: 1,
    });
  });

  test("members on every bridge get an entry's event, and the one who entered does not", async () => {
    const room = await harness.room();
    const lea = await harness.socketIo('lea');
    const kim = await harness.socketIo('kim', { bridge: 1 });
    const ali = await harness.socketIo('ali');
    const { epoch } = await lea.enter(room);
    await lea.next('room:started');

    const second = await kim.enter(room);
    assert.deepEqual([second.first, second.count, second.hostId, second.epoch], [false, 2, 'lea', epoch]);
    const change = await lea.next('room:participantsChanged');
    assert.deepEqual(change, {
      change: { type: 'entered', users: [{ userId: 'kim', userName: nameOf('kim') }] },
      count: 2,
      members: second.members,
      epoch,
      seq: second.seq,
    });

    const third = await ali.enter(room);
    assert.deepEqual(
      third.members.map(({ userId }) => userId),
      ['lea', 'kim', 'ali'],
      'in the order of the joins',
    );
    await lea.next('room:participantsChanged', entered('ali'));
    await kim.next('room:participantsChanged', entered('ali'));

    const leaving = await ali.leave();
    assert.deepEqual(leaving, { success: true, data: {} });
    const left = await kim.next('room:participantsChanged', changed('left', 'ali'));
    assert.deepEqual(
      left.members.map(({ userId }) => userId),
      ['lea', 'kim'],
    );
    await lea.next('room:participantsChanged', changed('left', 'ali'));

    assert.deepEqual(lea.names, ['room:started', ...Array(3).fill('room:participantsChanged')]);
    assert.deepEqual(kim.names, Array(2).fill('room:participantsChanged'));
    assert.deepEqual(
      ali.names,
      [],
      'a member who left gets no more events, and nobody gets the event of their own entry',
    );
    for (const member of [lea, kim]) assert.deepEqual(member.position, { epoch, seq: left.seq });
  });

  test('members get no events of other rooms', async () => {
    const [algebra, biology] = [await harness.room(), await harness.room()];
    const lea = await harness.socketIo('lea');
    const kim = await harness.socketIo('kim', { bridge: 1 });
    const ali = await harness.socketIo('ali', { bridge: 1 });
    await lea.enter(algebra);
    await lea.next('room:started');
    await kim.enter(biology);
    await kim.next('room:started');

    await lea.assertNoEvents(
      async () => {
        const { count } = await ali.enter(biology);
        assert.equal(count, 2);
        await kim.next('room:participantsChanged', entered('ali'));
        await ali.leave();
        await ali.enter(algebra);
      },
      'room:participantsChanged',
      entered('ali'),
    );
    assert.equal(kim.count('room:started'), 1);
    await kim.next('room:participantsChanged', changed('left', 'ali'));
    assert.equal(kim.log.length, 3);
  });

  test('clients on Socket.IO and on plain WebSockets share a room', async () => {
    const room = await harness.room();
    const lea = await harness.webSocket('lea');
    const kim = await harness.socketIo('kim', { bridge: 1 });
    const ali = await harness.webSocket('ali', { bridge: 1 });
    const bo = await harness.socketIo('bo', { transports: ['polling'] });
    await lea.enter(room);
    const started = await lea.next('room:started');
    assert.equal(started.groupId, room);
    for (const [member, count] of [
      [kim, 2],
      [ali, 3],
      [bo, 4],
    ]) {
      assert.equal((await member.enter(room)).count, count);
    }
    const seen = [];
    for (const member of [lea, kim, ali]) seen.push(await member.next('room:participantsChanged', entered('bo')));
    // Events in quick succession may be coalesced, and not for every client.
    const states = seen.map(({ seq, count, members }) => ({ seq, count, members }));
    assert.deepEqual(states, [states[0], states[0], states[0]]);
    await kim.leave();
    for (const member of [lea, ali, bo]) await member.next('room:participantsChanged', changed('left', 'kim'));
  });

  test('a browser may carry its token in the sub-protocols of a WebSocket', async () => {
    const room = await harness.room();
    const lea = harness.client('WebSocket', { protocols: ['rollcall.v1', `bearer.${await tokenFor('lea')}`] });
    await lea.connected();
    assert.equal(lea.socket.protocol, 'rollcall.v1');
    assert.equal((await lea.enter(room)).hostId, 'lea');
  });

  test('the leader is host while present, and otherwise the member who has been there longest', async () => {
    const room = await harness.room({ leaderId: 'lea' });
    const kim = await harness.socketIo('kim');
    const ali = await harness.webSocket('ali', { bridge: 1 });
    const lea = await harness.socketIo('lea', { bridge: 1 });
    assert.equal((await kim.enter(room)).hostId, 'kim');
    assert.equal((await ali.enter(room)).hostId, 'kim');
    assert.equal((await lea.enter(room)).hostId, 'lea');
    for (const member of [kim, ali, lea]) {
      const { epoch, seq, ...host } = await member.next('room:hostChanged');
      assert.deepEqual(host, { hostId: 'lea', userName: nameOf('lea') });
    }
    await lea.leave();
    for (const member of [kim, ali]) {
      await member.next('room:participantsChanged', changed('left', 'lea'));
      assert.equal((await member.next('room:hostChanged')).hostId, 'kim');
    }
  });

  test('no client of this suite saw a gap in the sequence numbers', () => harness.assertNoGaps());
});
