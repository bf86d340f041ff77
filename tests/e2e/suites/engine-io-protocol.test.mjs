import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';

import { Bridge } from '../harness/bridge.mjs';
import { ask, engineUrl, Frames, Polling } from '../harness/engine-io.mjs';
import { Harness } from '../harness/harness.mjs';
import { NAMESPACE } from '../harness/socket-io.mjs';
import { tokenFor } from '../harness/tokens.mjs';
import { until } from '../harness/wait.mjs';

const MAX_PAYLOAD_BYTES = 98_304;
const PING_INTERVAL_MS = 300;
const PING_TIMEOUT_MS = 600;

/** Invalid handshakes and the protocol's errors: [query, code, message]. */
const BAD_HANDSHAKES = [
  [{ transport: 'polling' }, 5, 'Unsupported protocol version'],
  [{ EIO: 'abc', transport: 'polling' }, 5, 'Unsupported protocol version'],
  [{ EIO: 3, transport: 'polling' }, 5, 'Unsupported protocol version'],
  [{ EIO: 5, transport: 'polling' }, 5, 'Unsupported protocol version'],
  [{ EIO: 4 }, 0, 'Transport unknown'],
  [{ EIO: 4, transport: 'abc' }, 0, 'Transport unknown'],
  [{ EIO: 4, transport: 'polling', sid: 'abc' }, 1, 'Session ID unknown'],
  [{ EIO: 4, transport: 'polling', sid: 'AAAAAAAAAAAAAAAAAAAH' }, 1, 'Session ID unknown'],
];

describe('Engine.IO protocol', { timeout: 900_000 }, () => {
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

  function frames(url, options) {
    const socket = new Frames(url, options);
    sockets.push(socket);
    return socket;
  }

  async function overWebSocket(options) {
    const socket = await Frames.open(bridge, options);
    sockets.push(socket);
    return socket;
  }

  /** A polling session whose next poll waits. */
  const polling = async () => (await (await Polling.open(bridge)).connect(await tokenFor('kim'))).readFirstPing();

  /** Upgrades a polling session as far as the response to the probe. */
  async function probed(session) {
    const socket = frames(session.urlOver('websocket'));
    await socket.send('2probe');
    assert.equal(await socket.next(), '3probe');
    return socket;
  }

  const isGone = async (session) => {
    const { status, body } = await session.get();
    assert.deepEqual([status, JSON.parse(body).code], [400, 1], 'the session is unknown');
  };

  describe('handshake', () => {
    const handshake = { pingInterval: 25_000, pingTimeout: 20_000 };

    test('over polling, the open packet is the answer', async () => {
      const { status, headers, body } = await ask(engineUrl(bridge, { EIO: 4, transport: 'polling' }));
      assert.equal(status, 200);
      assert.match(headers.get('content-type'), /^text\/plain; charset=utf-8$/i);
      assert.equal(body[0], '0');
      const { sid, ...rest } = JSON.parse(body.slice(1));
      assert.match(sid, /^[\w-]{16,}$/);
      assert.deepEqual(rest, { ...handshake, upgrades: ['websocket'], maxPayload: MAX_PAYLOAD_BYTES });
    });

    test('over a WebSocket, the open packet is the first frame', async () => {
      const { sid, ...rest } = (await overWebSocket()).handshake;
      assert.match(sid, /^[\w-]{16,}$/);
      assert.deepEqual(rest, { ...handshake, upgrades: [], maxPayload: MAX_PAYLOAD_BYTES });
    });

    test('each session has an id of its own', async () => {
      const sessions = await Promise.all(Array.from({ length: 20 }, () => Polling.open(bridge)));
      assert.equal(new Set(sessions.map((session) => session.handshake.sid)).size, 20);
    });

    test('the path works with and without a slash at its end', async () => {
      for (const path of ['/socket.io', '/socket.io/']) {
        assert.equal((await ask(`${bridge.url}${path}?EIO=4&transport=polling`)).status, 200, path);
      }
      assert.equal((await ask(`${bridge.url}/socket.io-admin?EIO=4&transport=polling`)).status, 404);
    });

    for (const [query, code, message] of BAD_HANDSHAKES) {
      test(`${new URLSearchParams(query) || 'no query'} is refused`, async () => {
        const { status, headers, body } = await ask(engineUrl(bridge, query));
        assert.equal(status, 400);
        assert.match(headers.get('content-type'), /^application\/json/);
        assert.deepEqual(JSON.parse(body), { code, message });
        if (!('transport' in query) || query.transport === 'abc') return;
        const { answer } = frames(engineUrl(bridge, { ...query, transport: 'websocket' }));
        const refused = await answer;
        assert.deepEqual([refused.status, JSON.parse(refused.body)], [400, { code, message }]);
      });
    }

    test('only GET opens a session, and a session accepts only GET and POST', async () => {
      const url = engineUrl(bridge, { EIO: 4, transport: 'polling' });
      for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
        const { status, body } = await ask(url, { method });
        assert.deepEqual([status, JSON.parse(body)], [400, { code: 2, message: 'Bad handshake method' }], method);
      }
      const session = await Polling.open(bridge);
      for (const method of ['PUT', 'DELETE', 'PATCH'])
        assert.equal((await ask(session.url, { method })).status, 400, method);
      assert.equal((await session.post('3')).status, 200, 'the session stays open');
    });

    test('a plain GET does not open a WebSocket', async () => {
      assert.equal((await ask(engineUrl(bridge, { EIO: 4, transport: 'websocket' }))).status, 400);
    });
  });

  describe('messages', () => {
    const connect = async (user) => `40${NAMESPACE},${JSON.stringify({ token: await tokenFor(user) })}`;
    const leave = (id) => `42${NAMESPACE},${id}["room:leave"]`;

    test('a request body may hold several packets, and so may a response', async () => {
      const session = await (await Polling.open(bridge)).connect(await tokenFor('kim'));
      const { status, body } = await session.post(leave(1), leave(2), '3', leave(3));
      assert.deepEqual([status, body], [200, 'ok']);
      for (const id of [1, 2, 3]) {
        const ack = await session.next(() => true);
        assert.ok(ack.startsWith(`43${NAMESPACE},${id}[`), 'in order');
      }
      // Both acks are there before the poll.
      await session.post(leave(4), leave(5));
      const other = await harness.socketIo('other');
      await other.leave();
      const packets = [];
      while (packets.length < 2) packets.push(...(await session.poll()));
      assert.deepEqual(
        packets.map((packet) => packet.slice(0, 10)),
        [`43${NAMESPACE},4[`, `43${NAMESPACE},5[`].map((head) => head.slice(0, 10)),
      );
    });

    test('text beyond ASCII survives on both transports', async () => {
      const room = await harness.room();
      const session = await (await Polling.open(bridge)).connect(await tokenFor('zoë 学生 🎓'));
      const { data } = await session.request(1, 'room:join', { groupId: room });
      assert.equal(data.members[0].userId, 'zoë 学生 🎓');
      const socket = await (await overWebSocket()).connect(await tokenFor('ali'));
      assert.equal((await socket.request(1, 'room:join', { groupId: room })).data.members[0].userId, 'zoë 学生 🎓');
    });

    test('a poll waits for the next packet', async () => {
      const session = await (await Polling.open(bridge)).connect(await tokenFor('kim'));
      const room = await harness.room();
      await session.request(1, 'room:join', { groupId: room });
      await session.next((packet) => packet.includes('room:started'));
      const poll = session.poll();
      const ali = await harness.socketIo('ali');
      await ali.enter(room);
      const [packet] = await poll;
      assert.ok(packet.startsWith(`42${NAMESPACE},["room:participantsChanged",`), packet);
    });

    test('an invalid body is refused and ends the session', async () => {
      for (const body of ['abc', 'é', '4', '\x1e', '', '\x1e\x1e4']) {
        const session = await Polling.open(bridge);
        const { status } = await session.post(body);
        // Engine.IO knows an empty message, and Socket.IO does not.
        if (body !== '4') assert.equal(status, 400, JSON.stringify(body));
        await until(
          async () => (await session.get()).status === 400,
          `the end of a session after ${JSON.stringify(body)}`,
        );
      }
    });

    test('an invalid frame ends the session', async () => {
      for (const frame of ['abc', '', '7', '4']) {
        const socket = await overWebSocket();
        await socket.send(frame);
        await socket.closed;
      }
    });

    test('packets that only a server sends close a WebSocket', async () => {
      for (const frame of ['0{}', '2', '2probe']) {
        const socket = await overWebSocket();
        await socket.send(frame);
        await socket.closed;
      }
    });

    test('packets that come at a wrong time have no effect, as at the official server', async () => {
      const socket = await (await overWebSocket()).connect(await tokenFor('kim'));
      await socket.send('5', '6', '3', '3probe');
      assert.equal((await socket.request(1, 'room:leave')).code, 'NOT_IN_ROOM');
    });

    test('a second concurrent poll ends the session', async () => {
      const session = await polling();
      const first = session.get();
      // Either of the two polls may reach the bridge first.
      const answers = await Promise.all([first, session.get()]);
      assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 400]);
      assert.equal(answers.find(({ status }) => status === 200).body, '1');
      await isGone(session);
    });

    test('a body larger than the handshake says is refused', async () => {
      const session = await Polling.open(bridge);
      const { status, body } = await session.post(`4${'x'.repeat(MAX_PAYLOAD_BYTES)}`);
      assert.deepEqual([status, JSON.parse(body).code], [413, 'PAYLOAD_TOO_LARGE']);
      // Chunked bodies have the same limit.
      const chunks = ReadableStream.from(Array.from({ length: 32 }, () => Buffer.alloc(4096, '4')));
      assert.equal((await ask(session.url, { method: 'POST', body: chunks, duplex: 'half' })).status, 413);
    });

    test('a packet before CONNECT does not prevent it', async () => {
      const session = await Polling.open(bridge);
      assert.equal((await session.post('3', await connect('kim'))).status, 200);
      await session.next((packet) => packet.startsWith(`40${NAMESPACE},{"sid":`));
    });
  });

  describe('closing', () => {
    test('a close packet ends a polling session, and a waiting poll with it', async () => {
      const session = await polling();
      const [poll, post] = await Promise.all([session.get(), session.post('1')]);
      assert.deepEqual([post.status, post.body], [200, 'ok']);
      assert.deepEqual([poll.status, poll.body], [200, '6']);
      await isGone(session);
    });

    test('a poll that a close packet overtakes gets the same answer, and the next one none', async () => {
      const session = await Polling.open(bridge);
      await session.post('1');
      const { status, body } = await session.get();
      assert.deepEqual([status, body], [200, '6']);
      await isGone(session);
    });

    test('a close packet ends a WebSocket', async () => {
      const socket = await overWebSocket();
      await socket.send('1');
      await socket.closed;
    });

    for (const transport of ['polling', 'websocket']) {
      test(`a close packet starts the grace period of a member (${transport})`, async () => {
        const room = await harness.room();
        const lea = await harness.socketIo('lea');
        await lea.enter(room);
        const kim = transport === 'polling' ? await Polling.open(bridge) : await overWebSocket();
        await kim.connect(await tokenFor('kim'));
        assert.equal((await kim.request(1, 'room:join', { groupId: room })).success, true);
        await (transport === 'polling' ? kim.post('1') : kim.send('1'));
        assert.equal((await lea.next('room:participantReconnecting')).userId, 'kim');
      });
    }
  });

  describe('upgrade', () => {
    const hello = '42/study,77["room:leave"]';

    test('after a probe and an upgrade the session continues on the WebSocket', async () => {
      const session = await polling();
      const waiting = session.get();
      const socket = await probed(session);
      assert.equal((await waiting).body, '6', 'the waiting poll ends');
      assert.equal((await session.get()).body, '6', 'and so does every other poll');
      await socket.send('5', hello);
      assert.ok((await socket.next()).startsWith('43/study,77['));
      const { status, body } = await session.get();
      assert.deepEqual([status, JSON.parse(body).code], [400, 1], 'the session accepts no polls any more');
      assert.equal((await session.post(hello)).status, 400);
      const second = frames(session.urlOver('websocket'));
      await second.closed;
      await socket.send(hello.replace('77', '78'));
      assert.ok((await socket.next()).startsWith('43/study,78['), 'the refused requests have no effect');
    });

    test('a session that began on a WebSocket has nothing to upgrade', async () => {
      const socket = await (await overWebSocket()).connect(await tokenFor('kim'));
      const { status } = await ask(engineUrl(bridge, { EIO: 4, transport: 'polling', sid: socket.handshake.sid }));
      assert.equal(status, 400);
      await frames(engineUrl(bridge, { EIO: 4, transport: 'websocket', sid: socket.handshake.sid })).closed;
      await socket.send(hello);
      assert.ok((await socket.next()).startsWith('43/study,77['));
    });

    test('an upgrade ends with any packet other than a probe', async () => {
      for (const frame of ['2', '5', '4', hello, 'abc']) {
        const session = await Polling.open(bridge);
        const socket = frames(session.urlOver('websocket'));
        await socket.send(frame);
        await socket.closed;
      }
    });

    test('events during a change of transport arrive once and in order', async () => {
      const room = await harness.room();
      const session = await (await Polling.open(bridge)).connect(await tokenFor('kim'));
      await session.request(1, 'room:join', { groupId: room });
      await session.next((packet) => packet.includes('room:started'));
      const telling = notices(room, 60);
      const packets = [...(await session.poll())];
      const waiting = session.poll();
      const socket = await probed(session);
      packets.push(...(await waiting));
      await socket.send('5');
      await telling;
      await socket.next((frame) => frame.includes('"59 '));
      const texts = [...packets, ...socket.all].filter((packet) => packet.includes('room:notice')).map(textOf);
      assert.deepEqual(texts, numbers(60));
    });

    test('a change of transport loses no part of a large polling response', async () => {
      const room = await harness.room();
      const session = await (await Polling.open(bridge)).connect(await tokenFor('kim'));
      await session.request(1, 'room:join', { groupId: room });
      await session.next((packet) => packet.includes('room:started'));
      await notices(room, 60);
      const packets = await session.poll();
      const socket = await probed(session);
      await socket.send('5', hello);
      await socket.next((frame) => frame.startsWith('43/study,77['));
      const texts = [...packets, ...socket.all].filter((packet) => packet.includes('room:notice')).map(textOf);
      assert.deepEqual(texts, numbers(60));
    });

    test('twenty official clients upgrade while their room is busy, and none misses an event', async () => {
      const room = await harness.room();
      const lea = await harness.socketIo('lea');
      await lea.enter(room);
      const talk = new AbortController();
      const talking = (async () => {
        while (!talk.signal.aborted) await notices(room, 5);
      })();
      const members = await Promise.all(
        numbers(20).map(async (i) => {
          const member = await harness.socketIo(`member-${i}`, { transports: ['polling', 'websocket'] });
          await member.enter(room);
          return member;
        }),
      );
      await until(
        () => members.every(({ socket }) => socket.io.engine.transport.name === 'websocket'),
        'all clients use WebSockets',
      );
      talk.abort();
      await talking;
      await notices(room, 1);
      await Promise.all(members.map((member) => member.next('room:notice', ({ text }) => text.startsWith('0 '))));
      harness.assertNoGaps();
      for (const member of [lea, ...members]) member.disconnect();
    });
  });

  describe('heartbeats', () => {
    let bridge;
    before(async () => {
      const flags = ['--ping-interval-ms', PING_INTERVAL_MS, '--ping-timeout-ms', PING_TIMEOUT_MS];
      bridge = await Bridge.start({ redis: harness.redis, app: harness.appUrl, flags });
      harness.bridges.push(bridge);
    });

    test('the handshake carries the ping interval', async () => {
      const { pingInterval, pingTimeout } = (await Polling.open(bridge)).handshake;
      assert.deepEqual([pingInterval, pingTimeout], [PING_INTERVAL_MS, PING_TIMEOUT_MS]);
    });

    test('a polling client that answers its pings stays', async () => {
      const session = await Polling.open(bridge);
      for (let i = 0; i < 4; i += 1) {
        assert.equal((await session.get()).body, '2');
        assert.equal((await session.post('3')).status, 200);
      }
    });

    test('a polling client that does not answer its pings loses its session', async () => {
      const session = await Polling.open(bridge);
      assert.equal((await session.get()).body, '2');
      assert.equal((await session.get()).body, '1', 'the waiting poll gets a close packet');
      assert.equal((await session.post('3')).status, 400);
    });

    test('a client on a WebSocket that answers its pings stays', async () => {
      const socket = await Frames.open(bridge, { pongs: false });
      for (let i = 0; i < 4; i += 1) {
        assert.equal(await socket.next(), '2');
        await socket.send('3');
      }
      socket.socket.terminate();
    });

    test('a client on a WebSocket that does not answer its pings is closed', async () => {
      const socket = await Frames.open(bridge, { pongs: false });
      assert.equal(await socket.next(), '2');
      await socket.closed;
    });

    test('a client whose server stops sending disconnects by itself, and reconnects later', async () => {
      const kim = await harness.socketIo('kim', {
        bridge: 1,
        reconnection: true,
        reconnectionDelay: 50,
        reconnectionDelayMax: 50,
      });
      await bridge.child.kill('SIGSTOP');
      try {
        assert.equal(await kim.closed, 'ping timeout');
      } finally {
        await bridge.child.kill('SIGCONT');
      }
      await until(() => kim.socket.connected, 'the client is connected again');
    });
  });

  /** Sends notices of five hundred bytes to a room. */
  async function notices(room, count) {
    for (const i of numbers(count)) {
      const response = await harness.api('POST', `/rooms/${room}/notices`, { text: `${i} ${'x'.repeat(500)}` });
      assert.ok(response.ok, `${response.status} ${await response.text()}`);
    }
  }

  const textOf = (packet) => Number(packet.match(/"text":"(\d+) /)[1]);
  const numbers = (count) => Array.from({ length: count }, (_, i) => i);
});
