// The client and the Yjs provider from their TypeScript sources, for tests in Node.js.

export * as Y from 'yjs';

export * from '../../../clients/js/src/index.ts';
export { socketIo } from '../../../clients/js/src/socket-io.ts';
export { RollcallProvider } from '../../../clients/yjs/src/index.ts';
