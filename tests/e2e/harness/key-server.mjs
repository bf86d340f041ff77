// An identity provider: a server that publishes keys, and tokens that are signed with them.

import { createServer } from 'node:http';

import { exportJWK, generateKeyPair, SignJWT } from 'jose';

import { listen } from './ports.mjs';

/** A key pair with an id. */
export async function newKey(kid) {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' } };
}

/** A token for a user, signed with a key. */
export function signedBy({ kid, privateKey }, userId) {
  return new SignJWT({ userId })
    .setProtectedHeader({ alg: 'ES256', kid })
    .setExpirationTime(Math.floor(Date.now() / 1000) + 3600)
    .sign(privateKey);
}

export class KeyServer {
  /** How many requests came so far. */
  requests = 0;
  /** Answers a request. */
  answer = (_, response) => response.writeHead(503).end();

  static async start() {
    const server = new KeyServer();
    server.http = createServer((request, response) => {
      server.requests += 1;
      server.answer(request, response);
    });
    await listen(server.http);
    return server;
  }

  get address() {
    return `127.0.0.1:${this.http.address().port}`;
  }

  publish(keys, headers = {}) {
    const body = JSON.stringify({ keys: keys.map((key) => key.jwk ?? key) });
    this.answer = (_, response) => response.writeHead(200, headers).end(body);
  }

  stop() {
    this.http.closeAllConnections();
    this.http.close();
  }
}
