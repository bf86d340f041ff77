import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { OPERATOR_TOKEN } from '../harness/bridge.mjs';
import { changed, entered, Harness, HOUR, TRANSPORTS } from '../harness/harness.mjs';
import { tokenFor } from '../harness/tokens.mjs';

/** The largest integer that JavaScript reads without losing digits. */
const LEA = Number.MAX_SAFE_INTEGER;
const KIM = 7;

describe('types of ids', { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    harness = await Harness.start({ bridges: 2 });
  });
  after(() => harness?.stop());

  const me = (member, data) => data.members.find(({ userId }) => userId === member.user);

  async function read(path) {
    const response = await harness.api('GET', path);
    assert.equal(response.status, 200);
    return response.json();
  }

  for (const [index, transport] of TRANSPORTS.entries()) {
    test(`a client finds itself by === where the platform uses numbers (${transport})`, async () => {
      const room = 100 + index;
      await harness.define(room, { leaderId: LEA });
      const kim = await harness.connect(transport, KIM);
      const first = await kim.enter(room);
      assert.ok(me(kim, first) && first.hostId === KIM && first.leaderId === LEA);
      const started = await kim.next('room:started');
      assert.ok(me(kim, started) && started.groupId === room && started.hostId === KIM && started.leaderId === LEA);

      const lea = await harness.connect(transport, LEA, { bridge: 1 });
      const ack = await lea.enter(room);
      assert.ok(me(kim, ack) && me(lea, ack) && ack.leaderId === LEA && ack.hostId === LEA);
      assert.ok(me(lea, await kim.next('room:participantsChanged', entered(LEA))));
      assert.equal((await kim.next('room:hostChanged')).hostId, LEA);

      const ali = await harness.connect(transport, '007');
      await ali.enter(room);
      await kim.next('room:participantsChanged', entered('007'));
      kim.terminate();
      assert.equal((await lea.next('room:participantReconnecting')).userId, KIM);
      const back = await harness.connect(transport, KIM, { bridge: 1 });
      assert.ok(me(back, await back.enter(room, { resumeToken: first.resumeToken })));
      const reconnected = await lea.next('room:participantReconnected');
      assert.ok(reconnected.userId === KIM && me(kim, reconnected));

      const state = await read(`/rooms/${room}/members`);
      assert.ok(state.groupId === room && state.leaderId === LEA && state.hostId === LEA && me(kim, state));
      assert.ok((await read('/rooms')).rooms.some(({ id }) => id === room));
      assert.equal((await harness.api('POST', `/rooms/${room}/notices`, { text: 'Hello' })).status, 204);
      assert.equal((await back.next('room:notice')).groupId, room);
      assert.equal((await harness.api('DELETE', `/rooms/${room}/members/${KIM}`)).status, 204);
      assert.equal((await back.next('room:removed')).groupId, room);
      await lea.next('room:participantsChanged', changed('removed', KIM));
      const { attendees } = await read(`/rooms/${room}/attendance`);
      assert.deepEqual(
        attendees.map(({ userId }) => userId),
        [KIM, LEA, '007'],
      );
      assert.equal((await harness.api('POST', `/rooms/${room}/end`)).status, 204);
      assert.equal((await lea.next('room:ended')).groupId, room);
      harness.assertNoGaps();
    });

    test(`a number and its text are one user and one room (${transport})`, async () => {
      const room = 200 + index;
      await harness.define(room, { leaderId: '7', members: ['7', 8], duplicates: 'takeover' });
      const kim = await harness.connect(transport, KIM);
      const ack = await kim.enter(room);
      assert.ok(ack.leaderId === KIM && ack.hostId === KIM, 'the token decides about members');
      assert.equal((await kim.enter(String(room))).count, 1, 'the same room, in which the client is already');
      const eight = await harness.connect(transport, '8', { bridge: 1 });
      assert.equal((await eight.enter(String(room))).members[1].userId, '8');
      assert.equal((await harness.api('POST', `/rooms/${room}/notices`, { text: 'Hello' })).status, 204);
      assert.equal((await eight.next('room:notice')).groupId, room, 'the first client decides about the room');

      const again = await harness.connect(transport, '7', { bridge: 1 });
      const taken = await again.enter(room);
      assert.ok(me(again, taken) && taken.hostId === '7' && taken.recovered, 'the last token decides');
      await kim.next('room:replaced');
      const token = await tokenFor(KIM);
      assert.equal((await again.request('auth:refresh', { token })).success, true, 'the same user');
      assert.equal((await again.leave()).success, true);
      assert.equal((await again.enter(room)).hostId, KIM, 'the fresh token decides from the next join on');
    });
  }

  test('a room may be without a leader, and lose or get one', async () => {
    const room = await harness.room({ leaderId: null });
    assert.equal('leaderId' in (await read(`/rooms/${room}`)), false);
    const kim = await harness.socketIo(KIM);
    const ack = await kim.enter(room);
    assert.deepEqual(['leaderId' in ack, ack.hostId], [false, KIM]);
    const lea = await harness.webSocket(LEA);
    assert.equal((await lea.enter(room)).hostId, KIM);
    const patch = (leaderId) => harness.api('PATCH', `/rooms/${room}`, { leaderId });
    assert.equal((await patch(LEA)).status, 200);
    assert.equal((await kim.next('room:leaderChanged')).leaderId, LEA);
    assert.equal((await kim.next('room:hostChanged')).hostId, LEA);
    assert.equal((await patch(null)).status, 200);
    assert.equal('leaderId' in (await kim.next('room:leaderChanged')), false);
    assert.equal((await kim.next('room:hostChanged')).hostId, KIM);
    harness.assertNoGaps();
  });

  test('no integer loses digits', async () => {
    const endAt = (await harness.redis.now()) + HOUR;
    const body = `{"endAt": ${endAt}, "leaderId": 9007199254740993, "members": [18446744073709551615, -7]}`;
    const put = (text) =>
      fetch(`${harness.appUrl}/rooms/large`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${OPERATOR_TOKEN}` },
        body: text,
      });
    assert.equal((await put(body)).status, 201);
    const { leaderId, members } = await read('/rooms/large');
    assert.deepEqual([leaderId, members], ['9007199254740993', ['18446744073709551615', -7]]);
    for (const id of ['1.5', '1e3', '-0', '7.0', '18446744073709551616']) {
      assert.equal((await put(body.replace('9007199254740993', id))).status, 400, id);
    }
  });
});

describe('types of ids in tokens with sessions', { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    harness = await Harness.start({ variables: { SPIN_VARIABLE_SESSIONS: 'token' } });
  });
  after(() => harness?.stop());

  for (const [index, transport] of TRANSPORTS.entries()) {
    test(`the token decides about the room and the leader may be missing (${transport})`, async () => {
      const room = 300 + index;
      const endAt = (await harness.redis.now()) + HOUR;
      for (const leader of [{}, { leaderId: null }]) {
        const token = await tokenFor(KIM, { claims: { rollcall: { room, endAt, ...leader } } });
        const kim = await harness.client(transport, { auth: { token }, token }).connected();
        const ack = await kim.enter(String(room));
        assert.deepEqual(['leaderId' in ack, ack.hostId], [false, KIM]);
        if (ack.first) assert.equal((await kim.next('room:started')).groupId, room);
        assert.equal((await kim.leave()).success, true);
      }
    });
  }
});
