import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { io } from 'socket.io-client';

import { Bridge } from '../harness/bridge.mjs';
import { Frames, Polling } from '../harness/engine-io.mjs';
import { Harness } from '../harness/harness.mjs';
import { AppProxy, HOLD, PASS } from '../harness/proxy.mjs';
import { NAMESPACE } from '../harness/socket-io.mjs';
import { foreignKey, tokenFor } from '../harness/tokens.mjs';
import { until, within } from '../harness/wait.mjs';

describe('Socket.IO protocol', { timeout: 900_000 }, () => {
  let harness;
  let bridge;
  const sockets = [];
  before(async () => {
    harness = await Harness.start();
    [bridge] = harness.bridges;
  });
  afterEach(() => {
    for (const { socket } of sockets.splice(0)) socket.terminate();
  });
  after(() => harness?.stop());

  async function opened(through = bridge) {
    const frames = await Frames.open(through);
    sockets.push(frames);
    return frames;
  }

  const connected = async (user = 'kim') => (await opened()).connect(await tokenFor(user));
  const connecting = async (user = 'kim') => `40${NAMESPACE},${JSON.stringify({ token: await tokenFor(user) })}`;
  const ofRefusal = (frame) => JSON.parse(frame.slice(`44${NAMESPACE},`.length));

  describe('connecting', () => {
    test("the response names a new session id, which is not the transport's", async () => {
      const [first, second] = [await opened(), await opened()];
      const ids = [];
      for (const frames of [first, second]) {
        await frames.send(await connecting());
        const answer = JSON.parse((await frames.next()).slice(`40${NAMESPACE},`.length));
        assert.deepEqual(Object.keys(answer), ['sid'], 'no pid, because recovery does not depend on one bridge');
        ids.push(answer.sid, frames.handshake.sid);
      }
      assert.equal(new Set(ids).size, 4);
    });

    for (const [packet, namespace] of [
      ['40', '/'],
      ['40{"token":"x"}', '/'],
      ['40/', '/'],
      ['40/random', '/random'],
      ['40/random,', '/random'],
      ['40/random,{"token":"x"}', '/random'],
      ['40/study/,', '/study/'],
      ['40/STUDY,', '/STUDY'],
    ]) {
      test(`${packet} is refused as the official server does`, async () => {
        const frames = await opened();
        await frames.send(packet);
        const answer = '{"message":"Invalid namespace"}';
        assert.equal(await frames.next(), namespace === '/' ? `44${answer}` : `44${namespace},${answer}`);
        await frames.connect(await tokenFor('kim'));
      });
    }

    test('a very long namespace is not repeated in the refusal, and ends the connection', async () => {
      const frames = await opened();
      await frames.send(`40/${'x'.repeat(10_000)},`);
      await frames.closed;
      assert.ok(!frames.all.some((frame) => frame.includes('xxx')), JSON.stringify(frames.all));
    });

    test('a CONNECT without a comma after the namespace has no token', async () => {
      const frames = await opened();
      await frames.send(`40${NAMESPACE}`);
      assert.deepEqual(ofRefusal(await frames.next()).data.code, 'TOKEN_MISSING');
    });

    test('a refusal carries its code as message and in its data, and another token may follow', async () => {
      for (const [auth, code] of [
        ['', 'TOKEN_MISSING'],
        ['{}', 'TOKEN_MISSING'],
        ['{"token":null}', 'TOKEN_MISSING'],
        ['{"token":7}', 'TOKEN_MISSING'],
        ['[]', 'TOKEN_MISSING'],
        ['"x"', 'TOKEN_MISSING'],
        ['{"token":"x"}', 'TOKEN_INVALID'],
        [JSON.stringify({ token: await tokenFor('kim', { signedWith: foreignKey() }) }), 'TOKEN_INVALID'],
        [JSON.stringify({ token: await tokenFor('kim', { expiresInS: -60 }) }), 'TOKEN_EXPIRED'],
      ]) {
        const frames = await opened();
        await frames.send(`40${NAMESPACE},${auth}`);
        const { message, data } = ofRefusal(await frames.next());
        assert.deepEqual([message, data.code], [code, code], auth);
        assert.ok(data.message.length > 0);
        await frames.connect(await tokenFor('kim'));
      }
    });

    test('a second CONNECT ends the connection', async () => {
      const frames = await connected();
      await frames.send(await connecting());
      await frames.closed;
      const twice = await opened();
      await twice.send(await connecting(), await connecting());
      await twice.closed;
    });

    for (const packet of [
      `42${NAMESPACE},["room:leave"]`,
      `42["room:leave"]`,
      `41`,
      `42/random,1["x"]`,
      '43["x"]',
      '4abc',
      '4',
      '47',
      '44{}',
    ]) {
      test(`${packet} before CONNECT ends the connection`, async () => {
        const frames = await opened();
        await frames.send(packet);
        await frames.closed;
      });
    }

    test('an event of another namespace ends the connection', async () => {
      const frames = await connected();
      await frames.send('42["room:leave"]');
      await frames.closed;
    });
  });

  describe('events', () => {
    test('acks carry the ids of their events, and arrive in the order of the events', async () => {
      const frames = await connected();
      const ids = [0, 7, 3, 2 ** 31, Number.MAX_SAFE_INTEGER];
      await frames.send(...ids.map((id) => `42${NAMESPACE},${id}["room:leave"]`));
      for (const id of ids)
        assert.ok((await frames.next()).startsWith(`43${NAMESPACE},${id}[{"success":false,`), String(id));
    });

    test('joins and leaves without waiting in between take effect in order', async () => {
      const rooms = [await harness.room(), await harness.room()];
      const frames = await connected();
      await frames.send(
        ...rooms.flatMap((groupId, i) => [
          `42${NAMESPACE},${2 * i}["room:join",{"groupId":"${groupId}"}]`,
          `42${NAMESPACE},${2 * i + 1}["room:leave"]`,
        ]),
      );
      for (const id of [0, 1, 2, 3]) {
        const ack = await frames.next((frame) => frame.startsWith(`43${NAMESPACE},`));
        assert.ok(ack.startsWith(`43${NAMESPACE},${id}[{"success":true,`), ack);
      }
    });

    test('an event without an id takes effect and gets no ack', async () => {
      const room = await harness.room();
      const frames = await connected();
      await frames.send(`42${NAMESPACE},["room:join",{"groupId":"${room}"}]`);
      assert.equal((await frames.request(1, 'room:join', { groupId: 'another' })).code, 'IN_ANOTHER_ROOM');
      const acks = frames.all.filter((frame) => frame.startsWith('43'));
      assert.deepEqual(acks.length, 1);
    });

    test('unexpected acks are ignored', async () => {
      const frames = await connected();
      await frames.send(`43${NAMESPACE},1["x"]`, `461-${NAMESPACE},1[{"_placeholder":true,"num":0}]`);
      frames.socket.send(Buffer.from('x'));
      assert.equal((await frames.request(2, 'room:leave')).code, 'NOT_IN_ROOM');
    });

    test('attachments are read and refused, and the connection stays open', async () => {
      const frames = await connected();
      for (const count of [1, 2, 16]) {
        const holes = Array.from({ length: count }, (_, num) => ({ _placeholder: true, num }));
        await frames.send(`45${count}-${NAMESPACE},5${JSON.stringify(['room:join', ...holes])}`);
        for (let i = 0; i < count; i += 1) frames.socket.send(Buffer.from([i]));
        const ack = await frames.next((frame) => frame.startsWith(`43${NAMESPACE},5`));
        assert.ok(ack.includes('"MALFORMED"'), ack);
      }
      assert.equal((await frames.request(6, 'room:leave')).code, 'NOT_IN_ROOM');
    });

    test('attachments over polling are refused as well', async () => {
      const session = await (await Polling.open(bridge)).connect(await tokenFor('kim'));
      await session.post(`451-${NAMESPACE},5["room:join",{"_placeholder":true,"num":0}]`, 'bAQIDBA==');
      assert.ok((await session.next((packet) => packet.startsWith(`43${NAMESPACE},5`))).includes('"MALFORMED"'));
      assert.equal((await session.request(6, 'room:leave')).code, 'NOT_IN_ROOM');
    });

    test('too many attachments, or text in their place, end the connection', async () => {
      const many = await connected();
      await many.send(`4517-${NAMESPACE},5["room:join"]`);
      await many.closed;
      const text = await connected();
      await text.send(`451-${NAMESPACE},5["room:join"]`, `42${NAMESPACE},6["room:leave"]`);
      await text.closed;
    });
  });

  describe('disconnecting', () => {
    test('a DISCONNECT ends the session and not the connection, on which another may start', async () => {
      const room = await harness.room();
      const lea = await harness.socketIo('lea');
      await lea.enter(room);
      const frames = await connected();
      await frames.request(1, 'room:join', { groupId: room });
      await frames.send(`41${NAMESPACE},`);
      assert.equal((await lea.next('room:participantReconnecting')).userId, 'kim');
      await frames.connect(await tokenFor('kim'));
      const { data } = await frames.request(1, 'room:join', { groupId: room });
      assert.equal(data.recovered, true);
      assert.equal((await lea.next('room:participantReconnected')).userId, 'kim');
    });

    test('packets after a DISCONNECT are ignored, a second DISCONNECT too', async () => {
      const frames = await connected();
      await frames.send(`41${NAMESPACE},`, `42${NAMESPACE},1["room:leave"]`, `41${NAMESPACE}`);
      await frames.connect(await tokenFor('kim'));
      assert.equal((await frames.request(2, 'room:leave')).code, 'NOT_IN_ROOM');
      assert.ok(!frames.all.some((frame) => frame.startsWith(`43${NAMESPACE},1`)), 'an ack of the old session');
    });

    describe('while the app is slow', () => {
      let slow;
      let proxy;
      before(async () => {
        proxy = await AppProxy.start(harness.appUrl);
        slow = await Bridge.start({ redis: harness.redis, app: proxy.url });
        harness.bridges.push(slow);
      });
      beforeEach(() => {
        proxy.does = () => PASS;
      });
      after(() => proxy?.stop());

      const hold = (path) => {
        proxy.does = (call) => (call.path === path ? HOLD : PASS);
      };
      const connects = (frames) => frames.all.filter((frame) => frame.startsWith(`40${NAMESPACE},`)).length;

      test('an ack of an earlier session does not reach the next one', async () => {
        const room = await harness.room();
        const lea = await harness.socketIo('lea');
        await lea.enter(room);
        const frames = await (await opened(slow)).connect(await tokenFor('kim'));
        hold('/events/join');
        await frames.send(`42${NAMESPACE},1["room:join",{"groupId":"${room}"}]`);
        await until(() => proxy.to('/events/join').length === 1, 'the app gets the call');
        await frames.send(`41${NAMESPACE},`);
        await frames.connect(await tokenFor('kim'));
        proxy.release();
        // The response has arrived: its session is over, so the new member is disconnected.
        assert.equal((await lea.next('room:participantReconnecting')).userId, 'kim');
        assert.equal((await frames.request(2, 'room:leave')).code, 'NOT_IN_ROOM');
        assert.ok(!frames.all.some((frame) => frame.startsWith(`43${NAMESPACE},1`)), JSON.stringify(frames.all));
      });

      test('a DISCONNECT before the response to CONNECT cancels the CONNECT', async () => {
        const frames = await opened(slow);
        hold('/events/connect');
        const before = proxy.to('/events/connect').length;
        await frames.send(await connecting('ali'));
        await until(() => proxy.to('/events/connect').length > before, 'the app gets the call');
        await frames.send(`41${NAMESPACE},`, await connecting('kim'));
        await until(() => proxy.to('/events/connect').length > before + 1, 'the app gets the second call');
        proxy.release();
        await frames.next((frame) => frame.startsWith(`40${NAMESPACE},`));
        const room = await harness.room();
        const { data } = await frames.request(1, 'room:join', { groupId: room });
        assert.deepEqual(
          data.members.map(({ userId }) => userId),
          ['kim'],
        );
        assert.equal(connects(frames), 1);
      });
    });

    test('a client that sends CONNECT over and over is closed, in any namespace', async () => {
      for (const packets of [[await connecting(), `41${NAMESPACE},`], ['40/random,']]) {
        const frames = await opened();
        await frames.send(...Array(6).fill(packets).flat());
        await frames.closed;
      }
    });

    test('a client that ended a session has the whole handshake timeout for the next one', async () => {
      const strict = await Bridge.start({
        redis: harness.redis,
        app: harness.appUrl,
        flags: ['--handshake-timeout-ms', '2000'],
      });
      harness.bridges.push(strict);
      const frames = await opened(strict);
      for (let i = 0; i < 3; i += 1) {
        await frames.connect(await tokenFor('kim'));
        await sleep(1200);
        await frames.send(`41${NAMESPACE},`);
        await sleep(1200);
      }
      // A refused CONNECT does not restart the timeout.
      await frames.send(`41${NAMESPACE},`, `40${NAMESPACE},{"token":"x"}`);
      await frames.closed;
      const called = await opened(strict);
      await called.send(`41${NAMESPACE},`);
      await called.closed;
    });
  });

  describe('official client', () => {
    const clients = [];
    afterEach(() => {
      for (const client of clients.splice(0)) client.disconnect();
    });
    /** A client that reconnects by itself; the caller waits for events. */
    function client(options, namespace = NAMESPACE) {
      const socket = io(`${bridge.url}${namespace}`, {
        transports: ['websocket'],
        forceNew: true,
        reconnectionDelay: 20,
        reconnectionDelayMax: 20,
        ...options,
      });
      clients.push(socket);
      return socket;
    }

    const next = (socket, event) =>
      within(new Promise((resolve) => socket.once(event, (...args) => resolve(args))), `the client gets ${event}`);
    const auth = async (user) => ({ auth: { token: await tokenFor(user) } });

    for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
      test(`the client joins, gets events of others and leaves (${transports.join(', then ')})`, async () => {
        const room = await harness.room();
        const kim = client({ ...(await auth('kim')), transports });
        await next(kim, 'connect');
        assert.equal((await kim.emitWithAck('room:join', { groupId: room })).success, true);
        const heard = next(kim, 'room:participantsChanged');
        const ali = await harness.socketIo('ali');
        await ali.enter(room);
        assert.equal((await heard)[0].count, 2);
        await until(() => kim.io.engine.transport.name === transports.at(-1), 'the client has upgraded');
        assert.equal((await kim.timeout(30_000).emitWithAck('room:leave', {})).success, true);
      });
    }

    test('a refusal has its code as the message and in the data', async () => {
      for (const transports of [['polling'], ['websocket']]) {
        const socket = client({ auth: { token: 'x' }, transports });
        const [error] = await next(socket, 'connect_error');
        assert.deepEqual([error.message, error.data.code], ['TOKEN_INVALID', 'TOKEN_INVALID']);
        assert.ok(error.data.message.length > 0);
        assert.equal(socket.active, false, 'the client does not retry by itself');
      }
    });

    test('after a refusal, the same socket connects with another token', async () => {
      let token = 'x';
      const socket = client({ auth: (answer) => answer({ token }) });
      await next(socket, 'connect_error');
      token = await tokenFor('kim');
      socket.connect();
      await next(socket, 'connect');
      assert.equal((await socket.emitWithAck('room:leave')).code, 'NOT_IN_ROOM');
    });

    test('a client that lost its connection reconnects by itself with a fresh token', async () => {
      const room = await harness.room();
      const shown = [];
      const socket = client({
        auth: async (answer) => {
          shown.push(await tokenFor('kim', { claims: { jti: String(shown.length) } }));
          answer({ token: shown.at(-1) });
        },
      });
      await next(socket, 'connect');
      await socket.emitWithAck('room:join', { groupId: room });
      const back = next(socket, 'connect');
      socket.io.engine.transport.ws.terminate();
      await back;
      assert.ok(!socket.recovered, 'the session is new, and the membership is recovered');
      const { data } = await socket.emitWithAck('room:join', { groupId: room });
      assert.equal(data.recovered, true);
      assert.equal(shown.length, 2);
    });

    test('events emitted without a connection are sent after connecting', async () => {
      const room = await harness.room();
      const socket = client(await auth('kim'));
      const ack = socket.emitWithAck('room:join', { groupId: room });
      assert.equal((await within(ack, 'the ack')).success, true);
    });

    test('disconnect and connect without waiting end one session and start another', async () => {
      const room = await harness.room();
      const socket = client(await auth('kim'));
      await next(socket, 'connect');
      const { id } = socket;
      await socket.emitWithAck('room:join', { groupId: room });
      const back = next(socket, 'connect');
      socket.disconnect().connect();
      await back;
      assert.notEqual(socket.id, id);
      assert.equal((await socket.emitWithAck('room:join', { groupId: room })).data.recovered, true);
    });

    test('a timeout of an ack in the client does not cancel the event', async () => {
      const room = await harness.room();
      const socket = client(await auth('kim'));
      await next(socket, 'connect');
      await harness.redis.freeze();
      try {
        await assert.rejects(socket.timeout(200).emitWithAck('room:join', { groupId: room }), /timed out/);
      } finally {
        await harness.redis.thaw();
      }
      const answer = await within(socket.emitWithAck('room:leave'), 'the ack of the next event');
      assert.equal(answer.success, true, 'the join took effect before');
    });

    test('two namespaces share one connection: the unknown one is refused, and the other one works', async () => {
      const options = { ...(await auth('kim')), forceNew: false, multiplex: true };
      const ours = client(options);
      const other = client(options, '/other');
      assert.equal(ours.io, other.io, 'one manager');
      const [[error]] = await Promise.all([next(other, 'connect_error'), next(ours, 'connect')]);
      assert.equal(error.message, 'Invalid namespace');
      assert.equal((await ours.emitWithAck('room:leave')).code, 'NOT_IN_ROOM');
      other.disconnect();
      assert.equal((await ours.emitWithAck('room:leave')).code, 'NOT_IN_ROOM');
    });

    test('volatile and compressed emits are ordinary events', async () => {
      const socket = client(await auth('kim'));
      await next(socket, 'connect');
      assert.equal((await socket.volatile.emitWithAck('room:leave')).code, 'NOT_IN_ROOM');
      assert.equal((await socket.compress(true).emitWithAck('room:leave')).code, 'NOT_IN_ROOM');
    });

    test('when the server ends a session, the client does not reconnect by itself', async () => {
      const room = await harness.room();
      const socket = client(await auth('kim'));
      await next(socket, 'connect');
      await socket.emitWithAck('room:join', { groupId: room });
      const gone = next(socket, 'disconnect');
      assert.ok((await harness.api('POST', `/rooms/${room}/end`, {})).ok);
      assert.equal((await gone)[0], 'io server disconnect');
      assert.equal(socket.active, false);
      socket.connect();
      await next(socket, 'connect');
      assert.equal((await socket.emitWithAck('room:join', { groupId: room })).code, 'SESSION_ENDED');
    });
  });
});
