import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { OPERATOR_TOKEN } from '../harness/bridge.mjs';
import { changed, entered, Harness, MINUTE } from '../harness/harness.mjs';

const SWEEP_TOKEN = 'sweep-'.repeat(6);

describe('sweep', { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    harness = await Harness.start({
      variables: { SPIN_VARIABLE_SWEEP_TOKENS: `other-${SWEEP_TOKEN} ${SWEEP_TOKEN}`, RUST_LOG: 'debug' },
    });
  });
  after(() => harness?.stop());

  const sweep = (token) => harness.api('POST', '/sweep', undefined, token);

  test('only callers with a sweep token may request a sweep', async () => {
    const response = await sweep(SWEEP_TOKEN);
    assert.equal(response.status, 200);
    const { settled, lateMs } = await response.json();
    assert.deepEqual([settled, lateMs], [0, 0]);
    for (const token of ['', 'x', `${SWEEP_TOKEN}x`, OPERATOR_TOKEN]) {
      const refused = await sweep(token);
      assert.deepEqual([refused.status, (await refused.json()).code], [401, 'UNAUTHORIZED']);
    }
    assert.equal((await harness.api('GET', '/sweep', undefined, SWEEP_TOKEN)).status, 405);
  });

  test('a scheduler that can only request a path puts its token there, and no log shows the token', async () => {
    const request = (token) => fetch(`${harness.appUrl}/sweep/${token}`);
    const response = await request(SWEEP_TOKEN);
    assert.deepEqual([response.status, response.headers.get('cache-control')], [200, 'no-store']);
    const refused = await request(`${SWEEP_TOKEN}x`);
    assert.deepEqual([refused.status, (await refused.json()).code], [401, 'UNAUTHORIZED']);
    const { lines } = harness.bridges[0].child;
    assert.ok(lines.length > 0);
    assert.deepEqual(
      lines.filter((line) => line.includes(SWEEP_TOKEN)),
      [],
    );
  });

  test('a sweep returns the time until the next deadline', async () => {
    const room = await harness.room();
    const lea = await harness.socketIo('lea');
    await lea.enter(room);
    const { dueInMs } = await (await sweep(SWEEP_TOKEN)).json();
    assert.ok(dueInMs > 49 * MINUTE && dueInMs <= 50 * MINUTE, `the reminder, in ${dueInMs}`);
    await lea.leave();
    await harness.api('DELETE', `/rooms/${room}`);
  });

  test('concurrent sweeps settle each deadline once', async () => {
    const room = await harness.room();
    const [lea, kim] = [await harness.socketIo('lea'), await harness.socketIo('kim')];
    await lea.enter(room);
    await kim.enter(room);
    await lea.next('room:participantsChanged', entered('kim'));
    kim.terminate();
    await lea.next('room:participantReconnecting');
    const published = await harness.redis.published(room);
    await harness.redis.advance(MINUTE);
    await Promise.all(Array.from({ length: 30 }, () => sweep(SWEEP_TOKEN)));
    await lea.next('room:participantsChanged', changed('graceExpired', 'kim'));
    await harness.redis.swept();
    assert.deepEqual(
      published.map(({ event }) => event),
      ['room:participantsChanged'],
    );
  });
});
