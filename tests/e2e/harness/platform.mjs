// A study platform that checks messages. It verifies the calls according to the Standard Webhooks specification.

import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';

import { listen } from './ports.mjs';

export class Platform {
  /** The answer: an object, the number of a status, nothing for 204, or 'silence' for none. */
  answer;
  /** What has been asked, with the ids of the calls. */
  asked = [];

  static async start(secret) {
    const platform = new Platform();
    platform.secret = secret;
    platform.http = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      platform.#respond(request.headers, body, response);
    });
    await listen(platform.http);
    return platform;
  }

  /** The variables of an app that asks this platform. */
  variables(fallback) {
    return {
      SPIN_VARIABLE_CHAT_HOOK_SCHEME: 'http',
      SPIN_VARIABLE_CHAT_HOOK_ADDRESS: `127.0.0.1:${this.http.address().port}`,
      SPIN_VARIABLE_CHAT_HOOK_PATH: '/check?tenant=7',
      SPIN_VARIABLE_CHAT_HOOK_SECRET: this.secret,
      SPIN_VARIABLE_CHAT_HOOK_FALLBACK: fallback,
    };
  }

  #respond(headers, body, response) {
    // As servers answer that read no chunks.
    if (!headers['content-length']) return response.writeHead(411).end();
    if (!this.#isSigned(headers, body)) return response.writeHead(401).end();
    this.asked.push({ ...JSON.parse(body), webhookId: headers['webhook-id'] });
    if (this.answer === 'silence') return;
    if (this.answer === undefined) return response.writeHead(204).end();
    if (typeof this.answer === 'number') return response.writeHead(this.answer).end();
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(this.answer));
  }

  #isSigned({ 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature }, body) {
    const key = Buffer.from(this.secret.replace(/^whsec_/, ''), 'base64');
    const expected = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
    const isRecent = Math.abs(Date.now() / 1000 - Number(timestamp)) < 300;
    return isRecent && signature === `v1,${expected}`;
  }

  stop() {
    this.http.closeAllConnections();
    this.http.close();
  }
}
