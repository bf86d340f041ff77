import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { Harness } from '../harness/harness.mjs';
import { Nginx } from '../harness/nginx.mjs';
import { SocketIoMember } from '../harness/socket-io.mjs';
import { tokenFor } from '../harness/tokens.mjs';

const PUBLIC_ORIGIN = 'https://study.example';
// nginx keeps idle connections for longer than a handshake may take, and for less than the bridge does.
const HANDSHAKE_MS = 1000;
const NGINX_KEEP_ALIVE_MS = 30_000;
const BRIDGE_KEEP_ALIVE_MS = 60_000;

describe('behind nginx', { timeout: 900_000 }, () => {
  let harness;
  let nginx;
  const members = [];
  const agent = new Agent({ keepAlive: true });
  before(async () => {
    const flags = ['--handshake-timeout-ms', HANDSHAKE_MS, '--keep-alive-timeout-ms', BRIDGE_KEEP_ALIVE_MS];
    harness = await Harness.start({ flags: [...flags.map(String), '--origin', PUBLIC_ORIGIN] });
    nginx = await Nginx.start(harness.bridges[0], { keepAliveMs: NGINX_KEEP_ALIVE_MS });
  });
  after(async () => {
    for (const member of members) member.disconnect();
    agent.destroy();
    await nginx?.stop();
    await harness?.stop();
  });

  async function connect(user, options = {}) {
    const auth = { token: await tokenFor(user) };
    const member = new SocketIoMember(user, nginx, { auth, transports: ['polling'], ...options });
    members.push(member);
    return member.connected();
  }

  test('no request gets 502, however long the connections to the bridge were idle', async () => {
    // With a kept connection to nginx, too, nginx reads the client's request at once when it continues, before it learns
    // that the bridge has closed the connection on which nginx sends the request.
    const lea = await connect('lea', { agent });
    for (let i = 0; i < 3; i += 1) {
      assert.equal((await lea.leave()).code, 'NOT_IN_ROOM');
      await nginx.child.kill('SIGSTOP');
      const answer = lea.leave();
      await sleep(2 * HANDSHAKE_MS);
      await nginx.child.kill('SIGCONT');
      assert.equal((await answer).code, 'NOT_IN_ROOM');
    }
    const failed = (await nginx.responses()).filter(({ status }) => status >= 500);
    assert.deepEqual(failed, []);
  });

  test('where a proxy replaces Host, the public origin is listed', async () => {
    await connect('lea', { extraHeaders: { origin: PUBLIC_ORIGIN } });
    await connect('kim', { extraHeaders: { origin: 'HTTPS://Study.Example:443' } });
    await assert.rejects(connect('ali', { extraHeaders: { origin: 'https://evil.example' } }), /xhr poll error/);
  });
});
