import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { Bridge } from '../harness/bridge.mjs';
import { makeAuthority, makeCertificate } from '../harness/certificates.mjs';
import { entered, Harness } from '../harness/harness.mjs';
import { reservePort } from '../harness/ports.mjs';
import { Redis } from '../harness/redis.mjs';

describe('TLS to Redis', { timeout: 900_000 }, () => {
  const harness = new Harness();
  let [folder, port] = [];
  before(async () => {
    harness.redis = await Redis.start();
    port = await reservePort();
    folder = await mkdtemp(join(tmpdir(), 'rollcall-redis-tls-'));
    const authority = await makeAuthority();
    const server = await makeCertificate({ ca: authority });
    const files = { 'authority.pem': authority.cert, 'server.pem': server.cert, 'server.key': server.key };
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    const settings = {
      'tls-ca-cert-file': join(folder, 'authority.pem'),
      'tls-cert-file': join(folder, 'server.pem'),
      'tls-key-file': join(folder, 'server.key'),
      'tls-auth-clients': 'no',
      'tls-port': String(port),
    };
    await harness.redis.client.sendCommand(['CONFIG', 'SET', ...Object.entries(settings).flat()]);
  });
  after(async () => {
    await harness.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Starts a bridge that reaches Redis only by TLS, by this name. */
  function start({ host = '127.0.0.1', app, trusts }) {
    const address = `${host}:${port}`;
    const variables = {
      ROLLCALL_REDIS_URL: `rediss://${address}`,
      SPIN_VARIABLE_REDIS_SCHEME: 'rediss',
      SPIN_VARIABLE_REDIS_ADDRESS: address,
      ...(trusts && { SSL_CERT_FILE: join(folder, trusts) }),
    };
    return Bridge.start({ redis: harness.redis, app, variables });
  }

  test('the bridge, the app and its store trust the authority in SSL_CERT_FILE', async () => {
    harness.bridges.push(await start({ trusts: 'authority.pem' }));
    await harness.bridges[0].ready();
    const room = await harness.room();
    const lea = await harness.webSocket('lea');
    await lea.enter(room);
    await (await harness.socketIo('kim')).enter(room);
    await lea.next('room:participantsChanged', entered('kim'));
    const clients = (await harness.redis.client.sendCommand(['CLIENT', 'LIST'])).trim().split('\n');
    const own = clients.filter((line) => line.includes(` laddr=${harness.redis.address} `));
    assert.equal(own.length, 1, `only the test does without TLS: ${own.join('\n')}`);
    assert.ok(clients.length > own.length + 1);
  });

  for (const [what, options, reason] of [
    ['without the authority', {}, /UnknownIssuer/],
    [
      'by a name that the certificate does not have',
      { host: 'localhost', trusts: 'authority.pem' },
      /not valid for name/,
    ],
  ])
    test(`${what}, nothing connects, and the log says why`, async () => {
      const bridge = await start(options);
      try {
        const [subscription] = await bridge.child.line(/.*redis\.disconnected.*/);
        assert.match(subscription, reason);
        const [component] = await bridge.child.line(/.*app\.unusable component="join".*/);
        assert.match(component, reason);
        const { missing } = await (await fetch(`${bridge.url}/readyz`)).json();
        assert.deepEqual(missing, ['redis', 'app']);
      } finally {
        await bridge.stop();
      }
    });
});
