// A document in memory. Imported first: React looks for it when it is loaded.

import { Window } from 'happy-dom';

const window = new Window();
Object.assign(globalThis, { window, document: window.document });
// Node.js 21 has one of its own.
globalThis.navigator ??= window.navigator;
