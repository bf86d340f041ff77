// The official client as an application uses it: it reconnects by itself, and joins with its resume token.

import { io } from 'socket.io-client';

import { NAMESPACE } from './socket-io.mjs';

export class Resident {
  acks = [];
  refusals = [];
  #resumeToken;

  /** `options` are the official client's. */
  constructor(user, room, bridge, token, options = {}) {
    this.user = user;
    this.room = room;
    this.socket = io(`${bridge.url}${NAMESPACE}`, {
      auth: { token },
      transports: ['websocket'],
      forceNew: true,
      reconnectionDelay: 100,
      reconnectionDelayMax: 1000,
      ...options,
    });
    this.socket.on('connect', () => this.#join());
  }

  #join() {
    const { id } = this.socket;
    this.isIn = false;
    this.socket.emit('room:join', { groupId: this.room, resumeToken: this.#resumeToken }, (ack) => {
      if (ack.success) {
        this.#resumeToken = ack.data.resumeToken;
        this.isIn = this.socket.id === id;
        this.acks.push(ack.data);
        return;
      }
      this.refusals.push(ack.code);
      if (this.socket.id === id) setTimeout(() => this.#join(), 100);
    });
  }

  /** Whether the resident is in its room over a connection later than the first `acks` ones. */
  isBack(acks) {
    return this.socket.connected && this.isIn && this.acks.length > acks;
  }
}
