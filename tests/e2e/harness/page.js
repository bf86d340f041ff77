// The script of the tests' page in the browser, beside socket.io-client's own bundle: functions for tests to call, and
// a log of events.

/** All events in order: {event, data}. */
globalThis.received = [];
/** The reason for the end of the last connection. */
globalThis.ended = null;

/** Connects over Socket.IO; returns 'connected' or the error. */
globalThis.overSocketIo = (url, options) => {
  globalThis.ended = null;
  const socket = io(url, { forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 200, ...options });
  globalThis.socket = socket;
  socket.onAny((event, data) => received.push({ event, data }));
  socket.on('disconnect', (reason) => (globalThis.ended = reason));
  return new Promise((resolve) => {
    socket.once('connect', () => resolve('connected'));
    socket.once('connect_error', ({ message, data }) => resolve({ message, data }));
  });
};

/** Sends an event and returns its ack. */
globalThis.request = (event, data) => socket.emitWithAck(event, data);

/** Joins a room, and rejoins with the last resume token after each reconnect. */
globalThis.stayIn = async (groupId) => {
  globalThis.joins = [];
  const join = async () =>
    joins.push(await request('room:join', { groupId, resumeToken: joins.at(-1)?.data.resumeToken }));
  await join();
  socket.on('connect', join);
};

/** Connects over a plain WebSocket; returns its protocol or how it was closed. */
globalThis.overWebSocket = (url, protocols) => {
  globalThis.ended = null;
  const socket = new WebSocket(url, protocols);
  const acks = new Map();
  globalThis.request = (event, data) => {
    const id = acks.size + 1;
    socket.send(JSON.stringify({ id, event, data }));
    return new Promise((resolve) => acks.set(id, resolve));
  };
  socket.onmessage = ({ data: text }) => {
    const { ack, event, data } = JSON.parse(text);
    if (ack === undefined) received.push({ event, data });
    else acks.get(ack)(data);
  };
  return new Promise((resolve) => {
    socket.onopen = () => resolve(`speaks ${socket.protocol}`);
    socket.onclose = ({ code, reason }) => {
      globalThis.ended = { code, reason };
      resolve(ended);
    };
  });
};
