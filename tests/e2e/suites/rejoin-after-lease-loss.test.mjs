import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';

import { passAgain, startBehindProxy } from '../harness/behind-proxy.mjs';
import { TRANSPORTS } from '../harness/harness.mjs';
import { HOLD, LOSE, PASS, refuse } from '../harness/proxy.mjs';
import { make, signedCall } from '../harness/signed.mjs';
import { until } from '../harness/wait.mjs';

const JOIN = '/events/join';

describe('rejoin after lease loss', { timeout: 900_000 }, () => {
  let [harness, proxy] = [];
  before(async () => {
    [harness, proxy] = await startBehindProxy();
  });
  afterEach(() => passAgain(proxy));
  after(async () => {
    await harness?.stop();
    await proxy?.stop();
  });

  /** The events in all calls to a path, which may bring several of them, in this room: members of others stay. */
  const eventsTo = (path, room) =>
    proxy
      .to(path)
      .flatMap(({ body }) => [body].flat().map((event) => event.data ?? event))
      .filter(({ roomId }) => roomId === room);
  const joins = (room) => eventsTo(JOIN, room);
  const disconnected = (room) => eventsTo('/events/disconnect', room).map(({ entryId }) => entryId);

  /** Lea on the first bridge, and kim on the second one, which cannot reach the app until its lease has run out. */
  async function cutOff(room, transport) {
    const lea = await harness.socketIo('lea');
    await lea.enter(room);
    const kim = await harness.connect(transport, 'kim', { bridge: 1 });
    await kim.enter(room);
    proxy.isBroken = true;
    assert.equal((await lea.next('room:participantReconnecting', undefined, 60_000)).userId, 'kim');
    return [lea, kim];
  }

  /** Tells the app that an entry of kim has lost its connection. */
  async function disconnect(room, entryId) {
    const event = { type: 'disconnect', roomId: room, userId: 'kim', entryId };
    const { status, answer } = await make(harness.appUrl, signedCall('disconnect', event));
    assert.equal(status, 200, JSON.stringify(answer));
  }

  const state = async (room, user) => {
    const response = await harness.api('GET', `/rooms/${room}/members`);
    assert.ok(response.ok, await response.clone().text());
    const { members } = await response.json();
    return members.find(({ userId }) => userId === user)?.state;
  };

  for (const transport of TRANSPORTS) {
    test(`an entry that ended before its response arrived is replaced by another (${transport})`, async () => {
      const room = await harness.room();
      const [lea, kim] = await cutOff(room, transport);
      const before = joins(room).length;
      proxy.does = ({ path }) => (path === JOIN ? LOSE : PASS);
      proxy.isBroken = false;
      await until(() => joins(room).length > before, 'the bridge rejoins kim');
      const ended = joins(room)[before];
      await lea.next('room:participantReconnected');
      await disconnect(room, ended.entryId);
      await lea.next('room:participantReconnecting');
      proxy.does = () => PASS;
      assert.equal((await lea.next('room:participantReconnected', undefined, 60_000)).userId, 'kim');
      assert.notEqual(joins(room).at(-1).entryId, ended.entryId);
      assert.equal((await kim.leave()).success, true, 'through the same socket as before');
    });
  }

  for (const transport of TRANSPORTS) {
    test(`a first join whose entry ended before its response arrived enters with another (${transport})`, async () => {
      const room = await harness.room();
      const lea = await harness.socketIo('lea');
      await lea.enter(room);
      const kim = await harness.connect(transport, 'kim', { bridge: 1 });
      const before = joins(room).length;
      proxy.does = ({ path }) => (path === JOIN ? LOSE : PASS);
      const entering = kim.enter(room);
      await lea.next('room:participantsChanged');
      const { entryId } = joins(room)[before];
      await disconnect(room, entryId);
      await lea.next('room:participantReconnecting');
      proxy.does = () => PASS;
      assert.equal((await entering).recovered, true);
      assert.equal((await lea.next('room:participantReconnected')).userId, 'kim');
      assert.notEqual(joins(room).at(-1).entryId, entryId);
      assert.equal(await state(room, 'kim'), 'present');
    });
  }

  test('a refused rejoin leaves neither entry behind', async () => {
    const room = await harness.room();
    const [, kim] = await cutOff(room, 'WebSocket');
    const before = joins(room).length;
    proxy.does = ({ path }) => (path === JOIN ? refuse('NOT_A_MEMBER', 403) : PASS);
    proxy.isBroken = false;
    assert.deepEqual(await kim.closed, { code: 4409, reason: 'NOT_A_MEMBER' });
    const { entryId, replaces } = joins(room)[before];
    await until(
      () => [entryId, replaces].every((entry) => disconnected(room).includes(entry)),
      'the app gets the disconnects of both',
    );
  });

  test('a member who is removed at the end of a session is not in the next session', async () => {
    const room = await harness.room();
    const [lea, kim] = await cutOff(room, 'WebSocket');
    const before = joins(room).length;
    proxy.does = ({ path }) => (path === JOIN ? HOLD : PASS);
    proxy.isBroken = false;
    await until(() => joins(room).length > before, 'the bridge rejoins kim');
    assert.ok((await harness.api('POST', `/rooms/${room}/end`)).ok);
    await lea.next('room:ended');
    await harness.define(room);
    proxy.does = () => PASS;
    proxy.release();
    assert.deepEqual(await kim.closed, { code: 4410, reason: 'room:ended' });
    await until(() => disconnected(room).includes(joins(room)[before].entryId), 'the app gets the disconnect');
    await until(async () => (await state(room, 'kim')) !== 'present', 'kim is not present');
  });

  test('a first attempt that arrives after the refusal of the second one leaves no member behind', async () => {
    const room = await harness.room();
    const lea = await harness.socketIo('lea');
    await lea.enter(room);
    const kim = await harness.webSocket('kim', { bridge: 1 });
    const before = joins(room).length;
    proxy.does = ({ path }) => {
      if (path !== JOIN) return PASS;
      return joins(room).length === before + 1 ? HOLD : refuse('ROOM_FULL', 409);
    };
    assert.equal((await kim.join(room)).code, 'ROOM_FULL');
    proxy.does = () => PASS;
    proxy.release();
    await until(async () => (await state(room, 'kim')) !== 'present', 'kim is not present', 60_000);
    await until(() => disconnected(room).includes(joins(room)[before].entryId), 'the app gets the disconnect');
    await kim.enter(room);
    assert.equal(await state(room, 'kim'), 'present');
  });
});
