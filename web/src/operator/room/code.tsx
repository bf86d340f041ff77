// The shared code of the room.

import type { Snippet } from '@rollcall/server/generated.js';
import { useState } from 'preact/hooks';

import { useAsk } from '../ask.js';
import { useLanguage } from '../language.js';
import { useService } from '../service.js';
import { useRead } from './use-read.js';
import type { PartProps } from './view.js';

export function CodePanel({ id, room, version, refresh }: PartProps) {
  const { api, mayChange } = useService();
  const ask = useAsk();
  const language = useLanguage();
  const { code: words } = language.texts;
  const [open, setOpen] = useState<number | null>(null);
  const { data, error, ...list } = useRead((signal) => api.snippets(id, { signal }), version);

  const askToClose = (snippet: Snippet, title: string) =>
    ask({
      title: words.close.title(title),
      text: words.close.text,
      initial: {},
      confirm: words.close.confirm,
      isDangerous: true,
      run: async () => {
        await api.closeSnippet(id, snippet.number);
        list.refresh();
        refresh();
        return words.close.done(title, id);
      },
    });

  if (error !== null) return <p class="problem">{language.error(error)}</p>;
  if (!data) return <p class="empty">{language.texts.loading}</p>;
  if (data.snippets.length === 0) return <p class="empty">{words.none}</p>;
  return (
    <ul class="snippets">
      {data.snippets.map((snippet) => {
        const title = snippet.title ?? words.untitled(snippet.userName);
        return (
          <li key={snippet.number} class="snippet-row">
            <button
              type="button"
              class="link name"
              aria-expanded={open === snippet.number}
              onClick={() => setOpen(open === snippet.number ? null : snippet.number)}
            >
              <bdi>{title}</bdi>
            </button>
            <p class="fine">
              {words.by(snippet.userName)}
              {' · '}
              {words.bytes(language.number(snippet.bytes))}
              {' · '}
              {words.changed(language.moment(snippet.updatedAt))}
            </p>
            {mayChange && room && (
              <button type="button" class="quiet danger-quiet" onClick={() => askToClose(snippet, title)}>
                {words.close.short}
              </button>
            )}
            {open === snippet.number && <Text id={id} number={snippet.number} version={version} />}
          </li>
        );
      })}
    </ul>
  );
}

function Text({ id, number, version }: { id: string; number: number; version: string }) {
  const { api } = useService();
  const language = useLanguage();
  const { data, error } = useRead((signal) => api.snippet(id, number, { signal }), version);
  if (error !== null) return <p class="problem">{language.error(error)}</p>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: people who use a keyboard scroll the text.
    <pre class="snippet-text" dir="ltr" tabIndex={0}>
      {data?.text ?? language.texts.loading}
    </pre>
  );
}
