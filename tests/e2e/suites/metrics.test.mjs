import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { about, changed, entered, Harness, TRANSPORTS } from '../harness/harness.mjs';
import { changes, families, scrape, sum } from '../harness/metrics.mjs';
import { until } from '../harness/wait.mjs';

const LABELS = { 'Socket.IO': 'socketio', WebSocket: 'websocket' };

/** Waits until a metric has changed by this much since a scrape. */
async function movedBy(bridge, from, name, by) {
  let last;
  const isSo = async () => {
    last = changes(from, await scrape(bridge))[name] ?? 0;
    return last === by;
  };
  await until(isSo, name, 60_000).catch(() => assert.equal(last, by, name));
}

describe('metrics', { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    harness = await Harness.start({ metrics: true, flags: ['--max-sockets', '100'] });
  });
  after(() => harness?.stop());

  const bridge = () => harness.bridges[0];

  /** Waits until exactly these metrics have changed by this much since a scrape. */
  async function changedBy(from, expected) {
    let last;
    const isSo = async () => {
      last = changes(from, await scrape(bridge()));
      return (
        Object.keys(last).length === Object.keys(expected).length &&
        Object.entries(expected).every(([name, by]) => last[name] === by)
      );
    };
    // deepEqual prints the difference.
    await until(isSo, 'the metrics change').catch(() => assert.deepEqual(last, expected));
  }

  /** The metrics when the bridge has counted all that has happened: two scrapes do not differ. */
  async function settled() {
    let last;
    const isSettled = async () => {
      last = await scrape(bridge());
      return Object.keys(changes(last, await scrape(bridge()))).length === 0;
    };
    await until(isSettled, 'the metrics settle');
    return last;
  }

  test('metrics are valid OpenMetrics, each with a help text, and include the standard process metrics', async () => {
    const all = await families(bridge());
    for (const { name, help, type } of all) {
      assert.match(help, /^[A-Z0-9].*\.$/s, name);
      assert.notEqual(type, 'unknown', name);
      assert.match(name, /^(rollcall|process)_[a-z_]+$/);
    }
    const sampleOf = (name) => Number(all.flatMap(({ samples }) => samples).find(([sample]) => sample === name)[2]);
    assert.ok(sampleOf('process_resident_memory_bytes') > 1024 * 1024);
    assert.ok(sampleOf('process_open_fds') > 3);
    const ageS = Date.now() / 1000 - sampleOf('process_start_time_seconds');
    assert.ok(ageS > 0 && ageS < 600, `started ${ageS} s ago`);
  });

  test('the limit of sockets and the parts that the bridge lacks are told', async () => {
    const told = await settled();
    assert.equal(told.max_sockets, 100);
    for (const part of ['redis', 'app', 'events', 'draining']) assert.equal(told[`part_missing ${part}`], 0, part);
  });

  test("neither clients' nor the app's listener serves metrics", async () => {
    assert.equal((await fetch(`${bridge().url}/metrics`)).status, 404);
    assert.equal((await fetch(`${harness.appUrl}/metrics`)).status, 404);
  });

  for (const transport of TRANSPORTS) {
    test(`each action of a client is counted once (${transport})`, async () => {
      const room = await harness.room();
      const label = LABELS[transport];
      const start = await scrape(bridge());

      const lea = await harness.connect(transport, 'lea');
      await lea.enter(room);
      await lea.next('room:started');
      const kim = await harness.connect(transport, 'kim');
      await kim.enter(room);
      await lea.next('room:participantsChanged', entered('kim'));
      assert.equal((await kim.join('another')).code, 'IN_ANOTHER_ROOM');
      assert.equal((await kim.request('room:burn', {})).code, 'UNKNOWN_EVENT');
      assert.equal((await kim.leave()).success, true);
      await lea.next('room:participantsChanged', changed('left', 'kim'));
      const token = 'not-a-token';
      const stranger = harness.client(transport, { auth: { token }, token });
      if (transport === 'Socket.IO') await assert.rejects(stranger.connected());
      else await stranger.closed;

      const entering = {
        [`sockets_open ${label}`]: 2,
        [`sockets_opened_total ${label}`]: 2,
        'connections_refused_total TOKEN_INVALID': 1,
        rooms: 1,
        'client_events_total room:join ok': 2,
        'client_events_total room:join IN_ANOTHER_ROOM': 1,
        'client_events_total room:leave ok': 1,
        'client_events_total unknown UNKNOWN_EVENT': 1,
        // A session takes no unknown event.
        'client_event_duration_seconds_count room:join': 3,
        'client_event_duration_seconds_count room:leave': 1,
        'app_call_duration_seconds_count connect ok': 2,
        'app_call_duration_seconds_count connect TOKEN_INVALID': 1,
        'app_call_duration_seconds_count join ok': 2,
        'app_call_duration_seconds_count leave ok': 1,
        'app_events_total connect ok': 2,
        'app_events_total connect TOKEN_INVALID': 1,
        'app_events_total join ok': 2,
        'app_events_total leave ok': 1,
        // Lea's events: the room started, kim entered, and kim left.
        [`fan_out_duration_seconds_count ${label}`]: 3,
        // Those events, five acks, and over Socket.IO three answers to CONNECT.
        outbound_queue_depth_count: transport === 'WebSocket' ? 8 : 11,
      };
      await changedBy(start, entering);

      // Lea's connection breaks while she is in the room; kim, who is in no room, disconnects regularly.
      const there = await scrape(bridge());
      if (transport === 'Socket.IO') lea.terminate();
      else lea.socket.terminate();
      kim.disconnect();
      await changedBy(there, {
        [`sockets_open ${label}`]: -2,
        'sockets_closed_total gone': 2,
        rooms: -1,
        'app_call_duration_seconds_count disconnect ok': 1,
        'app_events_total disconnect ok': 1,
      });
      await harness.api('DELETE', `/rooms/${room}`);
    });
  }

  test('the lateness of sweeps is measured', async () => {
    const from = await settled();
    const isMeasured = async () => {
      // Real time, because the bridge sweeps exactly when a deadline passes. The app's own schedule sometimes is first.
      const lea = await harness.webSocket('lea');
      await lea.enter(await harness.room({ lastsMs: 2500 }));
      await lea.closed;
      return changes(from, await scrape(bridge())).sweep_lateness_seconds_count > 0;
    };
    await until(isMeasured, 'a sweep is measured', 60_000);
  });

  test('closed sockets are counted by reason', async () => {
    const room = await harness.room();
    const lea = await harness.webSocket('lea');
    await lea.enter(room);
    const from = await settled();
    await harness.api('DELETE', `/rooms/${room}`);
    await lea.closed;
    await movedBy(bridge(), from, 'sockets_closed_total room_closed', 1);
  });

  test('a refused page is counted', async () => {
    const from = await settled();
    const response = await fetch(`${bridge().url}/socket.io/`, { headers: { origin: 'https://elsewhere.example' } });
    assert.equal(response.status, 403);
    await changedBy(from, { 'connections_refused_total ORIGIN_NOT_ALLOWED': 1 });
  });

  test('event names that clients invent add no label values', async () => {
    const kim = await harness.webSocket('kim');
    // The ack proves that the bridge has connected and counted the client, but not that it has counted the ack.
    await kim.leave();
    const from = await settled();
    const made = Array.from({ length: 20 }, (_, n) => `room:made-up-${n}`);
    for (const name of made) assert.equal((await kim.request(name, {})).code, 'UNKNOWN_EVENT');
    await changedBy(from, { 'client_events_total unknown UNKNOWN_EVENT': 20, outbound_queue_depth_count: 20 });
    assert.deepEqual(Object.keys(await scrape(bridge())), Object.keys(from));
  });

  for (const transport of TRANSPORTS) {
    test(`a client that does not read is counted (${transport})`, async () => {
      const room = await harness.room();
      const lea = await harness.connect(transport, 'lea');
      const { epoch } = await lea.enter(room);
      await lea.next('room:started');
      const from = await settled();
      const connection = transport === 'Socket.IO' ? lea.socket.io.engine.transport.ws : lea.socket;
      connection.pause();
      // More than the kernel and the outgoing queue hold together, and fewer messages than a session may be behind.
      const text = 'x'.repeat(32 * 1024);
      for (let seq = 2; seq < 900; seq += 1) {
        const notice = { event: 'room:notice', epoch, seq, data: { groupId: room, epoch, seq, text } };
        await harness.redis.client.publish(`rollcall:events:${room}`, JSON.stringify(notice));
      }
      await movedBy(bridge(), from, 'sockets_closed_total too_slow', 1);
      await movedBy(bridge(), from, 'messages_dropped_total socket', 1);
      connection.terminate();
    });
  }

  test('a broken connection to Redis is counted when all rooms are subscribed again', async () => {
    // CLIENT KILL identifies only connections with a subscription.
    await (await harness.webSocket('lea')).enter(await harness.room());
    const from = await settled();
    await harness.redis.client.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub']);
    await movedBy(bridge(), from, 'redis_connections_total', 1);
  });
});

describe('metrics of a bridge that cannot reach the app', { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    harness = await Harness.start({
      bridges: 2,
      metrics: true,
      variables: {
        SPIN_VARIABLE_LEASE_MS: '2000',
        ROLLCALL_HEARTBEAT_INTERVAL_MS: '500',
        ROLLCALL_APP_TIMEOUT_MS: '1000',
      },
    });
  });
  after(() => harness?.stop());

  test('disconnects are pending until the app answers', async () => {
    const [app, bridge] = harness.bridges;
    const kim = await harness.webSocket('kim', { bridge: 1 });
    await kim.enter(await harness.room());
    const from = await scrape(bridge);
    await app.child.kill('SIGSTOP');
    try {
      kim.disconnect();
      await movedBy(bridge, from, 'disconnects_waiting', 1);
      const tried = (now) => now['app_call_duration_seconds_count disconnect timeout'] > 0;
      await until(async () => tried(changes(from, await scrape(bridge))), 'a call to the app times out');
    } finally {
      await app.child.kill('SIGCONT');
    }
    await movedBy(bridge, from, 'disconnects_waiting', 0);
    await movedBy(bridge, from, 'app_call_duration_seconds_count disconnect ok', 1);
  });

  test('what is missing is told, and how long a deadline is overdue, while nobody can sweep', async () => {
    const [app, bridge] = harness.bridges;
    const kim = await harness.webSocket('kim', { bridge: 1 });
    await kim.enter(await harness.room({ lastsMs: 1500 }));
    assert.equal(await sum(bridge, 'rollcall_deadline_overdue_seconds'), 0);
    await app.child.kill('SIGSTOP');
    try {
      const overdueS = await until(async () => {
        const seconds = await sum(bridge, 'rollcall_deadline_overdue_seconds');
        return seconds >= 2 && seconds;
      }, 'the end of the session is overdue');
      assert.ok(overdueS < 60, `${overdueS}`);
      const isMissing = async () => (await scrape(bridge))['part_missing app'] === 1;
      await until(isMissing, 'the app is missing');
    } finally {
      await app.child.kill('SIGCONT');
    }
    await kim.next('room:ended');
    const isSettled = async () => (await sum(bridge, 'rollcall_deadline_overdue_seconds')) === 0;
    await until(isSettled, 'nothing is overdue');
    await until(async () => (await scrape(bridge))['part_missing app'] === 0, 'the app is back');
  });

  test('a lease that ran out is counted', async () => {
    const room = await harness.room();
    const lea = await harness.webSocket('lea');
    await lea.enter(room);
    await (await harness.webSocket('kim', { bridge: 1 })).enter(room);
    const bridge = harness.bridges[1];
    const from = await scrape(bridge);
    await bridge.child.kill('SIGSTOP');
    try {
      await lea.next('room:participantReconnecting', about('kim'), 60_000);
    } finally {
      await bridge.child.kill('SIGCONT');
    }
    await movedBy(bridge, from, 'lease_losses_total', 1);
    await lea.next('room:participantReconnected', about('kim'));
  });
});
