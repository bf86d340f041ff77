import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { changed, entered, Harness } from '../harness/harness.mjs';
import { make, signedBatch, signedCall } from '../harness/signed.mjs';
import { nameOf, tokenFor } from '../harness/tokens.mjs';

const KINDS = ['join', 'leave', 'disconnect'];
const STALE_S = 6 * 60;
const FOREIGN_SECRET = `whsec_${randomBytes(32).toString('base64')}`;

describe('signed calls', { timeout: 900_000 }, () => {
  let harness;
  let room;
  let lea;
  before(async () => {
    harness = await Harness.start();
    room = await harness.room();
    lea = await harness.socketIo('lea');
    await lea.enter(room);
    await lea.next('room:started');
  });
  after(() => harness?.stop());

  const joinOf = (user, entryId = randomUUID()) => ({
    type: 'join',
    roomId: room,
    profile: { userId: user, userName: nameOf(user) },
    entryId,
    nodeId: 'test',
    resumeHash: `hash of the token of ${entryId}`,
  });
  const eventOf = (kind, user, entryId) =>
    kind === 'join' ? joinOf(user, entryId) : { type: kind, roomId: room, userId: user, entryId };

  const without = (call, ...names) => ({
    ...call,
    headers: Object.fromEntries(Object.entries(call.headers).filter(([name]) => !names.includes(name))),
  });
  const withHeader = (call, name, value) => ({ ...call, headers: { ...call.headers, [name]: value } });

  /** Makes a call, expects a refusal, and proves that nothing reached Redis. */
  async function refused(call, status, code) {
    const before = await harness.redis.contents();
    const commands = await harness.redis.commandsDuring(async () => {
      const { status: actual, answer } = await make(harness.appUrl, call);
      assert.deepEqual([actual, answer.success, answer.code], [status, false, code]);
      assert.ok(answer.message);
    });
    assert.deepEqual(commands, [], 'no command of a call reached Redis');
    assert.deepEqual(await harness.redis.contents(), before);
  }

  for (const kind of KINDS) {
    const call = (options) => signedCall(kind, eventOf(kind, 'mallory', randomUUID()), options);

    test(`an unsigned ${kind} is refused and changes nothing`, async () => {
      await refused(without(call(), 'webhook-signature'), 401, 'SIGNATURE_INVALID');
      await refused(without(call(), 'webhook-id'), 401, 'SIGNATURE_INVALID');
      await refused(without(call(), 'webhook-timestamp'), 401, 'SIGNATURE_INVALID');
      await refused(withHeader(call(), 'webhook-signature', 'v1,'), 401, 'SIGNATURE_INVALID');
    });

    test(`a ${kind} whose body was altered is refused and changes nothing`, async () => {
      const good = call();
      await refused({ ...good, body: good.body.replace('mallory', 'lea') }, 401, 'SIGNATURE_INVALID');
      await refused({ ...good, body: `${good.body} ` }, 401, 'SIGNATURE_INVALID');
      await refused({ ...good, body: '' }, 401, 'SIGNATURE_INVALID');
    });

    test(`a ${kind} whose time or id was altered is refused and changes nothing`, async () => {
      const good = call({ ageS: 10 });
      const later = String(Number(good.headers['webhook-timestamp']) + 5);
      await refused(withHeader(good, 'webhook-timestamp', later), 401, 'SIGNATURE_INVALID');
      await refused(withHeader(withHeader(good, 'webhook-id', 'x'), 'ce-id', 'x'), 401, 'SIGNATURE_INVALID');
    });

    test(`a ${kind} signed six minutes ago, or six minutes ahead, is refused and changes nothing`, async () => {
      await refused(call({ ageS: STALE_S }), 401, 'SIGNATURE_INVALID');
      await refused(call({ ageS: -STALE_S }), 401, 'SIGNATURE_INVALID');
    });

    test(`a ${kind} signed with another secret is refused and changes nothing`, async () => {
      await refused(call({ secret: FOREIGN_SECRET }), 401, 'SIGNATURE_INVALID');
    });

    test(`a good signature of another event does not make a ${kind}`, async () => {
      const other = KINDS.find((name) => name !== kind);
      const moved = signedCall(other, eventOf(other, 'mallory', randomUUID()));
      await refused({ ...moved, path: `/events/${kind}` }, 400, 'MALFORMED');
      const disguised = withHeader(moved, 'ce-type', `rollcall.${kind}`);
      await refused({ ...disguised, path: `/events/${kind}` }, 400, 'MALFORMED');
    });

    test(`a signed ${kind} with an invalid event is refused and changes nothing`, async () => {
      for (const body of ['', '{', '[]', '{}', `{"type":"${kind}"}`, '['.repeat(10_000)]) {
        await refused(signedCall(kind, body), 400, 'MALFORMED');
      }
      await refused(withHeader(call(), 'ce-id', 'another'), 400, 'MALFORMED');
      await refused(without(call(), 'ce-specversion'), 400, 'MALFORMED');
    });

    test(`a ${kind} of more than 128 KiB is refused, signed or not, and changes nothing`, async () => {
      const big = JSON.stringify(eventOf(kind, 'mallory', randomUUID())) + ' '.repeat(128 * 1024);
      await refused(signedCall(kind, big), 413, 'PAYLOAD_TOO_LARGE');
      // Nothing of this body is read.
      await refused(without(signedCall(kind, big), 'webhook-signature'), 401, 'SIGNATURE_INVALID');
    });
  }

  test('an unsigned connect call is refused', async () => {
    const good = signedCall('connect', { type: 'connect', token: await tokenFor('kim') });
    await refused(without(good, 'webhook-signature'), 401, 'SIGNATURE_INVALID');
    const { status, answer } = await make(harness.appUrl, good);
    assert.deepEqual([status, answer.success], [200, true]);
    assert.deepEqual([answer.data.userId, answer.data.userName], ['kim', nameOf('kim')]);
  });

  test('signed calls join, disconnect and leave, and members get the events', async () => {
    const call = (kind, entryId) => make(harness.appUrl, signedCall(kind, eventOf(kind, 'kim', entryId)));
    let joined;
    const commands = await harness.redis.commandsDuring(async () => (joined = await call('join', 'entry-1')));
    assert.ok(
      commands.some((line) => line.includes('entry-1')),
      'the monitor reports commands of accepted calls',
    );
    assert.deepEqual([joined.status, joined.answer.success, joined.answer.data.count], [200, true, 2]);
    await lea.next('room:participantsChanged', entered('kim'));
    await call('disconnect', 'entry-1');
    await lea.next('room:participantReconnecting');
    assert.equal((await call('join', 'entry-2')).answer.data.recovered, true);
    await lea.next('room:participantReconnected');
    assert.deepEqual(await call('leave', 'entry-2'), { status: 200, answer: { success: true, data: {} } });
    await lea.next('room:participantsChanged', changed('left', 'kim'));
  });

  test('a call that is delivered twice has one effect, and a late copy of a join adds no member', async () => {
    const join = signedCall('join', joinOf('ali', 'entry-a'));
    const first = await make(harness.appUrl, join);
    await lea.next('room:participantsChanged', entered('ali'));
    const withoutTime = ({ remainMs, now, ...data }) => data;
    const again = withoutTime((await make(harness.appUrl, join)).answer.data);
    const once = withoutTime(first.answer.data);
    assert.deepEqual(again, once, 'the same answer');

    // A leave of an entry that is not current has no effect.
    await make(harness.appUrl, signedCall('leave', eventOf('leave', 'ali', 'entry-of-somebody-else')));
    await make(harness.appUrl, signedCall('leave', eventOf('leave', 'ali', 'entry-a')));
    const left = await lea.next('room:participantsChanged');
    assert.equal(left.change.type, 'left', 'neither the second copy of the join nor the wrong leave had an event');
    assert.equal(left.seq, once.seq + 1);

    const late = await make(harness.appUrl, join);
    assert.deepEqual([late.status, late.answer.code], [409, 'ENTRY_CLOSED']);
    await lea.assertNoEvents(
      () => make(harness.appUrl, signedCall('join', joinOf('bo'))),
      'room:participantsChanged',
      entered('bo'),
    );
  });

  /** Joins users, and returns the deliveries of their disconnects. */
  async function disconnectsOf(users) {
    const disconnects = [];
    for (const user of users) {
      const join = joinOf(user);
      assert.equal((await make(harness.appUrl, signedCall('join', join, { id: join.entryId }))).status, 200);
      const event = { type: 'disconnect', roomId: room, userId: user, entryId: join.entryId };
      disconnects.push({ id: randomUUID(), event });
    }
    return disconnects;
  }

  const statesOf = async (users) => {
    const { members } = await (await harness.api('GET', `/rooms/${room}/members`)).json();
    return users.map((user) => members.find(({ userId }) => userId === user)?.state);
  };

  test('a batch gets an outcome for each event, and a second delivery changes nothing', async () => {
    const users = ['ben', 'bea', 'bob'];
    const disconnects = await disconnectsOf(users);
    const foreign = { id: randomUUID(), event: { ...disconnects[0].event, roomId: 'no-such-room' } };
    for (const batch of [
      [disconnects[0], disconnects[1], foreign],
      [disconnects[1], disconnects[2]],
    ]) {
      const { status, answer } = await make(harness.appUrl, signedBatch('disconnect', batch));
      assert.equal(status, 200);
      assert.deepEqual(
        answer.data.outcomes.map(({ id }) => id),
        batch.map(({ id }) => id),
      );
      assert.ok(
        answer.data.outcomes.every(({ success, code }) => success || code === 'NOT_IN_ROOM' || code === 'ENTRY_CLOSED'),
        JSON.stringify(answer),
      );
    }
    assert.deepEqual(
      await statesOf(users),
      users.map(() => 'reconnecting'),
    );
  });

  test('an invalid batch changes nothing, whatever else is in it', async () => {
    const users = ['cem', 'cleo'];
    const disconnects = await disconnectsOf(users);
    const many = Array.from({ length: 201 }, () => ({ ...disconnects[0], id: randomUUID() }));
    const second = (change) => ({ change: ([first, event]) => [first, change(event)] });
    const calls = [
      [401, 'SIGNATURE_INVALID', signedBatch('disconnect', disconnects, { secret: FOREIGN_SECRET })],
      [401, 'SIGNATURE_INVALID', signedBatch('disconnect', disconnects, { ageS: STALE_S })],
      [
        401,
        'SIGNATURE_INVALID',
        { ...signedBatch('disconnect', disconnects), body: signedBatch('disconnect', disconnects.slice(1)).body },
      ],
      [
        400,
        'MALFORMED',
        signedBatch(
          'disconnect',
          disconnects,
          second((event) => ({ ...event, type: 'rollcall.leave' })),
        ),
      ],
      [400, 'MALFORMED', signedBatch('disconnect', [...disconnects, disconnects[0]])],
      [400, 'MALFORMED', signedBatch('disconnect', [])],
      [400, 'MALFORMED', signedBatch('disconnect', many)],
      [
        400,
        'MALFORMED',
        signedBatch(
          'disconnect',
          disconnects,
          second((event) => ({ ...event, specversion: '2.0' })),
        ),
      ],
      [
        400,
        'MALFORMED',
        signedBatch(
          'disconnect',
          disconnects,
          second((event) => ({ ...event, source: '/bridges/other' })),
        ),
      ],
      [
        400,
        'MALFORMED',
        signedBatch(
          'disconnect',
          disconnects,
          second(({ id, ...event }) => event),
        ),
      ],
      [
        400,
        'MALFORMED',
        signedBatch(
          'disconnect',
          disconnects,
          second(() => null),
        ),
      ],
      [
        413,
        'PAYLOAD_TOO_LARGE',
        signedBatch(
          'disconnect',
          disconnects,
          second((event) => ({ ...event, x: 'x'.repeat(128 * 1024) })),
        ),
      ],
    ];
    for (const [status, code, call] of calls) {
      const outcome = await make(harness.appUrl, call);
      assert.deepEqual([outcome.status, outcome.answer.code], [status, code], call.body.slice(0, 200));
    }
    assert.deepEqual(
      await statesOf(users),
      users.map(() => 'present'),
    );
  });

  test('an event with wrong data is refused by itself, and the others of its batch are applied', async () => {
    const users = ['dan', 'dora'];
    const disconnects = await disconnectsOf(users);
    const join = { id: randomUUID(), event: joinOf('mallory') };
    const nobody = { id: randomUUID(), event: { ...disconnects[0].event, userId: '' } };
    const batch = signedBatch('disconnect', [disconnects[0], join, nobody, disconnects[1]]);
    const { status, answer } = await make(harness.appUrl, batch);
    assert.equal(status, 200);
    assert.deepEqual(
      answer.data.outcomes.map(({ code }) => code ?? 'ok'),
      ['ok', 'MALFORMED', 'MALFORMED', 'ok'],
    );
    assert.deepEqual(await statesOf([...users, 'mallory']), ['reconnecting', 'reconnecting', undefined]);
  });

  test('a batch of joins gets the outcomes that they would get alone, and so does a second delivery', async () => {
    const small = await harness.room({ capacity: 1 });
    const listed = await harness.room({ members: ['lea'] });
    const own = await harness.room();
    const rooms = { eva: small, emil: small, ella: listed, enno: own, elsa: own };
    const joins = Object.entries(rooms).map(([user, roomId]) => ({
      id: randomUUID(),
      event: { ...joinOf(user), roomId },
    }));
    const outcomesOf = async () => (await make(harness.appUrl, signedBatch('join', joins))).answer.data.outcomes;
    const outcomes = await outcomesOf();
    const byUser = Object.fromEntries(outcomes.map((outcome, n) => [Object.keys(rooms)[n], outcome]));
    assert.deepEqual([byUser.eva.code, byUser.emil.code].sort(), ['ROOM_FULL', undefined]);
    assert.equal(byUser.ella.code, 'NOT_A_MEMBER');
    assert.deepEqual([byUser.enno.data.first, byUser.elsa.data.first].sort(), [false, true]);
    for (const user of ['enno', 'elsa']) {
      assert.ok(byUser[user].data.members.some(({ userId }) => userId === user));
    }
    const again = await outcomesOf();
    const codes = (all) => all.map(({ success, code }) => (success ? 'ok' : code));
    assert.deepEqual(codes(again), codes(outcomes));
    const { count } = await (await harness.api('GET', `/rooms/${own}/members`)).json();
    assert.equal(count, 2);
  });

  test('a response holds at most 1 MiB of outcomes, and events without one can be sent again', async () => {
    // Each ack lists all members of the room, whose names are as long as they may be.
    const wide = await harness.room();
    const users = Array.from({ length: 200 }, (_, n) => `wide-${n}`);
    const joins = users.map((user) => ({
      id: randomUUID(),
      event: { ...joinOf(user), roomId: wide, profile: { userId: user, userName: user.padEnd(256, 'x') } },
    }));
    const most = (bytes) => bytes <= 1024 * 1024 + 256 * 1024;
    const got = new Map();
    for (let calls = 0; got.size < joins.length; calls += 1) {
      assert.ok(calls < joins.length, 'each call brings some further');
      const left = joins.filter(({ id }) => !got.has(id)).slice(0, 60);
      const { answer } = await make(harness.appUrl, signedBatch('join', left));
      assert.ok(most(JSON.stringify(answer).length));
      for (const outcome of answer.data.outcomes) got.set(outcome.id, outcome);
    }
    for (const { success } of got.values()) assert.equal(success, true);
    const { count } = await (await harness.api('GET', `/rooms/${wide}/members`)).json();
    assert.equal(count, users.length);
  });
});
