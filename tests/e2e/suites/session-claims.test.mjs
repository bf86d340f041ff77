import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { entered, Harness, HOUR, MINUTE, TRANSPORTS } from '../harness/harness.mjs';
import { tokenFor } from '../harness/tokens.mjs';

describe('sessions in token claims', { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    harness = await Harness.start({ bridges: 2, variables: { SPIN_VARIABLE_SESSIONS: 'token' } });
  });
  after(() => harness?.stop());

  /** A connected client whose token has a session in its claims. */
  async function granted(transport, user, rollcall, bridge = 0) {
    const token = await tokenFor(user, { claims: rollcall === undefined ? {} : { rollcall } });
    const member = harness.client(transport, {
      bridge,
      ...(transport === 'Socket.IO' ? { auth: { token } } : { token }),
    });
    member.user = user;
    return member.connected();
  }

  for (const transport of TRANSPORTS) {
    test(`a token for the room admits its user and sets leader and end (${transport})`, async () => {
      const room = `tokens-${transport}`;
      const endAt = (await harness.redis.now()) + HOUR;
      const grant = { room, endAt, leaderId: 'lea', capacity: 2 };
      const kim = await granted(transport, 'kim', grant);
      const ack = await kim.enter(room);
      assert.deepEqual([ack.endAt, ack.leaderId, ack.hostId], [endAt, 'lea', 'kim']);
      const ali = await granted(transport, 'ali', { ...grant, endAt: endAt + MINUTE }, 1);
      assert.equal((await ali.enter(room)).endAt, endAt, 'the first join defines the session');
      await kim.next('room:participantsChanged', entered('ali'));
      assert.equal((await (await granted(transport, 'bo', grant)).join(room)).code, 'ROOM_FULL');
      assert.equal((await (await granted(transport, 'lea', grant)).enter(room)).hostId, 'lea');
    });

    test(`a token for another room or for none does not admit its user (${transport})`, async () => {
      const endAt = (await harness.redis.now()) + HOUR;
      const elsewhere = await granted(transport, 'kim', { room: 'elsewhere', endAt, leaderId: 'lea' });
      assert.equal((await elsewhere.join('here')).code, 'NOT_A_MEMBER');
      assert.equal((await (await granted(transport, 'kim')).join('here')).code, 'NOT_A_MEMBER');
      const over = await granted(transport, 'kim', { room: 'here', endAt: endAt - 2 * HOUR, leaderId: 'lea' });
      assert.equal((await over.join('here')).code, 'SESSION_ENDED');
    });
  }

  test('a token for a room allows reading that room over HTTP, and no other', async () => {
    const endAt = (await harness.redis.now()) + HOUR;
    const rollcall = { room: 'readable', endAt, leaderId: 'lea' };
    await (await granted('Socket.IO', 'kim', rollcall)).enter('readable');
    const token = await tokenFor('ali', { claims: { rollcall } });
    const answer = await harness.api('GET', '/rooms/readable/members', undefined, token);
    assert.equal((await answer.json()).count, 1);
    const other = await tokenFor('ali', { claims: { rollcall: { ...rollcall, room: 'other' } } });
    assert.equal((await harness.api('GET', '/rooms/readable/members', undefined, other)).status, 403);
  });

  test('a token with an invalid session is refused at the connection', async () => {
    for (const rollcall of [
      {},
      'room',
      { room: 'r', endAt: 1, leaderId: 'l' },
      { room: '', endAt: 1.9e12, leaderId: 'l' },
    ]) {
      await assert.rejects(granted('Socket.IO', 'kim', rollcall), /TOKEN_INVALID/);
    }
  });
});
