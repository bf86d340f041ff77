import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Harness } from '../harness/harness.mjs';
import { metricsAddress } from '../harness/metrics.mjs';
import { until } from '../harness/wait.mjs';

const BEAT_MS = 500;

/** Silence is noticed when three beats have passed, and a dead connection when a ping has no answer. */
const LIMIT_MS = 30_000;

describe('readiness', { timeout: 180_000 }, () => {
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
    const response = await fetch(`http://${address}/readyz`, { signal: AbortSignal.timeout(5000) });
    assert.equal(response.headers.get('content-type'), 'application/json');
    const body = await response.json();
    assert.deepEqual([response.status, body.ready], body.missing.length === 0 ? [200, true] : [503, false]);
    return body.missing;
  }

  /** Waits until exactly these parts are missing, by what is said on both addresses. */
  async function becomes(bridge, missing) {
    for (const address of [bridge.address, await metricsAddress(bridge)]) {
      const isSo = async () => (await ask(address)).join() === missing.join();
      await until(isSo, `${missing} are missing`, LIMIT_MS);
    }
  }

  test('a Redis that does not answer is missing, and so is the app that needs it', async () => {
    await harness.redis.freeze();
    try {
      for (const bridge of harness.bridges) {
        await becomes(bridge, ['redis', 'app']);
        assert.ok(await bridge.isWell(), 'the process itself is alive');
      }
    } finally {
      await harness.redis.thaw();
    }
    for (const bridge of harness.bridges) await becomes(bridge, []);
  });

  test('a Redis that has died is missing until it is back', async () => {
    await harness.redis.crash();
    for (const bridge of harness.bridges) await becomes(bridge, ['redis', 'app']);
    await harness.redis.restart();
    for (const bridge of harness.bridges) await becomes(bridge, []);
  });

  test('an app that is away is missing, and nothing else', async () => {
    await harness.bridges[0].child.kill('SIGSTOP');
    try {
      await becomes(harness.bridges[1], ['app']);
    } finally {
      await harness.bridges[0].child.kill('SIGCONT');
    }
    await becomes(harness.bridges[1], []);
  });

  test('a bridge that stops says so where it still answers', async () => {
    const [first, second] = harness.bridges;
    const room = await harness.room();
    await (await harness.webSocket('lea', { bridge: 1 })).enter(room);
    // It has to tell the app of the lost connection, which holds it up.
    await first.child.kill('SIGSTOP');
    try {
      second.child.process.kill('SIGTERM');
      const address = await metricsAddress(second);
      await until(async () => (await ask(address)).includes('draining'), 'it is draining');
    } finally {
      await first.child.kill('SIGCONT');
    }
    assert.equal((await second.child.ended).code, 0);
  });
});
