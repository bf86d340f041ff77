import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { Bridge } from '../harness/bridge.mjs';
import { Harness } from '../harness/harness.mjs';

describe('configuration file', { timeout: 900_000 }, () => {
  let harness;
  let folder;
  const started = [];
  before(async () => {
    harness = await Harness.start();
    folder = await mkdtemp(join(tmpdir(), 'rollcall-'));
  });
  after(async () => {
    for (const bridge of started) await bridge.stop();
    await harness?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** A bridge with this configuration file. */
  async function bridgeWith(text, { flags = [], variables = {} } = {}) {
    const file = join(folder, `${started.length}.toml`);
    await writeFile(file, text);
    const settings = { redis: harness.redis, app: harness.appUrl, flags: ['--config', file, ...flags], variables };
    const bridge = await Bridge.start(settings);
    started.push(bridge);
    return bridge;
  }

  /** The ping interval, from the handshake. */
  async function pingInterval(bridge) {
    const response = await fetch(`${bridge.url}/socket.io/?EIO=4&transport=polling`);
    return JSON.parse((await response.text()).slice(1)).pingInterval;
  }

  /** Status of a handshake from a page of an origin. */
  async function handshake(bridge, origin) {
    const response = await fetch(`${bridge.url}/socket.io/?EIO=4&transport=polling`, { headers: { origin } });
    return response.status;
  }

  test('a flag overrides the environment, and the environment overrides the file', async () => {
    const text = 'ping-interval-ms = 11000\norigin = ["https://a.example", "https://b.example"]\n';
    const variables = { ROLLCALL_PING_INTERVAL_MS: '12000' };
    const file = await bridgeWith(text);
    assert.equal(await pingInterval(file), 11_000);
    assert.equal(await pingInterval(await bridgeWith(text, { variables })), 12_000);
    assert.equal(
      await pingInterval(await bridgeWith(text, { variables, flags: ['--ping-interval-ms', '13000'] })),
      13_000,
    );
    for (const origin of ['https://a.example', 'https://b.example']) assert.equal(await handshake(file, origin), 200);
    assert.equal(await handshake(file, 'https://c.example'), 403);
  });

  const mistakes = [
    ['ping-interval-ms = "soon"', /error: \S+\.toml: ping-interval-ms: invalid value 'soon'/],
    ['pingIntervalMs = 1000', /error: \S+\.toml: pingIntervalMs: there is no such flag/],
    ['listen = "127.0.0.1:0"\nredis = redis://:hunter2@localhost', /error: \S+\.toml: line 2: /],
    ['redis = "hunter2"', /--redis must be a URL/],
  ];
  for (const [text, expected] of mistakes) {
    test(`a bridge with a mistake in its file does not start and names the mistake: ${text.split(' ')[0]}`, async () => {
      await assert.rejects(bridgeWith(text, { variables: { ROLLCALL_REDIS_URL: undefined } }), (error) => {
        assert.match(error.message, expected);
        assert.ok(!error.message.includes('hunter2'));
        return true;
      });
    });
  }
});
