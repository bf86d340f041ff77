import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Balancer } from '../harness/balancer.mjs';
import { OPERATOR_TOKEN } from '../harness/bridge.mjs';
import { launch } from '../harness/browser.mjs';
import { command } from '../harness/command.mjs';
import { about, changed, entered, Harness } from '../harness/harness.mjs';
import { Installation } from '../harness/installation.mjs';
import { reservePort } from '../harness/ports.mjs';
import { pythonTool } from '../harness/python.mjs';
import { nameOf, tokenFor } from '../harness/tokens.mjs';
import { LIMIT_MS } from '../harness/wait.mjs';

describe('examples', { timeout: 900_000 }, () => {
  let [harness, examples, port] = [];
  before(async () => {
    port = await reservePort();
    examples = await Installation.of('../../../examples');
    harness = await Harness.start({
      flags: ['--origin', `http://127.0.0.1:${port}`],
      variables: { SPIN_VARIABLE_FEATURES: 'timer status chat' },
    });
  });
  after(async () => {
    await harness?.stop();
    await examples?.stop();
  });

  /** Starts the server of a page; returns the address for kim. */
  async function serve(program) {
    const server = examples.start(process.execPath, [program], {
      PORT: port,
      ROLLCALL_URL: harness.bridges[0].url,
      ROLLCALL_APP_URL: harness.appUrl,
      ROLLCALL_OPERATOR_TOKEN: OPERATOR_TOKEN,
    });
    const [url] = await server.line(/http:\S+/);
    return [url, () => server.kill()];
  }

  const nextMessage = (member, text) => member.next('chat:message', ({ message }) => message.text === text);

  test('the page in React shows the room, changes it, keeps the seat over a reload, leaves and enters', async () => {
    const [url, stop] = await serve('react/server.mjs');
    const lea = await harness.socketIo('lea');
    await lea.enter('algebra');
    const browser = await launch();
    try {
      const page = await browser.newPage();
      page.setDefaultTimeout(LIMIT_MS);
      const problems = [];
      page.on('pageerror', (error) => problems.push(error.stack));
      page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
      const shown = (role, name) => page.getByRole(role, { name }).waitFor();
      await page.goto(url.replace('kim', 'ada'));
      await lea.next('room:participantsChanged', entered('ada'));
      await shown('heading', '2 here');
      await page.getByText('connected', { exact: true }).waitFor();

      await page.getByRole('checkbox').click();
      await lea.next('room:memberUpdated', ({ userId, status }) => userId === 'ada' && status === 'focusing');
      await page.getByRole('listitem').filter({ hasText: 'ada focusing' }).waitFor();
      await page.getByRole('textbox', { name: 'Message' }).fill('<i>Hi</i>');
      await page.getByRole('button', { name: 'Send' }).click();
      await nextMessage(lea, '<i>Hi</i>');
      await command(lea, 'chat:send', { text: 'Hello Ada' });
      await page.getByText('Hello Ada').waitFor();

      // The host sets the timer: lea.
      await page.getByRole('button', { name: 'Focus for 25 minutes' }).click();
      await page.getByText('The session lets only others do this.').waitFor();
      await command(lea, 'timer:set', { mode: 'countdown', durationMs: 60_000 });
      await page.getByText('countdown 60 s').waitFor();

      await page.reload();
      await shown('heading', '2 here');
      await page.getByRole('listitem').filter({ hasText: 'ada focusing' }).waitFor();
      await page.getByRole('button', { name: 'Leave' }).click();
      await lea.next('room:participantsChanged', changed('left', 'ada'));
      await page.getByRole('button', { name: 'Enter' }).click();
      await lea.next('room:participantsChanged', entered('ada'));
      // The other test of this room begins without anybody.
      await page.getByRole('button', { name: 'Leave' }).click();
      await lea.next('room:participantsChanged', changed('left', 'ada'));
      await lea.leave();
      assert.deepEqual(
        problems.filter((text) => !/favicon|404/.test(text)),
        [],
      );
    } finally {
      await browser.close();
      await stop();
    }
  });

  test('the page shows members, messages and the timer, and sends what is typed', async () => {
    const [url, stop] = await serve('page/server.mjs');
    const lea = await harness.socketIo('lea');
    await lea.enter('algebra');
    const browser = await launch();
    try {
      const page = await browser.newPage();
      page.setDefaultTimeout(LIMIT_MS);
      await page.goto(url);
      await lea.next('room:participantsChanged', entered('kim'));
      await page.locator('#members').getByText(nameOf('lea')).waitFor();
      await page.getByText('connected', { exact: true }).waitFor();

      await page.locator('input').fill('<b>Hello</b>');
      await page.locator('button').click();
      await nextMessage(lea, '<b>Hello</b>');
      await page.getByText('<b>Hello</b>').waitFor();
      await command(lea, 'chat:send', { text: 'Hello Kim' });
      await page.getByText('Hello Kim').waitFor();

      await command(lea, 'timer:set', { mode: 'pomodoro' });
      await page.getByText('focus 1500 s').waitFor();
      await lea.leave();
      await page.waitForFunction(() => document.querySelectorAll('#members li').length === 1);
    } finally {
      await browser.close();
      await stop();
    }
  });

  test('the bot sets the timer, tells the time, answers nobody else, and leaves', async () => {
    const room = await harness.room({ timerBy: 'anyone' });
    const lea = await harness.webSocket('lea');
    await lea.enter(room);
    const bot = examples.start(process.execPath, ['bot/bot.mjs', room], { ROLLCALL_URL: harness.bridges[0].url });
    await bot.line(/^in /);
    await lea.next('room:participantsChanged', entered('bot'));
    await command(lea, 'chat:send', { text: '!left' });
    await nextMessage(lea, 'No timer is set.');
    await command(lea, 'chat:send', { text: '!focus 25' });
    const { timer } = await lea.next('timer:changed', ({ timer }) => timer.state === 'running');
    assert.equal(timer.plan.durationMs, 25 * 60_000);
    await nextMessage(lea, 'Focus for 25 minutes.');
    await command(lea, 'chat:send', { text: 'Nice' });
    await command(lea, 'chat:send', { text: '!left' });
    const answers = ({ message }) => message.userId === 'bot';
    assert.match((await lea.next('chat:message', answers)).message.text, /^countdown: 1[45]\d\d seconds left\.$/);
    await bot.kill('SIGTERM');
    await lea.next('room:participantsChanged', changed('left', 'bot'));
    assert.deepEqual(bot.lines, [`in ${room}`, 'closed: left']);
  });

  test('a bot that may not set the timer goes on', async () => {
    const room = await harness.room({ timerBy: 'leader' });
    const lea = await harness.webSocket('lea');
    await lea.enter(room);
    const bot = examples.start(process.execPath, ['bot/bot.mjs', room], { ROLLCALL_URL: harness.bridges[0].url });
    await bot.line(/^in /);
    await command(lea, 'chat:send', { text: '!focus 25' });
    await bot.line(/^NOT_ALLOWED: /);
    await command(lea, 'chat:send', { text: '!left' });
    await nextMessage(lea, 'No timer is set.');
  });

  test('the client in Python joins, comes back in its place after a lost connection, and leaves', async () => {
    const room = await harness.room();
    const lea = await harness.webSocket('lea');
    await lea.enter(room);
    const balancer = await Balancer.start(harness.bridges[0]);
    try {
      const args = ['python/watch.py', balancer.url, room, await tokenFor('kim')];
      const client = examples.start(pythonTool('python'), args);
      const [, names] = await client.line(/^in \S+ with (.*)/);
      assert.equal(names, `${nameOf('lea')}, ${nameOf('kim')}`);
      await lea.next('room:participantsChanged', entered('kim'));
      balancer.cut();
      await lea.next('room:participantReconnecting', about('kim'));
      await lea.next('room:participantReconnected', about('kim'));
      await harness.api('POST', `/rooms/${room}/notices`, { text: '교실' });
      await client.line(/^room:notice .*"text": "교실"/);
      assert.equal(client.lines.filter((line) => line.startsWith(`in ${room}`)).length, 2);
      await client.kill('SIGTERM');
      await lea.next('room:participantsChanged', changed('left', 'kim'));
    } finally {
      await balancer.stop();
    }
  });

  test('a client in Python that is refused says why', async () => {
    const room = await harness.room({ members: ['ben'] });
    const args = ['python/watch.py', harness.bridges[0].url, room, await tokenFor('kim')];
    await examples.start(pythonTool('python'), args).line(/^refused: NOT_A_MEMBER: /);
  });
});
