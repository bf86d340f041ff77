import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { changed, entered, Harness, MINUTE, TRANSPORTS } from '../harness/harness.mjs';
import { until } from '../harness/wait.mjs';

/** How long a client waits for an answer at the most, as the bridge is told; shorter than usual, to save time. */
const ANSWER_LIMIT_MS = 2500;

describe('outages of Redis', { timeout: 90_000 }, () => {
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

  /** Asks again while the answer is that it cannot be had now. */
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
    test(`while Redis does not answer, clients are told so in time and stay connected (${transport})`, async () => {
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

      // Redis takes the joins up when it wakes, although they were given up.
      for (const member of waiting) await again(() => member.join(room));
      await again(() => lea.leave());
      const { data } = await (await harness.connect(transport, 'bo')).join(room);
      const present = data.members.map(({ userId, state }) => `${userId} ${state}`).sort();
      assert.deepEqual(present, ['ali present', 'bo present', 'kim present'], 'what was refused has left no ghost');
    });
  }

  test('a client that tries again is not told that it has joined already', async () => {
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

  test('a Redis that was restarted is found again, and events flow as before', async () => {
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

    // Events that nobody is subscribed to are lost; from the moment of subscribing, none is.
    const channel = `rollcall:events:${room}`;
    await until(
      async () => (await harness.redis.client.pubSubNumSub(channel))[channel] === 2,
      'both bridges are subscribed',
    );
    const { data } = await again(() => ali.join(room));
    assert.deepEqual([data.epoch, data.count, data.first], [epoch, 3, false], 'the session goes on');
    for (const member of [lea, kim]) await member.next('room:participantsChanged', entered('ali'));

    // And so does what happens without anybody calling.
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

  test('a Redis that is killed while many enter keeps what it acknowledged, and has nobody twice', async (t) => {
    const room = await harness.room();
    const witness = await harness.socketIo('witness');
    await witness.enter(room);
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
    await until(() => acknowledged >= 5, 'some have entered');
    await harness.redis.crash();
    const first = await Promise.all(acks);
    await harness.redis.restart();

    for (const [n, ack] of first.entries()) if (!ack.success) await again(() => members[n].join(room));
    const { data } = await again(async () => (await harness.socketIo('lea')).join(room));
    const present = data.members.map(({ userId, state }) => `${userId} ${state}`).sort();
    assert.deepEqual(present, [...users, 'witness', 'lea'].map((user) => `${user} present`).sort());
    t.diagnostic(
      `1 Redis killed while ${users.length} entered: ${acknowledged} acknowledged and kept, the others let in afterwards, ghosts: 0`,
    );
  });

  /** Cuts bridges off from events, while one of them cannot act, and lets something happen meanwhile. */
  async function missedBy(bridge, happening) {
    await harness.bridges[bridge].child.kill('SIGSTOP');
    try {
      await harness.redis.client.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub']);
      await happening();
    } finally {
      await harness.bridges[bridge].child.kill('SIGCONT');
    }
  }

  /** Bridges may be waiting before they connect to Redis once more. */
  const enter = async (member, room, options) => (await again(() => member.join(room, options))).data;

  for (const transport of TRANSPORTS) {
    test(`after events were missed the room is read once more, and clients get the current list (${transport})`, async () => {
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
      assert.equal((await lea.next('room:participantsChanged')).seq, 4, 'from there events go on');
    });

    test(`a Redis that has lost its last writes takes clients back with it (${transport})`, async () => {
      const room = await harness.room();
      const lea = await harness.connect(transport, 'lea', { bridge: 1 });
      await enter(lea, room);
      const ali = await harness.socketIo('ali');
      await enter(ali, room);
      await harness.redis.remember();
      await again(() => ali.leave());
      assert.equal((await lea.next('room:participantsChanged', changed('left', 'ali'))).seq, 3);
      await missedBy(1, () => harness.redis.rewind());
      const state = await lea.next('room:state');
      assert.deepEqual(
        state.members.map(({ userId }) => userId),
        ['lea', 'ali'],
      );
      assert.equal(state.seq, 2);
      await enter(await harness.socketIo('bo'), room);
      assert.equal((await lea.next('room:participantsChanged', entered('bo'))).seq, 3, 'from there events go on');
    });

    test(`who missed the end of the room is told and let go (${transport})`, async () => {
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

    test(`who was replaced meanwhile does not throw out the newer connection (${transport})`, async () => {
      const room = await harness.room();
      const old = await harness.connect(transport, 'lea', { bridge: 1 });
      const { resumeToken } = await enter(old, room);
      const again = await harness.socketIo('lea');
      await missedBy(1, () => enter(again, room, { resumeToken }));
      await old.closed;
      assert.equal((await again.leave()).success, true, 'the newer one still holds the membership');
    });
  }

  test('after all of it the bridges are well', async () => {
    for (const bridge of harness.bridges) assert.ok(await bridge.isWell());
  });
});
