import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';

import { launch, SANDBOXED, Site, Tab } from '../harness/browser.mjs';
import { changed, entered, Harness, MINUTE } from '../harness/harness.mjs';
import { NAMESPACE } from '../harness/socket-io.mjs';
import { nameOf, tokenFor } from '../harness/tokens.mjs';

const GRACE_MS = 30_000;

describe('pages in a browser', { timeout: 900_000 }, () => {
  let harness;
  let browser;
  let ours;
  let foreign;
  const tabs = [];
  before(async () => {
    [ours, foreign] = [await Site.start(), await Site.start()];
    // Only missing pongs tell that a polling tab was closed.
    const flags = [
      '--origin',
      ours.origin,
      '--origin',
      'null',
      '--ping-interval-ms',
      '2000',
      '--ping-timeout-ms',
      '2000',
    ];
    const variables = { SPIN_VARIABLE_FEATURES: 'timer status chat code' };
    [harness, browser] = await Promise.all([Harness.start({ flags, variables }), launch()]);
  });
  afterEach(async () => {
    for (const tab of tabs.splice(0)) await tab.close();
  });
  after(async () => {
    await browser?.close();
    for (const site of [ours, foreign]) site?.stop();
    await harness?.stop();
  });

  async function open(site = ours, path = '/') {
    const tab = await Tab.open(browser, site, path);
    tabs.push(tab);
    return tab;
  }

  const http = () => `${harness.bridges[0].url}${NAMESPACE}`;
  const ws = () => `ws://${harness.bridges[0].address}/ws`;

  /** Ways to connect a page; each returns the outcome. */
  const WAYS = {
    'polling, then a WebSocket': async (tab, auth) => {
      const outcome = await tab.call('overSocketIo', http(), { auth, reconnection: false });
      if (outcome === 'connected') await tab.until(() => socket.io.engine.transport.name === 'websocket');
      return outcome;
    },
    'polling only': (tab, auth) =>
      tab.call('overSocketIo', http(), { auth, reconnection: false, transports: ['polling'] }),
    'polling with cookies': (tab, auth) =>
      tab.call('overSocketIo', http(), { auth, reconnection: false, transports: ['polling'], withCredentials: true }),
    'polling with a token in a header': (tab, { token }) =>
      tab.call('overSocketIo', http(), {
        extraHeaders: { authorization: `Bearer ${token}` },
        reconnection: false,
        transports: ['polling'],
      }),
    'a WebSocket only': (tab, auth) =>
      tab.call('overSocketIo', http(), { auth, reconnection: false, transports: ['websocket'] }),
    'a bare WebSocket': (tab, { token }) => tab.call('overWebSocket', ws(), ['rollcall.v1', `bearer.${token}`]),
  };

  for (const [way, connect] of Object.entries(WAYS)) {
    test(`a page joins a room over ${way}, and page and members get each other's events`, async () => {
      const room = await harness.room();
      const lea = await harness.webSocket('lea');
      await lea.enter(room);
      const tab = await open();
      const outcome = await connect(tab, { token: await tokenFor('kim') });
      assert.equal(outcome, way === 'a bare WebSocket' ? 'speaks rollcall.v1' : 'connected');
      const { success, data } = await tab.call('request', 'room:join', { groupId: room });
      assert.equal(success, true);
      assert.deepEqual(
        data.members.map(({ userId }) => userId),
        ['lea', 'kim'],
      );
      await lea.next('room:participantsChanged', entered('kim'));

      const ali = await harness.socketIo('ali');
      await ali.enter(room);
      const change = await tab.received('room:participantsChanged');
      assert.deepEqual(change.change, { type: 'entered', users: [{ userId: 'ali', userName: nameOf('ali') }] });
      assert.equal((await tab.call('request', 'room:leave', {})).success, true);
      await lea.next('room:participantsChanged', changed('left', 'kim'));
    });

    test(`a page over ${way} shares the timer, the status, the chat and the code of a room`, async () => {
      const room = await harness.room();
      const lea = await harness.webSocket('lea');
      await lea.enter(room);
      const tab = await open();
      await connect(tab, { token: await tokenFor('kim') });
      await tab.call('request', 'room:join', { groupId: room });
      await lea.request('timer:set', { mode: 'countdown', durationMs: MINUTE });
      await lea.request('timer:start', {});
      await tab.until(() => received.some(({ data }) => data.timer?.endsAt - data.now <= 60_000));
      assert.equal((await tab.call('request', 'timer:pause', {})).code, 'NOT_ALLOWED');
      assert.equal((await tab.call('request', 'member:update', { goal: '3장' })).data.goal, '3장');
      assert.equal((await lea.next('room:memberUpdated')).goal, '3장');
      const { data } = await tab.call('request', 'chat:send', { text: '<b>안녕</b>' });
      assert.deepEqual((await lea.next('chat:message')).message, data.message);
      await lea.request('chat:send', { text: 'Hi' });
      await tab.until(() => received.some(({ data }) => data.message?.text === 'Hi'));
      const { snippet } = (await tab.call('request', 'code:share', { text: 'x', editors: 'everybody' })).data;
      const update = { number: snippet.number, version: 1, text: '</script>\t가\n' };
      assert.equal((await lea.request('code:update', update)).success, true);
      await tab.until(() => received.some(({ data }) => data.text === '</script>\t가\n'));
      const conflict = await tab.call('request', 'code:update', update);
      assert.deepEqual([conflict.code, conflict.current.snippet.version], ['VERSION_CONFLICT', 2]);
      const history = await tab.call('request', 'chat:history', { after: data.message.number });
      assert.deepEqual(
        history.data.messages.map(({ text }) => text),
        ['Hi'],
      );
    });

    test(`a page of another origin is refused over ${way}`, async () => {
      const tab = await open(foreign);
      const outcome = await connect(tab, { token: await tokenFor('kim') });
      if (way === 'a bare WebSocket') {
        assert.deepEqual(outcome, { code: 1006, reason: '' });
      } else {
        assert.match(outcome.message, /^(xhr poll|websocket) error$/);
      }
    });

    test(`a sandboxed page, whose origin is null, connects over ${way} where null is listed`, async () => {
      const tab = await open(ours, SANDBOXED);
      assert.equal(await tab.page.evaluate(() => origin), 'null');
      const outcome = await connect(tab, { token: await tokenFor('kim') });
      assert.equal(outcome, way === 'a bare WebSocket' ? 'speaks rollcall.v1' : 'connected');
    });

    test(`a member whose tab over ${way} is closed is reconnecting, and then removed`, async () => {
      const room = await harness.room();
      const lea = await harness.webSocket('lea');
      await lea.enter(room);
      const tab = await open();
      await connect(tab, { token: await tokenFor('kim') });
      await tab.call('request', 'room:join', { groupId: room });
      await lea.next('room:participantsChanged', entered('kim'));
      await tab.page.close();
      assert.equal((await lea.next('room:participantReconnecting')).userId, 'kim');
      await harness.redis.advance(GRACE_MS + 1000);
      await lea.next('room:participantsChanged', changed('graceExpired', 'kim'));
    });

    test(`a page over ${way} gets the code of its refusal`, async () => {
      const tab = await open();
      for (const [token, code] of [
        ['nonsense', 'TOKEN_INVALID'],
        [await tokenFor('kim', { expiresInS: -60 }), 'TOKEN_EXPIRED'],
      ]) {
        const outcome = await connect(tab, { token });
        if (way === 'a bare WebSocket') {
          await tab.until(() => ended);
          assert.deepEqual(await tab.page.evaluate(() => ended), { code: 4401, reason: code });
        } else {
          assert.equal(outcome.message, code);
          assert.equal(outcome.data.code, code);
          assert.ok(outcome.data.message.length > 0);
        }
      }
    });

    test(`a page over ${way} stays connected with a fresh token until that one expires`, async () => {
      const tab = await open();
      await connect(tab, { token: await tokenFor('kim', { expiresInS: 3 }) });
      await tab.received('auth:expiring');
      const expiresInS = 6;
      const before = Math.floor(Date.now() / 1000);
      const { success, data } = await tab.call('request', 'auth:refresh', {
        token: await tokenFor('kim', { expiresInS }),
      });
      assert.equal(success, true);
      assert.ok(data.expiresAt >= (before + expiresInS) * 1000);
      await tab.until(() => ended);
      assert.ok(Date.now() >= data.expiresAt - 1000, 'the connection has outlived its first token');
      const end = await tab.page.evaluate(() => ended);
      if (way === 'a bare WebSocket') {
        assert.deepEqual(end, { code: 4401, reason: 'TOKEN_EXPIRED' });
      } else {
        assert.equal((await tab.received('error')).code, 'TOKEN_EXPIRED');
        assert.equal(end, 'io server disconnect');
      }
    });
  }

  test('a page whose polls carry the headers of tracing connects', async () => {
    const tab = await open();
    const outcome = await tab.call('overSocketIo', http(), {
      auth: { token: await tokenFor('kim') },
      extraHeaders: {
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        tracestate: 'vendor=value',
        baggage: 'user=kim',
        'x-request-id': 'request-1',
      },
      reconnection: false,
      transports: ['polling'],
    });
    assert.equal(outcome, 'connected');
  });

  for (const transports of [['polling', 'websocket'], ['polling'], ['websocket']]) {
    test(`a tab that was offline reconnects and resumes with its token (${transports.join(', then ')})`, async () => {
      const room = await harness.room();
      const lea = await harness.webSocket('lea');
      await lea.enter(room);
      const tab = await open();
      await tab.call('overSocketIo', http(), { auth: { token: await tokenFor('kim') }, transports });
      await tab.call('stayIn', room);
      await tab.until((name) => socket.io.engine.transport.name === name, transports.at(-1));
      await tab.context.setOffline(true);
      await tab.until(() => ended && !socket.connected);
      await tab.context.setOffline(false);
      await tab.until(() => joins.length > 1);
      const [first, second] = await tab.page.evaluate(() => joins);
      assert.equal(second.success, true, JSON.stringify(second));
      assert.deepEqual([second.data.recovered, second.data.epoch], [true, first.data.epoch]);
      assert.notEqual(second.data.resumeToken, first.data.resumeToken);
      const ali = await harness.socketIo('ali');
      await ali.enter(room);
      assert.equal((await tab.received('room:participantsChanged')).count, 3);
      assert.equal(
        lea.names.includes('room:participantReconnected') || !lea.names.includes('room:participantReconnecting'),
        true,
      );
    });
  }
});
