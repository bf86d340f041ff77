// Who is here.

import type { Member, Status } from '@rollcall/client';
import { useChat, useMembers, useSelf } from '@rollcall/react';
import { memo } from 'preact/compat';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';

import { useLanguage } from '../texts/language.js';
import { MemberDialog, useMutes } from './moderation.js';
import { useAttempt } from './toasts.js';

const STATUSES = ['focusing', 'break', 'away'] as const satisfies readonly Status[];

/** From this number on, nobody wants to read all names. */
const MANY = 20;

export function MembersPanel() {
  const { members, count, leaderId } = useMembers();
  const { self, hasStatus, isLeader } = useSelf();
  const { hasChat } = useChat();
  const mutes = useMutes();
  const [managed, setManaged] = useState<Member | null>(null);
  const language = useLanguage();
  const { texts } = language;
  const number = language.number(count);
  const [query, setQuery] = useState('');
  const canFind = members !== null && members.length > MANY;
  const wanted = canFind ? query.trim().toLocaleLowerCase() : '';
  const shown = wanted ? members?.filter(({ userName }) => userName.toLocaleLowerCase().includes(wanted)) : members;
  return (
    <section class="panel people" aria-labelledby="people-title">
      <h2 id="people-title">{texts.people}</h2>
      <p class="fine">{members ? texts.members.count(count, number) : texts.members.unlisted(count, number)}</p>
      {self && hasStatus && <OwnStatus self={self} />}
      {canFind && (
        <>
          <input
            type="search"
            class="find"
            aria-label={texts.members.find}
            placeholder={texts.members.find}
            value={query}
            dir="auto"
            autocomplete="off"
            onInput={({ currentTarget }) => setQuery(currentTarget.value)}
          />
          <p class="hidden" role="status">
            {wanted && shown && texts.members.found(shown.length, language.number(shown.length))}
          </p>
        </>
      )}
      {shown && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: people who use a keyboard scroll the list.
        <ul class="members" tabIndex={0} aria-labelledby="people-title">
          {shown.map((member) => (
            <Row
              key={String(member.userId)}
              member={member}
              isSelf={String(member.userId) === String(self?.userId)}
              isLeader={leaderId !== null && String(member.userId) === String(leaderId)}
              isMuted={mutes.has(String(member.userId))}
              manage={isLeader && hasChat ? setManaged : null}
            />
          ))}
        </ul>
      )}
      {managed && <MemberDialog member={managed} close={() => setManaged(null)} />}
    </section>
  );
}

interface RowProps {
  member: Member;
  isSelf: boolean;
  isLeader: boolean;
  isMuted: boolean;
  /** Begins to manage a member. None for those who may not. */
  manage: ((member: Member) => void) | null;
}

const Row = memo(({ member, isSelf, isLeader, isMuted, manage }: RowProps) => {
  const { members, session, moderation } = useLanguage().texts;
  const { userName, state, status, goal } = member;
  const isAway = state === 'reconnecting';
  return (
    <li class="member" data-state={state} data-status={status}>
      <span class="dot" aria-hidden="true" />
      <span class="who">
        <bdi class="name">{userName}</bdi>
        {isSelf && <span class="tag">{session.you}</span>}
        {isLeader && <span class="tag">{members.leader}</span>}
        {isMuted && <span class="tag muted">{moderation.muted}</span>}
      </span>
      <span class="what">
        {isAway ? members.reconnecting : status ? members.statuses[status] : ''}
        {goal && (
          <>
            {(isAway || status) && ' · '}
            <bdi>{goal}</bdi>
          </>
        )}
      </span>
      {manage && !isSelf && (
        <button
          type="button"
          class="quiet manage"
          aria-haspopup="dialog"
          aria-label={moderation.manage(userName)}
          onClick={() => manage(member)}
        >
          ⋯
        </button>
      )}
    </li>
  );
});

function OwnStatus({ self: { status, goal = '' } }: { self: Member }) {
  const { update } = useSelf();
  const attempt = useAttempt();
  const { members } = useLanguage().texts;
  const [text, setText] = useState(goal);
  const lastGoal = useRef(goal);
  // Another window of the same user may have changed it. What is being written here stays.
  useLayoutEffect(() => {
    const before = lastGoal.current;
    lastGoal.current = goal;
    setText((text) => (text.trim() === before ? goal : text));
  }, [goal]);
  return (
    <div class="own-status">
      <fieldset class="choices" aria-label={members.yourStatus}>
        {STATUSES.map((name) => (
          <button
            key={name}
            type="button"
            aria-pressed={status === name}
            data-status={name}
            onClick={() => attempt(update({ status: status === name ? null : name }))}
          >
            {members.statuses[name]}
          </button>
        ))}
      </fieldset>
      <form
        class="goal"
        onSubmit={(event) => {
          event.preventDefault();
          attempt(update({ goal: text.trim() || null }));
        }}
      >
        <input
          aria-label={members.goal}
          placeholder={members.goalHint}
          value={text}
          maxLength={80}
          dir="auto"
          autocomplete="off"
          onInput={({ currentTarget }) => setText(currentTarget.value)}
        />
        {text.trim() !== goal && <button type="submit">{members.save}</button>}
      </form>
    </div>
  );
}
