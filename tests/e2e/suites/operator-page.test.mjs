import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { after, afterEach, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { launch } from '../harness/browser.mjs';
import { MINUTE } from '../harness/harness.mjs';
import { OperatorSite, OperatorTab, READ_TOKEN, sentence } from '../harness/operator-page.mjs';
import { blockStorage } from '../harness/room-page.mjs';
import { SilentMembers } from '../harness/silent-members.mjs';
import { nameOf, tokenFor } from '../harness/tokens.mjs';
import { until } from '../harness/wait.mjs';

const SCREENSHOTS = fileURLToPath(new URL('../../../target/screenshots/', import.meta.url));

const ON_A_PHONE = { viewport: { width: 390, height: 800 } };

/** More than a browser should have rows. */
const CROWD = 2000;

describe("the operator's page", { timeout: 900_000 }, () => {
  let site;
  let browser;
  const tabs = [];
  before(async () => {
    await mkdir(SCREENSHOTS, { recursive: true });
    [site, browser] = await Promise.all([OperatorSite.start(), launch()]);
  });
  afterEach(async () => {
    for (const tab of tabs.splice(0)) await tab.close();
  });
  after(async () => {
    await browser?.close();
    await site?.stop();
  });

  async function open(options) {
    const tab = await OperatorTab.open(browser, site, options);
    tabs.push(tab);
    return tab;
  }

  /** A tab with a room. */
  async function openRoom(room, options = {}) {
    const tab = await open({ path: `room=${encodeURIComponent(room)}`, ...options });
    await tab.page.locator('.summary').waitFor();
    return tab;
  }

  const shown = (locator) => locator.waitFor();
  const gone = (locator) => locator.waitFor({ state: 'hidden' });
  const row = (tab, text) => tab.page.locator('.detail').getByRole('listitem').filter({ hasText: text });
  const inList = (tab, room) => tab.page.locator('.rooms').getByRole('link').filter({ hasText: room });

  test('live rooms are listed with their counts, ordered and searched, and others can be opened', async () => {
    const [large, small] = [await site.harness.room(), await site.harness.room({ lastsMs: 30 * MINUTE })];
    for (const user of ['kim', 'ali']) await site.member(large, user);
    await site.member(small, 'lea');
    const tab = await open();
    await shown(inList(tab, large).getByText('2 members'));
    await shown(inList(tab, small).getByText('1 member', { exact: true }));
    const names = () => tab.page.locator('.room-row .name').allTextContents();
    assert.ok((await names()).indexOf(large) < (await names()).indexOf(small));
    await tab.role('combobox', 'Order').selectOption('Ends soonest');
    assert.ok((await names()).indexOf(small) < (await names()).indexOf(large));
    await tab.role('searchbox', 'Search rooms').fill(small.toUpperCase());
    await shown(tab.text('1 room found'));
    assert.deepEqual(await names(), [small]);
    const planned = await site.harness.room();
    await tab.role('searchbox', 'Search rooms').fill(planned);
    await tab.role('link', `Open ${planned}, which is not live`).click();
    await shown(tab.text('No session is live in this room.'));
    await tab.role('tab', 'Definition').click();
    await shown(tab.page.locator('.facts').getByText('lea', { exact: true }));
    await site.member(planned, 'kim');
    await shown(tab.page.locator('.summary'));
  });

  test('a room changes on the page while members come and go', async () => {
    const room = await site.harness.room();
    const lea = await site.member(room, 'lea');
    const tab = await openRoom(room);
    await shown(row(tab, nameOf('lea')).getByText('Leader'));
    const kim = await site.member(room, 'kim');
    await shown(row(tab, nameOf('kim')));
    await kim.request('member:update', { status: 'focusing', goal: 'Chapter 3' });
    await shown(row(tab, nameOf('kim')).getByText('Focusing · Chapter 3'));
    kim.terminate();
    await shown(row(tab, nameOf('kim')).getByText('Reconnecting…'));
    const back = await site.member(room, 'kim');
    await gone(row(tab, nameOf('kim')).getByText('Reconnecting…'));
    await lea.request('chat:send', { text: 'Shall we begin?' });
    await lea.request('code:share', { title: 'sieve.py', text: 'print(1)', editors: 'author' });
    await back.leave();
    await gone(row(tab, nameOf('kim')));
    await tab.role('tab', 'Activity').click();
    for (const what of ['entered', 'lost the connection', 'is back', 'left']) {
      await shown(tab.text(sentence(`${nameOf('kim')} ${what}`)));
    }
    await tab.role('tab', 'Messages').click();
    await shown(tab.text('Shall we begin?'));
    await lea.request('chat:send', { text: 'Now' });
    await shown(tab.text('Now', { exact: true }));
    await tab.role('tab', 'Code').click();
    await tab.role('button', 'sieve.py').click();
    await shown(tab.text('print(1)'));
  });

  test('each action asks once, does what it says to members, and says what it did', async () => {
    const room = await site.harness.room({ members: ['lea', 'kim', 'ali'] });
    const members = {};
    for (const user of ['lea', 'kim', 'ali']) members[user] = await site.member(room, user);
    await members.kim.request('chat:send', { text: 'Rude words' });
    await members.kim.request('code:share', { title: 'spam.js', text: 'x', editors: 'author' });
    const tab = await openRoom(room);
    const press = (name) => tab.role('button', name).click();

    await press('Send a notice');
    await tab.role('textbox', 'Notice').fill('Tea at <four>');
    await tab.answer('Send');
    assert.equal((await members.ali.next('room:notice')).text, 'Tea at <four>');
    await tab.said(`The notice was sent to the members of ${room}.`);

    await press('Move the end');
    await tab.answer('30 minutes later');
    await tab.answer('Move');
    const { endAt } = await members.ali.next('room:rescheduled');
    const moved = endAt - (await site.harness.redis.now());
    assert.ok(Math.abs(moved - 90 * MINUTE) < 2 * MINUTE, `${moved}`);
    await tab.said(`The session of ${room} now ends at`);

    await press(`Mute ${nameOf('kim')}`);
    await tab.dialog.getByText('5 minutes', { exact: true }).click();
    await tab.answer('Mute');
    await tab.said(`${nameOf('kim')} was muted in ${room}: 5 minutes.`);
    assert.equal((await members.kim.request('chat:send', { text: 'More' })).code, 'MUTED');
    await shown(row(tab, nameOf('kim')).getByText(/^Muted until \d+:\d\d/));
    assert.equal(await tab.role('button', `Unmute ${nameOf('lea')}`).count(), 0, 'lea is not muted');
    await press(`Unmute ${nameOf('kim')}`);
    await tab.answer('Unmute');
    await tab.said(`${nameOf('kim')} may write in ${room}.`);
    assert.equal((await members.kim.request('chat:send', { text: 'Sorry' })).success, true);

    await tab.role('tab', 'Messages').click();
    await row(tab, 'Rude words').getByRole('button').click();
    await shown(tab.dialog.getByText('Rude words'));
    await tab.answer('Delete');
    await members.ali.next('chat:deleted');
    await gone(row(tab, 'Rude words'));
    await press('Slow mode');
    await tab.dialog.getByText('30 seconds').click();
    await tab.answer('Set');
    assert.equal((await members.ali.next('chat:slowed')).slowMs, 30_000);
    await shown(tab.role('button', 'Slow mode: 30 seconds'));

    await tab.role('tab', 'Code').click();
    await row(tab, 'spam.js').getByRole('button', { name: 'Close' }).click();
    await tab.answer('Close');
    await members.ali.next('code:closed');
    await tab.said(`spam.js was closed in ${room}.`);

    await tab.role('tab', 'Timer').click();
    await press('Set a timer');
    await tab.dialog.getByText('Countdown').click();
    await tab.dialog.getByRole('spinbutton').fill('10');
    await tab.answer('Set');
    await press('Start');
    await tab.answer('Start');
    const isRunning = ({ timer }) => timer.state === 'running' && timer.plan.durationMs === 10 * MINUTE;
    await members.ali.next('timer:changed', isRunning);
    await shown(tab.text(/Countdown Running/));

    await tab.role('tab', 'Definition').click();
    await press('Change the definition');
    await tab.dialog.getByRole('spinbutton', { name: 'Most members at once' }).fill('7');
    await tab.answer('Change');
    await tab.said(`The definition of ${room} was changed.`);
    await press('Admit a user');
    await tab.dialog.getByRole('textbox').fill('eve');
    await tab.answer('Admit');
    await tab.said(`eve may enter ${room}.`);
    const { capacity, members: listed, leaderId } = await (await site.harness.api('GET', `/rooms/${room}`)).json();
    assert.deepEqual([capacity, listed, leaderId], [7, ['lea', 'kim', 'ali', 'eve'], 'lea']);

    await tab.role('tab', 'Members').click();
    await press(`Put out ${nameOf('ali')}`);
    await tab.answer('Put out');
    await members.ali.closed;
    await tab.said(`${nameOf('ali')} was put out of ${room}.`);
    await site.member(room, 'ali');
    await press(`Put out ${nameOf('kim')}`);
    await tab.dialog.getByRole('checkbox').check();
    await tab.answer('Put out');
    await members.kim.closed;
    await tab.said('struck off the list');
    const again = await site.harness.webSocket('kim', { bridge: 1 });
    assert.equal((await again.join(room)).code, 'NOT_A_MEMBER');

    await press('End the session');
    await tab.answer('End now');
    await members.lea.next('room:ended');
    await tab.said(`The session of ${room} was ended.`);
    await shown(tab.text('No session is live in this room.'));
    assert.equal(await tab.role('button', 'Send a notice').count(), 0);
    await press(/^\d+ actions$/);
    await shown(tab.page.locator('.deed-list').getByText(sentence(`The notice was sent to the members of ${room}.`)));
  });

  test('a cancelled action does nothing, and a failed one says why and can be tried again', async () => {
    const room = await site.harness.room();
    const lea = await site.member(room, 'lea');
    const tab = await openRoom(room);
    const requests = [];
    tab.page.on('request', (request) => request.method() !== 'GET' && requests.push(request.url()));
    await tab.role('button', 'End the session').click();
    await tab.answer('Cancel');
    await tab.role('button', `Put out ${nameOf('lea')}`).click();
    await tab.page.keyboard.press('Escape');
    await gone(tab.dialog);
    assert.equal(
      await tab.page.evaluate(() => document.activeElement.getAttribute('aria-label')),
      `Put out ${nameOf('lea')}`,
      'the focus is back',
    );
    await lea.next('room:started');
    await lea.assertNoEvents(() => lea.request('member:update', { goal: 'Go on' }), 'room:memberUpdated');
    assert.deepEqual(requests, []);

    await tab.role('button', `Put out ${nameOf('lea')}`).click();
    await lea.leave();
    await tab.answer('Put out');
    await shown(tab.dialog.getByText('This user is not in the room any more.'));
    await tab.answer('Cancel');
    await tab.role('button', 'Move the end').click();
    await tab.role('textbox', 'New end').fill('2020-01-01T00:00');
    await shown(tab.dialog.getByText('The new end must be in the future.'));
    assert.equal(await tab.dialog.getByRole('button', { name: 'Move', exact: true }).isDisabled(), true);
  });

  test('a read-only token reads everything and offers nothing', async () => {
    const room = await site.harness.room({ members: ['lea', 'kim'] });
    const lea = await site.member(room, 'lea');
    await lea.request('chat:send', { text: 'Readable' });
    await lea.request('code:share', { title: 'readable.py', text: 'x', editors: 'author' });
    const tab = await openRoom(room, { token: READ_TOKEN });
    await shown(tab.text('Read only', { exact: true }));
    for (const [name, content] of [
      ['Members', nameOf('lea')],
      ['Messages', 'Readable'],
      ['Code', 'readable.py'],
      ['Attendance', '1 person'],
      ['Definition', '2 listed users'],
      ['Timer', 'No timer is set.'],
    ]) {
      await tab.role('tab', name).click();
      await shown(tab.page.locator('.tab-panel').getByText(content).first());
      const buttons = await tab.page.locator('.detail button:not([role="tab"])').allTextContents();
      const harmless = ['readable.py', 'Download CSV', 'Read again'];
      assert.deepEqual(
        buttons.filter((text) => !harmless.includes(text)),
        [],
        name,
      );
    }
    const refused = await site.harness.api('POST', `/rooms/${room}/notices`, { text: 'x' }, READ_TOKEN);
    assert.deepEqual([refused.status, (await refused.json()).code], [403, 'NOT_ALLOWED']);
    for (const [method, path] of [
      ['PUT', ''],
      ['PATCH', ''],
      ['DELETE', ''],
      ['POST', '/end'],
      ['POST', '/timer'],
      ['POST', '/chat'],
      ['DELETE', '/members/lea'],
      ['DELETE', '/snippets/1'],
    ]) {
      const { status } = await site.harness.api(
        method,
        `/rooms/${room}${path}`,
        method === 'DELETE' ? null : {},
        READ_TOKEN,
      );
      assert.equal(status, 403, `${method} ${path}`);
    }
    await lea.next('code:shared');
    await lea.assertNoEvents(() => lea.request('member:update', { goal: 'Go on' }), 'room:memberUpdated');
  });

  test('a page asks for the token, refuses a wrong one, keeps it for a reload, and forgets it', async () => {
    const tab = await open({ token: 'a-token-that-nobody-knows' });
    await shown(tab.text('The server does not accept this token.'));
    assert.equal(tab.page.url(), `${site.origin}/operator`);
    const field = tab.page.getByLabel('Token');
    assert.deepEqual([await field.getAttribute('type'), await field.getAttribute('autocomplete')], ['password', 'off']);
    await field.fill('한글');
    await tab.page.keyboard.press('Enter');
    await shown(tab.text('The server does not accept this token.'));
    await field.fill(READ_TOKEN);
    await tab.page.keyboard.press('Enter');
    await shown(tab.role('heading', 'Live rooms'));
    await tab.page.reload();
    await shown(tab.role('heading', 'Live rooms'));
    const stores = () => tab.page.evaluate(() => [JSON.stringify(localStorage), document.cookie, location.href].join());
    assert.ok(!(await stores()).includes(READ_TOKEN));
    await tab.role('button', 'Sign out').click();
    await shown(field);
    await tab.page.reload();
    await shown(field);
    assert.deepEqual(await tab.page.evaluate(() => ({ ...sessionStorage })), {});
  });

  test('who has blocked the storage works with the page, and types the token again after a reload', async () => {
    const tab = await open({ script: blockStorage });
    await shown(tab.role('heading', 'Live rooms'));
    await tab.page.reload();
    await shown(tab.page.getByLabel('Token'));
  });

  test('text of users and platforms is text', async () => {
    const room = '<img src=x onerror=alert(1)>';
    await site.harness.define(encodeURIComponent(room));
    const name = '<b onmouseover=alert(2)>Kim</b> \u202Egnp.exe\u2069';
    const token = await tokenFor('k"im', { claims: { username: name } });
    const kim = await site.harness.client('WebSocket', { bridge: 1, token }).connected();
    await kim.enter(room);
    await kim.request('member:update', { goal: '<svg onload=alert(3)>' });
    await kim.request('chat:send', { text: '<script>alert(4)</script> \u2067rtl' });
    await kim.request('code:share', { title: '</pre><script>', text: '</pre><img src=x>', editors: 'author' });
    const tab = await openRoom(room);
    let dialogs = 0;
    tab.page.on('dialog', () => (dialogs += 1));
    /** Texts with a mark that is not the page's own, or with an isolate that does not end where the text ends. */
    const turned = () =>
      tab.page.evaluate(() => {
        const turns = (text) => {
          let depth = 0;
          for (const [mark] of text.matchAll(/[\u202a-\u202e\u2066-\u2069]/g)) {
            if (mark === '\u2068') depth += 1;
            else if (mark === '\u2069' && depth > 0) depth -= 1;
            else return true;
          }
          return depth > 0;
        };
        const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        const found = [];
        while (texts.nextNode()) if (turns(texts.currentNode.data)) found.push(texts.currentNode.data);
        return found;
      });
    await shown(tab.page.getByRole('heading', { name: room }));
    await shown(row(tab, '<svg onload=alert(3)>'));
    await tab.role('button', /^Put out <b/).click();
    await shown(tab.dialog.getByText('<b onmouseover=alert(2)>Kim</b>'));
    assert.deepEqual(await turned(), []);
    await tab.answer('Cancel');
    await tab.role('tab', 'Messages').click();
    await shown(tab.text('<script>alert(4)</script>'));
    await tab.role('tab', 'Code').click();
    await tab.role('button', '</pre><script>').click();
    await shown(tab.text('</pre><img src=x>'));
    const made = await tab.page.evaluate(() => document.querySelectorAll('#app :is(img, b, svg, script)').length);
    assert.deepEqual([made, dialogs, await turned()], [0, 0, []]);
    // Names that others do not confine would turn the text around them.
    const confined = await tab.page.evaluate(() =>
      [...document.querySelectorAll('.name')].every((it) => it.closest('bdi') || it.querySelector('bdi')),
    );
    assert.equal(confined, true);
  });

  test('a name turns no sentence of the page, and nothing that stands beside it', async () => {
    const room = 'غرفة-1';
    await site.harness.define(encodeURIComponent(room));
    const enter = async (user, username) => {
      const token = await tokenFor(user, { claims: { username } });
      const member = await site.harness.client('WebSocket', { bridge: 1, token }).connected();
      await member.enter(room);
    };
    await enter('ali', 'علي');
    const tab = await openRoom(room);
    await shown(row(tab, 'علي'));
    await enter('omar', 'عمر');
    await tab.role('button', 'Mute علي').click();
    await tab.dialog.getByText('5 minutes', { exact: true }).click();
    await tab.answer('Mute');
    await tab.said(`علي was muted in ${room}: 5 minutes.`);
    await tab.role('button', '1 action').click();
    /** Where parts of a sentence begin on the screen. */
    const places = (locator, parts) =>
      locator.evaluate((element, parts) => {
        element.style.whiteSpace = 'nowrap';
        const range = document.createRange();
        return parts.map((part) => {
          const at = element.firstChild.data.indexOf(part);
          range.setStart(element.firstChild, at);
          range.setEnd(element.firstChild, at + part.length);
          return range.getBoundingClientRect().left;
        });
      }, parts);
    const assertInOrder = async (locator, parts) => {
      const lefts = await places(locator, parts);
      assert.deepEqual(
        lefts,
        lefts.toSorted((a, b) => a - b),
        parts.join(),
      );
    };
    await assertInOrder(tab.page.locator('.deed-list li span'), ['علي', 'was muted', 'غرفة', '5 minutes']);
    await tab.role('button', '1 action').click();
    await tab.role('tab', 'Activity').click();
    await assertInOrder(row(tab, 'entered').locator('.clip'), ['عمر', 'entered']);
  });

  test('messages that come and go during an outage leave no hole, and end with their session', async () => {
    const users = ['lea', 'kim', 'ali', 'eve'];
    const room = await site.harness.room({ members: users });
    const members = await Promise.all(users.map((user) => site.member(room, user)));
    // Nine messages for each author, who may send ten at once. A page of such long ones ends early.
    const WRITTEN = 9;
    const titles = Array.from({ length: users.length * WRITTEN }, (_, at) => `Message ${String(at).padStart(2, '0')}`);
    const numbers = [];
    const write = async (author) => {
      for (const title of titles.slice(author * WRITTEN, (author + 1) * WRITTEN)) {
        const { data } = await members[author].request('chat:send', { text: title + ' 글'.repeat(900) });
        numbers.push(data.message.number);
      }
    };
    await write(0);
    await write(1);
    const tab = await openRoom(room);
    await tab.role('tab', 'Messages').click();
    const seen = () =>
      tab.page.locator('.message-text').evaluateAll((all) => all.map(({ textContent }) => textContent.slice(0, 10)));
    const areSeen = async (wanted) => (await seen()).join() === wanted.join();
    await shown(row(tab, titles[17]));
    assert.notDeepEqual(await seen(), titles.slice(0, 18), 'one page does not hold all messages');
    const older = tab.role('button', 'Show older messages');
    while (await older.isVisible()) {
      const before = await seen();
      await older.click();
      await until(async () => !(await areSeen(before)), 'older messages are shown');
    }
    assert.deepEqual(await seen(), titles.slice(0, 18));
    await tab.context.setOffline(true);
    await write(2);
    await write(3);
    assert.equal((await members[0].request('chat:delete', { number: numbers[1] })).success, true);
    await tab.context.setOffline(false);
    const left = titles.filter((_, at) => at !== 1);
    await until(() => areSeen(left), 'all messages that are left are shown');

    await site.harness.api('POST', `/rooms/${room}/end`);
    await site.harness.define(room);
    await site.member(room, 'lea');
    await until(() => areSeen([]), 'no message of the earlier session is shown');
    await shown(tab.text('Nobody has written.'));
  });

  test('a part that was opened in an outage is read when the outage is over', async () => {
    const [planned, live] = [await site.harness.room(), await site.harness.room({ members: ['lea', 'kim'] })];
    await site.member(live, 'kim');
    const mute = { command: 'chat:mute', data: { userId: 'kim' }, id: 'mute-kim' };
    assert.equal((await site.harness.api('POST', `/rooms/${live}/chat`, mute)).status, 200);
    const [ofPlanned, ofLive] = [await open({ path: `room=${planned}` }), await openRoom(live)];
    const muted = row(ofLive, nameOf('kim')).getByText(/^Muted until/);
    await shown(muted);
    await shown(ofPlanned.text('No session is live in this room.'));
    for (const tab of [ofPlanned, ofLive]) await tab.context.setOffline(true);
    await ofPlanned.role('tab', 'Definition').click();
    await ofLive.role('tab', 'Timer').click();
    await ofLive.role('tab', 'Members').click();
    const problem = (tab) => tab.page.locator('.tab-panel .problem');
    await shown(problem(ofPlanned).getByText('The app is out of reach.'));
    await shown(problem(ofLive).getByText('Mutes may be missing or out of date. The app is out of reach.'));
    await shown(row(ofLive, nameOf('kim')));
    assert.equal(await muted.count(), 0);
    for (const tab of [ofPlanned, ofLive]) await tab.context.setOffline(false);
    await shown(ofPlanned.page.locator('.facts').getByText('lea', { exact: true }));
    await shown(muted);
    await gone(problem(ofPlanned));
    await gone(problem(ofLive));
  });

  test('who is slower than another operator sees that, and the next attempt keeps what the other has changed', async () => {
    const room = await site.harness.room({ members: ['lea'], capacity: 5 });
    await site.member(room, 'lea');
    const other = async (patch) => {
      assert.equal((await site.harness.api('PATCH', `/rooms/${room}`, patch)).status, 200);
    };
    const definition = async () => (await site.harness.api('GET', `/rooms/${room}`)).json();
    const tab = await openRoom(room);
    const conflict = tab.dialog.getByText('Somebody has changed the definition meanwhile. Look at it again.');
    await tab.role('tab', 'Definition').click();
    await tab.role('button', 'Change the definition').click();
    await tab.dialog.getByRole('spinbutton').fill('7');
    await other({ capacity: 9, timerBy: 'leader' });
    await tab.answer('Change');
    await shown(conflict);
    assert.equal(await tab.dialog.getByRole('combobox', { name: 'Who sets the timer' }).inputValue(), 'leader');
    assert.equal((await definition()).capacity, 9);
    await tab.answer('Change');
    await tab.said(`The definition of ${room} was changed.`);
    const { capacity, timerBy } = await definition();
    assert.deepEqual([capacity, timerBy], [7, 'leader']);

    await tab.role('button', 'Admit a user').click();
    await tab.dialog.getByRole('textbox').fill('eve');
    await other({ members: ['lea', 'ali'] });
    await tab.answer('Admit');
    await shown(conflict);
    await tab.answer('Admit');
    await tab.said(`eve may enter ${room}.`);
    assert.deepEqual((await definition()).members, ['lea', 'ali', 'eve']);

    await tab.role('button', 'Admit a user').click();
    await tab.dialog.getByRole('textbox').fill('kim');
    await other({ members: null });
    await tab.answer('Admit');
    await shown(conflict);
    // Everybody may enter now, and a list of one user would end that.
    assert.equal(await tab.dialog.getByRole('button', { name: 'Admit', exact: true }).isDisabled(), true);
    await tab.answer('Cancel');
    await shown(tab.page.locator('.facts').getByText('everybody with a valid token'));
  });

  test('the attendance is a table that spreadsheets read', async () => {
    const room = await site.harness.room();
    const lea = await site.member(room, '=lea');
    await site.member(room, '김');
    await lea.leave();
    const tab = await openRoom(room);
    await tab.role('tab', 'Attendance').click();
    await shown(tab.text('2 people'));
    const [download] = await Promise.all([
      tab.page.waitForEvent('download'),
      tab.role('button', 'Download CSV').click(),
    ]);
    assert.match(download.suggestedFilename(), new RegExp(`^attendance-${room}-\\d{4}-\\d\\d-\\d\\d\\.csv$`));
    const csv = await readFile(await download.path(), 'utf8');
    const [head, ...rows] = csv.trimEnd().split('\r\n');
    assert.match(head, /^\uFEFF"room","user_id","user_name","epoch","entered_at"/);
    const time = '"\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z"';
    assert.match(rows[0], new RegExp(`^"${room}","'=lea","Name of =lea",\\d+,${time},(""|${time}),"(left)?",\\d+,`));
    assert.match(rows[1], new RegExp(`^"${room}","김","Name of 김",\\d+,${time},"","",\\d+,`));
  });

  test('a room that ends while somebody looks says so', async () => {
    const room = await site.harness.room({ lastsMs: 20 * MINUTE });
    await site.member(room, 'lea');
    const tab = await openRoom(room);
    await site.harness.api('POST', `/rooms/${room}/end`);
    await shown(tab.text('No session is live in this room.'));
    await gone(inList(tab, room));
    await tab.role('tab', 'Attendance').click();
    await shown(row(tab, nameOf('lea')));
    await tab.role('tab', 'Activity').click();
    await shown(tab.text('The session ended'));
  });

  test('2,000 members scroll with few rows, and each of them can be reached', async () => {
    const room = await site.harness.room();
    const users = Array.from({ length: CROWD }, (_, at) => `user-${String(at).padStart(4, '0')}`);
    await SilentMembers.enter(site, room, users);
    const tab = await openRoom(room);
    await shown(tab.page.locator('.summary').getByText('2,000', { exact: true }));
    const seen = await tab.page.evaluate(async () => {
      const list = document.querySelector('.detail .windowed');
      const frame = () => new Promise(requestAnimationFrame);
      const seen = { users: new Set(), mostRows: 0, mostNodes: 0 };
      for (let top = 0; top < list.scrollHeight; top += list.clientHeight) {
        list.scrollTop = top;
        await frame();
        await frame();
        const rows = list.querySelectorAll('.member-row');
        for (const row of rows) seen.users.add(row.querySelector('.who .fine').textContent);
        seen.mostRows = Math.max(seen.mostRows, rows.length);
        seen.mostNodes = Math.max(seen.mostNodes, document.querySelectorAll('*').length);
      }
      return { ...seen, users: [...seen.users].sort() };
    });
    assert.deepEqual(seen.users, users);
    assert.ok(seen.mostRows < 60, `${seen.mostRows} rows`);
    assert.ok(seen.mostNodes < 2000, `${seen.mostNodes} elements`);
    // The focus does not vanish with its row.
    const list = tab.page.locator('.detail .windowed');
    await list.evaluate((list) => (list.scrollTop = 0));
    const rowAt = (position) => list.locator(`[aria-posinset="${position}"]`);
    await rowAt(1).getByRole('button').first().focus();
    await list.evaluate((list) => (list.scrollTop = list.scrollHeight));
    await shown(rowAt(CROWD));
    await gone(rowAt(1));
    assert.equal(await list.evaluate((list) => list === document.activeElement), true);
    // A room in which nothing happens costs small calls only.
    const calls = [];
    tab.page.on(
      'request',
      (request) => request.url().includes('/members') && calls.push(new URL(request.url()).search),
    );
    await until(() => calls.length >= 3, 'three looks at the room');
    assert.deepEqual([...new Set(calls)], ['?limit=1']);
    await tab.role('searchbox', 'Search members').fill(users[1234]);
    await shown(tab.text('1 member found'));
  });

  test('what is shown says that it is old while the app is away, and is new when it is back', async () => {
    const room = await site.harness.room();
    const lea = await site.member(room, 'lea');
    const tab = await openRoom(room);
    await shown(tab.page.locator('.state-link').getByText('Health: OK'));
    await site.harness.bridges[0].child.kill('SIGKILL');
    try {
      await shown(tab.page.locator('.rooms').getByText(/out of reach.*What you see is from/));
      await shown(tab.page.locator('.detail').getByText(/out of reach.*What you see is from/));
      await shown(row(tab, nameOf('lea')));
      await tab.role('link', /^Health: bad/).click();
      await shown(tab.page.getByRole('region', { name: 'App', exact: true }).getByText('bad', { exact: true }));
      await shown(tab.page.getByRole('region', { name: site.metrics[0] }).getByText('The bridge does not answer.'));
    } finally {
      await site.harness.restartApp();
      await site.harness.bridges[0].ready();
    }
    await shown(tab.page.getByRole('region', { name: 'App', exact: true }).getByText('OK', { exact: true }));
    await tab.page.goBack();
    await gone(tab.page.locator('.detail .problem'));
    lea.disconnect();
  });

  test('a killed bridge and a silent Redis show in the health, with numbers of the others', async () => {
    const tab = await open({ path: 'health' });
    const part = (name) => tab.page.getByRole('region', { name, exact: true });
    const [first, second] = site.metrics;
    await shown(part(second).getByText('OK', { exact: true }));
    await shown(part('Redis').getByText('OK', { exact: true }));
    await site.bridge.child.kill('SIGKILL');
    try {
      await shown(part(second).getByText('bad', { exact: true }));
      await shown(part(second).getByText('The bridge does not answer.'));
      await shown(part(first).getByText(/^\d+ of [\d,]+$/));
      await tab.page.screenshot({ path: `${SCREENSHOTS}operator-health-bad.png` });
    } finally {
      await site.startBridge(site.bridge.address);
    }
    await shown(part(second).getByText(/^(OK|attention)$/));
    await site.harness.redis.crash();
    try {
      await shown(part('Redis').getByText('Redis is out of reach.'));
      await shown(part(second).getByText('The bridge does not reach Redis.'));
    } finally {
      await site.harness.redis.restart();
    }
    await shown(part('Redis').getByText('OK', { exact: true }));
  });

  test('the page is Korean for Korean browsers, with dates and numbers as there', async () => {
    const room = await site.harness.room();
    await site.member(room, 'lea');
    const tab = await openRoom(room, { options: { locale: 'ko-KR' } });
    assert.equal(await tab.page.locator('html').getAttribute('lang'), 'ko');
    await shown(
      tab.page
        .locator('.summary')
        .getByText(/^(오전|오후) \d+:\d\d$/)
        .first(),
    );
    await tab.role('button', '공지 보내기').click();
    await tab.page.keyboard.press('Escape');
    await tab.role('combobox', '언어').selectOption('en');
    await shown(tab.role('heading', 'Live rooms'));
  });

  test('everything can be done with the keyboard', async () => {
    const room = await site.harness.room();
    const lea = await site.member(room, 'lea');
    const tab = await openRoom(room);
    const { keyboard } = tab.page;
    const focused = () =>
      tab.page.evaluate(() => document.activeElement.textContent || document.activeElement.ariaLabel);
    /** Presses a key until the focus is where it should be. */
    const reach = async (name, key = 'Tab') => {
      for (let presses = 0; (await focused()) !== name; presses += 1) {
        assert.ok(presses < 60, `${name} is reached with ${key}`);
        await keyboard.press(key);
      }
    };
    await reach('Send a notice');
    await keyboard.press('Enter');
    await keyboard.type('By keyboard');
    await keyboard.press('Tab');
    await keyboard.press('Tab');
    await keyboard.press('Enter');
    assert.equal((await lea.next('room:notice')).text, 'By keyboard');
    await gone(tab.dialog);
    await reach('Members');
    await reach('Timer', 'ArrowRight');
    await shown(tab.text('No timer is set.'));
    await reach('Members', 'ArrowLeft');
    await reach('Put out');
  });

  test('who is muted and not in the room may write again', async () => {
    const room = await site.harness.room({ members: ['lea', 'kim'] });
    await site.member(room, 'lea');
    const tab = await openRoom(room);
    const mute = { command: 'chat:mute', data: { userId: 'kim' }, id: 'mute-kim' };
    assert.equal((await site.harness.api('POST', `/rooms/${room}/chat`, mute)).status, 200);
    const away = tab.page.locator('section', { has: tab.role('heading', 'Muted, and not in the room') });
    await shown(away.getByText('kim', { exact: true }));
    const reader = await openRoom(room, { token: READ_TOKEN });
    await shown(reader.page.locator('.muted-away').getByText('kim', { exact: true }));
    assert.equal(await reader.role('button', 'Unmute kim').count(), 0);
    await tab.role('button', 'Unmute kim').click();
    await tab.answer('Unmute');
    await tab.said(`kim may write in ${room}.`);
    await gone(away);
  });

  test('what is typed right after a button goes into its dialog', async () => {
    const room = await site.harness.room({ members: ['lea'] });
    await site.member(room, 'lea');
    const tab = await openRoom(room);
    assert.equal(await tab.opensDialogAtOnce(tab.role('button', 'Send a notice')), true);
    await tab.page.keyboard.type('Typed at once');
    assert.equal(await tab.dialog.getByRole('textbox').inputValue(), 'Typed at once');
  });

  test('axe finds no barrier, in both themes, on wide and narrow screens', async () => {
    const room = await site.harness.room({ members: ['lea', 'kim', 'ali'] });
    const lea = await site.member(room, 'lea');
    for (const user of ['kim', 'ali']) await site.member(room, user);
    await lea.request('member:update', { status: 'focusing', goal: 'Chapter 3, exercises 1–9' });
    await lea.request('chat:send', { text: 'Shall we begin?' });
    await lea.request('code:share', { title: 'sieve.py', text: 'print(1)', editors: 'author' });
    const wide = await openRoom(room, { options: { viewport: { width: 1360, height: 850 } } });
    const phone = await openRoom(room, { options: ON_A_PHONE });
    for (const colorScheme of ['light', 'dark']) {
      for (const [name, tab] of Object.entries({ wide, phone })) {
        await tab.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        for (const part of ['Members', 'Activity', 'Messages', 'Code', 'Timer', 'Attendance', 'Definition']) {
          await tab.role('tab', part).click();
          await gone(tab.text('Loading…'));
          if (part === 'Members') {
            await tab.page.screenshot({ path: `${SCREENSHOTS}operator-${name}-${colorScheme}.png` });
          }
          await tab.assertAccessible(`${name}, ${part}, ${colorScheme}`);
        }
        await tab.role('button', 'Move the end').click();
        await tab.assertAccessible(`${name}, a question, ${colorScheme}`);
        await tab.answer('Cancel');
        const widths = await tab.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
        assert.equal(widths[0], widths[1], `nothing is wider than the screen: ${name}`);
      }
    }
    await phone.role('link', 'All rooms').click();
    await shown(inList(phone, room));
    await phone.assertAccessible('the list on a phone');
    await wide.role('link', /^Health/).click();
    await shown(wide.role('heading', 'Bridges'));
    await wide.assertAccessible('the health');
    await wide.page.screenshot({ path: `${SCREENSHOTS}operator-health.png` });
    await wide.role('button', 'Sign out').click();
    await wide.assertAccessible('the form for the token');
  });

  test('the server sends a strict policy, and each page loads only what is its own', async () => {
    const page = await fetch(`${site.origin}/operator`);
    const policy = page.headers.get('content-security-policy');
    const metrics = site.metrics.map((address) => `http://${address}`).join(' ');
    assert.equal(
      policy,
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
        `connect-src 'self' ${metrics}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; ` +
        "require-trusted-types-for 'script'; trusted-types 'none'",
    );
    assert.equal(page.headers.get('referrer-policy'), 'no-referrer');
    assert.equal(page.headers.get('cache-control'), 'no-cache');
    const html = await page.text();
    assert.doesNotMatch(html, /<script(?![^>]*src=)|<style|style=|%BRIDGE_METRICS%/);
    const assets = (text) => [...text.matchAll(/\/assets\/[\w.-]+/g)].map(([path]) => path);
    const studyRoom = assets(await (await fetch(`${site.origin}/`)).text());
    const scripts = async (paths) => {
      const texts = paths
        .filter((path) => path.endsWith('.js'))
        .map(async (path) => (await fetch(site.origin + path)).text());
      return (await Promise.all(texts)).join();
    };
    const [ofOperator, ofStudyRoom] = [await scripts(assets(html)), await scripts(studyRoom)];
    assert.ok(ofOperator.includes('rollcall.operator') && !ofOperator.includes('rollcall.entrance'));
    assert.ok(ofStudyRoom.includes('rollcall.entrance') && !ofStudyRoom.includes('rollcall.operator'));
  });

  test('only pages of listed origins read the metrics of a bridge', async () => {
    const allowed = async (origin) => {
      const response = await fetch(`http://${site.metrics[1]}/metrics`, { headers: { origin } });
      await response.arrayBuffer();
      return response.headers.get('access-control-allow-origin');
    };
    assert.equal(await allowed(site.origin), site.origin);
    assert.equal(await allowed('https://other.example'), null);
  });
});
