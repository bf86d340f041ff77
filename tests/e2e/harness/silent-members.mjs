// Many members of a room who have no sockets.

import assert from 'node:assert/strict';

import { Bridge } from './bridge.mjs';
import { make, signedBatch, signedCall } from './signed.mjs';
import { nameOf } from './tokens.mjs';
import { until } from './wait.mjs';

/** The most joins that fit into a call. */
const BATCH = 200;

/** Members without sockets: the app takes them for those of a bridge of its own. */
export class SilentMembers {
  #node = 'silent-members';

  /** Enters users of these names. No event of it holds a list, which would cost the square of their number. */
  static async enter(site, room, users) {
    const members = new SilentMembers();
    Object.assign(members, { site, room });
    const { redis } = site.harness;
    const variables = { ...site.variables, SPIN_VARIABLE_ROSTER_LIMIT: '0' };
    const app = await Bridge.start({ redis, variables });
    try {
      await app.ready();
      await members.#call(signedCall('heartbeat', { type: 'heartbeat', nodeId: members.#node, isLeaving: false }), app);
      for (let from = 0; from < users.length; from += BATCH) {
        const events = users
          .slice(from, from + BATCH)
          .map((user) => ({ id: `join-${user}`, event: members.#join(user) }));
        let left = events;
        const areIn = async () => {
          // What the app could not do in time comes again, as from a bridge.
          const { answer } = await make(app.appUrl, signedBatch('join', left));
          const joined = new Set(answer.data?.outcomes.filter(({ success }) => success).map(({ id }) => id));
          left = left.filter(({ id }) => !joined.has(id));
          return left.length === 0;
        };
        await until(areIn, () => `${left.length} members are let in`);
      }
    } finally {
      await app.stop();
    }
    return members;
  }

  /** A command of a member. */
  command(user, kind, command, data) {
    const { room } = this;
    const event = { type: kind, roomId: room, userId: user, entryId: `entry-${user}`, commandId: 'c', command, data };
    return this.#call(signedCall(kind, event));
  }

  leave(user) {
    return this.#call(
      signedCall('leave', { type: 'leave', roomId: this.room, userId: user, entryId: `entry-${user}` }),
    );
  }

  #join(user) {
    return {
      type: 'join',
      roomId: this.room,
      profile: { userId: user, userName: nameOf(user) },
      entryId: `entry-${user}`,
      nodeId: this.#node,
      resumeHash: `hash-${user}`,
    };
  }

  async #call(call, { appUrl } = this.site.harness) {
    const { answer } = await make(appUrl, call);
    assert.ok(answer.success, JSON.stringify(answer));
    return answer.data;
  }
}
