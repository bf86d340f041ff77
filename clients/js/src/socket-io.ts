// The transport over `socket.io-client`, which goes through proxies that let no WebSocket pass.

import { type Ack, PROTOCOL_VERSION } from './protocol.js';
import type { Transport, TransportEnd } from './transport.js';

/** What the transport uses of a socket of `socket.io-client`. */
export interface SocketIoSocket {
  emit(event: string, ...args: unknown[]): unknown;
  on(event: string, listener: (argument: never) => void): unknown;
  onAny(listener: (event: string, payload: unknown) => void): unknown;
  disconnect(): unknown;
}

export interface SocketIoOptions {
  /** Where Rollcall is: `https://rollcall.example`. */
  url: string;
  /** `io` of `socket.io-client`. */
  io: (url: string, options: object) => SocketIoSocket;
  namespace?: string;
  /** Further options for `io`, such as `transports`. */
  options?: object;
}

interface ConnectError {
  message: string;
  /** The server's refusal of the handshake. */
  data?: { code?: string; message?: string };
  /** The HTTP request that failed. */
  context?: { responseText?: string; getResponseHeader?(name: string): string | null };
}

/** A transport over Socket.IO. */
export function socketIo({ url, io, namespace = '/study', options }: SocketIoOptions): Transport {
  const address = url.replace(/\/$/, '') + namespace;
  return (token, events) => {
    // The client reconnects by itself, with a fresh token.
    const auth = { token, version: PROTOCOL_VERSION };
    const socket = io(address, { ...options, auth, reconnection: false, forceNew: true });
    let isOver = false;
    let last: TransportEnd = {};
    const end = (why: TransportEnd) => {
      if (isOver) return;
      isOver = true;
      events.closed(why);
    };
    socket.on('connect', () => {
      if (!isOver) events.opened();
    });
    socket.on('connect_error', (error: ConnectError) => {
      end(endOf(error));
      socket.disconnect();
    });
    socket.on('disconnect', (reason: string) => end({ message: reason, ...last }));
    socket.onAny((event, payload) => {
      // The server says why it is about to close the connection.
      if (event === 'error') last = payload as TransportEnd;
      else if (!isOver) events.event(event, payload);
    });
    return {
      send: (event, payload, ack) => socket.emit(event, payload, (answer: Ack<unknown>) => isOver || ack(answer)),
      close() {
        isOver = true;
        socket.disconnect();
      },
    };
  };
}

function endOf({ message, data, context }: ConnectError): TransportEnd {
  const seconds = Number(context?.getResponseHeader?.('retry-after'));
  const retryAfterMs = seconds > 0 ? seconds * 1000 : undefined;
  return { message, ...(data ?? refusalIn(context?.responseText)), retryAfterMs };
}

function refusalIn(text = ''): TransportEnd | undefined {
  try {
    const { code, message } = JSON.parse(text);
    return typeof code === 'string' ? { code, message } : undefined;
  } catch {
    // A proxy has answered.
    return undefined;
  }
}
