import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Harness } from '../harness/harness.mjs';
import { metricsAddress } from '../harness/metrics.mjs';
import { until } from '../harness/wait.mjs';

const BEAT_MS = 500;

/** The bridge detects silence after three heartbeats, and a dead connection when a ping gets no response. */
const LIMIT_MS = 60_000;

describe('readiness', { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    harness = await Harness.start({
      bridges: 2,
      metrics: true,
      variables: { ROLLCALL_HEARTBEAT_INTERVAL_MS: String(BEAT_MS), ROLLCALL_APP_TIMEOUT_MS: '1000' },
    });
    for (const bridge of harness.bridges) await becomes(bridge, []);
  });
  after(() => harness?.stop());

  async function ask(address) {
    const response = await fetch(`http://${address}/readyz`, { signal: AbortSignal.timeout(30_000) });
    assert.equal(response.headers.get('content-type'), 'application/json');
    const body = await response.json();
    assert.deepEqual([response.status, body.ready], body.missing.length === 0 ? [200, true] : [503, false]);
    return body.missing;
  }

  /** Waits until exactly these parts are missing, on both addresses. */
  async function becomes(bridge, missing) {
    for (const address of [bridge.address, await metricsAddress(bridge)]) {
      const isSo = async () => (await ask(address)).join() === missing.join();
      await until(isSo, `${missing} are missing`, LIMIT_MS);
    }
  }

  test('a Redis that does not answer and the app that needs it are missing', async () => {
    await harness.redis.freeze();
    try {
      for (const bridge of harness.bridges) {
        await becomes(bridge, ['redis', 'app']);
        assert.ok(await bridge.isHealthy(), 'the process itself is alive');
      }
    } finally {
      await harness.redis.thaw();
    }
    for (const bridge of harness.bridges) await becomes(bridge, []);
  });

  test('a Redis that has crashed is missing until it runs again', async () => {
    await harness.redis.crash();
    for (const bridge of harness.bridges) await becomes(bridge, ['redis', 'app']);
    await harness.redis.restart();
    for (const bridge of harness.bridges) await becomes(bridge, []);
  });

  test('only the app is missing while the app does not answer', async () => {
    await harness.bridges[0].child.kill('SIGSTOP');
    try {
      await becomes(harness.bridges[1], ['app']);
    } finally {
      await harness.bridges[0].child.kill('SIGCONT');
    }
    await becomes(harness.bridges[1], []);
  });

  test('a bridge that shuts down reports draining on the metrics address', async () => {
    const [first, second] = harness.bridges;
    const room = await harness.room();
    await (await harness.webSocket('lea', { bridge: 1 })).enter(room);
    // The bridge has to send a disconnect to the suspended app, which delays the exit.
    await first.child.kill('SIGSTOP');
    try {
      second.child.process.kill('SIGTERM');
      const address = await metricsAddress(second);
      await until(async () => (await ask(address)).includes('draining'), 'the bridge is draining');
    } finally {
      await first.child.kill('SIGCONT');
    }
    assert.equal((await second.child.ended).code, 0);
  });
});
