import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { metricsAddress } from '../harness/scrape.mjs';
import { Stage } from '../harness/stage.mjs';
import { until } from '../harness/wait.mjs';

const BEAT_MS = 500;

/** Silence is noticed when three beats have passed, and a dead connection when a ping has no answer. */
const LIMIT_MS = 30_000;

describe('readiness', { timeout: 180_000 }, () => {
  let stage;
  before(async () => {
    stage = await Stage.start({
      bridges: 2,
      flags: ['--metrics-listen', '127.0.0.1:0'],
      variables: { ROLLCALL_HEARTBEAT_INTERVAL_MS: String(BEAT_MS), ROLLCALL_APP_TIMEOUT_MS: '1000' },
    });
    for (const bridge of stage.bridges) await becomes(bridge, []);
  });
  after(() => stage?.stop());

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
    await stage.redis.freeze();
    try {
      for (const bridge of stage.bridges) {
        await becomes(bridge, ['redis', 'app']);
        assert.ok(await bridge.isWell(), 'the process itself is alive');
      }
    } finally {
      await stage.redis.thaw();
    }
    for (const bridge of stage.bridges) await becomes(bridge, []);
  });

  test('a Redis that has died is missing until it is back', async () => {
    await stage.redis.crash();
    for (const bridge of stage.bridges) await becomes(bridge, ['redis', 'app']);
    await stage.redis.restart();
    for (const bridge of stage.bridges) await becomes(bridge, []);
  });

  test('an app that is away is missing, and nothing else', async () => {
    await stage.bridges[0].child.kill('SIGSTOP');
    try {
      await becomes(stage.bridges[1], ['app']);
    } finally {
      await stage.bridges[0].child.kill('SIGCONT');
    }
    await becomes(stage.bridges[1], []);
  });

  test('a bridge that stops says so where it still answers', async () => {
    const [first, second] = stage.bridges;
    const room = await stage.room();
    await (await stage.webSocket('lea', { bridge: 1 })).enter(room);
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
