// The program of a page with a room of the client: functions for tests to call.

import { io } from 'socket.io-client';

import { Room, webSocket } from '../../../clients/js/src/index.ts';
import { socketIo } from '../../../clients/js/src/socket-io.ts';

const TRANSPORTS = { WebSocket: webSocket, 'Socket.IO': ({ url }) => socketIo({ url, io }) };

let room;
let timesJoined = 0;
/** Whether the browser has kept this page and shown it again. */
let wasKept = false;
addEventListener('pageshow', ({ persisted }) => {
  wasKept ||= persisted;
});

globalThis.openRoom = async ({ url, groupId, token, transport }) => {
  room = new Room({
    transport: TRANSPORTS[transport]({ url }),
    groupId,
    token: () => token,
    storage: () => sessionStorage,
  });
  room.on('joined', () => {
    timesJoined += 1;
  });
  await room.join();
};

globalThis.snapshot = () => ({ ...room.getSnapshot(), timesJoined, wasKept });
globalThis.sendMessage = (text) => room.chat.send(text);
/** Sends a message whose ack the test does not wait for. */
globalThis.queueMessage = (text) => void room.chat.send(text);
