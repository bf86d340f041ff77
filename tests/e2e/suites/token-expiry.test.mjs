import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { entered, Harness, TRANSPORTS } from '../harness/harness.mjs';
import { foreignKey, tokenFor } from '../harness/tokens.mjs';

/** Real time: tokens expire by the clocks of those who issue them. */
const SHORT_S = 3;

describe('token expiry', { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    harness = await Harness.start();
  });
  after(() => harness?.stop());

  async function kimWith(transport, expiresInS) {
    const token = await tokenFor('kim', { expiresInS });
    return harness.client(transport, { auth: { token }, token }).connected();
  }

  async function isClosed(member, transport) {
    if (transport === 'Socket.IO') {
      assert.equal((await member.next('error')).code, 'TOKEN_EXPIRED');
      assert.equal(await member.closed, 'io server disconnect');
    } else {
      assert.deepEqual(await member.closed, { code: 4401, reason: 'TOKEN_EXPIRED' });
    }
  }

  for (const transport of TRANSPORTS) {
    test(`a client is warned before its token expires, and closed without a fresh one (${transport})`, async () => {
      const room = await harness.room();
      const lea = await harness.webSocket('lea');
      await lea.enter(room);
      const kim = await kimWith(transport, SHORT_S);
      await kim.enter(room);
      const { expiresAt, remainMs } = await kim.next('auth:expiring');
      assert.ok(remainMs > 0 && remainMs <= SHORT_S * 1000, `${remainMs}`);
      assert.ok(Math.abs(expiresAt - Date.now() - remainMs) < 1500);
      await isClosed(kim, transport);
      assert.equal(kim.count('auth:expiring'), 1);
      assert.equal((await lea.next('room:participantReconnecting')).userId, 'kim');
    });

    test(`only a fresh token of the same user extends a connection (${transport})`, async () => {
      const room = await harness.room();
      const lea = await harness.webSocket('lea');
      await lea.enter(room);
      const kim = await kimWith(transport, SHORT_S);
      await kim.enter(room);
      const firstEnd = (await kim.next('auth:expiring')).expiresAt;
      const refused = [
        ['MALFORMED', undefined],
        ['MALFORMED', 7],
        ['TOKEN_MISSING', ''],
        ['TOKEN_INVALID', 'nonsense'],
        ['TOKEN_INVALID', await tokenFor('kim', { signedWith: foreignKey() })],
        ['TOKEN_EXPIRED', await tokenFor('kim', { expiresInS: -60 })],
        ['WRONG_USER', await tokenFor('mallory')],
      ];
      for (const [code, token] of refused) {
        const ack = await kim.request('auth:refresh', { token });
        assert.deepEqual([ack.success, ack.code], [false, code]);
        if (token) assert.ok(!JSON.stringify(ack).includes(token));
      }
      const { success, data } = await kim.request('auth:refresh', {
        token: await tokenFor('kim', { expiresInS: 2 * SHORT_S }),
      });
      assert.ok(success && data.expiresAt > firstEnd);
      // The fresh token is short-lived as well.
      assert.equal((await kim.next('auth:expiring')).expiresAt, data.expiresAt);
      await isClosed(kim, transport);
      assert.ok(Date.now() >= data.expiresAt - 1000, 'the connection has outlived its first token');
      assert.equal((await lea.next('room:participantReconnecting')).userId, 'kim');
      assert.equal(lea.count('room:participantReconnecting'), 1);
    });

    test(`a refused token does not change the expiry (${transport})`, async () => {
      const kim = await kimWith(transport, SHORT_S);
      const { expiresAt } = await kim.next('auth:expiring');
      assert.equal((await kim.request('auth:refresh', { token: await tokenFor('mallory') })).code, 'WRONG_USER');
      await isClosed(kim, transport);
      assert.ok(Date.now() < expiresAt + 2000);
    });

    test(`a client with a long-lived token gets no warning (${transport})`, async () => {
      const room = await harness.room();
      const kim = await kimWith(transport, 3600);
      await kim.enter(room);
      const ali = await harness.webSocket('ali');
      await ali.enter(room);
      await kim.next('room:participantsChanged', entered('ali'));
      assert.equal(kim.count('auth:expiring'), 0);
    });
  }
});
