// The script of the tests' page with CodeMirror: functions for tests to call. esbuild puts it and its imports into one
// file.

import { EditorState } from '@codemirror/state';
import { EditorView, keymap } from '@codemirror/view';
import { io } from 'socket.io-client';
import { yCollab, yUndoManagerKeymap } from 'y-codemirror.next';
import * as Y from 'yjs';

import { RollcallProvider, socketIoChannel } from '../../../clients/yjs/src/index.ts';

/** Joins a room, and shows a snippet of it. Comes back after each loss of the connection. */
globalThis.openEditor = ({ url, token, room, number, name }) => {
  const socket = io(url, { auth: { token }, reconnectionDelay: 50, reconnectionDelayMax: 200 });
  const doc = new Y.Doc();
  const text = doc.getText('text');
  const provider = new RollcallProvider(socketIoChannel(socket), number, doc);
  provider.awareness.setLocalStateField('user', { name, color: '#0a7', colorLight: '#0a73' });
  let resumeToken;
  socket.on('connect', async () => {
    const ack = await socket.emitWithAck('room:join', { groupId: room, resumeToken });
    if (!ack.success) return;
    resumeToken = ack.data.resumeToken;
    provider.connect();
  });
  const extensions = [keymap.of(yUndoManagerKeymap), yCollab(text, provider.awareness)];
  const state = EditorState.create({ doc: text.toString(), extensions });
  const view = new EditorView({ state, parent: document.body });
  globalThis.editor = { socket, provider, text, view };
};

/** What the page shows and knows. */
globalThis.editorState = () => ({
  shown: editor.view.state.doc.toString(),
  text: editor.text.toString(),
  status: editor.provider.status,
  isSynced: editor.provider.synced,
  isSaved: editor.provider.saved,
  isConnected: editor.socket.connected,
  cursors: [...document.querySelectorAll('.cm-ySelectionInfo')].map(({ textContent }) => textContent).sort(),
});
