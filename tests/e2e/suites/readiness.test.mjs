import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Bridge } from '../harness/bridge.mjs';
import { Harness } from '../harness/harness.mjs';
import { KeyServer, newKey } from '../harness/key-server.mjs';
import { metricsAddress } from '../harness/metrics.mjs';
import { Redis } from '../harness/redis.mjs';
import { until } from '../harness/wait.mjs';

const BEAT_MS = 500;

/** The bridge detects silence after three heartbeats, and a dead connection when a ping gets no response. */
const LIMIT_MS = 60_000;

/** The parts that are missing, as an address tells. */
async function ask(address) {
  const response = await fetch(`http://${address}/readyz`, { signal: AbortSignal.timeout(30_000) });
  assert.equal(response.headers.get('content-type'), 'application/json');
  const body = await response.json();
  assert.deepEqual([response.status, body.ready], body.missing.length === 0 ? [200, true] : [503, false]);
  return body.missing;
}

/** Waits until exactly these parts are missing. */
async function becomesAt(address, missing) {
  const isSo = async () => (await ask(address)).join() === missing.join();
  await until(isSo, `${missing} are missing`, LIMIT_MS);
}

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

  /** Waits until exactly these parts are missing, on both addresses. */
  async function becomes(bridge, missing) {
    for (const address of [bridge.address, await metricsAddress(bridge)]) await becomesAt(address, missing);
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

describe('readiness at the start', { timeout: 900_000 }, () => {
  let redis;
  let other;
  before(async () => {
    [redis, other] = await Promise.all([Redis.start(), Redis.start()]);
  });
  after(() => Promise.all([redis?.stop(), other?.stop()]));

  const start = (variables, app) =>
    Bridge.start({ redis, app, variables: { ROLLCALL_HEARTBEAT_INTERVAL_MS: String(BEAT_MS), ...variables } });

  /** Each line that says why a component is unusable, as component and reason. */
  const reasons = ({ child }) =>
    child.lines.flatMap((line) => {
      const [, component, reason] = line.match(/app\.unusable component="(\w+)" reason="(.*)"/) ?? [];
      return component ? [`${component}: ${reason}`] : [];
    });

  const unusable = [
    ['jwt_keys', { SPIN_VARIABLE_JWT_KEYS: 'nonsense' }, ['connect'], /misconfigured: .*jwt_keys/],
    [
      'a time without unit',
      { SPIN_VARIABLE_GRACE_MS: '30s' },
      ['join', 'leave', 'disconnect', 'heartbeat', 'read', 'sweep', 'timer', 'status', 'chat', 'code', 'lobby'],
      /grace_ms/,
    ],
    [
      'a prefix with a colon',
      { SPIN_VARIABLE_REDIS_PREFIX: 'a:b' },
      ['join', 'leave', 'disconnect', 'heartbeat', 'read', 'sweep', 'timer', 'status', 'chat', 'code', 'lobby'],
      /misconfigured: the variable redis_prefix must be 1 to 32 letters/,
    ],
    [
      'an address that checks messages, without a secret',
      { SPIN_VARIABLE_CHAT_HOOK_PATH: '/check' },
      ['chat'],
      /misconfigured: the variable chat_hook_secret/,
    ],
    ['an unknown kind of sessions', { SPIN_VARIABLE_SESSIONS: 'mysql' }, ['join'], /misconfigured: sessions must be/],
    [
      'tables in a database that is away',
      { SPIN_VARIABLE_SESSIONS: 'postgres', SPIN_VARIABLE_POSTGRES_ADDRESS: '127.0.0.1:9' },
      ['join'],
      /PostgreSQL: cannot connect/,
    ],
  ];
  for (const [what, variables, components, reason] of unusable) {
    test(`${what}: the bridge is not ready, and its log says why`, async () => {
      const bridge = await start(variables);
      try {
        await until(() => reasons(bridge).length >= components.length, 'the bridge logs the reasons');
        await becomesAt(bridge.address, ['app']);
        const logged = reasons(bridge);
        assert.deepEqual(
          logged.map((line) => line.split(':')[0]),
          components,
        );
        for (const line of logged) assert.match(line, reason);
      } finally {
        await bridge.stop();
      }
    });
  }

  test('an identity provider that publishes keys only later: the bridge becomes ready then', async () => {
    const server = await KeyServer.start();
    const bridge = await start({
      SPIN_VARIABLE_JWT_KEYS: '',
      SPIN_VARIABLE_JWKS_SCHEME: 'http',
      SPIN_VARIABLE_JWKS_ADDRESS: server.address,
      SPIN_VARIABLE_JWKS_PATH: '/keys',
    });
    try {
      await until(() => reasons(bridge).length > 0, 'the bridge logs the reason');
      await becomesAt(bridge.address, ['app']);
      server.publish([await newKey('first')]);
      await redis.advance(10_000);
      await becomesAt(bridge.address, []);
      assert.deepEqual(reasons(bridge), ['connect: jwks_address has not published a usable key set yet']);
    } finally {
      await bridge.stop();
      server.stop();
    }
  });

  test('an app with another Redis: its events are missing, and the log says so once', async () => {
    const bridge = await start({ ROLLCALL_REDIS_URL: `redis://${other.address}` });
    try {
      await bridge.child.line(/redis\.no_signal.*different servers/);
      await becomesAt(bridge.address, ['events']);
    } finally {
      await bridge.stop();
    }
    assert.equal(bridge.child.lines.filter((line) => /redis\.no_signal/.test(line)).length, 1);
  });

  /** Starts a bridge whose user in Redis has these rights. */
  async function startAs(user, rights) {
    await redis.client.sendCommand(['ACL', 'SETUSER', user, 'reset', 'on', '>secret', '~*', '&*', '+@all', ...rights]);
    return start({ ROLLCALL_REDIS_URL: `redis://${user}:secret@${redis.address}` });
  }

  test('a bridge that may not subscribe to rooms is not ready', async () => {
    const bridge = await startAs('deaf', ['resetchannels']);
    try {
      await bridge.child.line(/redis\.disconnected.*No permissions/i);
      await becomesAt(bridge.address, ['redis']);
    } finally {
      await bridge.stop();
    }
  });

  test('a store of definitions that may not be read is named in the log', async () => {
    const bridge = await startAs('storeless', ['resetkeys']);
    try {
      await becomesAt(bridge.address, ['app']);
      await until(() => reasons(bridge).length > 0, 'the bridge logs the reason');
      assert.match(reasons(bridge).join(), /^join: key-value store: [^,]*$/);
    } finally {
      await bridge.stop();
    }
  });

  test('an app that does not know the secret of the bridge is not ready', async () => {
    const app = await start({});
    const bridge = await start(
      { ROLLCALL_BRIDGE_SECRET: `whsec_${Buffer.alloc(32, 1).toString('base64')}` },
      app.appUrl,
    );
    try {
      await until(() => reasons(bridge).length === 12, 'the bridge logs the reasons');
      assert.ok(reasons(bridge).every((line) => /does not accept this bridge's signature/.test(line)));
      await becomesAt(bridge.address, ['app']);
      await becomesAt(app.address, []);
    } finally {
      await Promise.all([bridge.stop(), app.stop()]);
    }
  });
});
