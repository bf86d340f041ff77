// A server that answers requests as a test says, because no real one fails on demand.

import { once } from 'node:events';
import { createServer } from 'node:http';

export class Service {
  /** The requests: {method, path, headers, body}. */
  requests = [];
  /** Answers to the next requests: functions of the response, {status, headers, body}, or nothing for 204. */
  answers = [];

  static async start() {
    const service = new Service();
    service.server = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      const { method, url: path, headers } = request;
      service.requests.push({ method, path, headers, body: body && JSON.parse(body) });
      const answer = service.answers.shift() ?? { status: 204 };
      if (typeof answer === 'function') return answer(response);
      response.writeHead(answer.status, answer.headers);
      response.end(typeof answer.body === 'string' ? answer.body : answer.body && JSON.stringify(answer.body));
    });
    await once(service.server.listen(0, '127.0.0.1'), 'listening');
    service.url = `http://127.0.0.1:${service.server.address().port}`;
    return service;
  }

  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }
}

/** A refusal, as Rollcall writes it. */
export const problem = (status, code, headers = {}) => ({
  status,
  headers: { 'content-type': 'application/problem+json', ...headers },
  body: { title: 'A title', status, detail: `Why ${code}`, code },
});

/** Breaks the connection without a response. */
export const breakOff = (response) => response.destroy();

/** Never answers. */
export const silence = () => {};
