import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { about, changed, entered, Harness, TRANSPORTS } from '../harness/harness.mjs';

/** How a replaced connection was closed. */
const REPLACED = { 'Socket.IO': 'io server disconnect', WebSocket: { code: 4410, reason: 'room:replaced' } };

describe('resume tokens', { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    harness = await Harness.start({ bridges: 2 });
  });
  after(() => harness?.stop());

  for (const transport of TRANSPORTS) {
    test(`a join with the resume token takes the membership over at once, on another bridge too (${transport})`, async () => {
      const room = await harness.room();
      const lea = await harness.socketIo('lea');
      await lea.enter(room);
      const old = await harness.connect(transport, 'kim');
      const { resumeToken, members } = await old.enter(room);
      await lea.next('room:participantsChanged', entered('kim'));

      const again = await harness.connect(transport, 'kim', { bridge: 1 });
      await lea.assertNoEvents(
        async () => {
          const ack = await again.enter(room, { resumeToken });
          assert.deepEqual([ack.recovered, ack.first, ack.count], [true, false, 2]);
          assert.deepEqual(ack.members, members, 'the same membership with the same start');
          assert.notEqual(ack.resumeToken, resumeToken);
          assert.deepEqual(await old.next('room:replaced'), { groupId: room });
          assert.deepEqual(await old.closed, REPLACED[transport]);
          await (await harness.socketIo('ali')).enter(room);
        },
        'room:participantsChanged',
        entered('ali'),
      );
      assert.equal((await again.leave()).success, true, 'the new connection holds the membership');
      await lea.next('room:participantsChanged', changed('left', 'kim'));
    });
  }

  test('resume tokens of other users, of other rooms and invalid ones have no effect', async () => {
    const [room, other] = [await harness.room(), await harness.room()];
    const lea = await harness.socketIo('lea');
    const { resumeToken } = await lea.enter(room);
    const kim = await harness.socketIo('kim');
    const ofKim = await kim.enter(room);
    const elsewhere = await (await harness.socketIo('lea')).enter(other);
    const second = await harness.socketIo('lea');
    for (const token of [ofKim.resumeToken, elsewhere.resumeToken, 'A'.repeat(43)]) {
      const { success, code } = await second.join(room, { resumeToken: token });
      assert.deepEqual([success, code], [false, 'ALREADY_JOINED']);
    }
    for (const token of ['', 'short', 7, {}, 'A'.repeat(10_000)]) {
      assert.equal((await second.join(room, { resumeToken: token })).code, 'MALFORMED');
    }
    assert.equal((await second.join(room, { resumeToken })).success, true);
  });

  test('Redis holds no resume token', async () => {
    const room = await harness.room();
    const { resumeToken } = await (await harness.socketIo('lea')).enter(room);
    const contents = JSON.stringify(await harness.redis.contents());
    assert.ok(!contents.includes(Buffer.from(resumeToken).toString('hex')));
  });

  test('with `takeover` the newest connection replaces the old one', async () => {
    const room = await harness.room({ duplicates: 'takeover' });
    const old = await harness.webSocket('kim');
    await old.enter(room);
    const again = await harness.socketIo('kim', { bridge: 1 });
    assert.equal((await again.enter(room)).recovered, true);
    await old.next('room:replaced');
    await old.closed;
    const lea = await harness.socketIo('lea');
    assert.deepEqual(
      (await lea.enter(room)).members.map(({ userId }) => userId),
      ['kim', 'lea'],
    );
    await again.next('room:participantsChanged', entered('lea'));
  });

  test('with `share` a user counts once, and all their connections get all events', async () => {
    const room = await harness.room({ duplicates: 'share' });
    const lea = await harness.socketIo('lea');
    await lea.enter(room);
    const [first, second] = [await harness.socketIo('kim'), await harness.webSocket('kim', { bridge: 1 })];
    await first.enter(room);
    await lea.next('room:participantsChanged', entered('kim'));
    assert.deepEqual((await second.enter(room)).count, 2, 'a user counts once');

    const ali = await harness.socketIo('ali');
    await ali.enter(room);
    for (const member of [first, second]) await member.next('room:participantsChanged', entered('ali'));
    await lea.next('room:participantsChanged', entered('ali'));
    await lea.assertNoEvents(
      async () => {
        first.terminate();
        await ali.leave();
      },
      'room:participantsChanged',
      changed('left', 'ali'),
    );
    second.terminate();
    await lea.next('room:participantReconnecting', about('kim'));
  });

  test('no client of this suite saw a gap in the sequence numbers', () => harness.assertNoGaps());
});
