// The transport over a bare WebSocket.

import { platform } from './platform.js';
import { type Ack, PROTOCOL_VERSION } from './protocol.js';
import type { Transport } from './transport.js';

/** What the transport uses of a WebSocket. */
export interface WebSocketLike {
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(text: string): void;
  close(): void;
}

export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;

export interface WebSocketOptions {
  /** Where Rollcall is: `https://rollcall.example`. */
  url: string;
  /** By default the global one. Node.js before version 22 has none: pass that of the package `ws`. */
  WebSocket?: WebSocketConstructor;
}

type Frame = { event: string; data: unknown; ack?: undefined } | { ack: number; data: Ack<unknown> };

/** Close codes with a reason for programs. */
const TELLING = [1009, 4401, 4406, 4409, 4410, 4429, 4503];

/** A transport over WebSockets. */
export function webSocket({
  url,
  WebSocket = platform.WebSocket as WebSocketConstructor,
}: WebSocketOptions): Transport {
  if (!WebSocket) throw new Error('There is no global WebSocket: pass one, such as that of the package ws.');
  const address = `${url.replace(/^http/, 'ws').replace(/\/$/, '')}/ws`;
  return (token, events) => {
    const socket = new WebSocket(address, [`rollcall.v${PROTOCOL_VERSION}`, `bearer.${token}`]);
    const acks = new Map<number, (ack: Ack<unknown>) => void>();
    let lastId = 0;
    let isOver = false;
    socket.onopen = () => {
      if (!isOver) events.opened();
    };
    socket.onmessage = ({ data }: { data: string }) => {
      if (isOver) return;
      const frame: Frame = JSON.parse(data);
      if (frame.ack === undefined) return events.event(frame.event, frame.data);
      acks.get(frame.ack)?.(frame.data);
      acks.delete(frame.ack);
    };
    socket.onclose = ({ code, reason }: { code: number; reason: string }) => {
      if (isOver) return;
      isOver = true;
      events.closed(
        TELLING.includes(code) ? { code: reason } : { message: reason || `The connection is lost (${code}).` },
      );
    };
    // `onclose` follows.
    socket.onerror = () => {};
    return {
      send(event, data, ack) {
        lastId += 1;
        acks.set(lastId, ack);
        socket.send(JSON.stringify({ id: lastId, event, data }));
      },
      close() {
        isOver = true;
        socket.close();
      },
    };
  };
}
