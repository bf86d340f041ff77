import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';

import { passAgain, startBehindProxy } from '../harness/behind-proxy.mjs';
import { command } from '../harness/command.mjs';
import { Harness, TRANSPORTS } from '../harness/harness.mjs';
import { HOLD, PASS, refuse } from '../harness/proxy.mjs';
import { tokenFor } from '../harness/tokens.mjs';
import { until } from '../harness/wait.mjs';

const INTERVAL = { ROLLCALL_LOBBY_INTERVAL_MS: '200' };
const FEATURES = { SPIN_VARIABLE_FEATURES: 'lobby', ROLLCALL_APP_TIMEOUT_MS: '2000', ...INTERVAL };

const countsOf = ({ rooms }) => rooms.map(({ id, count }) => [id, count]);

describe('lobby', { timeout: 900_000 }, () => {
  let [harness, proxy] = [];
  before(async () => {
    [harness, proxy] = await startBehindProxy({ persistent: true, variables: FEATURES });
  });
  afterEach(() => {
    passAgain(proxy);
    for (const member of harness.members) member.disconnect();
  });
  after(async () => {
    await harness?.stop();
    await proxy?.stop();
  });

  /** Waits until a watcher is told a count of a room. */
  const hears = (watcher, room, count) =>
    watcher.next('lobby:changed', ({ rooms }) => rooms.some((row) => row.id === room && row.count === count));

  /** Watches the counts of other rooms each time, until the answer is no success. Returns the answer and the attempts. */
  async function watchUntilRefused(watcher, prefix) {
    for (let attempt = 1; ; attempt += 1) {
      const ack = await watcher.request('lobby:watch', { ids: [`${prefix}-${attempt}`] });
      if (!ack.success) return [ack, attempt];
      assert.ok(attempt < 30, 'no watch was refused');
    }
  }

  /** Decides about calls for counts from now on, by their text. */
  function interceptCounts(does) {
    proxy.does = ({ path, body }) => (path === '/events/lobby' ? does(JSON.stringify(body)) : PASS);
  }

  for (const transport of TRANSPORTS) {
    test(`a client in no room learns how many are where (${transport})`, async () => {
      const [first, second, idle] = [await harness.room(), await harness.room(), await harness.room()];
      const lea = await harness.socketIo('lea');
      await lea.enter(first);
      const watcher = await harness.connect(transport, 'max', { bridge: 1 });
      const counts = await command(watcher, 'lobby:watch', { ids: [first, second, idle, 'nowhere', first] });
      assert.deepEqual(countsOf(counts), [
        [first, 1],
        [second, 0],
        [idle, 0],
        ['nowhere', 0],
      ]);
      assert.ok(counts.rooms[0].endAt > counts.now);
      assert.deepEqual(Object.keys(counts.rooms[1]), ['id', 'count']);

      const kim = await harness.webSocket('kim');
      await kim.enter(second);
      const change = await hears(watcher, second, 1);
      assert.deepEqual(countsOf(change), [[second, 1]], 'only what has changed');
      await kim.request('room:leave', {});
      await hears(watcher, second, 0);
      assert.equal((await harness.api('POST', `/rooms/${first}/end`)).status, 204);
      const ended = await hears(watcher, first, 0);
      assert.equal(ended.rooms[0].endAt, undefined);

      assert.deepEqual(await command(watcher, 'lobby:watch', { ids: [] }), { rooms: [] });
      const other = await harness.connect(transport, 'ben', { bridge: 1 });
      await command(other, 'lobby:watch', { ids: [idle] });
      const told = watcher.count('lobby:changed');
      const eva = await harness.socketIo('eva');
      await eva.enter(idle);
      await hears(other, idle, 1);
      assert.deepEqual(countsOf(await command(watcher, 'lobby:watch', { ids: [idle] })), [[idle, 1]]);
      assert.equal(watcher.count('lobby:changed'), told, 'who watches nothing is told nothing');
    });

    test(`refusals say what to do and change nothing (${transport})`, async () => {
      const room = await harness.room();
      const watcher = await harness.connect(transport, 'max');
      await command(watcher, 'lobby:watch', { ids: [room] });
      for (const [payload, reason] of [
        [{}, /ids/],
        [[room], /object/],
        [{ ids: room }, /sequence/],
        [{ ids: [''] }, /empty|128/],
        [{ ids: [{ id: room }] }, /id/],
        [{ ids: Array.from({ length: 101 }, (_, number) => `${number}`) }, /at most 100/],
      ]) {
        const ack = await watcher.request('lobby:watch', payload);
        assert.equal(ack.code, 'MALFORMED', `${JSON.stringify(payload)}: ${JSON.stringify(ack)}`);
        assert.match(ack.message, reason);
      }
      const lea = await harness.socketIo('lea');
      await lea.enter(room);
      await hears(watcher, room, 1);
    });
  }

  test('counts name rooms as the client does', async () => {
    assert.equal((await harness.api('PUT', '/rooms/4711', { endAt: Date.now() + 3_600_000 })).status, 201);
    const [one, other] = [await harness.socketIo('max'), await harness.webSocket('ben', { bridge: 1 })];
    assert.deepEqual(countsOf(await command(one, 'lobby:watch', { ids: [4711] })), [[4711, 0]]);
    assert.deepEqual(countsOf(await command(other, 'lobby:watch', { ids: ['4711'] })), [['4711', 0]]);
    const lea = await harness.socketIo('lea');
    await lea.enter(4711);
    await hears(one, 4711, 1);
    await hears(other, '4711', 1);
  });

  test('many watchers of the same rooms cost as many calls as one', async () => {
    const rooms = [await harness.room(), await harness.room()];
    let calls = 0;
    proxy.does = ({ path, body }) => {
      calls += path === '/events/lobby' && JSON.stringify(body).includes(`"${rooms[0]}"`) ? 1 : 0;
      return PASS;
    };
    const first = await harness.webSocket('max', { bridge: 1 });
    await command(first, 'lobby:watch', { ids: rooms });
    await until(() => calls >= 2, 'the bridge asks by itself');
    const watchers = [];
    for (let number = 0; number < 20; number += 1) {
      watchers.push(await harness.webSocket(`max-${number}`, { bridge: 1 }));
    }
    const [before, began] = [calls, Date.now()];
    const watch = (watcher, number) =>
      command(watcher, 'lobby:watch', { ids: number % 2 ? rooms : rooms.toReversed() });
    await Promise.all(watchers.map(watch));
    // The bridge goes on to ask by itself meanwhile.
    const most = 2 + (Date.now() - began) / Number(INTERVAL.ROLLCALL_LOBBY_INTERVAL_MS);
    assert.ok(calls - before <= most, `${calls - before} calls for 20 watchers`);
    const lea = await harness.socketIo('lea');
    await lea.enter(rooms[1]);
    await Promise.all(watchers.map((watcher) => hears(watcher, rooms[1], 1)));
    for (const watcher of [first, ...watchers]) watcher.terminate();
    // The calls of another watcher show that the bridge has asked since.
    const other = await harness.webSocket('ben', { bridge: 1 });
    await command(other, 'lobby:watch', { ids: ['another'] });
    const others = () => proxy.to('/events/lobby').length - calls;
    await until(() => {
      const [seen, elsewhere] = [calls, others()];
      return until(() => others() >= elsewhere + 3, 'the bridge asks for the other room').then(() => calls === seen);
    }, 'nobody watches, so the bridge asks no more');
  });

  test('a client that watches ever other rooms is refused, and one that watches known rooms is not', async () => {
    const room = await harness.room();
    const [watcher, other] = [
      await harness.webSocket('max', { bridge: 1 }),
      await harness.webSocket('ben', { bridge: 1 }),
    ];
    await command(other, 'lobby:watch', { ids: [room] });
    const [ack, attempts] = await watchUntilRefused(watcher, 'other');
    assert.equal(ack.code, 'RATE_LIMITED');
    assert.ok(attempts > 10, `refused after ${attempts} attempts`);
    await command(watcher, 'lobby:watch', { ids: [room] });
    await command(watcher, 'lobby:watch', { ids: [] });
    await command(await harness.webSocket('eva', { bridge: 1 }), 'lobby:watch', { ids: ['other-user'] });
  });

  test('all sockets of a user share a limit', async () => {
    const refusals = [];
    for (let socket = 0; socket < 4; socket += 1) {
      const watcher = await harness.webSocket('max-of-many', { bridge: 1 });
      refusals.push(await watchUntilRefused(watcher, `tab-${socket}`));
    }
    assert.deepEqual(refusals.at(-1)[0].code, 'RATE_LIMITED');
    assert.ok(refusals.at(-1)[1] <= 10, 'the last socket was refused earlier than it would be alone');
  });

  test('a user has a share of the rooms that a bridge watches, and may replace them', async () => {
    const ids = (group) => Array.from({ length: 100 }, (_, number) => `share-${group}-${number}`);
    const tabs = [];
    for (let group = 0; group < 6; group += 1) tabs.push(await harness.webSocket('kim-of-many', { bridge: 1 }));
    for (const [group, tab] of tabs.slice(0, 5).entries()) await command(tab, 'lobby:watch', { ids: ids(group) });
    assert.equal((await tabs[5].request('lobby:watch', { ids: ids(5) })).code, 'OVERLOADED');
    await command(tabs[5], 'lobby:watch', { ids: ids(4) });
    await command(tabs[0], 'lobby:watch', { ids: ids(6) });
    await command(await harness.webSocket('lea', { bridge: 1 }), 'lobby:watch', { ids: ids(5) });
  });

  for (const [code, status] of [
    ['UNAVAILABLE', 503],
    ['FEATURE_OFF', 404],
  ]) {
    test(`no count outlives an app that answers ${code}`, async () => {
      const room = await harness.room();
      const [watcher, other] = [
        await harness.webSocket('max', { bridge: 1 }),
        await harness.webSocket('ben', { bridge: 1 }),
      ];
      await command(watcher, 'lobby:watch', { ids: [room] });
      let calls = 0;
      interceptCounts((body) => {
        calls += body.includes(`"${room}"`) ? 1 : 0;
        return refuse(code, status);
      });
      // The bridge tries each call three times at most.
      await until(() => calls > 3, 'the bridge has heard the answer');
      assert.equal((await other.request('lobby:watch', { ids: [room] })).code, code);
      passAgain(proxy);
      const lea = await harness.socketIo('lea');
      await lea.enter(room);
      await hears(watcher, room, 1);
    });
  }

  test('a call that takes long holds up no other count', async () => {
    const room = await harness.room();
    // More rooms than one call asks for, even if several requests share the call.
    const watchers = [];
    for (let group = 0; group < 6; group += 1) {
      const watcher = await harness.webSocket(`max-${group}`, { bridge: 1 });
      const ids = Array.from({ length: 99 }, (_, number) => `slow-${group}-${number}`);
      await command(watcher, 'lobby:watch', { ids: [room, ...ids] });
      watchers.push(watcher);
    }
    let held = 0;
    interceptCounts((body) => {
      if (body.includes(`"${room}"`)) return PASS;
      held += 1;
      return HOLD;
    });
    await until(() => held > 0, 'a call is held');
    const lea = await harness.socketIo('lea');
    await lea.enter(room);
    await Promise.all(watchers.map((watcher) => hears(watcher, room, 1)));
  });

  test('counts are right again after Redis was away', async () => {
    const [lea, watcher] = [await harness.socketIo('lea'), await harness.webSocket('max', { bridge: 1 })];
    const room = 'defined-later';
    await command(watcher, 'lobby:watch', { ids: [room] });
    await harness.redis.crash();
    await harness.redis.restart();
    // A crash may lose what Redis has just stored.
    const define = () => harness.api('PUT', `/rooms/${room}`, { endAt: Date.now() + 3_600_000 });
    await until(async () => (await define()).ok, 'the room is defined');
    await until(async () => (await lea.join(room)).success, 'lea is in the room');
    await hears(watcher, room, 1);
  });

  test('a page asks for counts with the token of a member, and may keep them for a moment', async () => {
    const room = await harness.room({ members: ['lea'] });
    const lea = await harness.socketIo('lea');
    await lea.enter(room);
    const ask = async (query, token) =>
      fetch(`${harness.appUrl}/rooms/counts${query}`, { headers: { authorization: `Bearer ${token}` } });
    const token = await tokenFor('somebody');
    const response = await ask(`?ids=${room},nowhere`, token);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('cache-control'), 'private, max-age=3');
    const counts = await response.json();
    assert.deepEqual(countsOf(counts), [
      [room, 1],
      ['nowhere', 0],
    ]);
    const query = `?${new URLSearchParams({ ids: [room, '수학'].join(',') })}`;
    assert.deepEqual(countsOf(await (await ask(query, token)).json())[0], [room, 1]);
    assert.deepEqual(countsOf(await (await harness.api('GET', `/rooms/counts?ids=${room}`)).json()), [[room, 1]]);
    assert.equal((await ask(`?ids=${room}`, 'x.y.z')).status, 401);
    assert.equal((await ask(`?ids=${room}`, '')).status, 401);
    assert.equal((await ask('?ids=', token)).status, 400);
    const many = Array.from({ length: 101 }, (_, number) => number).join(',');
    assert.equal((await ask(`?ids=${many}`, token)).status, 400);
    const method = await fetch(`${harness.appUrl}/rooms/counts?ids=${room}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${token}` },
    });
    assert.equal(method.status, 405);
  });

  test('a room may have the id counts', async () => {
    const put = await harness.api('PUT', '/rooms/counts', { endAt: Date.now() + 3_600_000 });
    assert.equal(put.status, 201);
    assert.equal(typeof (await (await harness.api('GET', '/rooms/counts')).json()).endAt, 'number');
    assert.equal(
      (await harness.api('GET', '/rooms/counts?x=1&ids=a')).status,
      400,
      'no request about the room has ids',
    );
    assert.equal((await harness.api('GET', '/rooms/counts?%69ds=a')).status, 200);
    assert.equal((await harness.api('DELETE', '/rooms/counts')).status, 204);
  });
});

test('a deployment without the lobby says so', { timeout: 300_000 }, async () => {
  const harness = await Harness.start({ variables: { SPIN_VARIABLE_FEATURES: 'chat' } });
  try {
    const [room, watcher] = [await harness.room(), await harness.webSocket('max')];
    assert.equal((await watcher.request('lobby:watch', { ids: [room] })).code, 'FEATURE_OFF');
    const response = await harness.api('GET', `/rooms/counts?ids=${room}`);
    assert.equal((await response.json()).code, 'FEATURE_OFF');
  } finally {
    await harness.stop();
  }
});
