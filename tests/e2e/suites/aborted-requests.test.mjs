import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, describe, test } from 'node:test';

import { launch, Site, Tab } from '../harness/browser.mjs';
import { Child } from '../harness/child.mjs';
import { Polling } from '../harness/engine-io.mjs';
import { authOf, SERVERS } from '../harness/servers.mjs';
import { NAMESPACE, SocketIoMember } from '../harness/socket-io.mjs';
import { until } from '../harness/wait.mjs';
import { Wire } from '../harness/wire.mjs';

/** Far less than the 45 s in which missing pongs tell that a client is gone. */
const NOTICE_LIMIT_MS = 15_000;

for (const [name, Kind] of Object.entries(SERVERS)) {
  describe(`polling clients of ${name} that are suddenly gone`, { timeout: 300_000 }, () => {
    let server;
    let site;
    let browser;
    let lea;
    let wire;
    before(async () => {
      site = await Site.start();
      [server, browser] = await Promise.all([
        Kind.start({ flags: ['--origin', site.origin], origin: site.origin }),
        launch(),
      ]);
      wire = await Wire.start(new URL(server.url).host);
      lea = new SocketIoMember('lea', server, { auth: await authOf('lea') });
      await lea.connected();
      await lea.enter(server.room);
    });
    after(async () => {
      lea?.disconnect();
      await browser?.close();
      await wire?.stop();
      site?.stop();
      await server?.stop();
    });

    /** Between two polls, nothing tells a server that a client is gone. */
    const polls = () => until(() => wire.polls > 0, 'the client polls');

    /** Waits until the others are told that a user is gone. */
    const isLost = (user) => lea.next(server.lost[0], server.lost[1](user), NOTICE_LIMIT_MS);

    test('a page that is closed while it polls is lost at once', async () => {
      const tab = await Tab.open(browser, site);
      const options = { auth: await authOf('kim'), transports: ['polling'] };
      assert.equal(await tab.call('overSocketIo', wire.url + NAMESPACE, options), 'connected');
      assert.equal((await tab.call('request', 'room:join', { groupId: server.room })).success, true);
      await polls();
      await tab.close();
      await isLost('kim');
    });

    test('a page that is reloaded while it polls enters again at once', async () => {
      const tab = await Tab.open(browser, site);
      const options = { auth: await authOf('ali'), transports: ['polling'] };
      const enter = async () => {
        assert.equal(await tab.call('overSocketIo', wire.url + NAMESPACE, options), 'connected');
        return tab.call('request', 'room:join', { groupId: server.room });
      };
      assert.equal((await enter()).success, true);
      await polls();
      await tab.page.reload();
      // The reload's own requests may overtake the end of the old connection.
      await isLost('ali');
      assert.equal((await enter()).success, true);
      await polls();
      await tab.close();
      await isLost('ali');
    });

    test('a client that is killed while it polls is lost at once', async () => {
      const script = new URL('../harness/client-process.mjs', import.meta.url).pathname;
      const { token } = await authOf('zoe');
      const parameters = [script, wire.url + NAMESPACE, token, server.room, 'polling', 'zoe'];
      const client = new Child(process.execPath, parameters, {});
      await client.line(/ack .*"success":true/);
      await polls();
      await client.kill('SIGKILL');
      await isLost('zoe');
    });

    test('a client whose message breaks off is lost at once', async () => {
      const session = await Polling.open({ url: server.url });
      const auth = JSON.stringify(await authOf('max'));
      await session.post(`40${NAMESPACE},${auth}`);
      await session.next((packet) => packet.startsWith(`40${NAMESPACE},`));
      assert.equal((await session.request(1, 'room:join', { groupId: server.room })).success, true);
      const post = request(session.url, { method: 'POST', headers: { 'content-length': 1000 } });
      post.on('error', () => {});
      await new Promise((resolve) => post.write('4', resolve));
      post.destroy();
      await isLost('max');
    });
  });
}
