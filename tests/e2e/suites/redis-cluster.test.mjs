import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Bridge } from '../harness/bridge.mjs';
import { Cluster } from '../harness/cluster.mjs';
import { changed, entered, Harness, HOUR } from '../harness/harness.mjs';
import { tokenFor } from '../harness/tokens.mjs';
import { until } from '../harness/wait.mjs';

const SHARDS = 16;

describe('a Redis Cluster', { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    harness = new Harness();
    harness.redis = await Cluster.start();
    const settings = {
      redis: harness.redis,
      variables: { SPIN_VARIABLE_REDIS_NODES: '127.0.0.1:*', SPIN_VARIABLE_SESSIONS: 'token' },
    };
    harness.bridges.push(await Bridge.start(settings));
    harness.bridges.push(await Bridge.start({ ...settings, app: harness.appUrl }));
    await Promise.all(harness.bridges.map((bridge) => bridge.ready()));
  });
  after(() => harness?.stop());

  async function enter(user, room, bridge) {
    const rollcall = { room, endAt: (await harness.redis.now()) + HOUR };
    const member = harness.client('WebSocket', { bridge, token: await tokenFor(user, { claims: { rollcall } }) });
    member.user = user;
    await member.connected();
    await member.enter(room);
    return member;
  }

  test('rooms of all nodes work, over every bridge', async () => {
    // More than shards, so that every node has some.
    const rooms = Array.from({ length: 2 * SHARDS }, (_, number) => `room-${number}`);
    const visit = async (room) => {
      const resident = await enter(`resident of ${room}`, room, 0);
      const visitor = await enter(`visitor of ${room}`, room, 1);
      await resident.next('room:participantsChanged', entered(visitor.user));
      await visitor.leave();
      await resident.next('room:participantsChanged', changed('left', visitor.user));
    };
    await Promise.all(rooms.map(visit));
    const keys = await Promise.all(harness.redis.nodes.map(({ client }) => client.keys('*:room:*')));
    assert.deepEqual(keys.flat().length, rooms.length);
    assert.ok(
      keys.every((some) => some.length > 0),
      `every node has rooms: ${keys.map((some) => some.length)}`,
    );
    assert.equal((await (await harness.api('GET', '/rooms')).json()).rooms.length, rooms.length);
  });

  test('a call waits while its shard moves to another node, and finds it there', async () => {
    const lea = await enter('lea', 'algebra', 0);
    // The shard of this room.
    const joined = [];
    await harness.redis.move(6, async ({ client }) => {
      joined.push(enter('kim', 'algebra', 1));
      const isRefused = async () => /errorstat_(ASK|TRYAGAIN)/.test(await client.info('errorstats'));
      await until(isRefused, 'the node refuses the script');
    });
    await Promise.all(joined);
    await lea.next('room:participantsChanged', entered('kim'));
    const { members } = await (await harness.api('GET', '/rooms/algebra/members')).json();
    assert.deepEqual(
      members.map(({ userId }) => userId),
      ['lea', 'kim'],
    );
  });
});
