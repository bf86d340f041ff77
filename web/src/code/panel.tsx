// The code that the members share.

import type { SharedSnippet } from '@rollcall/client';
import { useCode, useConnection, useSelf } from '@rollcall/react';
import { lazy, Suspense } from 'preact/compat';
import { useCallback, useEffect, useLayoutEffect, useState } from 'preact/hooks';

import { useAsk } from '../room/dialog.js';
import { useAttempt } from '../room/toasts.js';
import type { Texts } from '../texts/en.js';
import { useLanguage } from '../texts/language.js';

// CodeMirror and Yjs are larger than the rest of the page.
const Editor = lazy(() => import('./editor.js'));

const LANGUAGES = ['javascript', 'python', 'text'] as const;

export function CodePanel() {
  const { snippets, hasCode, isCurrent } = useCode();
  const { texts } = useLanguage();
  const [chosen, setChosen] = useState<number | null>(null);
  const [isSharing, setSharing] = useState(false);
  const { unsaved, onSaved } = useUnsaved();
  const shown = snippets.find(({ number }) => number === chosen) ?? snippets.at(-1);
  // What is shown stays, whatever else is shared.
  useLayoutEffect(() => setChosen(shown?.number ?? null), [shown?.number]);
  if (!hasCode || (!isCurrent && snippets.length === 0)) return null;
  const open = snippets.filter((snippet) => snippet === shown || unsaved.has(snippet.number));
  return (
    <section class="code" aria-labelledby="code-title">
      <header class="code-header">
        <h2 id="code-title">{texts.code}</h2>
        <div class="snippets">
          {snippets.map((snippet) => (
            <button
              key={snippet.number}
              type="button"
              aria-pressed={snippet === shown}
              onClick={() => setChosen(snippet.number)}
            >
              <bdi>{titleOf(snippet, texts)}</bdi>
            </button>
          ))}
        </div>
        <button type="button" class="quiet" aria-expanded={isSharing} onClick={() => setSharing(!isSharing)}>
          {texts.snippets.share}
        </button>
      </header>
      {isSharing && (
        <ShareForm
          done={(number) => {
            setSharing(false);
            setChosen(number);
          }}
        />
      )}
      {open.map((snippet) => (
        <Snippet key={snippet.number} snippet={snippet} isShown={snippet === shown} onSaved={onSaved} />
      ))}
      {!shown && <p class="empty">{texts.snippets.empty}</p>}
    </section>
  );
}

/** The snippets whose changes the server does not have yet: their editors stay until it does. */
function useUnsaved() {
  const [unsaved, setUnsaved] = useState<ReadonlySet<number>>(new Set());
  const onSaved = useCallback((number: number, isSaved: boolean) => {
    setUnsaved((all) => new Set(isSaved ? [...all].filter((other) => other !== number) : [...all, number]));
  }, []);
  return { unsaved, onSaved };
}

const titleOf = ({ title, userName }: SharedSnippet, texts: Texts) => title ?? texts.snippets.untitled(userName);

function ShareForm({ done }: { done: (number: number | null) => void }) {
  const { share } = useCode();
  const attempt = useAttempt();
  const { snippets } = useLanguage().texts;
  const [title, setTitle] = useState('');
  const [language, setLanguage] = useState<string>('javascript');
  return (
    <form
      class="share-form"
      onSubmit={(event) => {
        event.preventDefault();
        const named = title.trim() ? { title: title.trim() } : {};
        attempt(
          share({ text: '', language, editors: 'together', ...named }).then((made) => done(made?.number ?? null)),
        );
      }}
    >
      <input
        aria-label={snippets.title}
        placeholder={snippets.title}
        value={title}
        maxLength={80}
        dir="auto"
        onInput={({ currentTarget }) => setTitle(currentTarget.value)}
      />
      <select
        aria-label={snippets.programming}
        value={language}
        onChange={({ currentTarget }) => setLanguage(currentTarget.value)}
      >
        {LANGUAGES.map((name) => (
          <option key={name} value={name}>
            {snippets.languages[name]}
          </option>
        ))}
      </select>
      <button type="submit" class="primary">
        {snippets.create}
      </button>
    </form>
  );
}

interface SnippetProps {
  snippet: SharedSnippet;
  isShown: boolean;
  onSaved: (number: number, isSaved: boolean) => void;
}

function Snippet({ snippet, isShown, onSaved }: SnippetProps) {
  const { close } = useCode();
  const { self, isLeader } = useSelf();
  const attempt = useAttempt();
  const ask = useAsk();
  const { texts } = useLanguage();
  const { snippets } = texts;
  const mayClose = isLeader || String(snippet.userId) === String(self?.userId);
  return (
    <div class="snippet" hidden={!isShown}>
      {snippet.editors === 'together' ? (
        <Suspense fallback={<p class="empty">{snippets.loading}</p>}>
          <Editor
            number={snippet.number}
            language={snippet.language}
            label={titleOf(snippet, texts)}
            onSaved={(isSaved) => onSaved(snippet.number, isSaved)}
          />
        </Suspense>
      ) : (
        <Listing snippet={snippet} />
      )}
      <footer class="snippet-footer fine">
        <bdi>{snippets.by(snippet.userName)}</bdi>
        {mayClose && (
          <button
            type="button"
            class="link"
            onClick={() =>
              ask({
                title: snippets.closeTitle,
                text: snippets.closeText,
                yes: snippets.confirmClose,
                act: () => attempt(close(snippet.number)),
              })
            }
          >
            {snippets.close}
          </button>
        )}
      </footer>
    </div>
  );
}

/** A snippet that is not edited together. */
function Listing({ snippet: { number, version, text } }: { snippet: SharedSnippet }) {
  const { get } = useCode();
  const { state } = useConnection();
  const attempt = useAttempt();
  const { snippets } = useLanguage().texts;
  useEffect(() => {
    if (text === undefined) attempt(get(number));
    // After a connection was lost, an attempt may have failed.
  }, [number, version, text === undefined, state]);
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: people who use a keyboard scroll the text. */}
      <pre class="listing" tabIndex={0}>
        <code>{text ?? snippets.loading}</code>
      </pre>
      <p class="fine">{snippets.readOnly}</p>
    </>
  );
}
