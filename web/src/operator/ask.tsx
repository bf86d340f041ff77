// Every action asks once, and says what it did.

import { RollcallError } from '@rollcall/server/errors.js';
import { type ComponentChildren, createContext } from 'preact';
import { useCallback, useContext, useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

import { useLanguage } from './language.js';
import { isRefusal, useService } from './service.js';

/** An action before it happens. */
export interface Question<Values> {
  title: string;
  /** What the action will do. */
  text?: ComponentChildren;
  /** What the operator chooses or writes. */
  initial: Values;
  fields?: (values: Values, set: (change: Partial<Values>) => void) => ComponentChildren;
  /** Whether the values make sense. */
  isValid?: (values: Values) => boolean;
  /** The name of the button. */
  confirm: string;
  isDangerous?: boolean;
  /** Does it. Returns what was done, in a sentence. */
  run: (values: Values) => Promise<string>;
}

export interface Deed {
  at: number;
  text: string;
}

interface Asking {
  ask: <Values>(question: Question<Values>) => void;
  deeds: Deed[];
}

const MOST_DEEDS = 100;

const AskContext = createContext<Asking>({ ask: () => {}, deeds: [] });

export const useAsk = () => useContext(AskContext).ask;
/** What was done on this page, latest first. */
export const useDeeds = () => useContext(AskContext).deeds;

export function AskProvider({ children }: { children: ComponentChildren }) {
  const [question, setQuestion] = useState<Question<unknown> | null>(null);
  const [deeds, setDeeds] = useState<Deed[]>([]);
  const ask = useCallback(<Values,>(question: Question<Values>) => setQuestion(question as Question<unknown>), []);
  const finish = useCallback((text: string | null) => {
    setQuestion(null);
    if (text !== null) setDeeds((deeds) => [{ at: Date.now(), text }, ...deeds].slice(0, MOST_DEEDS));
  }, []);
  return (
    <AskContext.Provider value={{ ask, deeds }}>
      {children}
      <Announcement deed={deeds[0]} />
      {question && <Dialog key={question.title} question={question} onFinish={finish} />}
    </AskContext.Provider>
  );
}

/** How long the last deed is shown over the page. The list of deeds keeps it. */
const ANNOUNCED_MS = 8000;

function Announcement({ deed }: { deed: Deed | undefined }) {
  const [isShown, setShown] = useState(false);
  useEffect(() => {
    if (!deed) return;
    setShown(true);
    const timer = setTimeout(() => setShown(false), ANNOUNCED_MS);
    return () => clearTimeout(timer);
  }, [deed]);
  return (
    <div class="announcement" role="status">
      {isShown && deed && <p>{deed.text}</p>}
    </div>
  );
}

function Dialog({ question, onFinish }: { question: Question<unknown>; onFinish: (text: string | null) => void }) {
  const { title, text, initial, fields, isValid, confirm, isDangerous, run } = question;
  const language = useLanguage();
  const { onRefused } = useService();
  const { asking } = language.texts;
  const dialog = useRef<HTMLDialogElement>(null);
  const [values, setValues] = useState(initial);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  // A layout effect, so that the next key that is pressed goes into the dialog.
  useLayoutEffect(() => {
    const element = dialog.current as HTMLDialogElement;
    const opener = document.activeElement as HTMLElement;
    element.showModal();
    return () => {
      element.close();
      // The opener may be gone, as that of a member who was put out.
      if (opener.isConnected) opener.focus();
      else document.querySelector<HTMLElement>('.detail h2')?.focus();
    };
  }, []);

  const begin = async () => {
    setBusy(true);
    setProblem(null);
    try {
      onFinish(await run(values));
    } catch (error) {
      if (isRefusal(error)) return onRefused();
      const isUncertain = error instanceof RollcallError && error.isUncertain;
      setProblem(isUncertain ? `${language.error(error)} ${asking.uncertain}` : language.error(error));
      setBusy(false);
    }
  };

  return (
    <dialog
      class="ask"
      ref={dialog}
      aria-labelledby="ask-title"
      aria-describedby={text ? 'ask-text' : undefined}
      onCancel={(event) => {
        event.preventDefault();
        // The action is under way and cannot be taken back.
        if (!isBusy) onFinish(null);
      }}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!isBusy) void begin();
        }}
      >
        <h2 id="ask-title">{title}</h2>
        {text && (
          <div class="ask-text" id="ask-text">
            {text}
          </div>
        )}
        {fields?.(values, (change) => setValues((values: unknown) => ({ ...(values as object), ...change })))}
        <div role="alert">{problem && <p class="problem">{problem}</p>}</div>
        <div class="ask-buttons">
          <button type="button" onClick={() => onFinish(null)} disabled={isBusy}>
            {asking.cancel}
          </button>
          <button
            type="submit"
            class={isDangerous ? 'danger' : 'primary'}
            disabled={isBusy || !(isValid?.(values) ?? true)}
          >
            {isBusy ? asking.busy : confirm}
          </button>
        </div>
      </form>
    </dialog>
  );
}
