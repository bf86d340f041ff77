// An editor for a snippet that the members edit together. Loaded when one is shown.

import { defaultKeymap, indentWithTab } from '@codemirror/commands';
import { javascript } from '@codemirror/lang-javascript';
import { python } from '@codemirror/lang-python';
import { bracketMatching, indentOnInput } from '@codemirror/language';
import { Compartment, EditorState, type Extension } from '@codemirror/state';
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from '@codemirror/view';
import { useRoom } from '@rollcall/react';
import { RollcallProvider, type Status } from '@rollcall/yjs';
import { useEffect, useRef, useState } from 'preact/hooks';
import { yCollab, yUndoManagerKeymap } from 'y-codemirror.next';
import * as Y from 'yjs';

import { useLanguage } from '../texts/language.js';
import { cursors } from './cursors.js';
import { looks } from './looks.js';

const LANGUAGES: Record<string, () => Extension> = {
  javascript: () => javascript({ jsx: true }),
  typescript: () => javascript({ typescript: true, jsx: true }),
  python,
};

/** What may change while somebody writes. */
const settingsOf = (language: string | undefined, label: string): Extension => [
  EditorView.contentAttributes.of({ 'aria-label': label }),
  LANGUAGES[language ?? '']?.() ?? [],
];

interface Props {
  number: number;
  language: string | undefined;
  label: string;
  /** Whether the server has all changes. */
  onSaved: (isSaved: boolean) => void;
}

export default function Editor({ number, language, label, onSaved }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const change = useRef((_: Extension) => {});
  const room = useRoom();
  const [status, setStatus] = useState<Status>('connecting');
  const [isSaved, setSaved] = useState(true);
  const [error, setError] = useState<string | null>(null);
  const texts = useLanguage();
  const { snippets } = texts.texts;

  useEffect(() => {
    const host = frame.current as HTMLDivElement;
    // The Content-Security-Policy allows no style elements. In a shadow root, CodeMirror uses constructed style sheets.
    const root = host.shadowRoot ?? host.attachShadow({ mode: 'open' });
    const doc = new Y.Doc();
    const text = doc.getText('text');
    const provider = new RollcallProvider(room.channel, number, doc);
    provider.awareness.setLocalStateField('user', { name: room.getSnapshot().self?.userName ?? '' });
    provider.on('status', ({ status }) => {
      setStatus(status);
      if (status !== 'failed') setError(null);
    });
    provider.on('saved', (isSaved) => {
      setSaved(isSaved);
      onSaved(isSaved);
    });
    provider.on('error', ({ code }) => setError(code));
    const connect = () => provider.connect();
    const stopListening = room.on('joined', connect);
    if (room.getSnapshot().connection.state === 'connected') connect();
    const settings = new Compartment();
    const view = new EditorView({
      parent: root,
      root,
      state: EditorState.create({
        doc: text.toString(),
        extensions: [
          keymap.of([...yUndoManagerKeymap, ...defaultKeymap]),
          // Tab leaves the editor after Escape.
          keymap.of([indentWithTab]),
          lineNumbers(),
          drawSelection(),
          highlightActiveLine(),
          bracketMatching(),
          indentOnInput(),
          EditorView.lineWrapping,
          looks,
          settings.of(settingsOf(language, label)),
          yCollab(text, null),
          cursors(text, provider.awareness),
        ],
      }),
    });
    change.current = (next) => view.dispatch({ effects: settings.reconfigure(next) });
    return () => {
      stopListening();
      view.destroy();
      provider.destroy();
      doc.destroy();
    };
  }, [room, number]);
  useEffect(() => change.current(settingsOf(language, label)), [language, label]);

  const state =
    error !== null
      ? texts.meaning(error)
      : status === 'muted'
        ? texts.texts.messages.muted
        : status !== 'connected'
          ? isSaved
            ? texts.texts.connection.connecting
            : snippets.offline
          : isSaved
            ? snippets.saved
            : snippets.saving;
  return (
    <>
      <div class="editor" ref={frame} />
      <p class="fine editor-state" data-saved={isSaved}>
        {state}
      </p>
    </>
  );
}
