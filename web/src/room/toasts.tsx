// Short messages over the page. They move nothing.

import { useRoomEvent } from '@rollcall/react';
import { type ComponentChildren, createContext } from 'preact';
import { useCallback, useContext, useRef, useState } from 'preact/hooks';

import { useLanguage } from '../texts/language.js';

interface Toast {
  id: number;
  text: string;
  /** `user`: a person has written the text. */
  by: 'page' | 'user';
}

/** How long a message stays. Those of people stay until they are dismissed. */
const LIFE_MS = 8000;
/** The most messages of the page at once. */
const MOST = 3;

type Show = (text: string, by?: Toast['by']) => void;

const ToastContext = createContext<Show>(() => {});

/** Shows a message. */
export const useToast = (): Show => useContext(ToastContext);

/** Does something, and shows why it failed. */
export function useAttempt() {
  const show = useToast();
  const language = useLanguage();
  return useCallback(
    (work: Promise<unknown>) => {
      work.catch((error: unknown) => show(language.error(error)));
    },
    [show, language],
  );
}

export function ToastProvider({ children }: { children: ComponentChildren }) {
  const [toasts, setToasts] = useState<Toast[]>([]);
  const lastId = useRef(0);
  const { texts } = useLanguage();
  const dismiss = useCallback((id: number) => setToasts((all) => all.filter((toast) => toast.id !== id)), []);
  const show = useCallback<Show>(
    (text, by = 'page') => {
      lastId.current += 1;
      const id = lastId.current;
      setToasts((all) => {
        const next = [...all.filter((toast) => toast.text !== text), { id, text, by }];
        const ofPage = next.filter((toast) => toast.by === 'page');
        return next.filter((toast) => !ofPage.slice(0, -MOST).includes(toast));
      });
      if (by === 'page') setTimeout(() => dismiss(id), LIFE_MS);
    },
    [dismiss],
  );
  return (
    <ToastContext.Provider value={show}>
      {children}
      <News />
      <div class="toasts" role="status">
        {toasts.map(({ id, text, by }) => (
          <div class="toast" key={id}>
            <p>
              {by === 'user' && <strong>{texts.notice} </strong>}
              {by === 'user' ? <bdi>{text}</bdi> : text}
            </p>
            <button type="button" class="quiet" aria-label={texts.dismiss} onClick={() => dismiss(id)}>
              ×
            </button>
          </div>
        ))}
      </div>
    </ToastContext.Provider>
  );
}

/** What the server tells everybody. */
function News() {
  const show = useToast();
  const language = useLanguage();
  const { session, tokenExpires } = language.texts;
  useRoomEvent('room:notice', ({ text }) => show(text, 'user'));
  useRoomEvent('room:reminder', ({ remainMs }) => show(session.reminder(language.length(remainMs))));
  useRoomEvent('room:rescheduled', ({ endAt }) => show(session.moved(language.time(endAt))));
  useRoomEvent('auth:expiring', ({ expiresAt }) => show(tokenExpires(language.time(expiresAt)), 'page'));
  return null;
}
