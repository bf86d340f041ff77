// Who is in the room, and what operators do about one of them.

import type { Member, Mute } from '@rollcall/server/generated.js';
import { useMemo, useState } from 'preact/hooks';

import { useLasting } from '../../mutes.js';
import { useAsk } from '../ask.js';
import { useLanguage } from '../language.js';
import { newCommandId, useService } from '../service.js';
import { withoutMarks } from '../texts/with-names.js';
import { WindowedList } from '../windowed.js';
import { useRead } from './use-read.js';
import type { PartProps } from './view.js';

const ROW_HEIGHT = 60;
const MINUTE_MS = 60_000;
/** In minutes; none until the end of the session. */
const MUTES = ['5', '15', '60', 'end'] as const;

export function MembersPanel({ id, room, version, refresh }: PartProps) {
  const { api } = useService();
  const language = useLanguage();
  const { members: words } = language.texts;
  const [search, setSearch] = useState('');
  const all = room?.members;
  const shown = useMemo(() => {
    const wanted = search.trim().normalize('NFKC').toLocaleLowerCase();
    const matches = (text: string) => text.normalize('NFKC').toLocaleLowerCase().includes(wanted);
    return (all ?? []).filter(({ userId, userName }) => matches(userName) || matches(String(userId)));
  }, [all, search]);
  const page = useRead((signal) => api.history(id, { limit: 1, signal }), version);
  const mutes = useLasting(page.data?.mutes ?? [], room?.clockOffsetMs ?? 0);
  if (!room || !all) return <p class="empty">{words.none}</p>;
  const muteOf = ({ userId }: Member) => mutes.find((mute) => String(mute.userId) === String(userId));
  const isAway = ({ userId }: Mute) => !all.some((member) => String(member.userId) === String(userId));
  return (
    <>
      <search class="tools">
        <input
          type="search"
          aria-label={words.search}
          placeholder={words.search}
          value={search}
          dir="auto"
          autocomplete="off"
          spellcheck={false}
          onInput={({ currentTarget }) => setSearch(currentTarget.value)}
        />
        <p class="fine" role="status">
          {search.trim() && words.found(shown.length, language.number(shown.length))}
        </p>
      </search>
      {page.error !== null && (
        <p class="problem">
          {words.mutesUnknown} {language.error(page.error)}
        </p>
      )}
      {all.length === 0 && <p class="empty">{words.none}</p>}
      {shown.length > 0 && (
        <WindowedList
          items={shown}
          keyOf={({ userId }) => String(userId)}
          rowHeight={ROW_HEIGHT}
          label={language.texts.room.tabs.members}
        >
          {(member) => (
            <Row
              id={id}
              member={member}
              isHost={String(member.userId) === room.hostId}
              isLeader={String(member.userId) === room.leaderId}
              mute={muteOf(member)}
              refresh={refresh}
            />
          )}
        </WindowedList>
      )}
      <MutedAway id={id} mutes={mutes.filter(isAway)} refresh={refresh} />
    </>
  );
}

interface RowProps {
  id: string;
  member: Member;
  isHost: boolean;
  isLeader: boolean;
  mute: Mute | undefined;
  refresh: () => void;
}

function Row({ id, member, isHost, isLeader, mute, refresh }: RowProps) {
  const language = useLanguage();
  const { mayChange } = useService();
  const { members: words } = language.texts;
  const { userId, userName, userRole, state, status, goal, joinedAt } = member;
  const isAway = state === 'reconnecting';
  return (
    <div class="member-row" data-state={state} data-status={status}>
      <span class="dot" aria-hidden="true" />
      <span class="who">
        <bdi class="name">{userName}</bdi>
        <bdi class="fine">{String(userId)}</bdi>
        {isHost && <span class="tag">{words.host}</span>}
        {isLeader && <span class="tag">{words.leader}</span>}
        {userRole && (
          <span class="tag">
            <bdi>{userRole}</bdi>
          </span>
        )}
      </span>
      <span class="what">
        {mute && (
          <>
            <span class="muted">{words.mutedUntil(language.moment(mute.mutedUntil))}</span>
            {' · '}
          </>
        )}
        {isAway ? words.reconnecting : words.since(language.moment(joinedAt))}
        {status && ` · ${words.statuses[status]}`}
        {goal && (
          <>
            {' · '}
            <bdi>{goal}</bdi>
          </>
        )}
      </span>
      {mayChange && <MemberActions id={id} member={member} isMuted={mute !== undefined} refresh={refresh} />}
    </div>
  );
}

/** The users who may write nothing when they come back. */
function MutedAway({ id, mutes, refresh }: { id: string; mutes: readonly Mute[]; refresh: () => void }) {
  const { mayChange } = useService();
  const language = useLanguage();
  const { members: words } = language.texts;
  const askToUnmute = useUnmute(id, refresh);
  if (mutes.length === 0) return null;
  return (
    <section class="muted-away">
      <h3>{words.mutedAway}</h3>
      <ul>
        {mutes.map(({ userId, mutedUntil }) => (
          <li key={String(userId)}>
            <bdi class="name">{String(userId)}</bdi>
            <span class="fine">{words.mutedUntil(language.moment(mutedUntil))}</span>
            {mayChange && (
              <button
                type="button"
                class="quiet"
                onClick={() => askToUnmute(userId, String(userId))}
                aria-label={withoutMarks(words.unmute.title(String(userId)))}
              >
                {words.unmute.short}
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Returns what asks whether a user may write again. */
function useUnmute(id: string, refresh: () => void) {
  const ask = useAsk();
  const { api } = useService();
  const { members: words } = useLanguage().texts;
  return (userId: Mute['userId'], userName: string) => {
    const commandId = newCommandId();
    ask({
      title: words.unmute.title(userName),
      text: words.unmute.text,
      initial: {},
      confirm: words.unmute.confirm,
      run: async () => {
        await api.commandChat(id, { command: 'chat:unmute', data: { userId }, id: commandId });
        refresh();
        return words.unmute.done(userName, id);
      },
    });
  };
}

function MemberActions({
  id,
  member: { userId, userName },
  isMuted,
  refresh,
}: Pick<RowProps, 'id' | 'member' | 'refresh'> & { isMuted: boolean }) {
  const ask = useAsk();
  const askToUnmute = useUnmute(id, refresh);
  const { api } = useService();
  const language = useLanguage();
  const { members: words } = language.texts;

  const askToMute = () => {
    const commandId = newCommandId();
    ask<{ minutes: (typeof MUTES)[number] }>({
      title: words.mute.title(userName),
      text: words.mute.text,
      initial: { minutes: '15' },
      fields: ({ minutes }, set) => (
        <fieldset class="choices">
          <legend>{words.mute.for}</legend>
          {MUTES.map((value) => (
            <label key={value}>
              <input type="radio" name="minutes" checked={minutes === value} onChange={() => set({ minutes: value })} />
              <span>{value === 'end' ? words.mute.end : language.length(Number(value) * MINUTE_MS)}</span>
            </label>
          ))}
        </fieldset>
      ),
      confirm: words.mute.confirm,
      run: async ({ minutes }) => {
        const forMs = minutes === 'end' ? null : Number(minutes) * MINUTE_MS;
        await api.commandChat(id, { command: 'chat:mute', data: { userId, forMs }, id: commandId });
        refresh();
        const time = forMs === null ? words.mute.end : language.length(forMs);
        return words.mute.done(userName, id, time);
      },
    });
  };

  const askToPutOut = () =>
    ask({
      title: words.putOut.title(userName),
      text: words.putOut.text,
      initial: { strike: false },
      fields: ({ strike }, set) => (
        <label class="check">
          <input
            type="checkbox"
            checked={strike}
            onChange={({ currentTarget }) => set({ strike: currentTarget.checked })}
          />
          <span>{words.putOut.strike}</span>
        </label>
      ),
      confirm: words.putOut.confirm,
      isDangerous: true,
      run: async ({ strike }) => {
        if (strike) {
          const { definition, etag } = await api.get(id);
          const { members, leaderId } = definition;
          const isLeader = leaderId != null && String(leaderId) === String(userId);
          const isListed = members?.some((listed) => String(listed) === String(userId));
          // Without a list, everybody may enter, and the leader always may.
          if (!members || isLeader) throw Object.assign(new Error('no list'), { code: 'CANNOT_STRIKE' });
          if (isListed) {
            const others = members.filter((listed) => String(listed) !== String(userId));
            await api.patch(id, { members: others }, { ifMatch: etag });
            refresh();
            return words.putOut.doneStruck(userName, id);
          }
        }
        await api.kick(id, userId);
        refresh();
        return words.putOut.done(userName, id);
      },
    });

  return (
    <span class="row-actions">
      <button type="button" class="quiet" onClick={askToMute} aria-label={withoutMarks(words.mute.title(userName))}>
        {words.mute.short}
      </button>
      {isMuted && (
        <button
          type="button"
          class="quiet"
          onClick={() => askToUnmute(userId, userName)}
          aria-label={withoutMarks(words.unmute.title(userName))}
        >
          {words.unmute.short}
        </button>
      )}
      <button
        type="button"
        class="quiet danger-quiet"
        onClick={askToPutOut}
        aria-label={withoutMarks(words.putOut.title(userName))}
      >
        {words.putOut.short}
      </button>
    </span>
  );
}
