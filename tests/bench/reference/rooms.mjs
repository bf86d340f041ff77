// The rooms in Redis: a definition as JSON, when the session started, and a hash of members. Changes that belong together
// go in one transaction with the list that the members get afterwards.

export class Rooms {
  #redis;

  constructor(redis) {
    this.#redis = redis;
  }

  define(room, definition) {
    return this.#redis.set(keysOf(room).definition, JSON.stringify(definition));
  }

  /** The definition and one member, or null for what is not there. */
  async look(room, userId) {
    const { definition, members } = keysOf(room);
    const found = await Promise.all([this.#redis.get(definition), this.#redis.hget(members, userId)]);
    return found.map((text) => JSON.parse(text));
  }

  /** Adds or replaces a member. The first member starts the session. */
  async put(room, member, now) {
    const keys = keysOf(room);
    const [[, started], , [, values]] = await this.#redis
      .multi()
      .set(keys.startedAt, now, 'NX')
      .hset(keys.members, member.userId, JSON.stringify(member))
      .hvals(keys.members)
      .exec();
    return { first: started === 'OK', members: parse(values) };
  }

  /** Returns the members that remain, or nothing if the member was not there. */
  async remove(room, userId) {
    const { members } = keysOf(room);
    const [[, removed], [, values]] = await this.#redis.multi().hdel(members, userId).hvals(members).exec();
    return removed ? parse(values) : undefined;
  }

  clear(room) {
    const { startedAt, members } = keysOf(room);
    return this.#redis.del(startedAt, members);
  }
}

const keysOf = (room) => ({
  definition: `study:${room}:definition`,
  startedAt: `study:${room}:started`,
  members: `study:${room}:members`,
});

const parse = (values) => values.map((text) => JSON.parse(text)).sort((a, b) => a.joinedAt - b.joinedAt);
