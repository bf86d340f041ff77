// The study-room page in Chromium, served by the real component, over a bridge that tests can kill.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

import { Bridge } from './bridge.mjs';
import { Harness } from './harness.mjs';
import { reserveAddress } from './ports.mjs';
import { tokenFor } from './tokens.mjs';
import { LIMIT_MS } from './wait.mjs';

const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** The servers of the page: one bridge runs the app, and the pages connect to another one. */
export class RoomSite {
  static async start({ variables = {} } = {}) {
    const site = new RoomSite();
    const [listen, appListen] = [await reserveAddress(), await reserveAddress()];
    site.origin = `http://${appListen}`;
    site.flags = ['--origin', site.origin, '--ping-interval-ms', '2000', '--ping-timeout-ms', '2000'];
    site.variables = {
      SPIN_VARIABLE_FEATURES: 'timer status chat code',
      SPIN_VARIABLE_BRIDGE_URL: `http://${listen}`,
      ...variables,
    };
    site.harness = await Harness.start({ appListen, flags: site.flags, variables: site.variables });
    try {
      await site.startBridge(listen);
    } catch (error) {
      await site.stop();
      throw error;
    }
    return site;
  }

  /** Starts the bridge of the pages. */
  async startBridge(listen) {
    const { redis, appUrl } = this.harness;
    this.bridge = await Bridge.start({ redis, app: appUrl, listen, flags: this.flags, variables: this.variables });
    this.harness.bridges[1] = this.bridge;
    await this.bridge.ready();
  }

  stop() {
    return this.harness.stop();
  }
}

/** For the browser: a user has blocked the storage of pages. */
export function blockStorage() {
  for (const name of ['sessionStorage', 'localStorage']) {
    const get = () => {
      throw new DOMException('Access is denied for this document.', 'SecurityError');
    };
    Object.defineProperty(globalThis, name, { get });
  }
}

/** A user's tab with the page. It fails if the page reports an error, violates its policy or asks another host. */
export class RoomTab {
  problems = [];

  /** `script` runs before those of the page. `prepare` gets the page before that is opened. */
  static async open(browser, site, { room, user, token, script, prepare, options = {}, ...given }) {
    const hosts = [new URL(site.origin).host, site.bridge.address];
    const tab = await RoomTab.start(browser, hosts, { options, script });
    const jwt = token ?? (await tokenFor(user, given));
    await prepare?.(tab.page);
    await tab.page.goto(`${site.origin}/#room=${room}&token=${jwt}`);
    return tab;
  }

  /** A tab that may ask these hosts. `expected`: messages on its console that are no problem. */
  static async start(browser, hosts, { options, script, expected = /WebSocket connection to|net::ERR_/ }) {
    const tab = new this();
    tab.context = await browser.newContext({ locale: 'en-US', viewport: { width: 1280, height: 800 }, ...options });
    if (script) await tab.context.addInitScript(script);
    tab.page = await tab.context.newPage();
    tab.page.setDefaultTimeout(LIMIT_MS);
    const checkHost = (url) => {
      if (!hosts.includes(new URL(url).host)) tab.problems.push(`asks ${url}`);
      if (url.includes('token')) tab.problems.push(`has the token in ${url}`);
    };
    tab.page.on('request', (request) => checkHost(request.url()));
    tab.page.on('websocket', (socket) => checkHost(socket.url()));
    tab.page.on('pageerror', (error) => tab.problems.push(error.stack ?? String(error)));
    tab.page.on('console', (message) => {
      const isExpected = expected.test(message.text());
      if (['error', 'warning'].includes(message.type()) && !isExpected) tab.problems.push(message.text());
    });
    return tab;
  }

  /** An element by its role and name. */
  role(role, name, options = {}) {
    return this.page.getByRole(role, name === undefined ? options : { name, exact: true, ...options });
  }

  text(text) {
    return this.page.getByText(text);
  }

  /** A part of the page, such as `People` or `Chat`. */
  part(name) {
    return this.page.locator('section', { has: this.page.getByRole('heading', { name, exact: true }) });
  }

  /** Waits until the user is in the room. */
  async entered() {
    await this.page.locator('.room').waitFor();
    return this;
  }

  /** Presses a button. Returns whether its dialog gets the next key, however soon that is pressed. */
  opensDialogAtOnce(button) {
    return button.evaluate(async (element) => {
      element.click();
      // Microtasks end before the browser handles another key.
      for (let turn = 0; turn < 100; turn += 1) await null;
      return document.activeElement.closest('dialog[open]') !== null;
    });
  }

  /** Fails if axe finds a barrier. */
  async assertAccessible(what) {
    // Playwright evaluates outside of the page's policy.
    await this.page.evaluate(AXE);
    const violations = await this.page.evaluate(async () => {
      const { violations } = await globalThis.axe.run(document, { resultTypes: ['violations'] });
      return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`);
    });
    assert.deepEqual(violations, [], what);
  }

  async close() {
    await this.context.close();
    assert.deepEqual(this.problems, []);
  }
}
