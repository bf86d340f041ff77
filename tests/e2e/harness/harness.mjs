// Everything that a suite needs: a Redis, bridges with one app, rooms and clients.

import assert from 'node:assert/strict';

import { Bridge, OPERATOR_TOKEN } from './bridge.mjs';
import { Redis } from './redis.mjs';
import { SocketIoMember } from './socket-io.mjs';
import { tokenFor } from './tokens.mjs';
import { until } from './wait.mjs';
import { WebSocketMember } from './websocket.mjs';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;

export class Harness {
  bridges = [];
  members = [];
  #rooms = 0;

  /** `settings` apply to each bridge. The first bridge runs the app, and the others call it over HTTP. */
  static async start({ bridges = 1, persistent = false, ...settings } = {}) {
    const harness = new Harness();
    harness.settings = settings;
    try {
      harness.redis = await Redis.start({ persistent });
      for (let i = 0; i < bridges; i += 1) {
        const app = harness.bridges[0]?.appUrl;
        harness.bridges.push(await Bridge.start({ redis: harness.redis, app, ...settings }));
      }
      await Promise.all(harness.bridges.map((bridge) => bridge.ready()));
    } catch (error) {
      await harness.stop();
      throw error;
    }
    return harness;
  }

  /** Kills the app, with the bridge that runs it, and starts both again. */
  async restartApp() {
    const appListen = new URL(this.appUrl).host;
    await this.bridges[0].child.kill('SIGKILL');
    this.bridges[0] = await Bridge.start({ redis: this.redis, appListen, ...this.settings });
  }

  /** The URL of the app's own routes. */
  get appUrl() {
    return this.bridges[0].appUrl;
  }

  /** Defines a new room. */
  async room(definition) {
    this.#rooms += 1;
    const room = `algebra-${this.#rooms}`;
    await this.define(room, definition);
    return room;
  }

  /** Defines a session that ends in an hour by Redis's clock, unless `lastsMs` differs. Returns its end. */
  async define(room, { lastsMs = HOUR, leaderId = 'lea', ...rest } = {}) {
    const endAt = (await this.redis.now()) + lastsMs;
    const response = await this.api('PUT', `/rooms/${room}`, { endAt, leaderId, ...rest });
    assert.ok(response.ok, `${response.status} ${await response.text()}`);
    return endAt;
  }

  /** Calls the operators' API. */
  api(method, path, body, token = OPERATOR_TOKEN) {
    return fetch(this.appUrl + path, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(30_000),
    });
  }

  /** A connected Socket.IO client. */
  async socketIo(user, { bridge = 0, ...options } = {}) {
    const auth = { token: await tokenFor(user) };
    return this.#keep(new SocketIoMember(user, this.bridges[bridge], { auth, ...options })).connected();
  }

  /** A connected WebSocket client. */
  async webSocket(user, { bridge = 0, ...options } = {}) {
    const token = await tokenFor(user);
    return this.#keep(new WebSocketMember(user, this.bridges[bridge], { token, ...options })).connected();
  }

  /** A connected client of either kind. */
  connect(transport, user, options) {
    return transport === 'Socket.IO' ? this.socketIo(user, options) : this.webSocket(user, options);
  }

  /** A client in a room and the data of its join, as soon as it is let in: after an outage, it is refused for a moment. */
  async enterAfterOutage(transport, user, room, options) {
    let [member, refusal] = [];
    const attempt = async () => {
      try {
        member ??= await this.connect(transport, user, options);
        const { code, data } = await member.join(room);
        refusal = code;
        return data;
      } catch (error) {
        [member, refusal] = [undefined, error];
      }
    };
    const data = await until(attempt, () => `${user} is let in: ${refusal}`);
    return [member, data];
  }

  /** A client that no token is made for and whose connection is not awaited. */
  client(transport, { bridge = 0, ...options } = {}) {
    const Kind = transport === 'Socket.IO' ? SocketIoMember : WebSocketMember;
    return this.#keep(new Kind('client', this.bridges[bridge], options));
  }

  #keep(member) {
    this.members.push(member);
    return member;
  }

  /** Checks that no client saw a gap in the sequence numbers of events. */
  assertNoGaps() {
    for (const member of this.members) assert.deepEqual(member.gaps, [], `gaps seen by ${member.user}`);
  }

  async stop() {
    for (const member of this.members) member.disconnect();
    for (const bridge of this.bridges) await bridge.stop();
    await this.redis?.stop();
  }
}

export const TRANSPORTS = ['Socket.IO', 'WebSocket'];

/** The members that a `room:participantReconnecting` or `room:participantReconnected` is about. */
export const membersIn = (data) => data.users ?? [data];

/** Matches such an event about this user. */
export const about = (user) => (data) => membersIn(data).some(({ userId }) => userId === user);

/** Matches a change in which this user entered. */
export const entered = (user) => changed('entered', user);

/** Matches a change of this type with this user. */
export const changed = (type, user) => (data) =>
  data.change.type === type && data.change.users.some(({ userId }) => userId === user);
