// The language of the page: the browser's at first, and the one that the user has chosen after that.

import { RollcallError } from '@rollcall/client';
import { type ComponentChildren, createContext } from 'preact';
import { useContext, useLayoutEffect, useMemo, useState } from 'preact/hooks';

import { en, type Texts } from './en.js';
import { ko } from './ko.js';

export const LANGUAGES = { en, ko };
export type LanguageCode = keyof typeof LANGUAGES;

const CHOICE = 'rollcall.language';

const isLanguage = (code: string | null | undefined): code is LanguageCode => code != null && code in LANGUAGES;

function readChoice(): string | null {
  try {
    return localStorage.getItem(CHOICE);
  } catch {
    // The user has blocked the storage.
    return null;
  }
}

function initialLanguage(): LanguageCode {
  const chosen = readChoice();
  if (isLanguage(chosen)) return chosen;
  const wanted = navigator.languages.map((tag) => tag.split('-')[0]);
  return wanted.find(isLanguage) ?? 'en';
}

/** A language with its formats. */
export class Language {
  readonly code: LanguageCode;
  readonly texts: Texts;
  readonly #time: Intl.DateTimeFormat;
  readonly #number: Intl.NumberFormat;

  constructor(code: LanguageCode) {
    this.code = code;
    this.texts = LANGUAGES[code];
    this.#time = new Intl.DateTimeFormat(code, { timeStyle: 'short' });
    this.#number = new Intl.NumberFormat(code);
  }

  time(at: number): string {
    return this.#time.format(at);
  }

  number(value: number): string {
    return this.#number.format(value);
  }

  /** A length of time in words, in hours and minutes, or in seconds below a minute. */
  length(ms: number): string {
    const unit = (value: number, name: 'hour' | 'minute' | 'second') =>
      new Intl.NumberFormat(this.code, { style: 'unit', unit: name, unitDisplay: 'long' }).format(value);
    if (ms < 60_000) return unit(Math.ceil(ms / 1000), 'second');
    const minutes = Math.ceil(ms / 60_000);
    const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
    const parts = [hours > 0 && unit(hours, 'hour'), (rest > 0 || hours === 0) && unit(rest, 'minute')];
    return parts.filter(Boolean).join(' ');
  }

  error(error: unknown): string {
    return error instanceof RollcallError ? this.meaning(error.code) : this.texts.otherError;
  }

  /** What a code means. A newer server may have codes that this page does not know. */
  meaning(code: string | null | undefined): string {
    const { errors } = this.texts;
    return code && code in errors ? errors[code as keyof typeof errors] : this.texts.otherError;
  }
}

const LanguageContext = createContext<{ language: Language; choose: (code: LanguageCode) => void } | null>(null);

export function LanguageProvider({ children }: { children: ComponentChildren }) {
  const [code, setCode] = useState(initialLanguage);
  useLayoutEffect(() => {
    document.documentElement.lang = code;
  }, [code]);
  const value = useMemo(() => {
    const choose = (code: LanguageCode) => {
      setCode(code);
      try {
        localStorage.setItem(CHOICE, code);
      } catch {
        // The choice lasts as long as the page.
      }
    };
    return { language: new Language(code), choose };
  }, [code]);
  return <LanguageContext.Provider value={value}>{children}</LanguageContext.Provider>;
}

function useContextValue() {
  const value = useContext(LanguageContext);
  if (!value) throw new Error('There is no LanguageProvider above this component.');
  return value;
}

export const useLanguage = (): Language => useContextValue().language;

export function LanguageSwitch() {
  const { language, choose } = useContextValue();
  return (
    <select
      class="language"
      aria-label={language.texts.switchLanguage}
      value={language.code}
      onChange={({ currentTarget }) => choose(currentTarget.value as LanguageCode)}
    >
      {Object.entries(LANGUAGES).map(([code, texts]) => (
        <option key={code} value={code} lang={code}>
          {texts.language}
        </option>
      ))}
    </select>
  );
}
