import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { changed, entered, Harness, MINUTE, TRANSPORTS } from '../harness/harness.mjs';
import { until } from '../harness/wait.mjs';

/** The longest wait for an ack, which the bridge is configured with; shorter than the default to save time. */
const ANSWER_LIMIT_MS = 2500;

describe('Redis outages', { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    harness = await Harness.start({
      bridges: 2,
      persistent: true,
      flags: ['--app-timeout-ms', ANSWER_LIMIT_MS],
      variables: { SPIN_VARIABLE_REDIS_TIMEOUT_MS: '1000' },
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
      const { data } = await (await harness.connect(transport, 'bo')).join(room);
      const present = data.members.map(({ userId, state }) => `${userId} ${state}`).sort();
      assert.deepEqual(present, ['ali present', 'bo present', 'kim present'], 'refused joins left no ghost');
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
    const { data } = await again(async () => (await harness.socketIo('lea')).join(room));
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

  test('the bridges are healthy after all outages', async () => {
    for (const bridge of harness.bridges) assert.ok(await bridge.isHealthy());
  });
});
