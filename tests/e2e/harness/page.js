// Runs in the browser, beside socket.io-client's own bundle: what a page needs to be told to do, and a log of what
// it was told.

/** Everything that arrived: {event, data}, in order. */
globalThis.heard = [];
/** How the last connection ended, once it has. */
globalThis.ended = null;

/** Connects by Socket.IO; says whether, or with what error. */
globalThis.overSocketIo = (url, options) => {
  globalThis.ended = null;
  const socket = io(url, { forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 200, ...options });
  globalThis.socket = socket;
  socket.onAny((event, data) => heard.push({ event, data }));
  socket.on('disconnect', (reason) => (globalThis.ended = reason));
  return new Promise((resolve) => {
    socket.once('connect', () => resolve('connected'));
    socket.once('connect_error', ({ message, data }) => resolve({ message, data }));
  });
};

/** Sends an event and returns its ack. */
globalThis.request = (event, data) => socket.emitWithAck(event, data);

/** Joins a room, and again whenever a lost connection is back, with the token of the time before. */
globalThis.stayIn = async (groupId) => {
  globalThis.joins = [];
  const join = async () =>
    joins.push(await request('room:join', { groupId, resumeToken: joins.at(-1)?.data.resumeToken }));
  await join();
  socket.on('connect', join);
};

/** Connects by a bare WebSocket; says whether, or how it was closed. */
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
    if (ack === undefined) heard.push({ event, data });
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
