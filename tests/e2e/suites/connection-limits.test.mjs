import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { WebSocket } from 'ws';

import { Bridge } from '../harness/bridge.mjs';
import { Polling } from '../harness/engine-io.mjs';
import { Harness } from '../harness/harness.mjs';
import { tokenFor } from '../harness/tokens.mjs';
import { until, within } from '../harness/wait.mjs';
import { WebSocketMember } from '../harness/websocket.mjs';

const POLLING = '/socket.io/?EIO=4&transport=polling';
// The `sid` of the last two names no session.
const WAYS_IN = [POLLING, '/socket.io/?EIO=4&transport=websocket', '/ws', '/ws?sid=x', `${POLLING}&sid=`];

describe('connection limits', { timeout: 900_000 }, () => {
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

  /** Starts a bridge for one test. */
  async function bridgeWith(flags, options = {}) {
    const bridge = await Bridge.start({ redis: harness.redis, app: harness.appUrl, flags, ...options });
    bridges.push(bridge);
    return bridge;
  }

  /** Requests a socket. Returns the status, and for a refusal the body and Retry-After. */
  async function requestSocket(bridge, path, headers = {}) {
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

  /** Expects this refusal for every way to request a socket. */
  async function refused(bridge, status, code, headers) {
    for (const path of WAYS_IN) {
      const answer = await requestSocket(bridge, path, headers);
      assert.deepEqual([answer.status, answer.retryAfter, JSON.parse(answer.body).code], [status, '1', code], path);
    }
  }

  /** An open WebSocket on which the client sends nothing. */
  async function opened(bridge, headers) {
    const { status, socket } = await requestSocket(bridge, WAYS_IN[1], headers);
    assert.equal(status, 101);
    return socket;
  }

  /** An open WebSocket with a session. One without gives way to new sockets. */
  async function inSession(bridge, user) {
    const member = await new WebSocketMember(user, bridge, { token: await tokenFor(user) }).connected();
    sockets.push(member.socket);
    assert.equal((await member.leave()).code, 'NOT_IN_ROOM');
    return member.socket;
  }

  test('a bridge at its socket limit answers 503 until a socket is closed', async () => {
    const bridge = await bridgeWith(['--max-sockets', '3']);
    const lea = await harness.webSocket('lea');
    const [kim] = [await inSession(bridge, 'kim'), await inSession(bridge, 'ali')];
    await (await Polling.open(bridge)).connect(await tokenFor('bo'));
    await refused(bridge, 503, 'OVERLOADED');
    assert.ok(await bridge.isHealthy());
    kim.terminate();
    const isFree = async () => inSession(bridge, 'kim').catch(() => false);
    await until(isFree, 'a permit is free');
    await refused(bridge, 503, 'OVERLOADED');
    assert.equal((await lea.leave()).code, 'NOT_IN_ROOM', 'each bridge has its own limit');
  });

  test('a low limit of open files lowers the socket limit, and the bridge stays healthy', async () => {
    const bridge = await bridgeWith([], { openFiles: 200 });
    for (let i = 0; i < 100; i += 1) await inSession(bridge, `kim-${i}`);
    await refused(bridge, 503, 'OVERLOADED');
    assert.ok(await bridge.isHealthy());
  });

  test('connections without a socket do not count as sockets', async () => {
    const bridge = await bridgeWith(['--max-sockets', '2']);
    const address = bridge.address.split(':');
    const idle = Array.from({ length: 150 }, () => connect(Number(address[1]), address[0]).on('error', () => {}));
    await Promise.all(idle.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
    await opened(bridge);
    assert.ok(await bridge.isHealthy());
    for (const socket of idle) socket.destroy();
  });

  test('connections without a socket are limited per address, and other addresses can connect', async () => {
    const bridge = await bridgeWith(['--handshake-timeout-ms', '60000']);
    const [host, port] = bridge.address.split(':');
    const flood = await Promise.all(Array.from({ length: 300 }, () => silent(host, port)));
    await until(
      () => flood.filter((socket) => !socket.isClosed).length === 256,
      'connections above the limit are closed',
    );
    // 127.0.0.2 is this machine, too.
    const other = await silent(host, port, { localAddress: '127.0.0.2' });
    other.write(`GET /healthz HTTP/1.1\r\nhost: ${bridge.address}\r\n\r\n`);
    const [answer] = await within(once(other, 'data'), 'an answer to another address');
    assert.match(answer.toString(), /^HTTP\/1.1 200 /);
    for (const socket of [other, ...flood]) socket.destroy();
  });

  test('an address that opens sockets too fast is refused for a while, and other addresses are not', async () => {
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
      const { status, socket } = await requestSocket(bridge, '/ws', from('198.51.100.1'));
      statuses.push(status);
      if (socket) await once(socket, 'close');
    }
    assert.equal(statuses.at(-1), 429);
    await opened(bridge, from('198.51.100.2'));
    await until(
      async () => (await requestSocket(bridge, '/ws', from('198.51.100.1'))).status === 101,
      'the address may open sockets again',
    );
  });

  test('a request head of 30 KB is accepted, and one of 70 KB is refused', async () => {
    const bridge = await bridgeWith([]);
    const ask = (bytes) => fetch(`${bridge.url}/healthz`, { headers: { cookie: 'x'.repeat(bytes) } });
    assert.equal((await ask(30_000)).status, 200);
    assert.equal((await ask(70_000)).status, 431);
  });

  /** A TCP connection on which the client sends nothing. */
  async function silent(host, port, options = {}) {
    const socket = connect({ host, port: Number(port), ...options });
    socket.on('error', () => {});
    socket.on('close', () => (socket.isClosed = true));
    await within(once(socket, 'connect'), 'a connection');
    // Without reading, Node.js would not notice the end.
    return socket.resume();
  }

  const from = (...addresses) => ({ 'x-forwarded-for': addresses.join(', ') });

  test('sockets are limited per address, and trusted proxies name the address', async () => {
    const bridge = await bridgeWith(['--max-sockets-per-address', '2', '--trusted-proxies', '1']);
    const first = await opened(bridge, from('198.51.100.1'));
    await opened(bridge, from('203.0.113.9', '198.51.100.1'));
    await refused(bridge, 429, 'TOO_MANY_FROM_ADDRESS', from('198.51.100.1'));
    await refused(bridge, 429, 'TOO_MANY_FROM_ADDRESS', from('203.0.113.10', '198.51.100.1'));
    await opened(bridge, from('198.51.100.2'));
    // An IPv6 /64 network counts as one address.
    for (const host of ['1', '2']) await opened(bridge, from(`2001:db8:0:1::${host}`));
    await refused(bridge, 429, 'TOO_MANY_FROM_ADDRESS', from('2001:db8:0:1::3'));
    await opened(bridge, from('2001:db8:0:2::3'));
    first.terminate();
    await until(
      async () => (await requestSocket(bridge, WAYS_IN[2], from('198.51.100.1'))).status === 101,
      'a permit is free',
    );
  });

  test('without trusted proxies the header is ignored', async () => {
    const bridge = await bridgeWith(['--max-sockets-per-address', '2']);
    for (const host of ['1', '2']) await opened(bridge, from(`198.51.100.${host}`));
    await refused(bridge, 429, 'TOO_MANY_FROM_ADDRESS', from('198.51.100.3'));
  });

  test('where the header of RFC 7239 is configured, it replaces X-Forwarded-For', async () => {
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

  /** Sends a text and then nothing. Resolves when the server has closed the connection. */
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

  /** Sends a body byte by byte without end, and expects status 408. */
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

  test('connections with slow requests and sockets without a token are closed', async () => {
    const bridge = await bridgeWith(['--handshake-timeout-ms', '500', '--keep-alive-timeout-ms', '500']);
    const quick = await opened(bridge);
    const head = `POST ${POLLING} HTTP/1.1\r\nhost: ${bridge.address}\r\n`;
    await silentAfter(bridge, '');
    await silentAfter(bridge, head);
    await silentAfter(bridge, `${head.replace('POST', 'GET')}\r\n`);
    const post = async (length, body) => {
      const { sid } = JSON.parse((await requestSocket(bridge, POLLING)).body.slice(1));
      const line = `POST ${POLLING}&sid=${sid} HTTP/1.1`;
      return `${line}\r\nhost: ${bridge.address}\r\ncontent-length: ${length}\r\n\r\n${body}`;
    };
    await silentAfter(bridge, await post(100, '4'));
    await dripping(bridge, await post(10_000, ''));
    // The open socket has sent no token, either.
    await within(
      new Promise((resolve) => (quick.readyState === WebSocket.CLOSED ? resolve() : quick.once('close', resolve))),
      'the end of a socket without a session',
    );
    const member = await harness.webSocket('kim');
    assert.equal((await member.leave()).code, 'NOT_IN_ROOM');
  });

  /** Sends a request for the health of a bridge over an open connection, and waits for the response. */
  async function askHealth(bridge, socket) {
    const answer = once(socket, 'data');
    socket.write(`GET /healthz HTTP/1.1\r\nhost: ${bridge.address}\r\n\r\n`);
    assert.match((await within(answer, 'an answer'))[0].toString(), /^HTTP\/1.1 200 /);
  }

  test('an idle connection stays for longer than a handshake may take, and not for ever', async () => {
    const bridge = await bridgeWith(['--handshake-timeout-ms', '300', '--keep-alive-timeout-ms', '6000']);
    const socket = await silent(...bridge.address.split(':'));
    for (let i = 0; i < 3; i += 1) {
      await askHealth(bridge, socket);
      await sleep(600);
    }
    assert.ok(!socket.isClosed);
    await within(once(socket, 'close'), 'the end of an idle connection');
  });

  test('a head that drips is closed in the time of a handshake, also on a connection that was idle', async () => {
    const bridge = await bridgeWith(['--handshake-timeout-ms', '500', '--keep-alive-timeout-ms', '600000']);
    const drip = async (socket) => {
      socket.write(`GET ${POLLING} HTTP/1.1\r\nhost: ${bridge.address}\r\nx: `);
      const dripping = setInterval(() => socket.write('x'), 50);
      await within(once(socket, 'close'), 'the end of a connection with a head that drips');
      clearInterval(dripping);
    };
    const [fresh, used] = [await silent(...bridge.address.split(':')), await silent(...bridge.address.split(':'))];
    await askHealth(bridge, used);
    await Promise.all([drip(fresh), drip(used)]);
  });

  test('idle connections give way to new ones, the longest idle first', async () => {
    const bridge = await bridgeWith(['--max-sockets', '2', '--keep-alive-timeout-ms', '600000']);
    const address = bridge.address.split(':');
    const idle = [];
    for (let i = 0; i < 256; i += 1) {
      idle.push(await silent(...address));
      await askHealth(bridge, idle.at(-1));
    }
    for (let i = 0; i < 3; i += 1) await askHealth(bridge, await silent(...address));
    await until(() => idle.filter((socket) => socket.isClosed).length === 3, 'three connections are closed');
    assert.ok(idle.slice(0, 3).every((socket) => socket.isClosed));
    for (const socket of idle) socket.destroy();
  });
});
