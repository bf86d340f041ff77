import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { launch, Site, Tab } from '../harness/browser.mjs';
import { authOf, SERVERS } from '../harness/servers.mjs';
import { NAMESPACE, SocketIoMember } from '../harness/socket-io.mjs';
import { until } from '../harness/wait.mjs';

const PROTOCOLS = ['v1', 'v2'];

for (const [name, Kind] of Object.entries(SERVERS)) {
  describe(`clients of ${name} that ask for a sub-protocol`, { timeout: 300_000 }, () => {
    let server;
    let site;
    let browser;
    before(async () => {
      site = await Site.start();
      [server, browser] = await Promise.all([
        Kind.start({ flags: ['--origin', site.origin], origin: site.origin }),
        launch(),
      ]);
    });
    after(async () => {
      await browser?.close();
      site?.stop();
      await server?.stop();
    });

    for (const transports of [['websocket'], ['polling', 'websocket']]) {
      test(`the first one is echoed (${transports}, Node)`, async () => {
        const options = { auth: await authOf('kim'), transports, protocols: PROTOCOLS };
        const kim = await new SocketIoMember('kim', server, options).connected();
        await until(() => kim.socket.io.engine.transport.name === 'websocket', 'the client uses a WebSocket');
        assert.equal(kim.socket.io.engine.transport.ws.protocol, 'v1');
        assert.equal((await kim.join(server.room)).success, true);
        kim.disconnect();
      });
    }

    test('the first one is echoed (Chromium)', async () => {
      const tab = await Tab.open(browser, site);
      const options = { auth: await authOf('ali'), transports: ['websocket'], protocols: PROTOCOLS };
      assert.equal(await tab.call('overSocketIo', server.url + NAMESPACE, options), 'connected');
      await tab.until(() => socket.io.engine.transport.ws.protocol === 'v1');
      await tab.close();
    });
  });
}
