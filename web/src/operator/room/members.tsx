// Who is in the room, and what operators do about one of them.

import type { Member } from '@rollcall/server/generated.js';
import { useMemo, useState } from 'preact/hooks';

import { useAsk } from '../ask.js';
import { useLanguage } from '../language.js';
import { newCommandId, useService } from '../service.js';
import { WindowedList } from '../windowed.js';
import type { PartProps } from './view.js';

const ROW_HEIGHT = 60;
const MINUTE_MS = 60_000;
/** In minutes; none until the end of the session. */
const MUTES = ['5', '15', '60', 'end'] as const;

export function MembersPanel({ id, room, refresh }: PartProps) {
  const language = useLanguage();
  const { members: words } = language.texts;
  const [search, setSearch] = useState('');
  const all = room?.members;
  const shown = useMemo(() => {
    const wanted = search.trim().normalize('NFKC').toLocaleLowerCase();
    const matches = (text: string) => text.normalize('NFKC').toLocaleLowerCase().includes(wanted);
    return (all ?? []).filter(({ userId, userName }) => matches(userName) || matches(String(userId)));
  }, [all, search]);
  if (!room || !all) return <p class="empty">{words.none}</p>;
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
              refresh={refresh}
            />
          )}
        </WindowedList>
      )}
    </>
  );
}

interface RowProps {
  id: string;
  member: Member;
  isHost: boolean;
  isLeader: boolean;
  refresh: () => void;
}

function Row({ id, member, isHost, isLeader, refresh }: RowProps) {
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
        {isAway ? words.reconnecting : words.since(language.moment(joinedAt))}
        {status && ` · ${words.statuses[status]}`}
        {goal && (
          <>
            {' · '}
            <bdi>{goal}</bdi>
          </>
        )}
      </span>
      {mayChange && <MemberActions id={id} member={member} refresh={refresh} />}
    </div>
  );
}

function MemberActions({ id, member: { userId, userName }, refresh }: Pick<RowProps, 'id' | 'member' | 'refresh'>) {
  const ask = useAsk();
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
        const time = forMs === null ? words.mute.end : language.length(forMs);
        return words.mute.done(userName, id, time);
      },
    });
  };

  const askToUnmute = () => {
    const commandId = newCommandId();
    ask({
      title: words.unmute.title(userName),
      text: words.unmute.text,
      initial: {},
      confirm: words.unmute.confirm,
      run: async () => {
        await api.commandChat(id, { command: 'chat:unmute', data: { userId }, id: commandId });
        return words.unmute.done(userName, id);
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
      <button type="button" class="quiet" onClick={askToMute} aria-label={words.mute.title(userName)}>
        {words.mute.short}
      </button>
      <button type="button" class="quiet" onClick={askToUnmute} aria-label={words.unmute.title(userName)}>
        {words.unmute.short}
      </button>
      <button type="button" class="quiet danger-quiet" onClick={askToPutOut} aria-label={words.putOut.title(userName)}>
        {words.putOut.short}
      </button>
    </span>
  );
}
