import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { changed, Harness, TRANSPORTS } from '../harness/harness.mjs';
import { tokenFor } from '../harness/tokens.mjs';

/** Events that a socket may send at once. */
const PER_SECOND = 20;

describe('names and roles', { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    harness = await Harness.start({ bridges: 2, flags: ['--events-per-second', PER_SECOND] });
  });
  after(() => harness?.stop());

  const token = (username, userRole) => tokenFor('kim', { claims: { username, userRole } });

  async function connect(transport, name, role, options) {
    const kims = await token(name, role);
    return harness.client(transport, { auth: { token: kims }, token: kims, ...options }).connected();
  }

  /** Checks that everybody knows Kim by this name and role: members through events, the API, and the next ack. */
  async function assertKnown(room, members, userName, userRole) {
    for (const member of members) {
      const { change, members: list } = await member.next('room:participantsChanged', changed('updated', 'kim'));
      assert.deepEqual(change, { type: 'updated', users: [{ userId: 'kim', userName, userRole }] });
      assert.deepEqual(pick(list), [userName, userRole]);
    }
    assert.deepEqual(pick((await (await harness.api('GET', `/rooms/${room}/members`)).json()).members), [
      userName,
      userRole,
    ]);
    const ali = await harness.socketIo('ali');
    assert.deepEqual(pick((await ali.enter(room)).members), [userName, userRole]);
    await ali.leave();
  }

  const pick = (list) => list.filter(({ userId }) => userId === 'kim').flatMap((kim) => [kim.userName, kim.userRole]);

  for (const transport of TRANSPORTS) {
    test(`a refreshed token brings its name and role to everybody (${transport})`, async () => {
      const room = await harness.room();
      const lea = await harness.socketIo('lea', { bridge: 1 });
      await lea.enter(room);
      const kim = await connect(transport, 'Kim', 'student');
      await kim.enter(room);
      const ack = await kim.request('auth:refresh', { token: await token('Kimberly', 'tutor') });
      assert.ok(ack.success && ack.data.expiresAt);
      await assertKnown(room, [lea, kim], 'Kimberly', 'tutor');
      await lea.next('room:participantsChanged', changed('left', 'ali'));
      await lea.assertNoEvents(
        async () => {
          await kim.request('auth:refresh', { token: await token('Kimberly', 'tutor') });
          await kim.leave();
        },
        'room:participantsChanged',
        changed('left', 'kim'),
      );
    });

    for (const duplicates of ['refuse', 'takeover', 'share']) {
      test(`another connection brings the name and role of its token (${duplicates}, ${transport})`, async () => {
        const room = await harness.room({ duplicates });
        const lea = await harness.socketIo('lea', { bridge: 1 });
        await lea.enter(room);
        const { resumeToken } = await (await connect(transport, 'Kim', 'student')).enter(room);
        const second = await connect(transport, 'Kimberly', 'tutor', { bridge: 1 });
        const { members } = await second.enter(room, duplicates === 'refuse' ? { resumeToken } : {});
        assert.deepEqual(pick(members), ['Kimberly', 'tutor']);
        await assertKnown(room, [lea], 'Kimberly', 'tutor');
      });
    }
  }

  test('a name that came in an outage of the connection reaches everybody after it', async () => {
    const room = await harness.room();
    const lea = await harness.socketIo('lea', { bridge: 1 });
    await lea.enter(room);
    const kim = await connect('WebSocket', 'Kim', 'student');
    await kim.enter(room);
    kim.terminate();
    await lea.next('room:participantReconnecting');
    await (await connect('WebSocket', 'Kimberly', 'tutor')).enter(room);
    await lea.next('room:participantReconnected', ({ userName }) => userName === 'Kimberly');
    await assertKnown(room, [lea], 'Kimberly', 'tutor');
  });

  test('a client that changes its name all the time is limited like every other client', async () => {
    const room = await harness.room();
    const lea = await harness.socketIo('lea', { bridge: 1 });
    await lea.enter(room);
    const kim = await connect('WebSocket', 'Kim');
    await kim.enter(room);
    const names = await Promise.all(['A', 'B'].map((name) => token(name)));
    const acks = await Promise.all(
      Array.from({ length: 3 * PER_SECOND }, (_, n) => kim.request('auth:refresh', { token: names[n % 2] })),
    );
    const accepted = acks.filter(({ success }) => success).length;
    assert.ok(acks.some(({ code }) => code === 'RATE_LIMITED') && accepted > 0, `${accepted}`);
    await harness.api('POST', `/rooms/${room}/notices`, { text: 'after it' });
    await lea.next('room:notice');
    assert.ok(lea.count('room:participantsChanged') <= accepted + 1);
  });

  test('no client of this suite saw a gap in the sequence numbers', () => harness.assertNoGaps());
});
