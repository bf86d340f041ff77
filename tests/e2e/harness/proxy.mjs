// What stands between a bridge and the app: passes calls on, holds them back or breaks them off, and counts.

import { once } from 'node:events';
import { Agent, createServer, request } from 'node:http';

import { listen } from './ports.mjs';

/** What the proxy does with a call. */
export const PASS = 'pass';
/** Keeps it until `release`. */
export const HOLD = 'hold';
/** Hands it to the app, and breaks off the answer. */
export const LOSE = 'lose';
/** Answers in the app's place. */
export const refuse = (code, status) => ({ code, status });

export class AppProxy {
  /** How many calls came so far, by path. */
  calls = {};
  /** All of them that were not broken off: {path, headers, body}. */
  seen = [];
  /** What becomes of a call. */
  does = () => PASS;
  /** The most calls that were under way at once, by path and in `all`. */
  peak = { all: 0 };
  /** How long each call is held back, unless it is a heartbeat. */
  delayMs = 0;
  /** Whether calls are broken off without an answer. */
  isBroken = false;
  #underWay = { all: 0 };
  #held = [];
  #agent = new Agent({ keepAlive: true, maxSockets: 512 });

  static async start(target) {
    const proxy = new AppProxy();
    proxy.target = target;
    proxy.server = createServer((call, answer) => proxy.#take(call, answer));
    await listen(proxy.server);
    return proxy;
  }

  get url() {
    return `http://127.0.0.1:${this.server.address().port}`;
  }

  /** The calls to a path. */
  to(path) {
    return this.seen.filter((call) => call.path === path);
  }

  /** Lets go on what was held. */
  release() {
    for (const pass of this.#held.splice(0)) pass();
  }

  async #take(call, answer) {
    const path = call.url;
    this.calls[path] = (this.calls[path] ?? 0) + 1;
    if (this.isBroken) return call.socket.destroy();
    for (const name of [path, 'all']) {
      this.#underWay[name] = (this.#underWay[name] ?? 0) + 1;
      this.peak[name] = Math.max(this.peak[name] ?? 0, this.#underWay[name]);
    }
    answer.once('close', () => {
      for (const name of [path, 'all']) this.#underWay[name] -= 1;
    });
    const body = Buffer.concat(await call.toArray());
    const seen = { path, headers: call.headers, body: JSON.parse(body) };
    this.seen.push(seen);
    const what = this.does(seen);
    const pass = () => this.#pass(call, body, answer, what === LOSE);
    if (what === HOLD) this.#held.push(pass);
    else if (what.code)
      answer.writeHead(what.status).end(JSON.stringify({ success: false, code: what.code, message: '' }));
    else if (this.delayMs > 0 && path !== '/events/heartbeat') setTimeout(pass, this.delayMs);
    else pass();
  }

  #pass(call, body, answer, isLost) {
    const { method, headers } = call;
    const onward = request(this.target + call.url, { method, headers, agent: this.#agent }, (response) => {
      if (isLost) return response.resume().once('end', () => answer.destroy());
      answer.writeHead(response.statusCode, response.headers);
      response.pipe(answer);
    });
    onward.on('error', () => answer.destroy());
    onward.end(body);
  }

  async stop() {
    this.#agent.destroy();
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}
