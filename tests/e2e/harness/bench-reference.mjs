// The service that `cargo xtask bench` compares Rollcall with.

import { fileURLToPath } from 'node:url';

import { OPERATOR_TOKEN } from './bridge.mjs';
import { Child } from './child.mjs';
import { reserveAddress } from './ports.mjs';
import { JWT_KEYS } from './tokens.mjs';

const SERVER = fileURLToPath(new URL('../../bench/reference/server.mjs', import.meta.url));

export class BenchReference {
  static async start({ redis, graceMs, reminderLeadMs }) {
    const service = new BenchReference();
    const address = await reserveAddress();
    service.url = `http://${address}`;
    service.child = new Child(process.execPath, [SERVER], {
      env: {
        PATH: process.env.PATH,
        LISTEN: address,
        REDIS_URL: `redis://${redis.address}`,
        JWT_KEYS,
        OPERATOR_TOKEN,
        GRACE_MS: String(graceMs),
        REMINDER_LEAD_MS: String(reminderLeadMs),
      },
    });
    await service.child.line(/service\.started/);
    return service;
  }

  /** Defines a session. */
  async define(room, definition) {
    const response = await fetch(`${this.url}/rooms/${room}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${OPERATOR_TOKEN}` },
      body: JSON.stringify(definition),
    });
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  }

  async stop() {
    await this.child.kill('SIGKILL');
  }
}
