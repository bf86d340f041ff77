// A proxy between a bridge and the app: forwards, holds or aborts calls, and counts them.
// A bridge checks the components again after a silence of the app, at a time of its own. The proxy therefore neither
// counts nor records these checks, and `does` does not decide about them.

import { once } from 'node:events';
import { Agent, createServer, request } from 'node:http';

import { listen } from './ports.mjs';

/** Forwards a call. */
export const PASS = 'pass';
/** Holds a call until `release`, which asks again what to do with it. */
export const HOLD = 'hold';
/** Forwards a call, and aborts the response. */
export const LOSE = 'lose';
/** Answers a call instead of the app. */
export const refuse = (code, status) => ({ code, status });

const bodyOf = async (call) => Buffer.concat(await call.toArray());
const isCheck = ({ headers }) => headers['ce-type'] === 'rollcall.check';

export class AppProxy {
  /** Number of calls so far, by path. */
  calls = {};
  /** All calls that were not aborted: {path, headers, body}. */
  seen = [];
  /** Decides what the proxy does with a call. */
  does = () => PASS;
  /** Maximum of concurrent calls, by path and in `all`. */
  peak = { all: 0 };
  /** Delay of each call except heartbeats. */
  delayMs = 0;
  /** Whether to abort calls without a response. */
  isBroken = false;
  #inFlight = { all: 0 };
  #held = [];
  #agent = new Agent({ keepAlive: true, maxSockets: 512 });

  static async start(target) {
    const proxy = new AppProxy();
    proxy.target = target;
    proxy.server = createServer((call, answer) => proxy.#take(call, answer).catch(() => answer.destroy()));
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

  /** Forwards all held calls, unless `does` now loses or refuses them. */
  release() {
    for (const respond of this.#held.splice(0)) respond();
  }

  async #take(call, answer) {
    if (isCheck(call)) return this.isBroken ? call.socket.destroy() : this.#pass(call, await bodyOf(call), answer);
    const path = call.url;
    this.calls[path] = (this.calls[path] ?? 0) + 1;
    if (this.isBroken) return call.socket.destroy();
    for (const name of [path, 'all']) {
      this.#inFlight[name] = (this.#inFlight[name] ?? 0) + 1;
      this.peak[name] = Math.max(this.peak[name] ?? 0, this.#inFlight[name]);
    }
    answer.once('close', () => {
      for (const name of [path, 'all']) this.#inFlight[name] -= 1;
    });
    const body = await bodyOf(call);
    const seen = { path, headers: call.headers, body: JSON.parse(body) };
    this.seen.push(seen);
    const respond = (what) => {
      if (what.code)
        answer.writeHead(what.status).end(JSON.stringify({ success: false, code: what.code, message: '' }));
      else this.#pass(call, body, answer, what === LOSE);
    };
    const what = this.does(seen);
    if (what === HOLD) this.#held.push(() => respond(this.does(seen)));
    else if (this.delayMs > 0 && path !== '/events/heartbeat') setTimeout(() => respond(what), this.delayMs);
    else respond(what);
  }

  #pass(call, body, answer, isLost = false) {
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
