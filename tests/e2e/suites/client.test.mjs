import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';

import { Balancer } from '../harness/balancer.mjs';
import { Bridge } from '../harness/bridge.mjs';
import {
  assertTrue,
  CLIENT_TRANSPORTS,
  clientRoom,
  closeRooms,
  isSettled,
  library,
  snapshotOf,
} from '../harness/client-rooms.mjs';
import { Harness, MINUTE } from '../harness/harness.mjs';
import { foreignKey, tokenFor } from '../harness/tokens.mjs';
import { until, within } from '../harness/wait.mjs';

const VARIABLES = {
  SPIN_VARIABLE_FEATURES: 'timer status chat code lobby',
  SPIN_VARIABLE_REDIS_TIMEOUT_MS: '500',
  ROLLCALL_APP_TIMEOUT_MS: '1000',
};
const FLAGS = ['--ping-interval-ms', '2000', '--ping-timeout-ms', '2000', '--lobby-interval-ms', '200'];

const MOVES = ['room:participantReconnecting', 'room:participantReconnected', 'room:participantsChanged'];

describe('the client', { timeout: 900_000 }, () => {
  let [harness, balancer] = [];
  before(async () => {
    harness = await Harness.start({ persistent: true, variables: VARIABLES, flags: FLAGS });
    await addBridge();
    balancer = await Balancer.start(harness.bridges[1]);
  });
  afterEach(() => closeRooms());
  after(async () => {
    await balancer?.stop();
    await harness?.stop();
  });

  /** One more bridge, which calls the app of the first one. */
  async function addBridge(flags = []) {
    const { redis, appUrl: app } = harness;
    const bridge = await Bridge.start({ redis, app, variables: VARIABLES, flags: [...FLAGS, ...flags] });
    harness.bridges.push(bridge);
    await bridge.ready();
    return bridge;
  }

  /** The room of a user behind the balancer. */
  const behind = (user, groupId, transport, options) =>
    clientRoom(user, groupId, { url: balancer.url, transport, ...options });

  /** Lea, who is connected to the first bridge, sees what happens to others. */
  async function watcher(groupId) {
    const lea = clientRoom('lea', groupId, { url: harness.bridges[0].url, transport: 'WebSocket' });
    const seen = [];
    for (const event of MOVES) lea.on(event, (payload) => seen.push([event, payload.change?.type]));
    await lea.join();
    return { lea, seen };
  }

  test('a mute until the end moves with the end', async () => {
    const groupId = await harness.room();
    const { lea } = await watcher(groupId);
    const kim = behind('kim', groupId, 'WebSocket');
    await kim.join();
    await snapshotOf(kim, isSettled, 'kim has read the chat');
    await lea.chat.mute('kim');
    await snapshotOf(kim, ({ chat }) => chat.mutedUntil !== null, 'kim is muted');
    const endAt = kim.getSnapshot().session.endAt + 30 * MINUTE;
    assert.ok((await harness.api('PATCH', `/rooms/${groupId}`, { endAt })).ok);
    await snapshotOf(kim, ({ chat }) => chat.mutedUntil === endAt, 'the mute has moved');
    await assertTrue(harness, groupId, [lea, kim]);
  });

  for (const transport of Object.keys(CLIENT_TRANSPORTS)) {
    test(`the snapshot is the room, and commands change it (${transport})`, async () => {
      const groupId = await harness.room();
      const { lea } = await watcher(groupId);
      const kim = behind('kim', groupId, transport);
      const { recovered } = await kim.join();
      assert.equal(recovered, false);
      await kim.updateMember({ status: 'focusing', goal: 'Chapter 3' });
      const text = 'fn main() {}\n'.repeat(800);
      const snippet = await kim.code.share({ text, title: 'A long one' });
      await lea.timer.set({ mode: 'countdown', durationMs: 60_000 });
      const timer = await lea.timer.start();
      assert.deepEqual(lea.getSnapshot().timer, timer);
      const messages = await Promise.all(['a', 'b', 'c'].map((text) => kim.chat.send(text)));
      await lea.chat.delete(messages[1].number);
      await assertTrue(harness, groupId, [lea, kim]);

      const snapshot = kim.getSnapshot();
      assert.deepEqual(
        snapshot.chat.messages.map(({ text }) => text),
        ['a', 'c'],
      );
      assert.deepEqual([snapshot.self.userId, snapshot.self.goal], ['kim', 'Chapter 3']);
      assert.equal(snapshot.members[1], snapshot.self);
      const { remainingMs } = library.timerAt(snapshot.timer, library.serverNow(snapshot.clock));
      assert.ok(remainingMs > 0 && remainingMs <= 60_000, `${remainingMs}`);
      const offset = (await harness.redis.now()) - Date.now();
      assert.ok(Math.abs(snapshot.clock.offsetMs - offset) <= snapshot.clock.errorMs + 100);

      assert.equal(kim.getSnapshot().code.snippets[0].text, text, 'the own text is known');
      assert.equal(lea.getSnapshot().code.snippets[0].text, undefined);
      assert.equal((await lea.code.get(snippet.number)).text, text);
      assert.equal(lea.getSnapshot().code.snippets[0].text, text);
      await assert.rejects(kim.timer.skip(), { name: 'RollcallError', code: 'NOT_ALLOWED' });
      const { version } = await kim.code.update({ number: snippet.number, version: 1, text: 'shorter' });
      assert.equal(version, 2);
      const conflict = await kim.code.update({ number: snippet.number, version: 1, text: 'x' }).catch((error) => error);
      assert.deepEqual([conflict.code, conflict.current.snippet.version], ['VERSION_CONFLICT', 2]);
      await kim.code.close(snippet.number);
      await lea.chat.mute('kim');
      await snapshotOf(kim, ({ chat }) => chat.mutedUntil !== null, 'kim is muted');
      await assert.rejects(kim.chat.send('d'), { code: 'MUTED' });
      await lea.chat.unmute('kim');
      await kim.chat.send('e');
      await kim.leave();
      assert.deepEqual(kim.getSnapshot().connection.reason, { kind: 'left' });
      await assert.rejects(kim.chat.send('f'), { code: 'CLOSED' });
      await snapshotOf(lea, ({ count }) => count === 1, 'kim is gone');
      await assertTrue(harness, groupId, [lea]);
    });

    test(`who leaves while the connection opens is out, and who enters again meanwhile is in (${transport})`, async () => {
      const groupId = await harness.room();
      const { lea } = await watcher(groupId);
      const kim = behind('kim', groupId, transport);
      kim.join().catch(() => {});
      await kim.leave();
      assert.deepEqual(kim.getSnapshot().connection.reason, { kind: 'left' });
      await kim.join();
      const left = kim.leave();
      await within(kim.join(), 'kim is in the room again');
      await left;
      assert.equal(kim.getSnapshot().connection.state, 'connected');
      await snapshotOf(lea, ({ count }) => count === 2, 'lea sees kim');
      await assertTrue(harness, groupId, [lea, kim]);
    });

    test(`a cut network loses no command and no message, and the others see nothing of a resume (${transport})`, async () => {
      const groupId = await harness.room();
      const { lea, seen } = await watcher(groupId);
      const kim = behind('kim', groupId, transport);
      await kim.join();
      await snapshotOf(kim, isSettled, 'kim has read the chat');
      await snapshotOf(lea, ({ count }) => count === 2, 'lea sees kim');
      seen.length = 0;

      balancer.isDown = true;
      balancer.cut();
      await snapshotOf(kim, ({ connection }) => connection.state === 'reconnecting', 'the connection is lost');
      const mine = Promise.all(['offline 1', 'offline 2'].map((text) => kim.chat.send(text)));
      for (const text of ['missed 1', 'missed 2']) await lea.chat.send(text);
      balancer.isDown = false;
      await within(mine, 'the commands reach the server');
      await assertTrue(harness, groupId, [lea, kim]);
      const texts = kim.getSnapshot().chat.messages.map(({ text }) => text);
      assert.deepEqual(texts, ['missed 1', 'missed 2', 'offline 1', 'offline 2']);
      assert.ok(!seen.some(([, type]) => type !== undefined), `nobody left or entered: ${JSON.stringify(seen)}`);
    });

    test(`a connection that goes silent is replaced by its resume token (${transport})`, async () => {
      const groupId = await harness.room();
      const { lea } = await watcher(groupId);
      const kim = behind('kim', groupId, transport);
      await kim.join();
      await snapshotOf(kim, isSettled, 'kim has read the chat');
      balancer.silence();
      const joined = new Promise((resolve) => kim.on('joined', resolve));
      const sent = kim.chat.send('over the next connection');
      // A session of polls may go on over new connections.
      if (transport !== 'Socket.IO over polling') {
        assert.equal((await within(joined, 'kim is back', 60_000)).recovered, true);
      }
      await within(sent, 'the command reaches the server', 60_000);
      await assertTrue(harness, groupId, [lea, kim]);
    });

    test(`a draining bridge is left without an interruption (${transport})`, async () => {
      const groupId = await harness.room();
      const { lea, seen } = await watcher(groupId);
      const draining = await addBridge(['--drain-ms', '3000']);
      balancer.bridge = draining;
      const kim = behind('kim', groupId, transport);
      await kim.join();
      await snapshotOf(kim, isSettled, 'kim has read the chat');
      await snapshotOf(lea, ({ count }) => count === 2, 'lea sees kim');
      seen.length = 0;
      const states = new Set();
      kim.subscribe(() => states.add(kim.getSnapshot().connection.state));
      let wasClosed = false;
      const joined = new Promise((resolve) => kim.on('joined', resolve));
      const announced = new Promise((resolve) => kim.on('server:draining', ({ delayMs }) => resolve(delayMs)));
      balancer.bridge = harness.bridges[1];
      draining.child.process.kill('SIGTERM');
      // A poll over a new connection goes to the other bridge, which does not know the session: kim moves at once.
      const delayMs = await within(Promise.race([announced, joined.then(() => 0)]), 'kim hears of it');
      const closes = setTimeout(() => {
        wasClosed = true;
      }, delayMs);
      await within(joined, 'kim has moved');
      clearTimeout(closes);
      await kim.chat.send('moved');
      // On a busy machine, the bridge may close the connection before the other one is ready. Over polling, a balancer
      // that is not sticky interrupts.
      if (!wasClosed && transport !== 'Socket.IO over polling') {
        assert.deepEqual([...states], ['connected']);
        assert.deepEqual(seen, []);
      }
      await draining.child.ended;
      harness.bridges.pop();
      await assertTrue(harness, groupId, [lea, kim]);
    });

    test(`an expiring token is replaced, and an expired one too, once (${transport})`, async () => {
      const groupId = await harness.room();
      const reasons = [];
      const next = [-60, 3, 3600, 3600];
      const token = (reason) => {
        reasons.push(reason);
        return tokenFor('kim', { expiresInS: next.shift() });
      };
      const kim = behind('kim', groupId, transport, { token });
      await within(kim.join(), 'kim enters with the second token');
      await until(() => reasons.length === 3, 'the token is refreshed');
      await kim.chat.send('still here');
      assert.deepEqual(reasons, ['connect', 'refused', 'expiring']);
      await assertTrue(harness, groupId, [kim]);

      const strange = () => tokenFor('ali', { signedWith: foreignKey() });
      const ali = behind('ali', groupId, transport, { token: strange });
      await assert.rejects(ali.join(), { code: 'TOKEN_INVALID' });
      const { state, reason } = ali.getSnapshot().connection;
      assert.deepEqual([state, reason.kind, reason.code], ['closed', 'refused', 'TOKEN_INVALID']);
    });

    test(`two tabs do not fight for a place (${transport})`, async () => {
      for (const [duplicates, check] of [
        [
          'refuse',
          async (first, second) => {
            await assert.rejects(second.join(), { code: 'ALREADY_JOINED' });
            assert.equal(first.getSnapshot().connection.state, 'connected');
          },
        ],
        [
          'takeover',
          async (first, second) => {
            await second.join();
            const { connection } = await snapshotOf(
              first,
              ({ connection }) => connection.reason,
              'the first is closed',
            );
            assert.deepEqual([connection.state, connection.reason], ['closed', { kind: 'replaced' }]);
            // The user chooses this tab again.
            await first.join();
            await snapshotOf(
              second,
              ({ connection }) => connection.reason?.kind === 'replaced',
              'the second is closed',
            );
          },
        ],
        [
          'share',
          async (first, second) => {
            await second.join();
            await first.chat.send('from the first tab');
            await assertTrue(harness, first.groupId, [first, second]);
          },
        ],
      ]) {
        const groupId = await harness.room({ duplicates });
        const [first, second] = [behind('kim', groupId, transport), behind('kim', groupId, transport)];
        await first.join();
        await check(first, second);
        await assertTrue(harness, groupId, [first]);
        closeRooms();
      }
    });

    test(`the end is final (${transport})`, async () => {
      const groupId = await harness.room();
      const kim = behind('kim', groupId, transport);
      let attempts = 0;
      const token = () => {
        attempts += 1;
        return tokenFor('lea');
      };
      const lea = behind('lea', groupId, transport, { token });
      await Promise.all([kim.join(), lea.join()]);
      const needed = attempts;
      assert.ok((await harness.api('DELETE', `/rooms/${groupId}/members/kim`)).ok);
      await snapshotOf(kim, ({ connection }) => connection.reason?.kind === 'removed', 'kim is removed');
      assert.ok((await harness.api('POST', `/rooms/${groupId}/end`)).ok);
      const ended = await snapshotOf(
        lea,
        ({ connection }) => connection.reason?.kind === 'ended',
        'the room has ended',
      );
      assert.equal(ended.session.ended, 'ended');
      assert.equal(attempts, needed, 'nothing connects again by itself');
      await assert.rejects(lea.join(), { code: 'SESSION_ENDED' });
    });

    test(`a killed bridge and a frozen Redis lose nothing (${transport})`, async () => {
      const groupId = await harness.room();
      const { lea } = await watcher(groupId);
      const killed = await addBridge();
      balancer.bridge = killed;
      const kim = behind('kim', groupId, transport);
      await kim.join();
      await snapshotOf(kim, isSettled, 'kim has read the chat');
      const sent = [kim.chat.send('before'), kim.chat.send('while the bridge dies')];
      balancer.bridge = harness.bridges[1];
      await killed.stop();
      harness.bridges.pop();
      await within(Promise.all(sent), 'the messages reach the server');
      await harness.redis.freeze();
      const frozen = [kim.chat.send('while Redis is frozen'), lea.chat.send('from lea')];
      const share = kim.code.share({ text: 'let x = 1;' });
      // The first command meets the frozen Redis.
      await snapshotOf(kim, ({ connection }) => connection.state !== 'closed', 'kim is not closed');
      await harness.redis.thaw();
      await within(Promise.all([...frozen, share]), 'the commands reach the server', 60_000);
      await assertTrue(harness, groupId, [lea, kim]);
      const texts = kim.getSnapshot().chat.messages.map(({ text }) => text);
      assert.equal(texts.length, 4);
      assert.deepEqual(
        texts.filter((text) => text !== 'from lea'),
        ['before', 'while the bridge dies', 'while Redis is frozen'],
      );
    });
  }

  test('a room without a feature says so', async () => {
    const groupId = await harness.room({ features: ['timer'] });
    const kim = behind('kim', groupId, 'WebSocket');
    await kim.join();
    const { off } = await snapshotOf(kim, ({ off }) => off.length === 2, 'chat and code are off');
    assert.deepEqual([...off].sort(), ['chat', 'code']);
    await assert.rejects(kim.updateMember({ status: 'away' }), { code: 'FEATURE_OFF' });
    assert.ok(kim.getSnapshot().off.includes('status'));
  });

  test('older messages come page by page', async () => {
    const groupId = await harness.room();
    const { lea } = await watcher(groupId);
    for (let round = 0; round < 7; round += 1) {
      await Promise.all(Array.from({ length: 9 }, (_, index) => lea.chat.send(`${round}.${index}`)));
      await harness.redis.advance(20_000);
    }
    const kim = behind('kim', groupId, 'WebSocket');
    await kim.join();
    const { chat } = await snapshotOf(kim, isSettled, 'the latest page');
    assert.deepEqual([chat.messages.length, chat.hasOlder], [50, true]);
    const [older, same] = await Promise.all([kim.chat.older(10), kim.chat.older(10)]);
    assert.equal(older, same);
    assert.deepEqual([older.messages.length, older.hasOlder], [60, true]);
    assert.equal(older.messages[59], chat.messages[49], 'known messages stay the same objects');
    assert.deepEqual((await kim.chat.older()).hasOlder, false);
    await assertTrue(harness, groupId, [lea, kim]);
  });

  test('the Yjs provider edits over the channel of a room, across a lost connection', async () => {
    const { RollcallProvider, Y } = library;
    const groupId = await harness.room();
    const { lea } = await watcher(groupId);
    const { number } = await lea.code.share({ text: 'fn main() {}', editors: 'together' });
    const kim = behind('kim', groupId, 'WebSocket');
    const [docs, providers] = [[], []];
    for (const room of [kim, lea]) {
      const doc = new Y.Doc();
      const provider = new RollcallProvider(room.channel, number, doc);
      room.on('joined', () => provider.connect());
      docs.push(doc.getText('text'));
      providers.push(provider);
    }
    await kim.join();
    providers[1].connect();
    await until(() => providers.every(({ synced }) => synced), 'both have the document');
    balancer.cut();
    await until(() => providers[0].status === 'disconnected', 'kim is offline');
    docs[0].insert(0, '// kim\n');
    docs[1].insert(docs[1].length, '\n// lea');
    await until(
      () => docs.every((text) => text.toString() === '// kim\nfn main() {}\n// lea'),
      'both have all of it',
      60_000,
    );
    await until(() => providers.every(({ saved }) => saved), 'the server has all of it');
    for (const provider of providers) provider.destroy();
    const { text } = await lea.code.get(number);
    assert.equal(text, '// kim\nfn main() {}\n// lea');
  });

  test('the lobby counts rooms, across a lost connection', async () => {
    const [busy, empty] = [await harness.room(), await harness.room()];
    const { lea } = await watcher(busy);
    const transport = CLIENT_TRANSPORTS.WebSocket(balancer.url);
    const lobby = library.watchLobby({ transport, token: () => tokenFor('guest'), ids: [empty, busy] });
    const counts = () => lobby.getSnapshot().rooms.map(({ id, count }) => [id, count]);
    const shows = (expected) =>
      until(
        () => JSON.stringify(counts()) === JSON.stringify(expected),
        () => JSON.stringify(lobby.getSnapshot()),
      );
    await shows([
      [empty, 0],
      [busy, 1],
    ]);
    const before = lobby.getSnapshot().rooms[0];
    balancer.cut();
    const kim = behind('kim', busy, 'WebSocket');
    await kim.join();
    await shows([
      [empty, 0],
      [busy, 2],
    ]);
    assert.equal(lobby.getSnapshot().rooms[0], before);
    lobby.watch([busy]);
    await lea.leave();
    await shows([[busy, 1]]);
    lobby.close();
  });
});
