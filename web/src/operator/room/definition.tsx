// What the platform has defined for the room.

import { RollcallError } from '@rollcall/server/errors.js';
import type { DefinitionPatch, SessionDefinition } from '@rollcall/server/generated.js';

import { useAsk } from '../ask.js';
import { useLanguage } from '../language.js';
import { useService } from '../service.js';
import { type DefinitionForm, mayAdmit, toForm, toPatch } from './definition-form.js';
import { useRead } from './use-read.js';
import type { PartProps } from './view.js';

const DUPLICATES = ['refuse', 'takeover', 'share'] as const;
const TIMER_BY = ['leader', 'host', 'anyone'] as const;

export function DefinitionPanel({ id, version, refresh }: PartProps) {
  const { api, mayChange } = useService();
  const ask = useAsk();
  const language = useLanguage();
  const { definition: words } = language.texts;
  const { data, error, ...read } = useRead((signal) => api.get(id, { signal }), version);
  if (error !== null) return <p class="problem">{language.error(error)}</p>;
  if (!data) return <p class="empty">{language.texts.loading}</p>;
  const { endAt, leaderId, members, capacity, duplicates, timerBy, features } = data.definition;

  /** Lets a dialog change the definition that it shows. */
  const beginChange = () => {
    let shown = data;
    const apply = async (toPatch: (definition: SessionDefinition) => DefinitionPatch) => {
      try {
        // A further change may begin before the definition is read again.
        read.set(await api.patch(id, toPatch(shown.definition), { ifMatch: shown.etag }));
      } catch (error) {
        // Another operator was faster. The next attempt is for the definition as it is now.
        const isConflict = error instanceof RollcallError && error.code === 'PRECONDITION_FAILED';
        if (isConflict) shown = await api.get(id).catch(() => shown);
        throw error;
      } finally {
        read.refresh();
        refresh();
      }
    };
    return { apply, definition: () => shown.definition };
  };

  const askToChange = () => {
    const { apply, definition } = beginChange();
    const valuesOf = (changes: Partial<DefinitionForm>) => ({ ...toForm(definition()), ...changes });
    ask<Partial<DefinitionForm>>({
      title: words.change.title,
      text: words.change.text,
      initial: {},
      fields: (changes, set) => {
        const values = valuesOf(changes);
        return (
          <>
            <label class="field">
              <span>{words.leader}</span>
              <input
                value={values.leader}
                dir="auto"
                autocomplete="off"
                spellcheck={false}
                onInput={({ currentTarget }) => set({ leader: currentTarget.value })}
              />
            </label>
            <label class="field">
              <span>{words.capacity}</span>
              <input
                type="number"
                min="1"
                value={values.capacity}
                onInput={({ currentTarget }) => set({ capacity: currentTarget.value })}
              />
            </label>
            <label class="field">
              <span>{words.duplicates}</span>
              <select
                value={values.duplicates}
                onChange={({ currentTarget }) =>
                  set({ duplicates: currentTarget.value as (typeof DUPLICATES)[number] })
                }
              >
                {DUPLICATES.map((value) => (
                  <option key={value} value={value}>
                    {words.duplicateRules[value]}
                  </option>
                ))}
              </select>
            </label>
            <label class="field">
              <span>{words.timerBy}</span>
              <select
                value={values.timerBy}
                onChange={({ currentTarget }) => set({ timerBy: currentTarget.value as (typeof TIMER_BY)[number] })}
              >
                {TIMER_BY.map((value) => (
                  <option key={value} value={value}>
                    {words.timerSetters[value]}
                  </option>
                ))}
              </select>
            </label>
          </>
        );
      },
      isValid: (changes) => {
        const { capacity } = valuesOf(changes);
        return capacity === '' || Number(capacity) >= 1;
      },
      confirm: words.change.confirm,
      run: async (changes) => {
        await apply((definition) => toPatch(definition, changes));
        return words.change.done(id);
      },
    });
  };

  const askToAdmit = () => {
    const { apply, definition } = beginChange();
    ask({
      title: words.admit.title,
      text: words.admit.text,
      initial: { user: '' },
      fields: ({ user }, set) => (
        <label class="field">
          <span>{words.admit.user}</span>
          <input
            value={user}
            dir="auto"
            autocomplete="off"
            spellcheck={false}
            required
            onInput={({ currentTarget }) => set({ user: currentTarget.value })}
          />
        </label>
      ),
      isValid: ({ user }) => mayAdmit(definition(), user.trim()),
      confirm: words.admit.confirm,
      run: async ({ user }) => {
        await apply(({ members }) => ({ members: [...(members ?? []), user.trim()] }));
        return words.admit.done(user.trim(), id);
      },
    });
  };

  const facts: [string, string][] = [
    [words.end, language.moment(endAt)],
    [words.leader, leaderId == null ? words.nobody : String(leaderId)],
    [words.members, members ? words.listed(members.length, language.number(members.length)) : words.everybody],
    [words.capacity, capacity == null ? words.unlimited : language.number(capacity)],
    [words.duplicates, words.duplicateRules[duplicates ?? 'refuse']],
    [words.timerBy, words.timerSetters[timerBy ?? 'host']],
    [words.features, features ? features.map((name) => words.featureNames[name]).join(', ') || words.none : words.all],
  ];
  return (
    <>
      {mayChange && (
        <div class="tools">
          <button type="button" onClick={askToChange}>
            {words.change.title}
          </button>
          {members && (
            <button type="button" onClick={askToAdmit}>
              {words.admit.title}
            </button>
          )}
        </div>
      )}
      <dl class="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <bdi>{value}</bdi>
            </dd>
          </div>
        ))}
      </dl>
      {members && members.length > 0 && (
        <details class="listed">
          <summary>{words.list}</summary>
          <p>
            {members.map((user, at) => (
              <>
                {at > 0 && ', '}
                <bdi>{String(user)}</bdi>
              </>
            ))}
          </p>
        </details>
      )}
    </>
  );
}
