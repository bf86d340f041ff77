import assert from 'node:assert/strict';
import { connect as connectTcp } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { connect } from 'node:tls';

import { io } from 'socket.io-client';
import { WebSocket } from 'ws';

import { Bridge } from '../harness/bridge.mjs';
import { CertificateFiles, makeCertificate } from '../harness/certificates.mjs';
import { Harness } from '../harness/harness.mjs';
import { NAMESPACE } from '../harness/socket-io.mjs';
import { tokenFor } from '../harness/tokens.mjs';
import { until, within } from '../harness/wait.mjs';

describe('TLS', { timeout: 900_000 }, () => {
  let [harness, files, bridge, pair] = [];
  before(async () => {
    harness = await Harness.start();
    pair = await makeCertificate();
    files = await CertificateFiles.create(pair);
    const flags = [...files.flags, '--handshake-timeout-ms', '2000'];
    bridge = await Bridge.start({ redis: harness.redis, app: harness.appUrl, flags });
  });
  after(async () => {
    await bridge?.stop();
    await files?.remove();
    await harness?.stop();
  });

  const url = () => `https://${bridge.address}`;

  /** A client that trusts only this certificate, and has joined a room. */
  async function member(user, room, { cert = pair.cert, transports = ['websocket'] } = {}) {
    const socket = io(`${url()}${NAMESPACE}`, {
      auth: { token: await tokenFor(user) },
      ca: cert,
      transports,
      reconnection: false,
      forceNew: true,
    });
    await within(
      new Promise((resolve, reject) => socket.once('connect', resolve).once('connect_error', reject)),
      `${user} is connected`,
    );
    const ack = await socket.timeout(30_000).emitWithAck('room:join', { groupId: room });
    assert.equal(ack.success, true);
    return socket;
  }

  /** The certificate of a new connection, and the negotiated protocol. */
  async function presented() {
    const [host, port] = bridge.address.split(':');
    const socket = connect({ host, port: Number(port), rejectUnauthorized: false, ALPNProtocols: ['h2', 'http/1.1'] });
    try {
      await within(
        new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject)),
        'a handshake',
      );
      return { pem: socket.getPeerX509Certificate().toString(), protocol: socket.alpnProtocol };
    } finally {
      socket.destroy();
    }
  }

  for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) {
    test(`a client joins a room over ${transports.join(' and then ')}`, async () => {
      (await member('kim', await harness.room(), { transports })).disconnect();
    });
  }

  test('a plain WebSocket without a token is closed with 4401', async () => {
    const socket = new WebSocket(`wss://${bridge.address}/ws`, { ca: pair.cert });
    const code = await within(
      new Promise((resolve, reject) => socket.once('close', resolve).once('error', reject)),
      'the end',
    );
    assert.equal(code, 4401);
  });

  test('a connection without TLS, or without any data, is closed', async () => {
    const [host, port] = bridge.address.split(':');
    for (const text of ['GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n', '']) {
      const socket = connectTcp(Number(port), host).on('error', () => {});
      let received = '';
      socket.on('data', (data) => (received += data.toString('latin1')));
      socket.write(text);
      await within(new Promise((resolve) => socket.once('close', resolve)), 'the end');
      assert.ok(!received.includes('HTTP'));
    }
  });

  test('a renewed certificate is used while connections stay open, and an invalid one is not', async () => {
    const room = await harness.room();
    const lea = await member('lea', room);
    const isOpen = async () => (await lea.timeout(30_000).emitWithAck('room:join', { groupId: room })).success;
    assert.equal((await presented()).protocol, 'http/1.1');

    const renewed = await makeCertificate();
    await files.put(renewed);
    const presents = ({ cert }) =>
      until(async () => (await presented()).pem.trim() === cert.trim(), 'new connections get the certificate');
    await presents(renewed);
    assert.ok(await isOpen());
    (await member('kim', room, { cert: renewed.cert })).disconnect();

    for (const broken of [{ key: pair.key }, { key: 'hunter2' }, { key: renewed.key, cert: '' }]) {
      const failures = bridge.child.lines.filter((line) => line.includes('tls.not_renewed')).length;
      await files.put(broken);
      await until(
        () => bridge.child.lines.filter((line) => line.includes('tls.not_renewed')).length > failures,
        'the failure is logged',
      );
      await presents(renewed);
    }
    assert.ok(!bridge.child.lines.some((line) => line.includes('hunter2')));
    const last = await makeCertificate();
    await files.put(last);
    await presents(last);
    assert.ok(await isOpen());
    lea.disconnect();
  });

  test('a bridge without a valid certificate does not start', async () => {
    const broken = await CertificateFiles.create({ cert: pair.cert, key: (await makeCertificate()).key });
    try {
      const settings = { redis: harness.redis, app: harness.appUrl, flags: broken.flags };
      await assert.rejects(Bridge.start(settings), /certificate and key do not fit/);
    } finally {
      await broken.remove();
    }
  });
});
