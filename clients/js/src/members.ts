// Who is in the room.

import type {
  Editor,
  Member,
  MemberUpdated,
  ParticipantReconnected,
  ParticipantReconnecting,
  ParticipantsChanged,
  UserId,
} from './protocol.js';
import { defined, share, shareList } from './share.js';

/** Changes by which members are gone. */
const GONE = ['left', 'graceExpired', 'removed'];

const isSame = (a: UserId, b: UserId) => String(a) === String(b);

/** The users of an event that may have been merged from several. */
function usersIn<User extends Editor>(event: User | { users: User[] }): User[] {
  return 'users' in event ? event.users : [event];
}

export class Members {
  /** In the order of their arrival. None where the server lists no members, as in rooms above the roster limit. */
  list: readonly Member[] | null = null;
  count = 0;
  self: Member | null = null;
  readonly #isSelf: (user: Editor) => boolean;

  constructor(isSelf: (user: Editor) => boolean) {
    this.#isSelf = isSelf;
  }

  /** The whole list, as an ack or an event holds it. `self` is the own entry where the list is absent. */
  replace({ members, count }: { members?: Member[]; count: number }, self: Member | null): void {
    this.count = count;
    const known = this.list ?? (this.self ? [this.self] : null);
    this.list = members ? shareList(known, members, ({ userId }) => String(userId)) : null;
    this.self = members ? (this.list?.find(this.#isSelf) ?? null) : share(this.self, self);
  }

  changed({ change: { type, users }, count, members }: ParticipantsChanged, now: number): void {
    this.count = count;
    if (members) this.replace({ members, count }, null);
    else
      for (const user of users) {
        if (GONE.includes(type)) this.#update(user, () => null);
        else if (type === 'updated') this.#update(user, ({ userRole: _, ...member }) => ({ ...member, ...user }));
        else if (type === 'entered') this.#enter({ ...user, joinedAt: now, state: 'present' });
      }
  }

  reconnecting(event: ParticipantReconnecting): void {
    for (const { graceUntil, ...user } of usersIn(event)) {
      this.#update(user, (member) => ({ ...member, state: 'reconnecting', graceUntil }));
    }
  }

  reconnected(event: ParticipantReconnected): void {
    const { count, members } = event;
    this.count = count;
    if (members) this.replace({ members, count }, null);
    else
      for (const user of usersIn<Editor>(event)) {
        this.#update(user, ({ graceUntil: _, ...member }) => ({ ...member, state: 'present' }));
      }
  }

  updated(event: MemberUpdated): void {
    for (const user of usersIn(event)) {
      const { status, goal } = user;
      this.#update(user, ({ status: _, goal: __, ...member }) => defined<Member>({ ...member, status, goal }));
    }
  }

  /** A list follows, unless the room is above the roster limit: until then, the time of the arrival is approximate. */
  #enter(member: Member): void {
    if (this.list) this.list = [...this.list.filter(({ userId }) => !isSame(userId, member.userId)), member];
    if (this.#isSelf(member)) this.self = member;
  }

  #update(user: Editor, change: (member: Member) => Member | null): void {
    const changed = (member: Member) => {
      const result = change(member);
      return result && share(member, result);
    };
    if (this.self && this.#isSelf(user)) this.self = changed(this.self);
    const index = this.list?.findIndex(({ userId }) => isSame(userId, user.userId)) ?? -1;
    if (!this.list || index < 0) return;
    const before = this.list[index] as Member;
    // The own entry is the same object in both places.
    const after = this.#isSelf(user) && this.self ? this.self : changed(before);
    if (after === before) return;
    this.list = [...this.list.slice(0, index), ...(after ? [after] : []), ...this.list.slice(index + 1)];
  }
}
