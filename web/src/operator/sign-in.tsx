// Asks for the operator's token.

import { useLayoutEffect, useRef, useState } from 'preact/hooks';

import { LanguageSwitch, useLanguage } from './language.js';

interface Props {
  problem: unknown;
  isBusy: boolean;
  onToken: (token: string) => void;
}

export function SignIn({ problem, isBusy, onToken }: Props) {
  const language = useLanguage();
  const { entrance } = language.texts;
  const [token, setToken] = useState('');
  const field = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    document.title = `${entrance.title} · Rollcall`;
    field.current?.focus();
  }, [entrance]);
  return (
    <div class="screen">
      <header class="screen-header">
        <LanguageSwitch />
      </header>
      <main class="sign-in">
        <h1>{entrance.title}</h1>
        <p>{entrance.text}</p>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            onToken(token.trim());
            setToken('');
          }}
        >
          <label for="token">{entrance.token}</label>
          {/* Not a password of the user: no browser should keep it. */}
          <input
            id="token"
            ref={field}
            type="password"
            autocomplete="off"
            data-1p-ignore
            data-lpignore="true"
            spellcheck={false}
            required
            value={token}
            onInput={({ currentTarget }) => setToken(currentTarget.value)}
          />
          <button type="submit" class="primary" disabled={isBusy || token.trim() === ''}>
            {isBusy ? entrance.busy : entrance.enter}
          </button>
          <div role="alert">{problem !== null && <p class="problem">{language.error(problem)}</p>}</div>
        </form>
      </main>
    </div>
  );
}
