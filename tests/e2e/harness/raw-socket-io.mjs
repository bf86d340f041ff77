// Socket.IO without the official client, to send invalid packets.

import { WebSocket } from 'ws';

import { Member } from './member.mjs';
import { NAMESPACE } from './socket-io.mjs';

/** Plain text frames of a Socket.IO connection. The log holds frames by their packet type. */
export class RawSocketIo extends Member {
  #acks = new Map();

  constructor(user, bridge) {
    super(user);
    this.socket = new WebSocket(`ws://${bridge.address}/socket.io/?EIO=4&transport=websocket`);
    this.socket.on('error', () => {});
    this.socket.on('close', (code, reason) => this.ended({ code, reason: reason.toString() }));
    this.socket.on('message', (bytes) => this.#receive(bytes.toString()));
  }

  async connected(token) {
    await this.next('0');
    this.socket.send(`40${NAMESPACE},${JSON.stringify({ token })}`);
    await this.next('40');
    return this;
  }

  #receive(frame) {
    if (frame === '2') return this.socket.send('3');
    const ack = frame.match(/^43\/\w+,(\d+)(.*)$/s);
    if (ack) {
      this.#acks.get(ack[1])?.(JSON.parse(ack[2])[0]);
      return this.#acks.delete(ack[1]);
    }
    const [kind] = frame.match(/^4?\d/);
    this.arrived(kind, frame);
  }

  /** Sends an event with this text as its arguments, and returns the ack. */
  request(text, id) {
    const answer = new Promise((resolve) => this.#acks.set(String(id), resolve));
    this.socket.send(`42${NAMESPACE},${id}${text}`);
    return this.answered(answer, `an ack of ${text.slice(0, 80)}`);
  }

  disconnect() {
    this.socket.terminate();
  }
}
