import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import * as four from 'socket.io-client';
import * as three from 'socket.io-client-3';

import { Child } from '../harness/child.mjs';
import { changed, entered, Harness } from '../harness/harness.mjs';
import { pythonTool } from '../harness/python.mjs';
import { NAMESPACE } from '../harness/socket-io.mjs';
import { tokenFor } from '../harness/tokens.mjs';
import { until, within } from '../harness/wait.mjs';

const WAYS = [['polling'], ['websocket'], ['polling', 'websocket']];

describe('clients of other versions and languages', { timeout: 300_000 }, () => {
  let harness;
  let lea;
  let room;
  before(async () => {
    harness = await Harness.start();
    room = await harness.room();
    lea = await harness.webSocket('lea');
    await lea.enter(room);
  });
  after(() => harness?.stop());

  for (const [name, { io }] of Object.entries({ 'socket.io-client 3': three, 'socket.io-client 4': four })) {
    for (const transports of WAYS) {
      test(`${name} joins, gets events and leaves (${transports})`, async () => {
        const auth = { token: await tokenFor('kim') };
        const options = { auth, transports, reconnection: false, forceNew: true };
        const socket = io(harness.bridges[0].url + NAMESPACE, options);
        try {
          const connected = new Promise((resolve, reject) => {
            socket.once('connect', resolve);
            socket.once('connect_error', reject);
          });
          await within(connected, 'the client is connected');
          const ask = (event, data) =>
            within(new Promise((resolve) => socket.emit(event, data, resolve)), `the ack of ${event}`);
          const noticed = new Promise((resolve) => socket.once('room:notice', resolve));
          assert.equal((await ask('room:join', { groupId: room })).success, true);
          await lea.next('room:participantsChanged', entered('kim'));
          await until(() => socket.io.engine.transport.name === transports.at(-1), 'the client has upgraded');
          await harness.api('POST', `/rooms/${room}/notices`, { text: 'hello' });
          assert.equal((await within(noticed, 'the notice')).text, 'hello');
          assert.equal((await ask('room:leave', {})).success, true);
          await lea.next('room:participantsChanged', changed('left', 'kim'));
        } finally {
          socket.disconnect();
        }
      });
    }
  }

  for (const transports of WAYS) {
    test(`python-socketio joins, gets events and leaves (${transports})`, async () => {
      const script = fileURLToPath(new URL('../harness/client.py', import.meta.url));
      const { url } = harness.bridges[0];
      const parameters = [script, url, NAMESPACE, await tokenFor('ada'), room, transports.join(',')];
      const client = new Child(pythonTool('python'), parameters);
      await client.line(/"ack".*"success": true/);
      await client.line(new RegExp(`"transport", "data": "${transports.at(-1)}"`));
      await lea.next('room:participantsChanged', entered('ada'));
      await harness.api('POST', `/rooms/${room}/notices`, { text: 'hello' });
      await client.line(/"room:notice".*"hello"/);
      await client.kill('SIGTERM');
      await lea.next('room:participantsChanged', changed('left', 'ada'));
      assert.equal((await client.ended).code, 0, client.lines.join('\n'));
    });
  }
});
