import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';

import { OPERATOR_TOKEN } from '../harness/bridge.mjs';
import { Crowd, ON_BODIES, ON_CONNECTIONS } from '../harness/crowd.mjs';
import { Harness } from '../harness/harness.mjs';
import { make, signedCall } from '../harness/signed.mjs';
import { until, within } from '../harness/wait.mjs';

const MIB = 1024 * 1024;

describe("limits of the app's own address", { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    const flags = ['--handshake-timeout-ms', '3000'];
    // The second bridge calls the app of the first one.
    harness = await Harness.start({ bridges: 2, openFiles: 800, flags });
  });
  after(() => harness?.stop());

  /** What the process of the first bridge takes. */
  function usage() {
    const { pid } = harness.bridges[0];
    const files = readdirSync(`/proc/${pid}/fd`).length;
    const memory = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
    return `${files} files, ${Math.round(memory / 1024)} MiB`;
  }

  /** Sends a text over a new connection, and nothing else. Returns the first line of the answer, and its headers. */
  async function answerTo(text, options = {}) {
    const [host, port] = harness.appUrl.replace('http://', '').split(':');
    const socket = connect({ host, port: Number(port), ...options }).on('error', () => {});
    socket.write(text);
    const answer = (await within(once(socket, 'data'), 'an answer'))[0].toString();
    return { socket, answer };
  }

  const head = (path, headers) =>
    [`PUT ${path} HTTP/1.1`, 'host: a', `content-length: ${4 * MIB}`, ...headers, '', ''].join('\r\n');

  test('the bodies of strangers are not read', async () => {
    const before = usage();
    const body = Buffer.alloc(MIB);
    const strangers = Array.from({ length: 250 }, async (_, i) => {
      const path = i % 2 ? '/rooms/algebra' : '/events/join';
      const headers = i % 3 ? [] : ['authorization: Bearer 0123456789abcdef'];
      const [host, port] = harness.appUrl.replace('http://', '').split(':');
      // Each address has a share of the connections.
      const localAddress = `127.0.1.${1 + (i % 5)}`;
      for (;;) {
        const socket = connect({ host, port: Number(port), localAddress }).on('error', () => {});
        const answered = once(socket, 'data').catch(() => null);
        const closed = new Promise((resolve) => socket.once('close', () => resolve(null)));
        socket.write(head(path, headers));
        for (let sent = 0; sent < 3; sent += 1) socket.write(body);
        const answer = await Promise.race([answered, closed]);
        socket.destroy();
        if (answer) return answer[0].toString();
      }
    });
    const answers = await within(Promise.all(strangers), 'answers without the rest of the bodies');
    console.log(`250 bodies of 4 MiB from strangers: ${before} before, ${usage()} after`);
    for (const answer of answers) assert.match(answer, /^HTTP\/1.1 401 /);
  });

  test('a body of an operator may not take for ever', async () => {
    const { socket, answer } = await answerTo(head('/rooms/algebra', [`authorization: Bearer ${OPERATOR_TOKEN}`]));
    socket.destroy();
    assert.match(answer, /^HTTP\/1.1 408 /);
  });

  test('what is too long for the app is refused by the app', async () => {
    const body = JSON.stringify({ endAt: 1, leaderId: 'x'.repeat(3 * MIB) });
    const response = await fetch(`${harness.appUrl}/rooms/algebra`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${OPERATOR_TOKEN}`, 'content-type': 'application/json' },
      body,
    });
    assert.equal((await response.json()).code, 'PAYLOAD_TOO_LARGE');
    const { status, answer } = await make(harness.appUrl, signedCall('leave', 'x'.repeat(129 * 1024)));
    assert.deepEqual([status, answer.code], [413, 'PAYLOAD_TOO_LARGE']);
  });

  for (const way of Object.keys({ ...ON_CONNECTIONS, ...ON_BODIES })) {
    test(`connections of strangers take no files of sockets, and no places of bridges (${way})`, async () => {
      const before = usage();
      const addresses = [1, 2, 3].map((n) => `127.0.1.${n}`);
      const strangers = new Crowd(harness.appUrl.replace('http://', ''), { addresses, count: 150, way });
      try {
        await until(() => strangers.closed > 100, 'the app is full of strangers');
        const room = await harness.room();
        const members = await Promise.all(
          Array.from({ length: 24 }, (_, i) =>
            harness.connect(['Socket.IO', 'WebSocket'][i % 2], `kim-${i}`, { bridge: i % 2 }),
          ),
        );
        // Each join of a member on the second bridge is a signed call to the app's address.
        await Promise.all(members.map((member) => member.enter(room)));
        console.log(`450 strangers with ${way}: ${before} before, ${usage()} with them`);
        await Promise.all(members.map((member) => member.leave()));
        for (const member of members) member.disconnect();
        await Promise.all(members.map((member) => member.closed));
      } finally {
        await strangers.leave();
      }
    });
  }

  test('strangers that are too fast are refused, and bridges and operators of the same address are not', async () => {
    const request = 'GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n';
    const { socket } = await answerTo(request);
    let answers = '';
    socket.on('data', (data) => (answers = (answers + data).slice(-2000)));
    const isRefused = () => {
      socket.write(request.repeat(100));
      return answers.includes(' 429 ');
    };
    await until(isRefused, 'a refusal');
    assert.match(answers, /retry-after: 1\r/i);
    assert.match(answers, /"code":"RATE_LIMITED"/);
    await harness.room();
    const { status, answer } = await make(
      harness.appUrl,
      signedCall('leave', { type: 'leave', roomId: 'algebra', userId: 'kim', entryId: 'entry' }),
    );
    assert.notEqual(status, 429, answer);
    socket.destroy();
  });
});
