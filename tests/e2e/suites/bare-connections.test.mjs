import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, request as send } from 'node:http';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';

import { Crowd, ON_CONNECTIONS, ON_SOCKETS } from '../harness/crowd.mjs';
import { ask, Frames, Polling } from '../harness/engine-io.mjs';
import { about, entered, Harness } from '../harness/harness.mjs';
import { tokenFor } from '../harness/tokens.mjs';
import { until, within } from '../harness/wait.mjs';

const MAX_SOCKETS = 60;
/** All connections of the bridge, with or without a session. */
const PLACES = MAX_SOCKETS + 256;
const REQUESTS_WITHOUT_SESSION = 100;

const CROWDS = {
  'one address': { addresses: ['127.0.1.1'], count: PLACES + 150 },
  'five addresses': { addresses: [1, 2, 3, 4, 5].map((n) => `127.0.1.${n}`), count: 100 },
};

describe('connections without a session', { timeout: 900_000 }, () => {
  let harness;
  let bridge;
  before(async () => {
    harness = await Harness.start({ flags: ['--max-sockets', `${MAX_SOCKETS}`] });
    bridge = harness.bridges[0];
  });
  after(() => harness?.stop());

  /** Checks health and readiness over a connection of its own. */
  async function probe() {
    for (const path of ['/healthz', '/readyz']) {
      const response = await ask(bridge.url + path, { headers: { connection: 'close' } });
      assert.equal(response.status, 200, `${path}: ${response.body}`);
    }
  }

  for (const [who, crowd] of Object.entries(CROWDS)) {
    for (const way of Object.keys({ ...ON_CONNECTIONS, ...ON_SOCKETS })) {
      test(`${who} with ${way} shuts nobody else out`, async () => {
        const room = await harness.room();
        const lea = await harness.webSocket('lea');
        await lea.enter(room);
        const dropped = await harness.socketIo('kim');
        const { resumeToken } = await dropped.enter(room);
        await lea.next('room:participantsChanged', entered('kim'));

        const strangers = new Crowd(bridge.address, { ...crowd, way });
        try {
          await until(() => strangers.closed > 100, 'the bridge is full of strangers');
          dropped.terminate();
          await lea.next('room:participantReconnecting', about('kim'));
          await probe();
          const again = await harness.socketIo('kim');
          assert.equal((await again.enter(room, { resumeToken })).recovered, true);
          const newcomers = [
            await harness.webSocket('ali'),
            await harness.socketIo('bo'),
            await harness.socketIo('cy', { transports: ['polling'] }),
          ];
          for (const newcomer of newcomers) {
            await newcomer.enter(room);
            await lea.next('room:participantsChanged', entered(newcomer.user));
            await probe();
          }
          console.log(`${who}, ${way}: ${strangers.open.size} connections at once, ${strangers.closed} were closed`);
          for (const member of [lea, again, ...newcomers]) assert.equal((await member.leave()).success, true);
        } finally {
          await strangers.leave();
        }
        harness.assertNoGaps();
      });
    }
  }

  test('a connection without a session is closed after some requests', async () => {
    const [host, port] = bridge.address.split(':');
    const socket = connect(Number(port), host).on('error', () => {});
    let answers = '';
    socket.on('data', (data) => (answers += data));
    socket.write(`GET /healthz HTTP/1.1\r\nhost: ${host}\r\n\r\n`.repeat(REQUESTS_WITHOUT_SESSION + 1));
    await within(once(socket, 'close'), 'the end of the connection');
    assert.equal(answers.match(/HTTP\/1.1 200 /g).length, REQUESTS_WITHOUT_SESSION);
    assert.equal(answers.match(/connection: close/gi).length, 1, 'the last response says so');
  });

  test('the requests of a session keep their connection', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    let connections = 0;
    const createConnection = agent.createConnection.bind(agent);
    agent.createConnection = (...args) => {
      connections += 1;
      return createConnection(...args);
    };
    const request = (method, path, body) =>
      new Promise((resolve, reject) => {
        const sent = send(bridge.url + path, { method, agent }, async (response) => {
          const chunks = await response.toArray();
          resolve({ status: response.statusCode, body: Buffer.concat(chunks).toString() });
        });
        sent.on('error', reject);
        sent.end(body);
      });
    const path = '/socket.io/?EIO=4&transport=polling';
    const { sid } = JSON.parse((await request('GET', path)).body.slice(1));
    const session = `${path}&sid=${sid}`;
    assert.equal(
      (await request('POST', session, `40/study,${JSON.stringify({ token: await tokenFor('kim') })}`)).status,
      200,
    );
    assert.match((await request('GET', session)).body, /^40\/study,/);
    // Each event makes two requests, because its ack comes with a poll.
    for (let i = 0; 2 * i <= REQUESTS_WITHOUT_SESSION; i += 1) {
      assert.equal((await request('POST', session, `42/study,${i}["room:leave"]`)).status, 200);
      assert.equal((await request('GET', session)).status, 200);
    }
    assert.equal(connections, 1);
    agent.destroy();
  });

  test('a session upgrades over one connection at a time, and has few connections', async () => {
    const session = await (await Polling.open(bridge)).connect(await tokenFor('kim'));
    const upgrades = [];
    const statusOfUpgrade = async () => {
      const frames = new Frames(session.urlOver('websocket'));
      const { status } = await within(frames.answer, 'an answer to an upgrade');
      if (status === 101) upgrades.push(frames);
      return status;
    };
    assert.equal(await statusOfUpgrade(), 101);
    assert.equal(await statusOfUpgrade(), 400, 'another upgrade at the same time');
    const isFull = async () => {
      // The bridge ends the upgrade and waits for a moment until the client has closed, which the client does not.
      await upgrades.at(-1).send('garbage');
      upgrades.at(-1).socket.pause();
      const next = await until(async () => {
        const status = await statusOfUpgrade();
        return status !== 400 && status;
      }, 'the failed upgrade has ended');
      return next === 429;
    };
    await until(isFull, 'the session has no further connection');
    for (const frames of upgrades) frames.socket.terminate();
    // A post and a poll need connections at once.
    await until(async () => (await session.post('3')).status === 200, 'the session has room for connections');
    assert.equal((await session.request(1, 'room:leave')).code, 'NOT_IN_ROOM', 'the session goes on');
  });
});
