// The operator's page in Chromium, served by the real component, over bridges whose metrics it reads.

import { Bridge, OPERATOR_TOKEN } from './bridge.mjs';
import { Harness } from './harness.mjs';
import { reserveAddress } from './ports.mjs';
import { RoomTab } from './room-page.mjs';

/** A token that may only read. */
export const READ_TOKEN = 'a-token-that-may-only-read';

/** The servers of the page: the first bridge runs the app, and members connect to the second one. */
export class OperatorSite {
  static async start({ flags = [], variables = {} } = {}) {
    const site = new OperatorSite();
    const [appListen, listen] = [await reserveAddress(), await reserveAddress()];
    site.metrics = [await reserveAddress(), await reserveAddress()];
    site.origin = `http://${appListen}`;
    site.flags = ['--metrics-origin', site.origin, '--ping-interval-ms', '2000', '--ping-timeout-ms', '2000', ...flags];
    site.variables = {
      SPIN_VARIABLE_FEATURES: 'timer status chat code',
      SPIN_VARIABLE_OPERATOR_READ_TOKENS: READ_TOKEN,
      SPIN_VARIABLE_BRIDGE_METRICS: site.metrics.map((address) => `http://${address}`).join(' '),
      ...variables,
    };
    const { flags: allFlags, metrics } = site;
    site.harness = await Harness.start({ appListen, flags: allFlags, variables: site.variables, metrics: metrics[0] });
    try {
      await site.startBridge(listen);
    } catch (error) {
      await site.stop();
      throw error;
    }
    return site;
  }

  /** Starts the bridge of the members. */
  async startBridge(listen) {
    const { redis, appUrl } = this.harness;
    const { flags, variables, metrics } = this;
    this.bridge = await Bridge.start({ redis, app: appUrl, listen, flags, variables, metrics: metrics[1] });
    this.harness.bridges[1] = this.bridge;
    await this.bridge.ready();
  }

  /** A member of a room. */
  async member(room, user, options = {}) {
    const member = await this.harness.webSocket(user, { bridge: 1, ...options });
    await member.enter(room);
    return member;
  }

  stop() {
    return this.harness.stop();
  }
}

/** Finds a text in which marks (U+2068, U+2069) may isolate names. */
export function sentence(text) {
  const characters = [...text].map((character) => character.replace(/[$()*+./?[\\\]^{|}]/, '\\$&'));
  return new RegExp(characters.join('[\u2068\u2069]*'));
}

/** An operator's tab. Beside what a member's tab checks, refusals show on the console and are no problem. */
export class OperatorTab extends RoomTab {
  static async open(browser, site, { token = OPERATOR_TOKEN, path = '', script, options = {} } = {}) {
    const hosts = [new URL(site.origin).host, ...site.metrics];
    const expected = /net::ERR_|the server responded with a status of (401|403|404|409|412|503)/;
    const tab = await OperatorTab.start(browser, hosts, { options, script, expected });
    const fragment = [token && `token=${token}`, path].filter(Boolean).join('&');
    await tab.page.goto(`${site.origin}/operator${fragment && `#${fragment}`}`);
    return tab;
  }

  /** The dialog that asks before an action. */
  get dialog() {
    return this.page.getByRole('dialog');
  }

  /** Presses a button of the dialog that asks. */
  async answer(button) {
    await this.dialog.getByRole('button', { name: button, exact: true }).click();
  }

  /** Waits until the page says what was done. */
  async said(text) {
    await this.page.locator('.announcement').getByText(sentence(text)).waitFor();
  }

  /** Opens a room from the list. */
  async openRoom(id) {
    await this.page.locator('.rooms').getByRole('link').filter({ hasText: id }).first().click();
    await this.page.locator('.summary').waitFor();
  }
}
