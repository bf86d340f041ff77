// In Node.js, Deno and Bun: main.mjs '{"url": …, "transport": …, "groupId": …, "token": …}'

import { run } from './client.mjs';

// Node.js has a WebSocket of its own from version 22.
const WebSocket = globalThis.WebSocket ?? (await import('ws')).WebSocket;
await run({ ...JSON.parse(process.argv[2]), WebSocket, print: console.log });
