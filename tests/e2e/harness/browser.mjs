// A real browser, and sites with pages for it.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';

import { chromium } from 'playwright-core';

import { listen } from './ports.mjs';
import { LIMIT_MS } from './wait.mjs';

const PROGRAM = process.env.ROLLCALL_CHROMIUM ?? '/usr/bin/chromium';

// The browser may load the tests' pages and nothing else.
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const PAGE =
  '<!doctype html><title>A page</title><script src="/socket.io.js"></script><script src="/page.js"></script>';

/** Path of a page with the origin `null`, like that of a sandboxed frame. */
export const SANDBOXED = '/sandboxed';

const FILES = {
  '/': ['text/html', PAGE],
  [SANDBOXED]: ['text/html', PAGE, { 'content-security-policy': 'sandbox allow-scripts' }],
  '/socket.io.js': [
    'text/javascript',
    await readFile(createRequire(import.meta.url).resolve('socket.io-client/dist/socket.io.js')),
  ],
  '/page.js': ['text/javascript', await readFile(new URL('page.js', import.meta.url))],
};

/** An origin with one page. `files` lists type, content and headers of each path. */
export class Site {
  static async start(files = FILES) {
    const site = new Site();
    site.server = createServer(({ url }, response) => {
      const [type, content, headers] = files[url] ?? [];
      if (type) response.writeHead(200, { 'content-type': type, ...headers }).end(content);
      else response.writeHead(404).end();
    });
    await listen(site.server);
    return site;
  }

  get origin() {
    return `http://127.0.0.1:${this.server.address().port}`;
  }

  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }
}

/** `keepsPages`: whether the browser keeps pages for the way back, as it does for people. */
export const launch = ({ keepsPages = false } = {}) =>
  chromium.launch({
    executablePath: PROGRAM,
    args: FLAGS,
    ignoreDefaultArgs: keepsPages ? ['--disable-back-forward-cache'] : [],
  });

/** A tab with its own storage and network that shows a site's page. */
export class Tab {
  static async open(browser, site, path = '/') {
    const tab = new Tab();
    tab.context = await browser.newContext();
    tab.page = await tab.context.newPage();
    tab.page.setDefaultTimeout(LIMIT_MS);
    await tab.page.goto(site.origin + path);
    return tab;
  }

  /** Calls one of the page's functions. */
  call(name, ...args) {
    return this.page.evaluate(([name, args]) => globalThis[name](...args), [name, args]);
  }

  /** Waits for the page's first event of this name. */
  async received(event) {
    const found = await this.page.waitForFunction((name) => received.find(({ event }) => event === name), event, {
      polling: 20,
    });
    return (await found.jsonValue()).data;
  }

  /** Waits until a condition holds in the page. */
  until(isSo, arg) {
    return this.page.waitForFunction(isSo, arg, { polling: 20 });
  }

  close() {
    return this.context.close();
  }
}
