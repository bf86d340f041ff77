import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Bridge } from '../harness/bridge.mjs';
import { changed, entered, Harness, MINUTE, TRANSPORTS } from '../harness/harness.mjs';
import { Redis } from '../harness/redis.mjs';
import { createUsers } from '../harness/rights.mjs';

const PASSWORD = 'secret';

describe('rights in Redis', { timeout: 900_000 }, () => {
  const harness = new Harness();
  before(async () => {
    harness.redis = await Redis.start();
    await createUsers(harness.redis, { app: 'rollcall-app', bridge: 'rollcall-bridge', password: PASSWORD });
    const variables = {
      ROLLCALL_REDIS_URL: `redis://rollcall-bridge:${PASSWORD}@${harness.redis.address}`,
      SPIN_VARIABLE_REDIS_CREDENTIALS: `rollcall-app:${PASSWORD}@`,
    };
    harness.bridges.push(await Bridge.start({ redis: harness.redis, variables }));
    harness.bridges.push(await Bridge.start({ redis: harness.redis, app: harness.appUrl, variables }));
  });
  after(() => harness.stop());

  for (const transport of TRANSPORTS) {
    test(`the documented rights are enough for everything that rooms do (${transport})`, async () => {
      const room = await harness.room({ duplicates: 'takeover' });
      const lea = await harness.connect(transport, 'lea');
      await lea.enter(room);
      await lea.next('room:started');
      const kim = await harness.connect(transport, 'kim', { bridge: 1 });
      const { resumeToken } = await kim.enter(room);
      await lea.next('room:participantsChanged', entered('kim'));
      const again = await harness.connect(transport, 'kim');
      await again.enter(room, { resumeToken });
      await kim.next('room:replaced');
      again.terminate();
      await lea.next('room:participantReconnecting');
      await harness.redis.advance(MINUTE);
      await lea.next('room:participantsChanged', changed('graceExpired', 'kim'));
      assert.ok((await harness.api('POST', `/rooms/${room}/notices`, { text: 'x' })).ok);
      await lea.next('room:notice');
      for (const path of ['/rooms', `/rooms/${room}`, `/rooms/${room}/members`, `/rooms/${room}/attendance`])
        assert.ok((await harness.api('GET', path)).ok, path);
      assert.ok((await harness.api('POST', `/rooms/${room}/end`)).ok);
      await lea.next('room:ended');
      await lea.closed;
    });
  }

  test('without the right to publish, a join changes nothing, and the log names the right', async () => {
    const room = await harness.room();
    const lea = await harness.socketIo('lea');
    const keys = await harness.redis.keysOf(room);
    await harness.redis.client.sendCommand(['ACL', 'SETUSER', 'rollcall-app', '-publish']);
    assert.equal((await lea.join(room)).code, 'UNAVAILABLE');
    assert.deepEqual(await harness.redis.keysOf(room), keys);
    await harness.bridges[0].child.line(/lacks the right to run PUBLISH on rollcall:events:/);
    await harness.redis.client.sendCommand(['ACL', 'SETUSER', 'rollcall-app', '+publish']);
    await lea.enter(room);
  });
});
