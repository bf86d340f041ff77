// What the platform has defined for the room.

import type { DefinitionPatch, SessionDefinition } from '@rollcall/server/generated.js';

import { useAsk } from '../ask.js';
import { useLanguage } from '../language.js';
import { useService } from '../service.js';
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
  const { definition, etag } = data;
  const { endAt, leaderId, members, capacity, duplicates, timerBy, features } = definition;

  const change = async (patch: DefinitionPatch) => {
    // Another operator may have changed it since it was shown.
    await api.patch(id, patch, { ifMatch: etag });
    read.refresh();
    refresh();
  };

  const askToChange = () =>
    ask({
      title: words.change.title,
      text: words.change.text,
      initial: {
        leader: leaderId == null ? '' : String(leaderId),
        capacity: capacity == null ? '' : String(capacity),
        duplicates: duplicates ?? 'refuse',
        timerBy: timerBy ?? 'host',
      },
      fields: (values, set) => (
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
              onChange={({ currentTarget }) => set({ duplicates: currentTarget.value as (typeof DUPLICATES)[number] })}
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
      ),
      isValid: ({ capacity }) => capacity === '' || Number(capacity) >= 1,
      confirm: words.change.confirm,
      run: async (values) => {
        // The type of an id is the platform's, so an id that stays as it is must not be named.
        const isSameLeader = values.leader.trim() === (leaderId == null ? '' : String(leaderId));
        await change({
          ...(!isSameLeader && { leaderId: values.leader.trim() || null }),
          capacity: values.capacity === '' ? null : Number(values.capacity),
          duplicates: values.duplicates,
          timerBy: values.timerBy,
        });
        return words.change.done(id);
      },
    });

  const askToAdmit = (listed: NonNullable<SessionDefinition['members']>) =>
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
      isValid: ({ user }) => user.trim() !== '' && !listed.some((known) => String(known) === user.trim()),
      confirm: words.admit.confirm,
      run: async ({ user }) => {
        await change({ members: [...listed, user.trim()] });
        return words.admit.done(user.trim(), id);
      },
    });

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
            <button type="button" onClick={() => askToAdmit(members)}>
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
