// What the leader of a session may do to the chat.

import type { Member } from '@rollcall/client';
import { useChat, useRoomSelector } from '@rollcall/react';

import { useLasting } from '../mutes.js';
import { useLanguage } from '../texts/language.js';
import { closeOf, Dialog } from './dialog.js';
import { useAttempt, useToast } from './toasts.js';

const MUTES_MS = [5 * 60_000, 30 * 60_000, 2 * 3_600_000];
const SLOWS_MS = [10_000, 30_000, 60_000, 5 * 60_000];

/** Who may write nothing at the moment. */
export function useMutes(): ReadonlySet<string> {
  const { mutes, offsetMs } = useRoomSelector(({ chat, clock }) => ({ mutes: chat.mutes, offsetMs: clock.offsetMs }));
  return new Set(useLasting(mutes, offsetMs).map(({ userId }) => String(userId)));
}

/** What the leader may do to a member. */
export function MemberDialog({ member: { userId, userName }, close }: { member: Member; close: () => void }) {
  const { mute, unmute } = useChat();
  const isMuted = useMutes().has(String(userId));
  const attempt = useAttempt();
  const show = useToast();
  const language = useLanguage();
  const { moderation } = language.texts;
  const choice = (text: string, act: () => Promise<void>, done: string) => (
    <button
      type="button"
      key={text}
      onClick={(event) => {
        closeOf(event);
        attempt(act().then(() => show(done)));
      }}
    >
      {text}
    </button>
  );
  const hasMuted = moderation.hasMuted(userName);
  return (
    <Dialog title={moderation.mute(userName)} close={close}>
      <p>{moderation.muteText}</p>
      <div class="dialog-choices">
        {MUTES_MS.map((ms) => choice(moderation.forTime(language.length(ms)), () => mute(userId, ms), hasMuted))}
        {choice(moderation.untilEnd, () => mute(userId), hasMuted)}
        {isMuted && choice(moderation.unmute, () => unmute(userId), moderation.hasUnmuted(userName))}
      </div>
      <div class="dialog-actions">
        <button type="button" class="quiet" onClick={closeOf}>
          {moderation.cancel}
        </button>
      </div>
    </Dialog>
  );
}

/** How often each member may write. */
export function SlowMode() {
  const { slowMs, slow } = useChat();
  const attempt = useAttempt();
  const language = useLanguage();
  const { moderation } = language.texts;
  // An operator may have chosen another time.
  const times = [...new Set([0, ...SLOWS_MS, slowMs])].sort((a, b) => a - b);
  return (
    <label class="slow-mode fine">
      {moderation.slow}
      <select
        value={slowMs}
        onChange={({ currentTarget }) => {
          const chosen = Number(currentTarget.value);
          // Shows what is so, until the server has agreed.
          currentTarget.value = String(slowMs);
          attempt(slow(chosen));
        }}
      >
        {times.map((ms) => (
          <option key={ms} value={ms}>
            {ms === 0 ? moderation.slowOff : language.length(ms)}
          </option>
        ))}
      </select>
    </label>
  );
}
