import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';

import { WebSocket } from 'ws';

import { Bridge } from '../harness/bridge.mjs';
import { Harness } from '../harness/harness.mjs';
import { until, within } from '../harness/wait.mjs';

const POLLING = '/socket.io/?EIO=4&transport=polling';
// Naming a session where there is none opens nothing.
const WAYS_IN = [POLLING, '/socket.io/?EIO=4&transport=websocket', '/ws', '/ws?sid=x', `${POLLING}&sid=`];

describe('the door', { timeout: 120_000 }, () => {
  let harness;
  const bridges = [];
  const sockets = [];
  before(async () => {
    harness = await Harness.start();
  });
  after(async () => {
    for (const socket of sockets) socket.terminate();
    for (const bridge of bridges) await bridge.stop();
    await harness?.stop();
  });

  /** A bridge of its own for the test. */
  async function bridgeWith(flags, options = {}) {
    const bridge = await Bridge.start({ redis: harness.redis, app: harness.appUrl, flags, ...options });
    bridges.push(bridge);
    return bridge;
  }

  /** Asks for a socket. Returns the status, and for a refusal its body and when to try again. */
  async function knock(bridge, path, headers = {}) {
    if (path.includes('polling')) {
      const response = await fetch(bridge.url + path, { headers });
      return { status: response.status, retryAfter: response.headers.get('retry-after'), body: await response.text() };
    }
    const socket = new WebSocket(`ws://${bridge.address}${path}`, { headers });
    sockets.push(socket);
    socket.on('error', () => {});
    const answer = new Promise((resolve) => {
      socket.once('upgrade', ({ statusCode }) => resolve({ status: statusCode, socket }));
      socket.once('unexpected-response', (_, response) => {
        const body = response.toArray().then((chunks) => Buffer.concat(chunks).toString());
        body.then((body) =>
          resolve({ status: response.statusCode, retryAfter: response.headers['retry-after'], body }),
        );
      });
    });
    return within(answer, `an answer to ${path}`);
  }

  /** Whoever knocks, whichever way, is refused with this. */
  async function refused(bridge, status, code, headers) {
    for (const path of WAYS_IN) {
      const answer = await knock(bridge, path, headers);
      assert.deepEqual([answer.status, answer.retryAfter, JSON.parse(answer.body).code], [status, '1', code], path);
    }
  }

  /** An open WebSocket, on which nothing is said. */
  async function opened(bridge, headers) {
    const { status, socket } = await knock(bridge, WAYS_IN[1], headers);
    assert.equal(status, 101);
    return socket;
  }

  test('who comes when all places are taken is answered 503, until one is free again', async () => {
    const bridge = await bridgeWith(['--max-sockets', '3']);
    const lea = await harness.webSocket('lea');
    const [kim] = [await opened(bridge), await opened(bridge)];
    assert.equal((await knock(bridge, POLLING)).status, 200, 'a client that polls takes a place as well');
    await refused(bridge, 503, 'OVERLOADED');
    assert.ok(await bridge.isWell());
    kim.terminate();
    await until(async () => (await knock(bridge, WAYS_IN[1])).status === 101, 'a place is free');
    await refused(bridge, 503, 'OVERLOADED');
    assert.equal((await lea.leave()).code, 'NOT_IN_ROOM', 'other bridges have places of their own');
  });

  test('with few open files there are few places, and the bridge stays well', async () => {
    const bridge = await bridgeWith([], { openFiles: 200 });
    for (let i = 0; i < 100; i += 1) await opened(bridge);
    await refused(bridge, 503, 'OVERLOADED');
    assert.ok(await bridge.isWell());
  });

  test('connections that no socket comes of do not take the places of sockets', async () => {
    const bridge = await bridgeWith(['--max-sockets', '2']);
    const address = bridge.address.split(':');
    const idle = Array.from({ length: 150 }, () => connect(Number(address[1]), address[0]).on('error', () => {}));
    await Promise.all(idle.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
    await opened(bridge);
    assert.ok(await bridge.isWell());
    for (const socket of idle) socket.destroy();
  });

  test('who opens many connections without a socket keeps out nobody else', async () => {
    const bridge = await bridgeWith(['--max-sockets-per-address', '20', '--handshake-timeout-ms', '60000']);
    const [host, port] = bridge.address.split(':');
    const flood = await Promise.all(Array.from({ length: 300 }, () => silent(host, port)));
    await until(() => flood.filter((socket) => !socket.isClosed).length === 20 * 4 + 64, 'the others are closed');
    // The whole of 127.0.0.0/8 is this machine.
    const other = await silent(host, port, { localAddress: '127.0.0.2' });
    other.write(`GET /healthz HTTP/1.1\r\nhost: ${bridge.address}\r\n\r\n`);
    const [answer] = await within(once(other, 'data'), 'an answer to another address');
    assert.match(answer.toString(), /^HTTP\/1.1 200 /);
    for (const socket of [other, ...flood]) socket.destroy();
  });

  test('who comes and goes too fast is kept out for a while, and nobody else', async () => {
    const flags = [
      '--max-sockets-per-address',
      '3',
      '--new-sockets-per-second-per-address',
      '1',
      '--trusted-proxies',
      '1',
    ];
    const bridge = await bridgeWith(flags);
    const statuses = [];
    for (let i = 0; i < 20 && statuses.at(-1) !== 429; i += 1) {
      const { status, socket } = await knock(bridge, '/ws', from('198.51.100.1'));
      statuses.push(status);
      if (socket) await once(socket, 'close');
    }
    assert.equal(statuses.at(-1), 429);
    await opened(bridge, from('198.51.100.2'));
    await until(async () => (await knock(bridge, '/ws', from('198.51.100.1'))).status === 101, 'it may come again');
  });

  test('the head of a request may be large, and not larger', async () => {
    const bridge = await bridgeWith([]);
    const ask = (bytes) => fetch(`${bridge.url}/healthz`, { headers: { cookie: 'x'.repeat(bytes) } });
    assert.equal((await ask(30_000)).status, 200);
    assert.equal((await ask(70_000)).status, 431);
  });

  /** A connection on which nothing is said. */
  async function silent(host, port, options = {}) {
    const socket = connect({ host, port: Number(port), ...options });
    socket.on('error', () => {});
    socket.on('close', () => (socket.isClosed = true));
    await within(once(socket, 'connect'), 'a connection');
    // So that its end is noticed.
    return socket.resume();
  }

  const from = (...addresses) => ({ 'x-forwarded-for': addresses.join(', ') });

  test('one address may hold so many sockets, and what trusted proxies say is the address', async () => {
    const bridge = await bridgeWith(['--max-sockets-per-address', '2', '--trusted-proxies', '1']);
    const first = await opened(bridge, from('198.51.100.1'));
    await opened(bridge, from('203.0.113.9', '198.51.100.1'));
    await refused(bridge, 429, 'TOO_MANY_FROM_ADDRESS', from('198.51.100.1'));
    await refused(bridge, 429, 'TOO_MANY_FROM_ADDRESS', from('203.0.113.10', '198.51.100.1'));
    await opened(bridge, from('198.51.100.2'));
    // A network of IPv6 belongs to one client.
    for (const host of ['1', '2']) await opened(bridge, from(`2001:db8:0:1::${host}`));
    await refused(bridge, 429, 'TOO_MANY_FROM_ADDRESS', from('2001:db8:0:1::3'));
    await opened(bridge, from('2001:db8:0:2::3'));
    first.terminate();
    await until(async () => (await knock(bridge, WAYS_IN[2], from('198.51.100.1'))).status === 101, 'a place is free');
  });

  test('without trusted proxies nobody can make up an address', async () => {
    const bridge = await bridgeWith(['--max-sockets-per-address', '2']);
    for (const host of ['1', '2']) await opened(bridge, from(`198.51.100.${host}`));
    await refused(bridge, 429, 'TOO_MANY_FROM_ADDRESS', from('198.51.100.3'));
  });

  test('the header of RFC 7239 counts where it is configured, and the other then does not', async () => {
    const bridge = await bridgeWith([
      '--max-sockets-per-address',
      '1',
      '--trusted-proxies',
      '1',
      '--forwarded-header',
      'forwarded',
    ]);
    await opened(bridge, { forwarded: 'for=203.0.113.9, for="[2001:db8::1]:4711";proto=https' });
    await refused(bridge, 429, 'TOO_MANY_FROM_ADDRESS', { forwarded: 'for="[2001:db8::2]"', ...from('198.51.100.1') });
    await opened(bridge, { forwarded: 'for=198.51.100.1' });
  });

  /** A connection on which this is sent, and then nothing. Resolves when the server has closed it. */
  async function silentAfter(bridge, text) {
    const [host, port] = bridge.address.split(':');
    const socket = connect(Number(port), host).on('error', () => {});
    socket.write(text);
    socket.resume();
    await within(
      new Promise((resolve) => socket.once('close', resolve)),
      `the end of a connection after ${text.split('\r')[0]}`,
    );
  }

  /** The same for a body that never pauses, and never ends. */
  async function dripping(bridge, head) {
    const [host, port] = bridge.address.split(':');
    const socket = connect(Number(port), host).on('error', () => {});
    socket.write(head);
    const drip = setInterval(() => socket.write('x'), 50);
    try {
      const answer = (await within(once(socket, 'data'), 'an answer to a body that drips')).toString();
      assert.match(answer, /^HTTP\/1.1 408 /);
    } finally {
      clearInterval(drip);
      socket.destroy();
    }
  }

  test('who takes too long for a request, or to become somebody, is closed', async () => {
    const bridge = await bridgeWith(['--handshake-timeout-ms', '500']);
    const quick = await opened(bridge);
    const head = `POST ${POLLING} HTTP/1.1\r\nhost: ${bridge.address}\r\n`;
    await silentAfter(bridge, '');
    await silentAfter(bridge, head);
    await silentAfter(bridge, `${head.replace('POST', 'GET')}\r\n`);
    const { sid } = JSON.parse((await knock(bridge, POLLING)).body.slice(1));
    await silentAfter(
      bridge,
      `POST ${POLLING}&sid=${sid} HTTP/1.1\r\nhost: ${bridge.address}\r\ncontent-length: 100\r\n\r\n4`,
    );
    await dripping(
      bridge,
      `POST ${POLLING}&sid=${sid} HTTP/1.1\r\nhost: ${bridge.address}\r\ncontent-length: 10000\r\n\r\n`,
    );
    // The sockets, too: nobody has said who they are.
    await within(
      new Promise((resolve) => (quick.readyState === WebSocket.CLOSED ? resolve() : quick.once('close', resolve))),
      'the end of a socket without a session',
    );
    const member = await harness.webSocket('kim');
    assert.equal((await member.leave()).code, 'NOT_IN_ROOM');
  });
});
