import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Harness, TRANSPORTS } from '../harness/harness.mjs';
import { tokenFor } from '../harness/tokens.mjs';

const OURS = 1;
const UNKNOWN = 9;

describe('the version of the protocol', { timeout: 300_000 }, () => {
  let harness;
  let token;
  before(async () => {
    harness = await Harness.start();
    token = await tokenFor('kim');
  });
  after(() => harness?.stop());

  const socketIo = (version) => harness.client('Socket.IO', { auth: { token, version } });
  const webSocket = (...versions) =>
    harness.client('WebSocket', { protocols: [`bearer.${token}`, ...versions.map((n) => `rollcall.v${n}`)] });

  for (const transport of TRANSPORTS) {
    test(`a client that asks for no version learns from its join which one the server speaks (${transport})`, async () => {
      const lea = await harness.connect(transport, 'lea');
      const room = await harness.room();
      assert.equal((await lea.enter(room)).version, OURS);
      assert.equal((await lea.enter(room)).version, OURS, 'also of a repeated join');
    });
  }

  test('a client gets the version that it asks for', async () => {
    await (await socketIo(OURS).connected()).disconnect();
    for (const versions of [[OURS], [UNKNOWN, OURS], [OURS, UNKNOWN]]) {
      const kim = await webSocket(...versions).connected();
      assert.equal(kim.socket.protocol, `rollcall.v${OURS}`);
      kim.disconnect();
    }
  });

  test('a client that asks for an unknown version is refused by name', async () => {
    await assert.rejects(socketIo(UNKNOWN).connected(), ({ message, data }) => {
      assert.equal(message, 'UNSUPPORTED_VERSION');
      assert.deepEqual(data, {
        code: message,
        message: `this server speaks version ${OURS} of the protocol, and not ${UNKNOWN}`,
      });
      return true;
    });
    const kim = await webSocket(UNKNOWN, UNKNOWN + 1).connected();
    assert.equal(kim.socket.protocol, `rollcall.v${UNKNOWN}`, 'a browser shows the reason only if there is a protocol');
    assert.deepEqual(await kim.closed, { code: 4406, reason: 'UNSUPPORTED_VERSION' });
  });
});
