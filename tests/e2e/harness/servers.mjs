// Two servers that the same client scripts run against: Rollcall, and the official server of Socket.IO as a team would
// use it in Rollcall's place.

import { once } from 'node:events';
import { createServer } from 'node:http';

import { Server } from 'socket.io';

import { about, Harness } from './harness.mjs';
import { listen } from './ports.mjs';
import { NAMESPACE } from './socket-io.mjs';
import { tokenFor } from './tokens.mjs';

/** Rollcall with one room. */
class Rollcall {
  static async start(settings) {
    const server = new Rollcall();
    server.harness = await Harness.start(settings);
    server.room = await server.harness.room();
    return server;
  }

  get url() {
    return this.harness.bridges[0].url;
  }

  /** Sends a notice to everybody in the room. */
  async notify(text) {
    const response = await this.harness.api('POST', `/rooms/${this.room}/notices`, { text });
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  }

  /** The name of the event that tells others of a lost member, and a way to recognise the member. */
  lost = ['room:participantReconnecting', about];

  stop() {
    return this.harness.stop();
  }
}

/** The official server, with a handler that knows only what the scripts need. */
class Official {
  static async start({ origin } = {}) {
    const server = new Official();
    server.http = createServer();
    server.io = new Server(server.http, { cors: { origin: origin ?? '*' } });
    let seq = 0;
    server.rooms = server.io.of(NAMESPACE);
    server.rooms.on('connection', (socket) => {
      socket.on('room:join', (_, ack) => {
        ack({ success: true, data: { epoch: 1, seq } });
      });
      socket.on('disconnect', () => {
        seq += 1;
        server.rooms.emit('lost', { epoch: 1, seq, userId: socket.handshake.auth.user });
      });
    });
    server.notify = (text) => {
      seq += 1;
      server.rooms.emit('room:notice', { epoch: 1, seq, text });
    };
    server.room = 'room';
    await listen(server.http);
    return server;
  }

  get url() {
    return `http://127.0.0.1:${this.http.address().port}`;
  }

  lost = ['lost', (user) => (data) => data.userId === user];

  async stop() {
    this.io.disconnectSockets(true);
    this.http.closeAllConnections();
    this.http.close();
    await once(this.http, 'close');
  }
}

export const SERVERS = { Rollcall, 'the official server': Official };

/** What a user's client presents to either server. */
export const authOf = async (user) => ({ token: await tokenFor(user), user });
