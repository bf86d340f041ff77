import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Bridge } from '../harness/bridge.mjs';
import { changed, entered, Harness } from '../harness/harness.mjs';
import { Redis } from '../harness/redis.mjs';
import { createUsers } from '../harness/rights.mjs';
import { until } from '../harness/wait.mjs';

const ROOM = 'algebra';

/** Has every kind of character that a URL must encode. */
const PASSWORD = 'p@ss:w/o?r#d%41 $&+\\ {{x}} "ü"';

const DEPLOYMENTS = {
  production: { prefix: 'rollcall', database: 0, keyspace: 'rollcall' },
  staging: { prefix: 'staging', database: 0, keyspace: 'staging' },
  preview: { prefix: 'rollcall', database: 1, keyspace: 'rollcall:1' },
};

const encode = encodeURIComponent;

/** A deployment with the least rights in a Redis that it shares, and users' names of any characters. */
async function deploy(redis, { prefix, database, keyspace }) {
  const users = { app: `app@/${keyspace}#é`, bridge: `bridge@/${keyspace}#é` };
  await createUsers(redis, { ...users, password: PASSWORD, keyspace });
  const deployment = new Harness();
  deployment.bridgeVariables = {
    ROLLCALL_REDIS_URL: `redis://${encode(users.bridge)}:${encode(PASSWORD)}@${redis.address}/${database}`,
    ROLLCALL_REDIS_PREFIX: prefix,
  };
  const variables = {
    ...deployment.bridgeVariables,
    SPIN_VARIABLE_REDIS_CREDENTIALS: `${encode(users.app)}:${encode(PASSWORD)}@`,
    SPIN_VARIABLE_REDIS_PREFIX: prefix,
    SPIN_VARIABLE_REDIS_DATABASE: String(database),
  };
  deployment.bridges.push(await Bridge.start({ redis, variables }));
  await deployment.bridges[0].ready();
  return deployment;
}

describe('deployments that share a Redis', { timeout: 900_000 }, () => {
  let redis;
  const deployments = {};
  before(async () => {
    redis = await Redis.start();
    const start = async ([name, keyspace]) => (deployments[name] = await deploy(redis, keyspace));
    await Promise.all(Object.entries(DEPLOYMENTS).map(start));
  });
  after(async () => {
    await Promise.all(Object.values(deployments).map((deployment) => deployment.stop()));
    await redis?.stop();
  });

  test('rooms with the same id never hear of each other', async () => {
    const endAt = (await redis.now()) + 3_600_000;
    const leas = {};
    for (const [name, deployment] of Object.entries(deployments)) {
      const defined = await deployment.api('PUT', `/rooms/${ROOM}`, { endAt, leaderId: 'lea' });
      assert.equal(defined.status, 201, name);
      leas[name] = await deployment.webSocket('lea');
      const { members } = await leas[name].enter(ROOM);
      assert.equal(members.length, 1, name);
      await leas[name].next('room:started');
    }
    const { production, staging, preview } = deployments;
    const inProduction = async () => {
      for (const [name, deployment] of Object.entries({ staging, preview })) {
        const kim = await deployment.socketIo('kim');
        await kim.enter(ROOM);
        await leas[name].next('room:participantsChanged', entered('kim'));
        assert.ok((await deployment.api('POST', `/rooms/${ROOM}/notices`, { text: name })).ok);
        assert.equal((await leas[name].next('room:notice')).text, name);
        await kim.leave();
        await leas[name].next('room:participantsChanged', changed('left', 'kim'));
        assert.ok((await deployment.api('DELETE', `/rooms/${ROOM}`)).ok);
        await leas[name].next('room:ended');
        await leas[name].closed;
        assert.equal((await deployment.api('GET', `/rooms/${ROOM}`)).status, 404);
      }
      assert.ok((await production.api('POST', `/rooms/${ROOM}/notices`, { text: 'production' })).ok);
    };
    await leas.production.assertNoEvents(inProduction, 'room:notice', ({ text }) => text === 'production');
    assert.equal((await production.api('GET', `/rooms/${ROOM}`)).status, 200);
    const { members } = await (await production.api('GET', `/rooms/${ROOM}/members`)).json();
    assert.deepEqual(
      members.map(({ userId }) => userId),
      ['lea'],
    );
  });

  const mismatches = [
    [
      'another prefix',
      'staging',
      /redis_prefix of the app \(SPIN_VARIABLE_REDIS_PREFIX\) is staging, .*ROLLCALL_REDIS_PREFIX\) is rollcall"/,
    ],
    [
      'another database',
      'preview',
      /redis_database of the app \(SPIN_VARIABLE_REDIS_DATABASE\) is 1, .*ROLLCALL_REDIS_URL\) is 0"/,
    ],
  ];
  for (const [what, name, reason] of mismatches) {
    test(`an app with ${what}: the bridge is not ready, and its log names both settings once`, async () => {
      const variables = { ...deployments.production.bridgeVariables, ROLLCALL_HEARTBEAT_INTERVAL_MS: '100' };
      const bridge = await Bridge.start({ redis, app: deployments[name].appUrl, variables });
      try {
        const [line] = await bridge.child.line(/.*redis\.mismatch.*/);
        assert.match(line, reason);
        const missing = async () => (await (await fetch(`${bridge.url}/readyz`)).json()).missing.join();
        await until(async () => (await missing()) === 'events', 'only the events are missing');
      } finally {
        await bridge.stop();
      }
      const lines = bridge.child.lines.filter((line) => /redis\.(mismatch|no_signal)/.test(line));
      assert.equal(lines.length, 1, lines.join('\n'));
      assert.ok(bridge.child.lines.every((line) => !line.includes('p@ss') && !line.includes(encode(PASSWORD))));
    });
  }
});
