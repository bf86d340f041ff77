import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';

import { passAgain, startBehindProxy } from '../harness/behind-proxy.mjs';
import { Bridge } from '../harness/bridge.mjs';
import { changed, entered, TRANSPORTS } from '../harness/harness.mjs';
import { HOLD, LOSE, PASS } from '../harness/proxy.mjs';
import { SocketIoMember } from '../harness/socket-io.mjs';
import { tokenFor } from '../harness/tokens.mjs';
import { until } from '../harness/wait.mjs';
import { Wire } from '../harness/wire.mjs';

const JOIN = '/events/join';

describe('repeated commands', { timeout: 900_000 }, () => {
  let [harness, proxy] = [];
  before(async () => {
    [harness, proxy] = await startBehindProxy();
  });
  afterEach(() => passAgain(proxy));
  after(async () => {
    await harness?.stop();
    await proxy?.stop();
  });

  const members = async (room) => (await (await harness.api('GET', `/rooms/${room}/members`)).json()).members;
  const ids = (list) => list.map(({ userId }) => userId);

  test('events that come later than the ack of a repeated join that includes them are left out', async () => {
    const wire = await Wire.start(harness.redis.address);
    try {
      const variables = {
        ROLLCALL_REDIS_URL: `redis://${wire.address}`,
        ROLLCALL_APP_TIMEOUT_MS: '2000',
        ROLLCALL_HEARTBEAT_INTERVAL_MS: '500',
      };
      const behindWire = await Bridge.start({ redis: harness.redis, app: harness.appUrl, variables });
      const bridge = harness.bridges.push(behindWire) - 1;
      await behindWire.ready();
      const room = await harness.room();
      const kim = await harness.webSocket('kim', { bridge });
      await kim.enter(room);
      await kim.next('room:started');
      wire.holds = true;
      const lea = await harness.socketIo('lea');
      await lea.enter(room);
      await lea.leave();
      await lea.enter(room);
      const again = await kim.enter(room);
      assert.deepEqual(ids(again.members), ['kim', 'lea']);
      wire.release();
      await (await harness.socketIo('ali')).enter(room);
      await kim.next('room:participantsChanged', entered('ali'));
      assert.deepEqual(kim.gaps, []);
    } finally {
      await wire.stop();
    }
  });

  for (const transport of TRANSPORTS) {
    test(`a repeated join gets the current list and a resume token that works (${transport})`, async () => {
      const room = await harness.room();
      const kim = await harness.connect(transport, 'kim', { bridge: 1 });
      const first = await kim.enter(room);
      const lea = await harness.socketIo('lea');
      await lea.enter(room);
      await lea.next('room:hostChanged');
      const again = await kim.enter(room);
      assert.deepEqual(ids(again.members), ['kim', 'lea']);
      assert.deepEqual([again.count, again.hostId, again.epoch, again.first], [2, 'lea', first.epoch, true]);
      await lea.assertNoEvents(
        async () => {
          await kim.enter(room);
          await (await harness.socketIo('ali')).enter(room);
        },
        'room:participantsChanged',
        entered('ali'),
      );
      await kim.next('room:participantsChanged', entered('ali'));

      const { resumeToken } = await kim.enter(room);
      const elsewhere = await harness.connect(transport, 'kim');
      assert.equal((await elsewhere.enter(room, { resumeToken })).recovered, true);
      await kim.next('room:replaced');
      await kim.closed;
    });

    test(`a join that starts the session may be repeated before the start arrives (${transport})`, async () => {
      const room = await harness.room();
      const kim = await harness.connect(transport, 'kim', { bridge: 1 });
      const acks = await Promise.all([kim.join(room), kim.join(room), kim.join(room)]);
      assert.ok(
        acks.every(({ success }) => success),
        JSON.stringify(acks),
      );
      assert.equal(new Set(acks.map(({ data }) => data.resumeToken)).size, 1);
      assert.equal(ids(await members(room)).length, 1);
      assert.equal(kim.count('room:started'), 1);
    });

    test(`a repeated join loses no event while many members come (${transport})`, async () => {
      const room = await harness.room();
      const kim = await harness.connect(transport, 'kim', { bridge: 1 });
      await kim.enter(room);
      const others = await Promise.all(Array.from({ length: 40 }, (_, n) => harness.webSocket(`user-${n}`)));
      const coming = others.map((member) => member.enter(room));
      const notices = [];
      for (let n = 0; n < 5; n += 1) {
        const text = `notice ${n}`;
        notices.push(text);
        const [ack] = await Promise.all([kim.join(room), harness.api('POST', `/rooms/${room}/notices`, { text })]);
        assert.ok(ack.success || ack.code === 'UNAVAILABLE', JSON.stringify(ack));
      }
      await Promise.all(coming);
      const { members: list, count } = await kim.enter(room);
      assert.deepEqual([count, list.length], [41, 41]);
      await harness.api('POST', `/rooms/${room}/notices`, { text: 'last' });
      await kim.next('room:notice', ({ text }) => text === 'last');
      const got = kim.log.filter(({ event }) => event === 'room:notice').map(({ data }) => data.text);
      assert.deepEqual(got, [...notices, 'last']);
    });

    test(`a repeated leave succeeds, and another room can be entered after it (${transport})`, async () => {
      const room = await harness.room();
      const kim = await harness.connect(transport, 'kim', { bridge: 1 });
      assert.equal((await kim.leave()).code, 'NOT_IN_ROOM', 'nothing was left before');
      await kim.enter(room);
      const acks = await Promise.all([kim.leave(), kim.leave()]);
      assert.deepEqual(acks, Array(2).fill({ success: true, data: {} }));
      await kim.enter(await harness.room());
      assert.equal((await kim.join(room)).code, 'IN_ANOTHER_ROOM');
      assert.equal((await kim.leave()).success, true);
    });

    test(`a join without an answer can be left (${transport})`, async () => {
      const room = await harness.room();
      const lea = await harness.socketIo('lea');
      await lea.enter(room);
      const kim = await harness.connect(transport, 'kim', { bridge: 1 });
      proxy.does = ({ path }) => (path === JOIN ? LOSE : path === '/events/disconnect' ? HOLD : PASS);
      assert.equal((await kim.join(room)).code, 'UNAVAILABLE');
      await lea.next('room:participantsChanged', entered('kim'));
      assert.equal((await kim.leave()).success, true);
      await lea.next('room:participantsChanged', changed('left', 'kim'));
      assert.equal((await kim.leave()).success, true);
    });

    test(`a join repeated after the loss of the lease brings the member back (${transport})`, async () => {
      const room = await harness.room();
      const lea = await harness.socketIo('lea');
      await lea.enter(room);
      const kim = await harness.connect(transport, 'kim', { bridge: 1 });
      const { resumeToken } = await kim.enter(room);
      proxy.does = ({ path }) => (path === JOIN ? PASS : HOLD);
      assert.equal((await lea.next('room:participantReconnecting', undefined, 60_000)).userId, 'kim');
      const again = await kim.enter(room);
      assert.deepEqual([ids(again.members), again.recovered, again.resumeToken], [['lea', 'kim'], true, resumeToken]);
      await lea.next('room:participantReconnected');
      proxy.does = () => PASS;
      proxy.release();
      assert.equal((await kim.leave()).success, true);
    });
  }

  test('the retries of the official client succeed over the same socket', async () => {
    const room = await harness.room();
    const kim = await harness.socketIo('kim', { bridge: 1, retries: 20, ackTimeout: 200 });
    let sent = 0;
    kim.socket.io.engine.on('packetCreate', ({ data }) => (sent += /room:(join|leave)/.test(data) ? 1 : 0));
    const lossy = (event, ...payload) =>
      new Promise((resolve, reject) =>
        kim.socket.emit(event, ...payload, (error, ack) => (error ? reject(error) : resolve(ack))),
      );
    for (const [path, command] of [
      [JOIN, () => lossy('room:join', { groupId: room })],
      ['/events/leave', () => lossy('room:leave')],
    ]) {
      sent = 0;
      proxy.does = (call) => (call.path === path ? HOLD : PASS);
      const acked = command();
      await until(() => sent >= 3, 'the client has repeated its event');
      proxy.does = () => PASS;
      proxy.release();
      assert.equal((await acked).success, true);
    }
    assert.deepEqual(ids(await members(room)), []);
  });

  test('a join before the connection and one in its handler both succeed', async () => {
    const room = await harness.room();
    const auth = { token: await tokenFor('kim') };
    const kim = new SocketIoMember('kim', harness.bridges[1], { auth });
    const join = () => kim.socket.emitWithAck('room:join', { groupId: room });
    const acks = [join()];
    await new Promise((resolve) => {
      kim.socket.on('connect', () => resolve(acks.push(join())));
    });
    for (const { success, data } of await Promise.all(acks)) {
      assert.equal(success, true);
      assert.deepEqual(ids(data.members), ['kim']);
    }
    kim.disconnect();
  });

  test('no client of this suite saw a gap in the sequence numbers', () => harness.assertNoGaps());
});
