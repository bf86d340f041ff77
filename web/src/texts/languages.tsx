// Languages of a page: the browser's at first, and the one that the user has chosen after that. Each page has texts of its
// own; the choice is one for all pages.

import { type ComponentChildren, createContext } from 'preact';
import { useContext, useLayoutEffect, useMemo, useState } from 'preact/hooks';

/** What every page has in each language. */
export interface CommonTexts {
  /** The name of the language in itself. */
  language: string;
  switchLanguage: string;
  /** What a code of the server means. */
  errors: Record<string, string>;
  otherError: string;
}

export type LanguageCode = 'en' | 'ko';

const CHOICE = 'rollcall.language';

const isLanguage = (code: string | null | undefined): code is LanguageCode => code === 'en' || code === 'ko';

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
export class Language<Texts extends CommonTexts> {
  readonly code: LanguageCode;
  readonly texts: Texts;
  readonly #time: Intl.DateTimeFormat;
  readonly #moment: Intl.DateTimeFormat;
  readonly #number: Intl.NumberFormat;

  constructor(code: LanguageCode, texts: Texts) {
    this.code = code;
    this.texts = texts;
    this.#time = new Intl.DateTimeFormat(code, { timeStyle: 'short' });
    this.#moment = new Intl.DateTimeFormat(code, { dateStyle: 'medium', timeStyle: 'short' });
    this.#number = new Intl.NumberFormat(code);
  }

  /** A time of the day. */
  time(at: number): string {
    return this.#time.format(at);
  }

  /** A time, with the day unless that is today. */
  moment(at: number): string {
    const isToday = new Date(at).toDateString() === new Date().toDateString();
    return isToday ? this.time(at) : this.#moment.format(at);
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
    const { code } = (error ?? {}) as { code?: unknown };
    return this.meaning(typeof code === 'string' ? code : null);
  }

  /** What a code means. A newer server may have codes that this page does not know. */
  meaning(code: string | null | undefined): string {
    const { errors, otherError } = this.texts;
    return (code && Object.hasOwn(errors, code) && errors[code]) || otherError;
  }
}

/** Makes the parts of a page that know the language. */
export function createLanguages<Texts extends CommonTexts>(all: Record<LanguageCode, Texts>) {
  const LanguageContext = createContext<{ language: Language<Texts>; choose: (code: LanguageCode) => void } | null>(
    null,
  );

  function LanguageProvider({ children }: { children: ComponentChildren }) {
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
      return { language: new Language(code, all[code]), choose };
    }, [code]);
    return <LanguageContext.Provider value={value}>{children}</LanguageContext.Provider>;
  }

  function useContextValue() {
    const value = useContext(LanguageContext);
    if (!value) throw new Error('There is no LanguageProvider above this component.');
    return value;
  }

  const useLanguage = (): Language<Texts> => useContextValue().language;

  function LanguageSwitch() {
    const { language, choose } = useContextValue();
    return (
      <select
        class="language"
        aria-label={language.texts.switchLanguage}
        value={language.code}
        onChange={({ currentTarget }) => choose(currentTarget.value as LanguageCode)}
      >
        {Object.entries(all).map(([code, texts]) => (
          <option key={code} value={code} lang={code}>
            {texts.language}
          </option>
        ))}
      </select>
    );
  }

  return { LanguageProvider, LanguageSwitch, useLanguage };
}
