import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Harness, MINUTE, TRANSPORTS } from '../harness/harness.mjs';
import { KeyServer, newKey, signedBy } from '../harness/key-server.mjs';
import { JWT_KEYS, tokenFor } from '../harness/tokens.mjs';
import { until } from '../harness/wait.mjs';

/** The app requests the keys at most once in this time, by Redis's clock. */
const INTERVAL_MS = 10_000;

/** Longer than a response counts as current that does not say how long. */
const STALE_MS = 10 * MINUTE;

const SECRET_PATH = '/keys?secret=hunter2';

describe('keys that an identity provider publishes', { timeout: 900_000 }, () => {
  let harness;
  let server;
  let current;
  before(async () => {
    server = await KeyServer.start();
    current = await newKey('first');
    server.publish([current]);
    harness = await Harness.start({
      bridges: 2,
      variables: {
        SPIN_VARIABLE_JWKS_SCHEME: 'http',
        SPIN_VARIABLE_JWKS_ADDRESS: server.address,
        SPIN_VARIABLE_JWKS_PATH: SECRET_PATH,
      },
    });
  });
  after(async () => {
    await harness?.stop();
    server?.stop();
  });

  const appLines = (pattern) => harness.bridges[0].child.lines.filter((line) => pattern.test(line));

  /** Presents a token; returns 'ok' or the reason of the refusal. */
  async function present(token, transport = 'Socket.IO') {
    const client = harness.client(transport, { auth: { token }, token });
    if (transport === 'Socket.IO') {
      const outcome = await client.connected().then(
        () => 'ok',
        ({ message }) => message,
      );
      client.disconnect();
      return outcome;
    }
    await client.connected();
    const refused = client.closed.then(({ reason }) => reason);
    const answered = client.request('room:leave', {}).then(
      () => 'ok',
      () => refused,
    );
    const outcome = await Promise.race([refused, answered]);
    client.disconnect();
    return outcome;
  }

  const presentKey = async (key, user = 'kim') => present(await signedBy(key, user));

  const isAccepted = async (key) => (await presentKey(key)) === 'ok';

  /** What becomes of `count` users that present a token of `key` at once. */
  const presentAtOnce = (count, key) => Promise.all(Array.from({ length: count }, (_, i) => presentKey(key, `u${i}`)));

  /** Until every instance of the app has read the shared keys again. */
  const isRefused = async (key) => (await presentKey(key)) === 'TOKEN_INVALID';

  async function rotate(kid) {
    const previous = current;
    current = await newKey(kid);
    server.publish([current]);
    await harness.redis.advance(INTERVAL_MS);
    return previous;
  }

  for (const transport of TRANSPORTS) {
    test(`tokens of published and of configured keys are accepted (${transport})`, async () => {
      assert.equal(await present(await signedBy(current, 'kim'), transport), 'ok');
      assert.equal(await present(await tokenFor('kim'), transport), 'ok');
      const forged = { ...(await newKey('first')) };
      assert.equal(await present(await signedBy(forged, 'kim'), transport), 'TOKEN_INVALID');
    });
  }

  test('all instances share one request', async () => {
    const before = server.requests;
    assert.deepEqual(await presentAtOnce(50, current), Array(50).fill('ok'));
    assert.equal(server.requests, before);
  });

  test('a new key counts at once, and a removed key no longer', async () => {
    const before = server.requests;
    const previous = await rotate('second');
    const outcomes = await presentAtOnce(20, current);
    assert.deepEqual(outcomes, Array(20).fill('ok'), 'whoever comes while another asks waits for the answer');
    assert.equal(server.requests, before + 1);
    await until(() => isRefused(previous), 'the removed key is refused');
    assert.ok(await isAccepted(current));
    const response = await harness.api('GET', '/rooms/none', undefined, await signedBy(current, 'kim'));
    assert.equal(response.status, 404, 'the API knows the keys as well');
  });

  test('strangers with invented keys cause no more than one request in ten seconds', async () => {
    await harness.redis.advance(INTERVAL_MS);
    const [before, since] = [server.requests, await harness.redis.now()];
    const strangers = Array.from({ length: 60 }, async (_, i) => present(await signedBy(await newKey(`k${i}`), 'x')));
    assert.ok((await Promise.all(strangers)).every((outcome) => outcome === 'TOKEN_INVALID'));
    const took = (await harness.redis.now()) - since;
    const requests = server.requests - before;
    assert.ok(requests >= 1 && requests <= 1 + took / INTERVAL_MS, `${requests} requests in ${took} ms`);
  });

  const failures = [
    ['garbage', (_, response) => response.end('<html>'), /is not a JSON Web Key Set/],
    ['no usable key', (_, response) => response.end('{"keys":[{"kty":"oct","alg":"HS256","k":"AAAA"}]}'), /published/],
    ['an error', (_, response) => response.writeHead(500).end(), /the status 500/],
    ['a redirect', (_, response) => response.writeHead(302, { location: '/other' }).end(), /the status 302/],
    ['a body without end', (_, response) => response.end('x'.repeat(300_000)), /larger than 262144/],
    ['silence', () => {}, /within 3000 ms/],
    ['a broken connection', (request) => request.socket.destroy(), /no response/],
    ['half a response', (_, response) => response.writeHead(200, { 'content-length': 9 }).write('{"keys'), /3000 ms/],
  ];
  for (const [what, answer, reason] of failures) {
    test(`the last keys stay in use when the address answers with ${what}`, async () => {
      server.answer = answer;
      const log = () => appLines(/jwks_address.*stays in use/);
      const logged = log().length;
      for (let round = 0; round < 2; round += 1) {
        const before = server.requests;
        await harness.redis.advance(round === 0 ? STALE_MS : INTERVAL_MS);
        await until(async () => (await isAccepted(current)) && server.requests > before, 'the app asks again');
        assert.ok(await isAccepted(current));
      }
      await until(() => log().length > logged, 'the app logs the failure');
      // A connection may break off in several ways, and each is a failure of its own.
      const failures = log()
        .slice(logged)
        .map((line) => line.replace(/ request_id=.*/, ''));
      assert.ok(failures.every((line) => reason.test(line)));
      assert.equal(new Set(failures).size, failures.length, `equal failures are logged once: ${failures}`);
      assert.ok(log().every((line) => !line.includes('hunter2')));

      const isBack = () => appLines(/publishes a usable key set again/).length;
      const back = isBack();
      const previous = await rotate(`after ${what}`);
      await until(async () => (await isAccepted(current)) && isBack() === back + 1, 'the keys are current again');
      await until(() => isRefused(previous), 'the removed key is refused');
    });
  }

  test('an unusable key beside a usable one is named in the log', async () => {
    current = await newKey('fourth');
    server.publish([{ kty: 'oct', kid: 'shared', alg: 'HS256', k: 'c2VjcmV0LW1hdGVyaWFs' }, current]);
    await harness.redis.advance(INTERVAL_MS);
    for (let i = 0; i < 3; i += 1) assert.ok(await isAccepted(current));
    const lines = appLines(/key 1 \("shared"\)/);
    assert.equal(lines.length, 1, lines.join('\n'));
    assert.ok(!lines[0].includes('c2VjcmV0'));
  });

  test('without any published key, only configured keys count, and others are told to come back', async () => {
    server.stop();
    await harness.redis.client.del('rollcall:{jwks}:set');
    const token = await signedBy(current, 'kim');
    await until(async () => (await present(token)) === 'UNAVAILABLE', 'the keys are gone');
    assert.equal(await present(await tokenFor('kim')), 'ok');
  });
});

describe('configured keys', { timeout: 900_000 }, () => {
  let harness;
  after(() => harness?.stop());

  test('an unusable key beside a usable one is named in the log', async () => {
    const unusable = { kty: 'oct', kid: 'wrapping', alg: 'A256KW', k: 'c2VjcmV0LW1hdGVyaWFs' };
    const { keys } = JSON.parse(JWT_KEYS);
    const variables = { SPIN_VARIABLE_JWT_KEYS: JSON.stringify({ keys: [unusable, ...keys] }) };
    harness = await Harness.start({ variables });
    await harness.socketIo('kim');
    const [line] = await harness.bridges[0].child.line(/unusable: .*/);
    assert.match(line, /key 1 \("wrapping"\) of jwt_keys: A256KW with a key of type oct is not supported/);
    for (let i = 0; i < 10; i += 1) await harness.socketIo('lea');
    const { lines } = harness.bridges[0].child;
    assert.equal(lines.filter((line) => /unusable/.test(line)).length, 1);
    assert.ok(lines.every((line) => !line.includes(unusable.k)));
  });
});
