import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { after, afterEach, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { launch } from '../harness/browser.mjs';
import { MINUTE } from '../harness/harness.mjs';
import { blockStorage, RoomSite, RoomTab } from '../harness/room-page.mjs';
import { SilentMembers } from '../harness/silent-members.mjs';
import { foreignKey, nameOf, tokenFor } from '../harness/tokens.mjs';

const SCREENSHOTS = fileURLToPath(new URL('../../../target/screenshots/', import.meta.url));

const ON_A_PHONE = { options: { viewport: { width: 390, height: 800 } } };

describe('the study-room page', { timeout: 900_000 }, () => {
  let site;
  let browser;
  const tabs = [];
  before(async () => {
    await mkdir(SCREENSHOTS, { recursive: true });
    [site, browser] = await Promise.all([
      RoomSite.start({ variables: { SPIN_VARIABLE_ROSTER_LIMIT: '2000' } }),
      launch(),
    ]);
  });
  afterEach(async () => {
    for (const tab of tabs.splice(0)) await tab.close();
  });
  after(async () => {
    await browser?.close();
    await site?.stop();
  });

  async function open(room, user, more = {}) {
    const tab = await RoomTab.open(browser, site, { room, user, ...more });
    tabs.push(tab);
    return tab;
  }

  const enter = async (...args) => (await open(...args)).entered();

  const say = async (tab, text) => {
    await tab.role('textbox', 'Write a message').fill(text);
    await tab.page.keyboard.press('Enter');
  };

  const shown = (locator) => locator.waitFor();
  const gone = (locator) => locator.waitFor({ state: 'hidden' });
  const row = (tab, user) =>
    tab
      .part('People')
      .getByRole('listitem')
      .filter({ hasText: nameOf(user) });

  test('two users see each other, with status and goal, and one who leaves is gone', async () => {
    const room = await site.harness.room();
    const kim = await enter(room, 'kim');
    const lea = await enter(room, 'lea');
    await shown(row(kim, 'lea').getByText('Leader'));
    await shown(row(lea, 'lea').getByText('you', { exact: true }));
    await shown(lea.text('2 people here'));
    await kim.role('button', 'Focusing').click();
    await kim.role('textbox', 'Your goal').fill('Chapter <b>3</b>');
    await kim.role('button', 'Save').click();
    await shown(row(lea, 'kim').getByText('Focusing · Chapter <b>3</b>'));
    await kim.role('button', 'Leave').click();
    await shown(kim.role('heading', 'You have left the room'));
    await gone(row(lea, 'kim'));
    await kim.role('button', 'Enter again').click();
    await shown(row(lea, 'kim'));
  });

  test('a timer that one sets runs for the other, and its phases follow each other', async () => {
    const room = await site.harness.room();
    const [lea, kim] = [await enter(room, 'lea'), await enter(room, 'kim')];
    await shown(kim.text('No timer is set.'));
    await lea.role('radio', 'Countdown').check({ force: true });
    await lea.role('spinbutton', 'Minutes').fill('10');
    await lea.role('button', 'Set timer').click();
    await shown(kim.text('10:00').first());
    await lea.role('button', 'Start').click();
    const clock = kim.page.locator('.clock');
    await kim.page.waitForFunction(() => /^09:5/.test(document.querySelector('.clock').textContent));
    const before = await clock.textContent();
    await kim.page.waitForFunction((before) => document.querySelector('.clock').textContent !== before, before);
    assert.match(await kim.page.title(), /^09:\d\d Countdown · /);
    await lea.role('button', 'Pause').click();
    await shown(kim.text('Paused'));
    await kim.role('button', 'Resume').click();
    await shown(kim.text('In this session, only others may do that.'));
    await gone(kim.role('button', 'Resume'));
    await lea.role('button', 'Resume').click();
    await gone(kim.text('Paused'));
    await site.harness.redis.advance(10 * MINUTE);
    await shown(kim.text('· Finished'));
    await shown(lea.text('· Finished'));
  });

  test('messages are text, reach the others once, and can be deleted by who wrote them', async () => {
    const room = await site.harness.room();
    const [lea, kim] = [await enter(room, 'lea'), await enter(room, 'kim')];
    await shown(kim.text('Nobody has written yet.'));
    await say(kim, '<img src=x onerror=alert(1)> & 안녕');
    const message = lea.role('log').getByText('<img src=x onerror=alert(1)> & 안녕');
    await shown(message);
    // Enter ends the composition of a syllable, and sends nothing.
    await kim.role('textbox', 'Write a message').fill('한');
    await kim.page.evaluate(() => {
      const options = { key: 'Enter', isComposing: true, bubbles: true, cancelable: true };
      document.querySelector('textarea').dispatchEvent(new KeyboardEvent('keydown', options));
    });
    assert.equal(await kim.role('textbox', 'Write a message').inputValue(), '한');
    assert.equal(await message.count(), 1);
    const remove = kim.role('button', `Delete the message of ${nameOf('kim')}`);
    await remove.click();
    await kim.role('button', 'Cancel').click();
    assert.equal(await remove.evaluate((button) => button === document.activeElement), true);
    await remove.click();
    await kim.role('button', 'Delete').click();
    await gone(message);
    await gone(kim.role('log').getByText('안녕'));
  });

  test('the leader mutes, slows down and deletes by keyboard, and nobody else is offered that', async () => {
    const room = await site.harness.room();
    const [lea, kim] = [await enter(room, 'lea'), await enter(room, 'kim')];
    await say(kim, 'Something loud');
    await shown(lea.role('log').getByText('Something loud'));
    const press = async (locator) => {
      await locator.focus();
      await lea.page.keyboard.press('Enter');
    };
    const manage = lea.role('button', `Manage ${nameOf('kim')}`);
    await press(manage);
    await lea.assertAccessible('the dialog about a member');
    await lea.page.keyboard.press('Escape');
    await gone(lea.role('dialog'));
    assert.equal(await manage.evaluate((button) => button === document.activeElement), true);
    await press(manage);
    await press(lea.role('button', 'For 5 minutes'));
    await shown(kim.text('You may write nothing at the moment.'));
    await shown(row(kim, 'kim').getByText('Muted'));
    await shown(row(lea, 'kim').getByText('Muted'));
    await lea.page.reload();
    await shown(row(lea, 'kim').getByText('Muted'));
    await press(manage);
    await press(lea.role('button', 'End the mute'));
    await gone(kim.text('You may write nothing at the moment.'));
    await gone(row(lea, 'kim').getByText('Muted'));
    await press(manage);
    assert.equal(await lea.role('button', 'End the mute').count(), 0, 'kim is not muted');
    await press(lea.role('button', 'Cancel'));
    await lea.role('combobox', 'Slow mode').selectOption('30 seconds');
    await shown(kim.text('Slow mode: one message every 30 seconds'));
    await press(lea.role('button', `Delete the message of ${nameOf('kim')}`));
    await press(lea.role('button', 'Delete'));
    await gone(kim.role('log').getByText('Something loud'));
    for (const name of [/^Manage/, /^Delete the message/]) {
      assert.equal(await kim.page.getByRole('button', { name }).count(), 0, String(name));
    }
    assert.equal(await kim.role('combobox', 'Slow mode').count(), 0);
  });

  test('a mute ends on the page although nothing else happens', async () => {
    const room = await site.harness.room();
    const kim = await enter(room, 'kim');
    await shown(kim.role('textbox', 'Write a message'));
    const mute = { command: 'chat:mute', data: { userId: 'kim', forMs: 5000 }, id: 'mute-kim' };
    assert.equal((await site.harness.api('POST', `/rooms/${room}/chat`, mute)).status, 200);
    await shown(row(kim, 'kim').getByText('Muted'));
    await gone(row(kim, 'kim').getByText('Muted'));
    await gone(kim.text('You may write nothing at the moment.'));
    await say(kim, 'Here I am');
    await shown(kim.role('log').getByText('Here I am'));
  });

  test('what is typed right after a button goes into its dialog, and a goal that is being written stays', async () => {
    const room = await site.harness.room();
    const [lea, kim] = [await enter(room, 'lea'), await enter(room, 'kim')];
    await shown(row(lea, 'kim'));
    assert.equal(await lea.opensDialogAtOnce(lea.role('button', `Manage ${nameOf('kim')}`)), true);
    const goal = kim.role('textbox', 'Your goal');
    await goal.fill('Chapter 3');
    await kim.page.keyboard.press('Enter');
    await kim.page.keyboard.type(', exercise 1');
    await shown(row(lea, 'kim').getByText('Chapter 3', { exact: true }));
    await shown(row(kim, 'kim').getByText('Chapter 3', { exact: true }));
    assert.equal(await goal.inputValue(), 'Chapter 3, exercise 1');
  });

  test('two type in shared code, and see the cursors of each other', async () => {
    const room = await site.harness.room();
    const [lea, kim] = [await enter(room, 'lea'), await enter(room, 'kim')];
    await lea.role('button', 'New shared code').click();
    await lea.role('textbox', 'Title').fill('sieve.py');
    await lea.role('button', 'Share').click();
    const [ofLea, ofKim] = [lea, kim].map((tab) => tab.page.locator('.cm-content'));
    await ofLea.click();
    await lea.page.keyboard.type('print(1)');
    await shown(ofKim.getByText('print(1)'));
    await ofKim.click();
    await kim.page.keyboard.press('Control+End');
    await kim.page.keyboard.type(' # one');
    await shown(ofLea.getByText('print(1) # one'));
    await shown(lea.page.locator('.caret').getByText(nameOf('kim')));
    await shown(kim.text('Saved'));
    await lea.role('button', 'Close for everybody').click();
    await lea.role('button', 'Close').click();
    await gone(ofKim);
  });

  test('what somebody types stays, whatever else is shared, chosen or renamed, also offline', async () => {
    const room = await site.harness.room();
    const [lea, kim] = [await enter(room, 'lea'), await enter(room, 'kim')];
    const shareCode = async (title) => {
      await lea.role('button', 'New shared code').click();
      if (title) await lea.role('textbox', 'Title').fill(title);
      await lea.role('button', 'Share').click();
    };
    const textOf = (tab) => tab.page.locator('.snippet:not([hidden]) .cm-content');
    await shareCode('');
    const untitled = `Code of ${nameOf('lea')}`;
    await textOf(kim).click();
    await kim.page.keyboard.type('one');
    await shown(textOf(lea).getByText('one'));
    await shareCode('sieve.py');
    await shown(kim.role('button', 'sieve.py'));
    await kim.page.keyboard.type(' two');
    await shown(textOf(kim).getByText('one two'));
    await shown(kim.text('Saved'));

    await kim.context.setOffline(true);
    await shown(kim.text('Connection lost. Reconnecting…'));
    await kim.page.keyboard.type(' three');
    await shown(kim.page.locator('.editor-state').getByText('Offline'));
    await kim.role('combobox', 'Language').first().selectOption('ko');
    await kim.role('combobox', '언어').selectOption('en');
    await kim.role('button', 'sieve.py').click();
    await shown(kim.role('button', 'sieve.py', { pressed: true }));
    await kim.context.setOffline(false);
    await lea.role('button', untitled).click();
    await shown(textOf(lea).getByText('one two three'));
    await kim.role('button', untitled).click();
    await shown(textOf(kim).getByText('one two three'));
  });

  test('who becomes the host gets the timer back, and no button takes the focus away', async () => {
    const room = await site.harness.room();
    const [lea, kim] = [await enter(room, 'lea'), await enter(room, 'kim')];
    await shown(row(lea, 'kim'));
    const isFocused = (tab, name) => tab.role('button', name).evaluate((button) => button === document.activeElement);
    const press = async (tab, name) => {
      await tab.role('button', name).focus();
      await tab.page.keyboard.press('Enter');
    };
    await press(lea, 'Set timer');
    await press(lea, 'Start');
    await shown(lea.role('button', 'Pause'));
    assert.equal(await isFocused(lea, 'Pause'), true);
    await press(lea, 'Reset');
    await gone(lea.role('button', 'Reset'));
    assert.equal(await isFocused(lea, 'Start'), true);

    await kim.role('button', 'Start').click();
    await gone(kim.role('button', 'Start'));
    await lea.role('button', 'Leave').click();
    await kim.role('button', 'Start').click();
    await shown(kim.role('button', 'Pause'));
  });

  test('the focus stays near what is removed, and in the field of who is muted', async () => {
    const room = await site.harness.room();
    const [lea, kim] = [await enter(room, 'lea'), await enter(room, 'kim')];
    await say(lea, 'This goes');
    await lea.role('button', `Delete the message of ${nameOf('lea')}`).focus();
    await lea.page.keyboard.press('Enter');
    await lea.role('button', 'Delete').focus();
    await lea.page.keyboard.press('Enter');
    await gone(lea.role('log').getByText('This goes'));
    assert.equal(await lea.role('log').evaluate((log) => log === document.activeElement), true);

    const field = kim.role('textbox', 'Write a message');
    await field.fill('I was about to');
    await lea.role('button', `Manage ${nameOf('kim')}`).click();
    await lea.role('button', 'For 5 minutes').click();
    await shown(kim.role('status').getByText('You may write nothing at the moment.'));
    assert.equal(await field.evaluate((field) => field === document.activeElement), true);
    await kim.page.keyboard.press('Enter');
    assert.equal(await field.inputValue(), 'I was about to');
  });

  test('a message whose ack is lost may have been sent, and the page says so', async () => {
    const room = await site.harness.room();
    const lea = await enter(room, 'lea');
    const kim = await open(room, 'kim', {
      prepare: async (page) => {
        await page.clock.install();
        // No ack of a message arrives.
        await page.routeWebSocket(/\/ws$/, (socket) => {
          const server = socket.connectToServer();
          server.onMessage((text) => JSON.parse(text).data?.data?.message || socket.send(text));
        });
      },
    });
    await kim.entered();
    await say(kim, 'Did it arrive?');
    await shown(lea.role('log').getByText('Did it arrive?'));
    await kim.page.clock.fastForward(61_000);
    await shown(kim.role('alert').getByText('It may have been sent: look before you send it again.'));
    await kim.role('button', 'Discard').click();
    assert.equal(await kim.role('log').getByText('Did it arrive?').count(), 1);
  });

  test('on a phone, the chat counts what is new, and opens at its end', async () => {
    const room = await site.harness.room();
    const kim = await enter(room, 'kim', ON_A_PHONE);
    const ali = await site.harness.webSocket('ali', { bridge: 1 });
    await ali.enter(room);
    for (let number = 1; number <= 10; number += 1) {
      const text = `Message ${number}\n\n\n\n\n`;
      assert.equal((await ali.request('chat:send', { text: `${text}-` })).success, true);
    }
    await shown(
      kim
        .text('10 unread messages')
        .or(kim.page.locator('.badge').getByText('10', { exact: true }))
        .first(),
    );
    await kim.role('button', /^Chat/).click();
    const last = kim.role('log').getByText('Message 10');
    await kim.page.waitForFunction(() => {
      const log = document.querySelector('.log');
      return log.scrollHeight > log.clientHeight && log.scrollHeight - log.scrollTop - log.clientHeight < 2;
    });
    await shown(last);
  });

  test('messages of the page leave a notice until it is dismissed', async () => {
    const room = await site.harness.room();
    const kim = await enter(room, 'kim');
    await site.harness.api('POST', `/rooms/${room}/notices`, { text: 'Bring your books' });
    await shown(kim.text('Bring your books'));
    const now = await site.harness.redis.now();
    const endTimes = [90, 95, 100, 105].map((minutes) => now + minutes * MINUTE);
    for (const endAt of endTimes) {
      await site.harness.api('PATCH', `/rooms/${room}`, { endAt });
    }
    await kim.page.locator('.toast').nth(3).waitFor();
    await shown(kim.text('Bring your books'));
    assert.ok((await kim.page.locator('.toast').count()) <= 4);
  });

  test('a page without network says so, keeps what it shows, sends what was written and is back', async () => {
    const room = await site.harness.room();
    const [lea, kim] = [await enter(room, 'lea'), await enter(room, 'kim')];
    await say(lea, 'Before');
    await shown(kim.role('log').getByText('Before'));
    await kim.context.setOffline(true);
    await shown(kim.text('Connection lost. Reconnecting…'));
    await shown(row(kim, 'lea'));
    await say(kim, 'While offline');
    await shown(kim.text('Sending…'));
    await say(lea, 'Missed');
    await kim.context.setOffline(false);
    await shown(kim.role('log').getByText('Missed'));
    await shown(lea.role('log').getByText('While offline'));
    await gone(kim.text('Sending…'));
    await kim.page.close();
    await shown(row(lea, 'kim').getByText('Reconnecting…'));
  });

  test('a killed bridge moves nothing on the page, and pages are back when it is', async () => {
    const room = await site.harness.room();
    const [lea, kim] = [await enter(room, 'lea'), await enter(room, 'kim', ON_A_PHONE)];
    const boxes = (tab) =>
      tab.page.evaluate(() =>
        [...document.querySelectorAll('.header > *, .timer > *, .views, .chat, .people, .member')].map((element) => {
          const { x, y, height } = element.getBoundingClientRect();
          return [element.className, x, y, height];
        }),
      );
    await shown(row(lea, 'kim'));
    const positions = (all) => all.filter(([name]) => name !== 'end' && name !== 'language' && name !== 'connection');
    const before = [positions(await boxes(lea)), positions(await boxes(kim))];
    await site.bridge.child.kill('SIGKILL');
    try {
      for (const tab of [lea, kim]) await shown(tab.text('Connection lost. Reconnecting…'));
      assert.deepEqual([positions(await boxes(lea)), positions(await boxes(kim))], before);
    } finally {
      await site.startBridge(site.bridge.address);
    }
    await say(lea, 'Back');
    await kim.role('button', /^Chat/).click();
    await shown(kim.role('log').getByText('Back'));
  });

  test('a reload keeps the user in the room, and the token is nowhere in the address', async () => {
    const room = await site.harness.room();
    const [lea, kim] = [await enter(room, 'lea'), await enter(room, 'kim')];
    assert.equal(kim.page.url(), `${site.origin}/`);
    await kim.page.reload();
    await kim.entered();
    await shown(row(lea, 'kim'));
    assert.equal(await lea.page.locator('.member').count(), 2);
  });

  test('a tab that is duplicated says that the user is here already, and the first one stays', async () => {
    const room = await site.harness.room();
    const kim = await enter(room, 'kim');
    await kim.page.reload();
    await kim.entered();
    const [copy] = await Promise.all([
      kim.context.waitForEvent('page'),
      kim.page.evaluate(() => void open(location.href)),
    ]);
    await copy.getByText('You are in this room already').waitFor();
    await say(kim, 'Still here');
    await shown(kim.role('log').getByText('Still here'));
  });

  test('who has blocked the storage is in the room, and needs the link again after a reload', async () => {
    const room = await site.harness.room();
    const lea = await enter(room, 'lea');
    const kim = await open(room, 'kim', { script: blockStorage });
    await kim.entered();
    await shown(row(lea, 'kim'));
    await kim.role('combobox', 'Language').selectOption('ko');
    await shown(kim.role('heading', '참여자'));
    await kim.page.reload();
    await shown(kim.role('heading', 'Open your link'));
  });

  test('a list of 2,000 members draws what is in sight, and changes the row of who changes', async () => {
    const room = await site.harness.room();
    const users = Array.from({ length: 1999 }, (_, number) => `member-${number}`);
    const silent = await SilentMembers.enter(site, room, users);
    const kim = await enter(room, 'kim');
    await shown(kim.text('2,000 people here'));
    const rows = kim.part('People').getByRole('listitem');
    assert.equal(await rows.count(), 2000, 'a screen reader reaches all of them');
    const drawn = () =>
      kim.page.evaluate(() => {
        const isDrawn = (row) => row.firstChild.checkVisibility({ contentVisibilityAuto: true });
        return [...document.querySelectorAll('.member')].map(isDrawn).reduce((sum, is) => sum + is, 0);
      });
    assert.ok((await drawn()) < 100, `${await drawn()} rows are drawn`);
    // Which rows each change has touched.
    await kim.page.evaluate(() => {
      const list = document.querySelector('.members');
      globalThis.touched = new Set();
      const rowOf = (node) => (node.closest ? node : node.parentElement).closest('.member');
      new MutationObserver((records) => {
        for (const { target, addedNodes, removedNodes } of records) {
          for (const node of target === list ? [...addedNodes, ...removedNodes] : [rowOf(target)])
            globalThis.touched.add(node);
        }
      }).observe(list, { subtree: true, childList: true, attributes: true, characterData: true });
    });
    const touchedRows = () =>
      kim.page.evaluate(() => {
        const names = [...globalThis.touched].map((row) => row.querySelector('.name').textContent);
        globalThis.touched.clear();
        return names;
      });
    await silent.command('member-1000', 'status', 'member:update', { status: 'focusing', goal: 'Chapter 3' });
    await kim.page.waitForFunction(() => globalThis.touched.size > 0);
    await shown(row(kim, 'member-1000').getByText('Focusing · Chapter 3'));
    assert.deepEqual(await touchedRows(), [nameOf('member-1000')]);
    await silent.leave('member-500');
    await shown(kim.text('1,999 people here'));
    assert.deepEqual(await touchedRows(), [nameOf('member-500')]);
    await rows.last().scrollIntoViewIfNeeded();
    await shown(rows.last().getByText('you', { exact: true }));
    assert.ok((await drawn()) < 200, `${await drawn()} rows are drawn after scrolling`);
    await kim.role('searchbox', 'Find a person').fill(` ${nameOf('member-1998').toUpperCase()}`);
    await shown(kim.text('1 person found'));
    assert.deepEqual(await rows.count(), 1);
    await kim.page.screenshot({ path: `${SCREENSHOTS}wide-many.png` });
  });

  test('who cannot enter reads why, and can try again where that helps', async () => {
    const room = await site.harness.room({ capacity: 2, members: ['lea', 'kim', 'ali'] });
    await shown((await open(room, 'eve')).text('You are not on the list of this session.'));
    await shown((await open('nowhere', 'kim')).text('There is no session in this room.'));
    const expired = await open(room, 'kim', { expiresInS: -10 });
    await shown(expired.text('Your link has expired. Ask for a new one.'));
    assert.equal(await expired.role('button', 'Try again').count(), 0);
    const foreign = await open(room, 'kim', { token: await tokenFor('kim', { signedWith: foreignKey() }) });
    await shown(foreign.text('Your link is not valid. Ask for a new one.'));
    const [lea, kim] = [await enter(room, 'kim'), await enter(room, 'ali')];
    await lea.role('button', 'Leave').click();
    await shown(lea.role('button', 'Enter again'));
    const second = await open(room, 'ali');
    await shown(second.text('You are in this room already'));
    await kim.role('button', 'Leave').click();
    await shown(kim.role('button', 'Enter again'));
    await second.role('button', 'Try again').click();
    await second.entered();
  });

  test('a page without a link says so', async () => {
    const tab = await open('', 'kim');
    await shown(tab.role('heading', 'Open your link'));
  });

  test('a token that expires ends the visit, and another link continues it', async () => {
    const room = await site.harness.room();
    const kim = await enter(room, 'kim', { expiresInS: 5 });
    await shown(kim.text('Your link has expired. Ask for a new one.'));
    await kim.page.goto(`${site.origin}/#room=${room}&token=${await tokenFor('kim')}`);
    await kim.entered();
  });

  test('the reminder and the end are told, and nobody connects any more', async () => {
    const room = await site.harness.room({ lastsMs: 20 * MINUTE });
    const kim = await enter(room, 'kim');
    await site.harness.api('POST', `/rooms/${room}/notices`, { text: 'Tea at <four>' });
    await shown(kim.text('Tea at <four>'));
    await site.harness.redis.advance(11 * MINUTE);
    await shown(kim.text(/The session ends in \d+ minutes\./));
    await shown(kim.page.locator('.end[data-soon]'));
    await site.harness.redis.advance(10 * MINUTE);
    await shown(kim.role('heading', 'The session is over'));
    assert.equal(await kim.role('button', 'Enter again').count(), 0);
  });

  test('the page is Korean for Korean browsers, and changes its language at once', async () => {
    const room = await site.harness.room();
    const kim = await enter(room, 'kim', { options: { locale: 'ko-KR' } });
    await shown(kim.role('heading', '참여자'));
    assert.equal(await kim.page.locator('html').getAttribute('lang'), 'ko');
    await shown(kim.text(/^(오전|오후) \d+:\d\d 종료$/));
    await kim.role('combobox', '언어').selectOption('en');
    await shown(kim.role('heading', 'People'));
    await kim.page.reload();
    await shown(kim.role('heading', 'People'));
  });

  test('everything can be done with the keyboard', async () => {
    const room = await site.harness.room();
    const kim = await enter(room, 'kim');
    await kim.page.keyboard.press('Tab');
    await kim.page.keyboard.press('Enter');
    await kim.page.keyboard.press('Tab');
    await kim.page.keyboard.press('Tab');
    await kim.page.keyboard.type('By keyboard');
    await kim.page.keyboard.press('Enter');
    await shown(kim.role('log').getByText('By keyboard'));
    const focusable = await kim.page.locator('button:visible, input:visible, select:visible, textarea:visible').count();
    const reached = new Set();
    for (let step = 0; step < focusable + 6; step += 1) {
      await kim.page.keyboard.press('Tab');
      reached.add(await kim.page.evaluate(() => document.activeElement.outerHTML.slice(0, 120)));
    }
    assert.ok(reached.size >= focusable - 3, `${reached.size} of ${focusable}`);
  });

  test('axe finds no barrier, in both themes, on wide and narrow screens', async () => {
    const room = await site.harness.room();
    const [lea, kim] = [await enter(room, 'lea'), await enter(room, 'kim', ON_A_PHONE)];
    await lea.role('button', 'Set timer').click();
    await lea.role('button', 'Start').click();
    await lea.role('button', 'Focusing').click();
    await say(lea, 'Shall we begin?');
    await lea.role('button', 'New shared code').click();
    await lea.role('button', 'Share').click();
    await lea.page.locator('.cm-content').click();
    await lea.page.keyboard.type('const answer = 42;');
    await shown(lea.text('Saved'));
    for (const colorScheme of ['light', 'dark']) {
      await lea.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await lea.page.screenshot({ path: `${SCREENSHOTS}wide-${colorScheme}.png` });
      await lea.assertAccessible(`wide, ${colorScheme}`);
      await kim.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      for (const view of ['Timer', 'People', 'Chat', 'Code']) {
        await kim.role('navigation').getByRole('button', { name: view }).click();
        await kim.page.screenshot({ path: `${SCREENSHOTS}phone-${view.toLowerCase()}-${colorScheme}.png` });
        await kim.assertAccessible(`phone, ${view}, ${colorScheme}`);
      }
      const widths = await kim.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.equal(widths[0], widths[1], 'nothing is wider than the phone');
    }
    await lea.role('button', 'Leave').click();
    await shown(lea.role('button', 'Enter again'));
    await lea.assertAccessible('the screen after leaving');
  });

  test('the server sends a strict policy, lets assets be kept, and nothing else', async () => {
    const page = await fetch(site.origin);
    const policy = page.headers.get('content-security-policy');
    assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/);
    assert.match(policy, new RegExp(`connect-src ws://${site.bridge.address};`));
    assert.match(policy, /frame-ancestors 'none'/);
    assert.doesNotMatch(policy, /unsafe/);
    assert.equal(page.headers.get('x-content-type-options'), 'nosniff');
    assert.equal(page.headers.get('referrer-policy'), 'no-referrer');
    assert.equal(page.headers.get('cache-control'), 'no-cache');
    const html = await page.text();
    assert.doesNotMatch(html, /<script(?![^>]*src=)|<style|style=|%BRIDGE_URL%/);
    const get = (path, headers = {}, method = 'GET') => fetch(site.origin + path, { method, headers });
    const again = await get('/', { 'if-none-match': page.headers.get('etag') });
    assert.equal(again.status, 304);
    const [asset] = html.match(/\/assets\/[\w.-]+\.js/);
    for (const encoding of ['gzip', 'identity', 'gzip;q=0']) {
      const response = await get(asset, { 'accept-encoding': encoding });
      assert.equal(response.headers.get('content-encoding'), encoding === 'gzip' ? 'gzip' : null);
      assert.equal(response.headers.get('content-type'), 'text/javascript; charset=utf-8');
      assert.match(response.headers.get('cache-control'), /max-age=31536000, immutable/);
      assert.ok((await response.text()).includes('rollcall.entrance'), encoding);
      const etag = response.headers.get('etag');
      const known = await get(asset, { 'accept-encoding': encoding, 'if-none-match': `W/${etag}` });
      assert.equal(known.status, 304);
    }
    assert.equal((await get('/assets/other.js')).status, 404);
    assert.equal((await get('/assets/..%2findex.html')).status, 404);
    const post = await get('/', {}, 'POST');
    assert.deepEqual([post.status, post.headers.get('allow')], [405, 'GET, HEAD']);
    assert.equal((await get('/', {}, 'HEAD')).status, 200);
  });
});
