// The official Socket.IO client.

import { io } from 'socket.io-client';

import { Member } from './member.mjs';
import { within } from './wait.mjs';

export const NAMESPACE = '/study';

export class SocketIoMember extends Member {
  /** `options` are the official client's. */
  constructor(user, bridge, options = {}) {
    super(user);
    this.socket = io(`${bridge.url}${NAMESPACE}`, {
      transports: ['websocket'],
      reconnection: false,
      forceNew: true,
      ...options,
    });
    this.socket.onAny((event, data) => this.arrived(event, data));
    this.socket.on('disconnect', (reason) => this.ended(reason));
  }

  /** Waits for the connection; fails with the server's reason. */
  async connected() {
    const outcome = new Promise((resolve, reject) => {
      this.socket.once('connect', resolve);
      this.socket.once('connect_error', reject);
    });
    await within(outcome, `${this.user} is connected`);
    return this;
  }

  /** Sends an event and returns its ack. */
  request(event, ...payload) {
    const answer = new Promise((resolve) => {
      this.socket.emit(event, ...payload, (ack) => {
        this.acknowledged(event, ack);
        resolve(ack);
      });
    });
    return this.answered(answer, `an ack of ${event}`);
  }

  /** Disconnects with a packet. */
  disconnect() {
    this.socket.disconnect();
  }

  /** Aborts the TCP connection without a packet. */
  terminate() {
    this.socket.io.engine.transport.ws.terminate();
  }
}
