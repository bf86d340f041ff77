import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, afterEach, before, describe, test } from 'node:test';

import { Balancer } from '../harness/balancer.mjs';
import { Bridge } from '../harness/bridge.mjs';
import { launch, Site, Tab } from '../harness/browser.mjs';
import { Bundle } from '../harness/bundle.mjs';
import { assertTrue, clientRoom, closeRooms, isSettled, snapshotOf } from '../harness/client-rooms.mjs';
import { Harness } from '../harness/harness.mjs';
import { tokenFor } from '../harness/tokens.mjs';
import { until } from '../harness/wait.mjs';

const PAGE = '<!doctype html><meta charset="utf-8"><title>A room</title><script src="/room.js"></script>';
const OTHER = '<!doctype html><title>Another page</title>';

describe('the client in a browser', { timeout: 900_000 }, () => {
  let [harness, browser, site, balancer] = [];
  const tabs = [];
  before(async () => {
    const bundle = await Bundle.of('client-page.js', 'browser');
    site = await Site.start({
      '/': ['text/html', PAGE],
      '/other': ['text/html', OTHER],
      '/room.js': ['text/javascript', await readFile(bundle.file)],
    });
    await bundle.stop();
    const flags = ['--origin', site.origin, '--ping-interval-ms', '1000', '--ping-timeout-ms', '1000'];
    const variables = { SPIN_VARIABLE_FEATURES: 'chat code' };
    [harness, browser] = await Promise.all([Harness.start({ flags, variables }), launch({ keepsPages: true })]);
    // A bridge that notices a lost connection late, behind something that can lose connections.
    const { redis, appUrl } = harness;
    const late = await Bridge.start({ redis, app: appUrl, variables, flags: ['--origin', site.origin] });
    harness.bridges.push(late);
    await late.ready();
    balancer = await Balancer.start(late);
  });
  afterEach(async () => {
    closeRooms();
    for (const tab of tabs.splice(0)) await tab.close();
  });
  after(async () => {
    await browser?.close();
    site?.stop();
    await balancer?.stop();
    await harness?.stop();
  });

  /** Kim's page, and lea beside it in a room. */
  async function open(transport, { url = harness.bridges[0].url, ...terms } = {}) {
    const groupId = await harness.room(terms);
    const lea = clientRoom('lea', groupId, { url: harness.bridges[0].url, transport: 'WebSocket' });
    await lea.join();
    const tab = await Tab.open(browser, site);
    tabs.push(tab);
    const options = { url, groupId, token: await tokenFor('kim'), transport };
    await tab.call('openRoom', options);
    await stateOf(tab, isSettled);
    // The page's snapshot, as the room of a client.
    let latest = await tab.call('snapshot');
    const kim = { getSnapshot: () => latest };
    const check = async () => {
      latest = await stateOf(tab, (snapshot) => isSettled(snapshot) && snapshot.chat.messages.length === lengthOf(lea));
      await assertTrue(harness, groupId, [kim, lea]);
      return latest;
    };
    return { tab, lea, check, options };
  }

  const lengthOf = (room) => room.getSnapshot().chat.messages.length;

  /** Waits until the snapshot of a page fits. */
  function stateOf(tab, fits) {
    let snapshot;
    return until(
      async () => {
        snapshot = await tab.call('snapshot');
        return fits(snapshot) && snapshot;
      },
      () => `the page is so: ${JSON.stringify(snapshot)}`,
      60_000,
    );
  }

  for (const transport of ['WebSocket', 'Socket.IO']) {
    test(`a page that was offline gets what it missed, and sends what waited (${transport})`, async () => {
      const { tab, lea, check } = await open(transport);
      await tab.call('sendMessage', 'hello');
      await tab.context.setOffline(true);
      await tab.call('queueMessage', 'written offline');
      await stateOf(tab, ({ connection }) => connection.state === 'reconnecting');
      await lea.chat.send('missed');
      await tab.context.setOffline(false);
      await snapshotOf(lea, ({ chat }) => chat.messages.length === 3, 'lea has all messages');
      const { chat } = await check();
      assert.deepEqual(
        chat.messages.map(({ text }) => text),
        ['hello', 'missed', 'written offline'],
      );
    });

    test(`a page that comes back from the cache of pages is in the room again (${transport})`, async () => {
      const { tab, lea, check } = await open(transport);
      await tab.page.goto(`${site.origin}/other`);
      await snapshotOf(lea, ({ members }) => members[1]?.state === 'reconnecting', 'lea sees at once that kim is away');
      await lea.chat.send('missed');
      await tab.page.goBack({ waitUntil: 'commit' });
      const { timesJoined, wasKept } = await check();
      assert.deepEqual([timesJoined, wasKept], [2, true]);
      await tab.call('sendMessage', 'back');
      await check();
    });

    test(`a page whose process stood still goes on (${transport})`, async () => {
      const { tab, lea, check } = await open(transport);
      const session = await browser.newBrowserCDPSession();
      const { processInfo } = await session.send('SystemInfo.getProcessInfo');
      const pages = processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id);
      for (const pid of pages) process.kill(pid, 'SIGSTOP');
      // The browser itself answers the pings of a bare WebSocket.
      if (transport === 'Socket.IO')
        await snapshotOf(lea, ({ members }) => members[1]?.state === 'reconnecting', 'the bridge gives kim up');
      for (let number = 1; number <= 3; number += 1) await lea.chat.send(`missed ${number}`);
      for (const pid of pages) process.kill(pid, 'SIGCONT');
      const { timesJoined } = await check();
      assert.equal(timesJoined, transport === 'Socket.IO' ? 2 : 1);
      await tab.call('sendMessage', 'back');
      await check();
    });
  }

  test('a page that is loaded again has its place in a full room, though the bridge misses nobody', async () => {
    const { tab, lea, check, options } = await open('WebSocket', { url: balancer.url, capacity: 2 });
    const heard = [];
    for (const event of ['room:participantsChanged', 'room:participantReconnecting', 'room:participantReconnected'])
      lea.on(event, () => heard.push(event));
    const ali = clientRoom('ali', options.groupId, { url: harness.bridges[0].url, transport: 'WebSocket' });
    await assert.rejects(ali.join(), { code: 'ROOM_FULL' });
    balancer.silence();
    const joinedAt = lea.getSnapshot().members[1].joinedAt;
    await tab.page.reload();
    await assert.rejects(ali.join(), { code: 'ROOM_FULL' });
    await tab.call('openRoom', options);
    const { self, timesJoined } = await check();
    assert.deepEqual([self.joinedAt, timesJoined], [joinedAt, 1]);
    await assert.rejects(ali.join(), { code: 'ROOM_FULL' });
    assert.deepEqual(heard, []);
  });

  test('a tab that is duplicated is refused, and takes nothing from the first one', async () => {
    const { tab, check, options } = await open('WebSocket');
    await tab.page.reload();
    await tab.call('openRoom', options);
    await tab.page.evaluate(() => sessionStorage.setItem('copied', 'yes'));
    const [copy] = await Promise.all([
      tab.context.waitForEvent('page'),
      tab.page.evaluate(() => void open(location.href)),
    ]);
    await copy.waitForFunction(() => globalThis.openRoom && sessionStorage.getItem('copied') === 'yes');
    const code = await copy.evaluate((options) => globalThis.openRoom(options).catch(({ code }) => code), options);
    assert.equal(code, 'ALREADY_JOINED');
    const { connection, timesJoined } = await check();
    assert.deepEqual([connection.state, timesJoined], ['connected', 1]);
  });
});
