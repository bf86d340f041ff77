// A client on Socket.IO: the official one.

import { io } from 'socket.io-client';

import { Member } from './member.mjs';
import { within } from './wait.mjs';

export const NAMESPACE = '/study';

export class SocketIoMember extends Member {
  /** `options` are those of the official client. */
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

  /** Connected, or failed with the server's reason. */
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

  /** Goes away politely, with a packet that says so. */
  disconnect() {
    this.socket.disconnect();
  }

  /** Goes away without a word: the TCP connection ends, and nothing else is sent. */
  terminate() {
    this.socket.io.engine.transport.ws.terminate();
  }
}
