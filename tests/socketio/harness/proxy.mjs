// What stands between a bridge and the app: passes calls on, holds them back or breaks them off, and counts.

import { once } from 'node:events';
import { Agent, createServer, request } from 'node:http';

export class Proxy {
  /** How many calls came so far, by path. */
  calls = {};
  /** The most calls that were under way at once, by path and in `all`. */
  peak = { all: 0 };
  /** How long each call is held back, unless it is a heartbeat. */
  delayMs = 0;
  /** Whether calls are broken off without an answer. */
  isBroken = false;
  #underWay = { all: 0 };
  #agent = new Agent({ keepAlive: true, maxSockets: 512 });

  static async start(target) {
    const proxy = new Proxy();
    proxy.target = target;
    proxy.server = createServer((call, answer) => proxy.#take(call, answer));
    proxy.server.listen(0, '127.0.0.1');
    await once(proxy.server, 'listening');
    return proxy;
  }

  get url() {
    return `http://127.0.0.1:${this.server.address().port}`;
  }

  #take(call, answer) {
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
    const pass = () => this.#pass(call, answer);
    if (this.delayMs > 0 && path !== '/events/heartbeat') setTimeout(pass, this.delayMs);
    else pass();
  }

  #pass(call, answer) {
    const { method, headers } = call;
    const onward = request(this.target + call.url, { method, headers, agent: this.#agent }, (response) => {
      answer.writeHead(response.statusCode, response.headers);
      response.pipe(answer);
    });
    onward.on('error', () => answer.destroy());
    call.pipe(onward);
  }

  async stop() {
    this.#agent.destroy();
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}
