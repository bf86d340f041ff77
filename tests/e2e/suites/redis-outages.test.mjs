import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { changed, entered, Harness, MINUTE, TRANSPORTS } from '../harness/harness.mjs';
import { make, signedCall } from '../harness/signed.mjs';
import { until } from '../harness/wait.mjs';

/** The longest wait for an ack, which the bridge is configured with; shorter than the default to save time. */
const ANSWER_LIMIT_MS = 2500;

const SWEEP_TOKEN = 'sweep-'.repeat(6);

describe('Redis outages', { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    harness = await Harness.start({
      bridges: 2,
      persistent: true,
      flags: ['--app-timeout-ms', ANSWER_LIMIT_MS],
      variables: { SPIN_VARIABLE_REDIS_TIMEOUT_MS: '1000', SPIN_VARIABLE_SWEEP_TOKENS: SWEEP_TOKEN },
    });
  });
  after(() => harness?.stop());

  /** Repeats a request while the ack is UNAVAILABLE. */
  const again = (ask) =>
    until(
      async () => {
        const ack = await ask();
        assert.ok(ack.success || ack.code === 'UNAVAILABLE', JSON.stringify(ack));
        return ack.success && ack;
      },
      'a success',
      20_000,
    );

  for (const transport of TRANSPORTS) {
    test(`while Redis does not answer, clients get UNAVAILABLE in time and stay connected (${transport})`, async () => {
      const room = await harness.room();
      const lea = await harness.connect(transport, 'lea');
      await lea.enter(room);
      await lea.next('room:started');
      const waiting = [await harness.connect(transport, 'kim'), await harness.connect(transport, 'ali', { bridge: 1 })];

      await harness.redis.freeze();
      try {
        const acks = await Promise.all([lea.leave(), ...waiting.map((member) => member.join(room))]);
        for (const ack of acks) assert.deepEqual([ack.success, ack.code], [false, 'UNAVAILABLE']);
      } finally {
        await harness.redis.thaw();
      }

      // Redis runs the joins when it continues, although the app has given up on them.
      for (const member of waiting) await again(() => member.join(room));
      await again(() => lea.leave());
      const [, data] = await harness.enterAfterOutage(transport, 'bo', room);
      const present = data.members.map(({ userId, state }) => `${userId} ${state}`).sort();
      assert.deepEqual(present, ['ali present', 'bo present', 'kim present'], 'refused joins left no ghost');
    });
  }

  for (const transport of TRANSPORTS) {
    test(`while a command waits for Redis, the bridge answers a ping (${transport})`, async () => {
      const room = await harness.room();
      const lea = await harness.connect(transport, 'lea');
      await lea.enter(room);
      await harness.redis.freeze();
      try {
        const left = lea.leave();
        const pinged = lea.request('server:ping', {});
        assert.deepEqual(await Promise.race([left, pinged]), { success: true, data: {} });
        assert.equal((await left).code, 'UNAVAILABLE');
      } finally {
        await harness.redis.thaw();
      }
      await again(() => lea.leave());
    });
  }

  test('a client that retries a join is not refused as a duplicate', async () => {
    const room = await harness.room();
    const [lea, kim] = [await harness.socketIo('lea'), await harness.socketIo('kim')];
    await lea.enter(room);
    await harness.redis.freeze();
    try {
      assert.equal((await kim.join(room)).code, 'UNAVAILABLE');
    } finally {
      await harness.redis.thaw();
    }
    await again(() => kim.join(room));
  });

  test('after a restart of Redis the bridges reconnect, and events arrive as before', async () => {
    const room = await harness.room();
    const lea = await harness.socketIo('lea');
    const kim = await harness.webSocket('kim', { bridge: 1 });
    const { epoch } = await lea.enter(room);
    await kim.enter(room);
    await lea.next('room:participantsChanged', entered('kim'));

    await harness.redis.crash();
    const ali = await harness.socketIo('ali', { bridge: 1 });
    const refusal = await ali.join(room);
    assert.deepEqual([refusal.success, refusal.code], [false, 'UNAVAILABLE']);
    await harness.redis.restart();

    // Redis drops events without subscribers; after subscribing, a bridge gets every event.
    const channel = `rollcall:events:${room}`;
    await until(
      async () => (await harness.redis.client.pubSubNumSub(channel))[channel] === 2,
      'both bridges are subscribed',
    );
    const { data } = await again(() => ali.join(room));
    assert.deepEqual([data.epoch, data.count, data.first], [epoch, 3, false], 'the session continues');
    for (const member of [lea, kim]) await member.next('room:participantsChanged', entered('ali'));

    // Sweeps work again, too.
    ali.terminate();
    for (const member of [lea, kim]) await member.next('room:participantReconnecting');
    await harness.redis.advance(MINUTE / 2);
    for (const member of [lea, kim]) await member.next('room:participantsChanged', changed('graceExpired', 'ali'));
    await harness.redis.advance(60 * MINUTE);
    for (const member of [lea, kim]) {
      await member.next('room:ended');
      await member.closed;
    }
  });

  test('a Redis that is killed during joins keeps every acknowledged join, and no user twice', async (t) => {
    const room = await harness.room();
    const observer = await harness.socketIo('observer');
    await observer.enter(room);
    const users = Array.from({ length: 50 }, (_, n) => `user-${n}`);
    const members = await Promise.all(
      users.map((user, n) => harness.connect(TRANSPORTS[n % 2], user, { bridge: Math.floor(n / 2) % 2 })),
    );
    let acknowledged = 0;
    const acks = members.map(async (member) => {
      const ack = await member.join(room);
      acknowledged += ack.success ? 1 : 0;
      return ack;
    });
    await until(() => acknowledged >= 5, 'some users have joined');
    await harness.redis.crash();
    const first = await Promise.all(acks);
    await harness.redis.restart();

    for (const [n, ack] of first.entries()) if (!ack.success) await again(() => members[n].join(room));
    const [, data] = await harness.enterAfterOutage('Socket.IO', 'lea', room);
    const present = data.members.map(({ userId, state }) => `${userId} ${state}`).sort();
    assert.deepEqual(present, [...users, 'observer', 'lea'].map((user) => `${user} present`).sort());
    t.diagnostic(
      `1 Redis killed while ${users.length} entered: ${acknowledged} acknowledged and kept, the others joined afterwards, ghosts: 0`,
    );
  });

  /** Breaks all subscriptions while one bridge is suspended, and does something that this bridge misses. */
  async function missedBy(bridge, happening) {
    await harness.bridges[bridge].child.kill('SIGSTOP');
    try {
      await harness.redis.client.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub']);
      await happening();
    } finally {
      await harness.bridges[bridge].child.kill('SIGCONT');
    }
  }

  /** A bridge may still be waiting before it reconnects to Redis. */
  const enter = async (member, room, options) => (await again(() => member.join(room, options))).data;

  for (const transport of TRANSPORTS) {
    test(`after missed events the bridge resyncs the room, and clients get the current roster (${transport})`, async () => {
      const room = await harness.room();
      const lea = await harness.connect(transport, 'lea', { bridge: 1 });
      const { epoch } = await enter(lea, room);
      await lea.next('room:started');
      await missedBy(1, async () => {
        await enter(await harness.socketIo('kim'), room);
        await enter(await harness.socketIo('ali'), room);
      });
      const state = await lea.next('room:state');
      assert.deepEqual(
        state.members.map(({ userId }) => userId),
        ['lea', 'kim', 'ali'],
      );
      assert.deepEqual([state.epoch, state.seq, state.count, state.hostId], [epoch, 3, 3, 'lea']);
      await enter(await harness.socketIo('bo'), room);
      assert.equal((await lea.next('room:participantsChanged')).seq, 4, 'the next event follows');
    });

    test(`a Redis that has lost its last writes resets clients to its state (${transport})`, async () => {
      const room = await harness.room();
      const lea = await harness.connect(transport, 'lea', { bridge: 1 });
      await enter(lea, room);
      const ali = await harness.socketIo('ali');
      await enter(ali, room);
      await harness.redis.save();
      await again(() => ali.leave());
      assert.equal((await lea.next('room:participantsChanged', changed('left', 'ali'))).seq, 3);
      await missedBy(1, () => harness.redis.restore());
      const state = await lea.next('room:state');
      assert.deepEqual(
        state.members.map(({ userId }) => userId),
        ['lea', 'ali'],
      );
      assert.equal(state.seq, 2);
      await enter(await harness.socketIo('bo'), room);
      assert.equal((await lea.next('room:participantsChanged', entered('bo'))).seq, 3, 'the next event follows');
    });

    test(`a client that missed the end of the session gets it later and is closed (${transport})`, async () => {
      const room = await harness.room({ lastsMs: MINUTE });
      const lea = await harness.connect(transport, 'lea', { bridge: 1 });
      await enter(lea, room);
      const kim = await harness.socketIo('kim');
      await enter(kim, room);
      await missedBy(1, async () => {
        await harness.redis.advance(MINUTE);
        await kim.closed;
      });
      assert.equal((await lea.next('room:ended')).groupId, room);
      await lea.closed;
    });

    test(`a connection that missed its replacement does not remove the newer one (${transport})`, async () => {
      const room = await harness.room();
      const old = await harness.connect(transport, 'lea', { bridge: 1 });
      const { resumeToken } = await enter(old, room);
      const again = await harness.socketIo('lea');
      await missedBy(1, () => enter(again, room, { resumeToken }));
      await old.closed;
      assert.equal((await again.leave()).success, true, 'the newer connection still holds the membership');
    });
  }

  const BREAKS = {
    'Redis restarts': async () => {
      await harness.redis.crash();
      await harness.redis.restart();
    },
    'Redis has closed all connections': () =>
      harness.redis.client.sendCommand(['CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes']),
  };
  for (const [what, breakConnections] of Object.entries(BREAKS)) {
    test(`the first call of each kind succeeds after ${what}`, async () => {
      const room = await harness.room();
      const published = await harness.redis.published(room);
      let users = 0;
      const newUser = () => {
        users += 1;
        return { roomId: room, userId: `user-${users}`, entryId: randomUUID() };
      };
      const event = async (type, body) => {
        const { answer } = await make(harness.appUrl, signedCall(type, { type, ...body }));
        assert.equal(answer.success, true, `${type}: ${JSON.stringify(answer)}`);
      };
      const join = ({ roomId, userId, entryId }) => {
        const profile = { userId, userName: userId };
        return event('join', { roomId, profile, entryId, nodeId: 'test', resumeHash: `hash of ${entryId}` });
      };
      const joined = async () => {
        const user = newUser();
        await join(user);
        return user;
      };
      const api = async (method, path, body, token) => {
        const response = await harness.api(method, path, body, token);
        assert.ok(response.ok, `${method} ${path}: ${response.status} ${await response.text()}`);
      };
      let notices = 0;
      const none = () => undefined;
      /** What happens before the connections break, and the call after it. */
      const calls = [
        [newUser, join],
        [joined, (user) => event('leave', user)],
        [joined, (user) => event('disconnect', user)],
        [none, () => event('read', { roomId: room, entries: [] })],
        [none, () => event('heartbeat', { nodeId: 'test', isLeaving: false })],
        [none, () => event('sweep', {})],
        [none, () => api('POST', '/sweep', undefined, SWEEP_TOKEN)],
        [none, () => api('GET', '/rooms')],
        [none, () => api('GET', `/rooms/${room}`)],
        [none, () => api('GET', `/rooms/${room}/members`)],
        [none, () => api('PATCH', `/rooms/${room}`, { capacity: 1000 })],
        [joined, ({ userId }) => api('DELETE', `/rooms/${room}/members/${userId}`)],
        [
          none,
          () => {
            notices += 1;
            return api('POST', `/rooms/${room}/notices`, { text: `${notices}` });
          },
        ],
      ];
      await joined();
      for (const [prepare, call] of calls) {
        // This call opens the connection that then breaks.
        await call(await prepare());
        const prepared = await prepare();
        await breakConnections();
        await call(prepared);
      }
      const texts = published.filter(({ event }) => event === 'room:notice').map(({ data }) => data.text);
      assert.equal(new Set(texts).size, texts.length, 'no notice is sent twice');
      await api('DELETE', `/rooms/${room}`);
    });
  }

  test('the bridges are healthy after all outages', async () => {
    for (const bridge of harness.bridges) assert.ok(await bridge.isHealthy());
  });
});
