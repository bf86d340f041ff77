// Questions that stand above the page until they are answered.

import { type ComponentChildren, createContext } from 'preact';
import { useCallback, useContext, useLayoutEffect, useRef, useState } from 'preact/hooks';

import { useLanguage } from '../texts/language.js';

/** A dialog. Escape and a click beside it close it. The focus returns to where it was. */
export function Dialog({ title, close, children }: { title: string; close: () => void; children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  // A layout effect, so that the next key that is pressed goes into the dialog.
  useLayoutEffect(() => dialog.current?.showModal(), []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape does the same.
    <dialog
      ref={dialog}
      class="dialog"
      aria-labelledby="dialog-title"
      onClose={close}
      onClick={({ target, currentTarget }) => target === currentTarget && currentTarget.close()}
    >
      <div class="dialog-content">
        <h2 id="dialog-title" dir="auto">
          {title}
        </h2>
        {children}
      </div>
    </dialog>
  );
}

/** Closes the dialog of a button. */
export const closeOf = ({ currentTarget }: { currentTarget: Element }) => currentTarget.closest('dialog')?.close();

interface Question {
  title: string;
  text: string;
  yes: string;
  act: () => void;
}

const AskContext = createContext<(question: Question) => void>(() => {});

/** Asks before something that cannot be undone. */
export const useAsk = () => useContext(AskContext);

export function AskProvider({ children }: { children: ComponentChildren }) {
  const [question, setQuestion] = useState<Question | null>(null);
  const { moderation } = useLanguage().texts;
  const close = useCallback(() => setQuestion(null), []);
  return (
    <AskContext.Provider value={setQuestion}>
      {children}
      {question && (
        <Dialog title={question.title} close={close}>
          <p>{question.text}</p>
          <div class="dialog-actions">
            <button type="button" onClick={closeOf}>
              {moderation.cancel}
            </button>
            <button
              type="button"
              class="danger"
              onClick={(event) => {
                closeOf(event);
                question.act();
              }}
            >
              {question.yes}
            </button>
          </div>
        </Dialog>
      )}
    </AskContext.Provider>
  );
}
