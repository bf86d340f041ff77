import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, afterEach, before, describe, test } from 'node:test';

import { Bridge } from '../harness/bridge.mjs';
import { launch, Site, Tab } from '../harness/browser.mjs';
import { Bundle } from '../harness/bundle.mjs';
import { command } from '../harness/command.mjs';
import { Harness } from '../harness/harness.mjs';
import { NAMESPACE } from '../harness/socket-io.mjs';
import { tokenFor } from '../harness/tokens.mjs';
import { until } from '../harness/wait.mjs';

const PAGE = '<!doctype html><meta charset="utf-8"><title>An editor</title><body><script src="/editor.js"></script>';

const FEATURES = { SPIN_VARIABLE_FEATURES: 'code' };

describe('documents in a browser', { timeout: 900_000 }, () => {
  let harness;
  let browser;
  let site;
  let flags;
  const tabs = [];
  before(async () => {
    const bundle = await Bundle.of('editor-page.js', 'browser');
    site = await Site.start({
      '/': ['text/html', PAGE],
      '/editor.js': ['text/javascript', await readFile(bundle.file)],
    });
    await bundle.stop();
    // Only missing pongs tell that a page is offline.
    flags = ['--origin', site.origin, '--ping-interval-ms', '2000', '--ping-timeout-ms', '2000'];
    [harness, browser] = await Promise.all([Harness.start({ bridges: 2, flags, variables: FEATURES }), launch()]);
  });
  afterEach(async () => {
    for (const tab of tabs.splice(0)) await tab.close();
  });
  after(async () => {
    await browser?.close();
    site?.stop();
    await harness?.stop();
  });

  async function open({ room, number, name, bridge }) {
    const tab = await Tab.open(browser, site);
    tabs.push(tab);
    const url = `${harness.bridges[bridge].url}${NAMESPACE}`;
    await tab.call('openEditor', { url, token: await tokenFor(name), room, number, name });
    await stateOf(tab, ({ isSynced }) => isSynced);
    await tab.page.locator('.cm-content').click();
    return tab;
  }

  /** A snippet that Kim and Ali see in pages over two bridges. */
  async function shared(text) {
    const room = await harness.room();
    const lea = await harness.socketIo('lea');
    await lea.enter(room);
    const { snippet } = await command(lea, 'code:share', { text, editors: 'together' });
    const { number } = snippet;
    const kim = await open({ room, number, name: 'kim', bridge: 0 });
    const ali = await open({ room, number, name: 'ali', bridge: 1 });
    return { kim, ali, room, number };
  }

  /** Waits until the state of a page fits. */
  function stateOf(tab, fits) {
    let state;
    const isSo = async () => {
      state = await tab.call('editorState');
      return fits(state) && state;
    };
    return until(isSo, () => `the page is so; it is ${JSON.stringify(state)}`);
  }

  /** Waits until both pages show the same, and the server has it. Returns the text. */
  async function converge(kim, ali, fits) {
    const isDone = ({ shown, text, isSynced, isSaved }) => shown === text && isSynced && isSaved && fits(text);
    let seen;
    await until(
      async () => {
        seen = [await kim.call('editorState'), await ali.call('editorState')];
        return seen.every(isDone) && seen[0].text === seen[1].text;
      },
      () => `both pages show the same: ${JSON.stringify(seen)}`,
    );
    return seen[0].text;
  }

  const type = (tab, text) => tab.page.keyboard.type(text, { delay: 20 });
  /** The characters of a text that a user has typed into a text with others' characters in between. */
  const only = (text, characters) => [...text].filter((character) => characters.includes(character)).join('');

  test('two pages over two bridges type at once, and show the same and the cursors of each other', async () => {
    const { kim, ali } = await shared('fn main() {}\n');
    await Promise.all([type(kim, 'abcdefghij'.repeat(5)), type(ali, '0123456789'.repeat(5))]);
    const text = await converge(kim, ali, (text) => text.length === 'fn main() {}\n'.length + 100);
    assert.equal(only(text, '0123456789'), '0123456789'.repeat(5));
    await stateOf(kim, ({ cursors }) => cursors.join() === 'ali');
    await stateOf(ali, ({ cursors }) => cursors.join() === 'kim');
    await kim.page.goto('about:blank');
    await stateOf(ali, ({ cursors }) => cursors.length === 0);
  });

  test('undo takes back what the own user has typed, and nothing else', async () => {
    const { kim, ali } = await shared('');
    await type(kim, 'kim');
    await converge(kim, ali, (text) => text === 'kim');
    await type(ali, 'ALI');
    await converge(kim, ali, (text) => text.length === 6);
    await kim.page.keyboard.press('Control+z');
    assert.equal(await converge(kim, ali, (text) => text.length === 3), 'ALI');
  });

  test('a page that was offline gets what others typed, and they get what it typed', async () => {
    const { kim, ali } = await shared('start\n');
    await kim.context.setOffline(true);
    await stateOf(kim, ({ isConnected, status }) => !isConnected && status === 'disconnected');
    await Promise.all([type(kim, 'offline'), type(ali, 'ONLINE')]);
    assert.equal((await kim.call('editorState')).isSaved, false);
    assert.doesNotMatch((await ali.call('editorState')).text, /offline/);
    await kim.context.setOffline(false);
    const text = await converge(kim, ali, (text) => /offline/.test(text) && /ONLINE/.test(text));
    assert.equal(text.length, 'start\nofflineONLINE'.length);
    await stateOf(kim, ({ cursors }) => cursors.join() === 'ali');
    await stateOf(ali, ({ cursors }) => cursors.join() === 'kim');
  });

  test('pages type on while the bridge of one is killed and started again', async () => {
    const { kim, ali } = await shared('');
    const killed = harness.bridges[1];
    await killed.child.kill('SIGKILL');
    await stateOf(ali, ({ status }) => status === 'disconnected');
    await Promise.all([type(kim, 'kim'.repeat(10)), type(ali, 'ALI'.repeat(10))]);
    const { redis, appUrl } = harness;
    const options = { redis, app: appUrl, listen: killed.address, flags, variables: FEATURES };
    harness.bridges[1] = await Bridge.start(options);
    const text = await converge(kim, ali, (text) => text.length === 60);
    assert.deepEqual([only(text, 'kim'), only(text, 'ALI')], ['kim'.repeat(10), 'ALI'.repeat(10)]);
  });
});
