import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { Bridge } from '../harness/bridge.mjs';
import { Collector } from '../harness/collector.mjs';
import { Harness, TRANSPORTS } from '../harness/harness.mjs';
import { tokenFor } from '../harness/tokens.mjs';
import { until } from '../harness/wait.mjs';

const SERVER = 2;
const CLIENT = 3;

/** The key that spans are sent with. */
const COLLECTOR_KEY = randomBytes(16).toString('hex');

/** A client's trace and its headers. */
function clientTrace({ sampled = true } = {}) {
  const [traceId, spanId] = [randomBytes(16), randomBytes(8)].map((bytes) => bytes.toString('hex'));
  const headers = { traceparent: `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`, tracestate: 'vendor=value' };
  return { traceId, spanId, headers };
}

describe('logs and traces', { timeout: 900_000 }, () => {
  let collector;
  let harness;
  before(async () => {
    collector = await Collector.start();
    harness = await Harness.start({
      bridges: 2,
      flags: ['--trace-sample', '1', '--log', 'info,rollcall=debug'],
      variables: {
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
        OTEL_EXPORTER_OTLP_HEADERS: `authorization=${COLLECTOR_KEY}`,
        OTEL_SERVICE_NAME: 'study-bridge',
        OTEL_BSP_SCHEDULE_DELAY: '100',
      },
    });
    // The third bridge sends no spans.
    harness.bridges.push(await Bridge.start({ redis: harness.redis, app: harness.appUrl }));
  });
  after(async () => {
    await harness?.stop();
    await collector?.stop();
  });

  /** A connected client whose handshake has these headers. */
  const connect = (transport, user, bridge, headers) =>
    harness.connect(transport, user, {
      bridge,
      ...(transport === 'Socket.IO' ? { extraHeaders: headers } : { headers }),
    });

  for (const transport of TRANSPORTS) {
    for (const [bridge, app] of [
      [0, 'in the process'],
      [1, 'over HTTP'],
    ]) {
      test(`a client's trace continues through its events to the calls of the app (${transport}, app ${app})`, async () => {
        const { traceId, spanId, headers } = clientTrace();
        const room = await harness.room();
        const kim = await connect(transport, 'kim', bridge, headers);
        await kim.enter(room);
        kim.disconnect();

        for (const [event, call] of [
          ['connect', 'connect'],
          ['room:join', 'join'],
          ['disconnect', 'disconnect'],
        ]) {
          const own = (span) => span.traceId === traceId;
          const outer = await collector.span(event, (span) => own(span) && span.name === event && span.kind === SERVER);
          assert.deepEqual([outer.parentId, outer.service], [spanId, 'study-bridge']);
          const inner = await collector.span(
            call,
            (span) => own(span) && span.name === `rollcall.${call}` && span.kind === CLIENT,
          );
          assert.deepEqual([inner.parentId, inner.attributes.outcome, inner.isError], [outer.spanId, 'ok', false]);
          // The bridge's log has the id of the request, too.
          await harness.bridges[bridge].child.line(
            new RegExp(`app\\.called.*request_id="${inner.attributes.request_id}"`),
          );
        }
      });
    }
  }

  test('each event of a client without a trace starts a trace', async () => {
    const kim = await harness.webSocket('kim');
    const seen = collector.spans.length;
    await kim.enter(await harness.room());
    await kim.leave();
    const spans = await Promise.all(
      ['room:join', 'room:leave'].map((name) =>
        collector.span(
          name,
          (span) => span.name === name && span.parentId === '' && collector.spans.indexOf(span) >= seen,
        ),
      ),
    );
    assert.notEqual(spans[0].traceId, spans[1].traceId);
  });

  test('a client whose trace is not sampled is not traced', async () => {
    const { traceId, headers } = clientTrace({ sampled: false });
    const room = await harness.room();
    const kim = await connect('WebSocket', 'kim', 0, headers);
    await kim.enter(room);
    await kim.leave();
    // Spans are sent in order.
    const later = clientTrace();
    await connect('WebSocket', 'lea', 0, later.headers);
    await collector.span('connect', (span) => span.traceId === later.traceId);
    assert.deepEqual(
      collector.spans.filter((span) => span.traceId === traceId),
      [],
    );
  });

  for (const [bridge, spans] of [
    [0, 'that sends spans'],
    [2, 'that sends none'],
  ]) {
    test(`an error in a component has the client's trace id in all logs, through a bridge ${spans}`, async () => {
      const { traceId, headers } = clientTrace();
      const room = await harness.room();
      const lea = await connect('Socket.IO', 'lea', bridge, headers);
      await lea.enter(room);
      await harness.redis.freeze();
      let ack;
      try {
        ack = await lea.leave();
      } finally {
        await harness.redis.thaw();
      }
      assert.equal(ack.code, 'UNAVAILABLE');
      const [line, requestId] = await harness.bridges[0].child
        .line(
          new RegExp(
            `component=leave.* unavailable: .* request_id=([^ ]+) trace_id=${traceId}$|unavailable: .* request_id=([^ ]+) trace_id=${traceId}.*component="?leave`,
          ),
        )
        .then((match) => [match[0], match[1] ?? match[2]]);
      assert.ok(line);
      const logged = await harness.bridges[bridge].child.line(
        new RegExp(`app\\.unavailable.*request_id="${requestId}"`),
      );
      assert.ok(logged.input.includes(`trace_id=${traceId}`), logged.input);
      if (bridge === 0) {
        const call = await collector.span('the call', (span) => span.attributes.request_id === requestId);
        assert.deepEqual([call.traceId, call.isError], [traceId, true]);
      }
      await until(async () => (await lea.leave()).success, 'Redis is reachable again');
    });
  }

  test("spans are sent with the collector's key", () => {
    assert.deepEqual([...collector.authorizations], [COLLECTOR_KEY]);
  });

  test('invalid trace headers are ignored', async () => {
    for (const traceparent of ['', 'x', `00-${'0'.repeat(32)}-${'0'.repeat(16)}-01`, 'x'.repeat(4000)]) {
      const kim = await connect('WebSocket', 'kim', 0, { traceparent, tracestate: 'x'.repeat(4000) });
      await kim.enter(await harness.room());
      kim.disconnect();
    }
    assert.ok(await harness.bridges[0].isHealthy());
  });

  test('no log line contains a token or a secret at any level', async () => {
    const kim = await harness.socketIo('kim');
    const { resumeToken } = await kim.enter(await harness.room());
    await kim.leave();
    const token = (await tokenFor('kim')).split('.').slice(0, 1)[0];
    const lines = harness.bridges.slice(0, 2).flatMap(({ child }) => child.lines);
    assert.ok(
      lines.some((line) => line.includes('session.started')),
      'the log level is verbose',
    );
    for (const line of lines)
      assert.ok(!line.includes(resumeToken) && !line.includes(`${token}.`) && !line.includes(COLLECTOR_KEY), line);
  });

  test('a collector that does not answer is logged and disturbs no client', async () => {
    await collector.stop();
    const kim = await harness.socketIo('kim');
    await kim.enter(await harness.room());
    await harness.bridges[0].child.line(/traces\.not_sent/);
    assert.equal((await kim.leave()).success, true);
  });

  test('as JSON, each log line is an object with time, level and message', async () => {
    const bridge = await Bridge.start({ redis: harness.redis, flags: ['--log-format', 'json'] });
    try {
      for (const line of bridge.child.lines) {
        const { timestamp, level, message } = JSON.parse(line);
        assert.ok(!Number.isNaN(Date.parse(timestamp)) && level && message, line);
      }
      const started = bridge.child.lines
        .map((line) => JSON.parse(line))
        .find(({ message }) => message === 'bridge.started');
      assert.equal(started.listen, bridge.address);
    } finally {
      await bridge.stop();
    }
  });
});
