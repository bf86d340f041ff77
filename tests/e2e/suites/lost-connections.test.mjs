import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Child } from '../harness/child.mjs';
import { Frames } from '../harness/engine-io.mjs';
import { changed, entered, Harness, membersIn, TRANSPORTS } from '../harness/harness.mjs';
import { NAMESPACE } from '../harness/socket-io.mjs';
import { nameOf, tokenFor } from '../harness/tokens.mjs';

const GRACE_MS = 30_000;
const CLIENT_PROCESS = fileURLToPath(new URL('../harness/client-process.mjs', import.meta.url));

describe('lost connections', { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    // Frequent pings detect silent clients soon.
    harness = await Harness.start({ bridges: 2, flags: ['--ping-interval-ms', '500', '--ping-timeout-ms', '500'] });
  });
  after(() => harness?.stop());

  /** A room with `lea` in it. */
  async function roomWithLea() {
    const room = await harness.room();
    const lea = await harness.socketIo('lea');
    await lea.enter(room);
    return { room, lea };
  }

  /** Expects the event that a member is reconnecting, with the end of the grace period. */
  async function assertReconnecting(lea, user, before) {
    const event = await lea.next('room:participantReconnecting');
    const now = await harness.redis.now();
    assert.deepEqual([event.userId, event.userName], [user, nameOf(user)]);
    assert.ok(event.graceUntil >= before + GRACE_MS && event.graceUntil <= now + GRACE_MS, 'thirty seconds of grace');
    return event;
  }

  test('a client whose process is killed is reconnecting, in the event and in the next ack', async () => {
    const { room, lea } = await roomWithLea();
    const client = new Child(process.execPath, [
      CLIENT_PROCESS,
      `${harness.bridges[1].url}${NAMESPACE}`,
      await tokenFor('kim'),
      room,
    ]);
    const [, ack] = await client.line(/^ack (.*)$/);
    assert.equal(JSON.parse(ack).success, true);
    await lea.next('room:participantsChanged', entered('kim'));

    const before = await harness.redis.now();
    await client.kill('SIGKILL');
    const { graceUntil } = await assertReconnecting(lea, 'kim', before);

    const ali = await harness.webSocket('ali');
    const { members, count } = await ali.enter(room);
    assert.equal(count, 3);
    const kim = members.find(({ userId }) => userId === 'kim');
    assert.deepEqual([kim.state, kim.graceUntil], ['reconnecting', graceUntil]);
  });

  test('missing pongs detect a client that stops answering', async () => {
    const { room, lea } = await roomWithLea();
    const client = new Child(process.execPath, [
      CLIENT_PROCESS,
      `${harness.bridges[0].url}${NAMESPACE}`,
      await tokenFor('kim'),
      room,
    ]);
    await client.line(/^ack /);
    await lea.next('room:participantsChanged', entered('kim'));
    const before = await harness.redis.now();
    await client.kill('SIGSTOP');
    await assertReconnecting(lea, 'kim', before);
    await client.kill('SIGKILL');
  });

  for (const transport of TRANSPORTS) {
    test(`a member who rejoins within the grace period is recovered, over another bridge too (${transport})`, async () => {
      const { room, lea } = await roomWithLea();
      const kim = await harness.connect(transport, 'kim');
      const first = await kim.enter(room);
      const { joinedAt } = first.members.find(({ userId }) => userId === 'kim');
      await lea.next('room:participantsChanged', entered('kim'));
      const before = await harness.redis.now();
      kim.terminate();
      await assertReconnecting(lea, 'kim', before);

      await harness.redis.advance(GRACE_MS - 5000);
      const again = await harness.connect(transport, 'kim', { bridge: 1 });
      const ack = await again.enter(room);
      assert.deepEqual([ack.recovered, ack.first, ack.count, ack.epoch], [true, false, 2, first.epoch]);
      const member = ack.members.find(({ userId }) => userId === 'kim');
      assert.deepEqual(member, { userId: 'kim', userName: nameOf('kim'), joinedAt, state: 'present' });
      const { members, epoch, seq, ...data } = await lea.next('room:participantReconnected');
      assert.deepEqual(data, { userId: 'kim', userName: nameOf('kim'), count: 2 });
      assert.deepEqual([members, epoch, seq], [ack.members, ack.epoch, ack.seq]);

      // The end of the old grace period has no effect.
      await harness.redis.advance(GRACE_MS);
      await harness.redis.swept();
      await lea.assertNoEvents(
        async () => (await harness.connect(transport, 'ali')).enter(room),
        'room:participantsChanged',
        entered('ali'),
      );
      await again.next('room:participantsChanged', entered('ali'));
      assert.deepEqual(again.names, ['room:participantsChanged'], 'a recovered member gets only later events');
    });

    test(`a member who stays away is removed when the grace period ends, and joins anew later (${transport})`, async () => {
      const { room, lea } = await roomWithLea();
      const kim = await harness.connect(transport, 'kim');
      await kim.enter(room);
      await lea.next('room:participantsChanged', entered('kim'));
      kim.terminate();
      await lea.next('room:participantReconnecting');
      await harness.redis.advance(GRACE_MS);
      const { change, count, members } = await lea.next('room:participantsChanged');
      assert.deepEqual(change, { type: 'graceExpired', users: [{ userId: 'kim', userName: nameOf('kim') }] });
      assert.deepEqual([count, members.map(({ userId }) => userId)], [1, ['lea']]);

      const again = await harness.connect(transport, 'kim');
      assert.equal((await again.enter(room)).recovered, false);
      await lea.next('room:participantsChanged', entered('kim'));
    });

    test(`a regular disconnect starts the grace period as well (${transport})`, async () => {
      const { room, lea } = await roomWithLea();
      const kim = await harness.connect(transport, 'kim', { bridge: 1 });
      await kim.enter(room);
      await lea.next('room:participantsChanged', entered('kim'));
      const before = await harness.redis.now();
      kim.disconnect();
      await assertReconnecting(lea, 'kim', before);
    });

    test(`a leave has no grace period, and closing the socket after it changes nothing (${transport})`, async () => {
      const { room, lea } = await roomWithLea();
      const kim = await harness.connect(transport, 'kim');
      await kim.enter(room);
      await kim.leave();
      await lea.next('room:participantsChanged', changed('left', 'kim'));
      await lea.assertNoEvents(
        async () => {
          kim.disconnect();
          await kim.closed;
          const again = await harness.connect(transport, 'kim');
          assert.equal((await again.enter(room)).recovered, false);
        },
        'room:participantsChanged',
        entered('kim'),
      );
    });
  }

  test('a client that closes its WebSocket gets the close frame back, on both transports', async () => {
    const kim = await harness.webSocket('kim');
    const ali = await Frames.open(harness.bridges[0]);
    for (const { socket } of [kim, ali]) socket.close(1000, 'bye');
    for (const { closed } of [kim, ali]) assert.deepEqual(await closed, { code: 1000, reason: 'bye' });
  });

  test('one event reports all members whose grace periods end together', async () => {
    const { room, lea } = await roomWithLea();
    const lost = [];
    for (const user of ['kim', 'ali', 'bo']) {
      const member = await harness.webSocket(user);
      await member.enter(room);
      lost.push(member);
    }
    for (const member of lost) member.terminate();
    const waiting = new Set(lost.map(({ user }) => user));
    while (waiting.size > 0)
      for (const { userId } of membersIn(await lea.next('room:participantReconnecting'))) waiting.delete(userId);
    await harness.redis.advance(GRACE_MS + 1000);
    const { change, count } = await lea.next(
      'room:participantsChanged',
      ({ change: { type } }) => type === 'graceExpired',
    );
    assert.deepEqual(change.users.map(({ userId }) => userId).sort(), ['ali', 'bo', 'kim']);
    assert.equal(count, 1);
  });

  test('no client of this suite saw a gap in the sequence numbers', () => harness.assertNoGaps());
});
