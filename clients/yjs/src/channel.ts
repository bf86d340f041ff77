// The connection to Rollcall, as the provider sees it.

/** The response to a request. */
export type Ack = { success: true; data: Record<string, unknown> } | Refusal;

/** Why Rollcall did not do what a request asked for. */
export interface Refusal {
  success: false;
  code: string;
  message: string;
}

// biome-ignore lint/suspicious/noExplicitAny: each event has a payload of its own.
export type Listener = (payload: any) => void;

/** Sends requests to Rollcall, and passes its events on. */
export interface Channel {
  /** Sends an event. Rejects, or never resolves, if the connection ends before the ack. */
  request(event: string, payload: object): Promise<Ack>;
  /** Listens to an event of Rollcall, or to `disconnect`: the connection has ended. */
  on(event: string, listener: Listener): unknown;
  off(event: string, listener: Listener): unknown;
}

/** What the adapter uses of a socket of `socket.io-client` 4.6 or newer. */
export interface SocketIoSocket {
  connected: boolean;
  emitWithAck(event: string, payload: object): Promise<Ack>;
  on(event: string, listener: Listener): unknown;
  off(event: string, listener: Listener): unknown;
}

/** A channel over a socket of `socket.io-client`. */
export function socketIoChannel(socket: SocketIoSocket): Channel {
  return {
    request: (event, payload) => {
      if (socket.connected) return socket.emitWithAck(event, payload);
      // The socket would keep the request, and send it over the next connection before the user is in the room.
      return Promise.reject(new Error('The socket is not connected.'));
    },
    on: (event, listener) => socket.on(event, listener),
    off: (event, listener) => socket.off(event, listener),
  };
}
