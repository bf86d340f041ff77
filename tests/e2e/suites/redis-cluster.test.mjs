import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Bridge } from '../harness/bridge.mjs';
import { Cluster } from '../harness/cluster.mjs';
import { changed, entered, Harness } from '../harness/harness.mjs';
import { until } from '../harness/wait.mjs';

const SHARDS = 16;

/** The shard of the room `algebra`. */
const SHARD = 6;
const CHANNEL = `rollcall:events:{${SHARD}}:algebra`;

describe('a Redis Cluster', { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    harness = new Harness();
    harness.redis = await Cluster.start();
    const variables = {
      SPIN_VARIABLE_REDIS_NODES: '127.0.0.1:*',
      // Longer than a replica takes to take over.
      SPIN_VARIABLE_REDIS_TIMEOUT_MS: '10000',
    };
    const settings = { redis: harness.redis, variables };
    harness.bridges.push(await Bridge.start(settings));
    harness.bridges.push(await Bridge.start({ ...settings, app: harness.appUrl }));
    await Promise.all(harness.bridges.map((bridge) => bridge.ready()));
  });
  after(() => harness?.stop());

  async function enter(user, room, bridge) {
    const member = await harness.webSocket(user, { bridge });
    await member.enter(room);
    return member;
  }

  /** Two members of the room `algebra`, on both bridges. */
  async function members() {
    await harness.define('algebra');
    const lea = await enter('lea', 'algebra', 0);
    const kim = await enter('kim', 'algebra', 1);
    await lea.next('room:participantsChanged', entered('kim'));
    return [lea, kim];
  }

  async function leave(members) {
    for (const member of members) await member.leave();
  }

  /** Sends a notice to the room, again while the app refuses: then it has changed nothing. */
  async function notify(text) {
    const isSent = async () => (await harness.api('POST', '/rooms/algebra/notices', { text })).ok;
    await until(isSent, 'the notice is sent');
  }

  const isNotice = (text) => (data) => data.text === text;

  /**
   * Sends notices while something happens, and until all members get them again. Each member gets every notice, or a
   * snapshot after those that it has missed.
   */
  async function disturb(members, happening) {
    let isOver = false;
    let sent = 0;
    const notices = (async () => {
      for (; !isOver; sent += 1) await notify(`notice ${sent}`);
    })();
    try {
      await until(() => sent > 2, 'notices are sent');
      await happening();
      const before = sent;
      await until(() => sent > before + 2, 'notices are sent again');
    } finally {
      isOver = true;
    }
    await notices;
    await notify('the last one');
    const { seq } = await (await harness.api('GET', '/rooms/algebra/members')).json();
    for (const member of members) {
      await until(
        () => member.position.seq === seq && !member.lacksSnapshot,
        () => `${member.user} is at ${seq}: ${JSON.stringify([member.position, member.gaps, member.names])}`,
      );
    }
  }

  test('rooms of all nodes work, over every bridge', async () => {
    // More than shards, so that every node has some.
    const rooms = Array.from({ length: 2 * SHARDS }, (_, number) => `room-${number}`);
    for (const room of rooms) await harness.define(room);
    const visit = async (room) => {
      const resident = await enter(`resident of ${room}`, room, 0);
      const visitor = await enter(`visitor of ${room}`, room, 1);
      await resident.next('room:participantsChanged', entered(visitor.user));
      await visitor.leave();
      await resident.next('room:participantsChanged', changed('left', visitor.user));
    };
    await Promise.all(rooms.map(visit));
    const keys = await Promise.all(harness.redis.nodes.map(({ client }) => client.keys('*:room:*')));
    assert.equal(keys.flat().length, rooms.length);
    const definitions = await Promise.all(harness.redis.nodes.map(({ client }) => client.keys('session:*')));
    assert.ok(
      definitions.every((some) => some.length > 0),
      'every node has definitions',
    );
    assert.ok(
      keys.every((some) => some.length > 0),
      `every node has rooms: ${keys.map((some) => some.length)}`,
    );
    assert.equal((await (await harness.api('GET', '/rooms')).json()).rooms.length, rooms.length);
  });

  test('a call waits while its shard moves to another node, and finds it there', async () => {
    await harness.define('algebra');
    const lea = await enter('lea', 'algebra', 0);
    const joined = [];
    await harness.redis.move(SHARD, async ({ client }) => {
      joined.push(enter('kim', 'algebra', 1));
      const isRefused = async () => /errorstat_(ASK|TRYAGAIN)/.test(await client.info('errorstats'));
      await until(isRefused, 'the node refuses the script');
    });
    const [kim] = await Promise.all(joined);
    // The move interrupts the bridge, which may miss the event and then reads the room.
    const tellsOfKim = ({ event, data }) =>
      (event === 'room:participantsChanged' && entered('kim')(data)) ||
      (event === 'room:state' && data.members.some(({ userId }) => userId === 'kim'));
    await until(() => lea.log.some(tellsOfKim), 'Lea learns of Kim');
    const { members } = await (await harness.api('GET', '/rooms/algebra/members')).json();
    assert.deepEqual(
      members.map(({ userId }) => userId),
      ['lea', 'kim'],
    );
    await leave([lea, kim]);
  });

  test('an event costs the node of its room, and no other', async () => {
    const count = async ({ client }) => {
      const [stats, cluster] = [await client.info('commandstats'), await client.sendCommand(['CLUSTER', 'INFO'])];
      const number = (text, pattern) => Number(text.match(pattern)?.[1] ?? 0);
      return {
        spublish: number(stats, /cmdstat_spublish:calls=(\d+)/),
        publish: number(stats, /cmdstat_publish:calls=(\d+)/),
        passedOn: number(cluster, /messages_publish_sent:(\d+)/),
        passedOnInShard: number(cluster, /messages_publishshard_sent:(\d+)/),
      };
    };
    const countAll = async () => {
      const counts = await Promise.all(harness.redis.nodes.map(count));
      const sum = (name) => counts.reduce((total, each) => total + each[name], 0);
      return { counts, publish: sum('publish'), passedOn: sum('passedOn'), inShard: sum('passedOnInShard') };
    };
    const both = await members();
    const { node: owner } = await harness.redis.find(SHARD);
    const before = await countAll();
    for (let number = 1; number <= 20; number += 1) await notify(`${number}`);
    for (const member of both) await member.next('room:notice', isNotice('20'));
    const after = await countAll();
    assert.deepEqual(
      after.counts.map(({ spublish }, index) => spublish - before.counts[index].spublish),
      harness.redis.nodes.map((node) => (node === owner ? 20 : 0)),
    );
    assert.equal(after.inShard - before.inShard, 0, 'the shard has no replica');
    // What concerns no room, such as the signals of heartbeats, goes to all nodes.
    const others = harness.redis.nodes.length - 1;
    assert.equal(after.passedOn - before.passedOn, others * (after.publish - before.publish));
    const listeners = await Promise.all(
      harness.redis.nodes.map(({ client }) => client.sendCommand(['PUBSUB', 'SHARDNUMSUB', CHANNEL])),
    );
    assert.deepEqual(
      listeners.map(([, count]) => Number(count)),
      harness.redis.nodes.map((node) => (node === owner ? 2 : 0)),
    );
    await leave(both);
  });

  test('members get all events while the shard moves again and again', async () => {
    const both = await members();
    for (let moves = 0; moves < 4; moves += 1) await disturb(both, () => harness.redis.move(SHARD, () => {}));
    await leave(both);
  });

  test('members get all events after the node of their room is killed', async (t) => {
    const both = await members();
    let { node } = await harness.redis.find(SHARD);
    // The bridges have to reach the node that they ask for the others.
    if (node === harness.redis.nodes[0]) {
      await harness.redis.move(SHARD, () => {});
      ({ node } = await harness.redis.find(SHARD));
    }
    await disturb(both, () => harness.redis.kill(node));
    const { members: present } = await (await harness.api('GET', '/rooms/algebra/members')).json();
    assert.deepEqual(
      present.map(({ userId }) => userId),
      ['lea', 'kim'],
    );
    t.diagnostic('1 node killed, ghosts: 0');
  });
});
