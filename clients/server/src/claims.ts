// The claims of a user's token, checked by Rollcall's rules.

import type { Duplicates, Feature, TimerBy } from './generated.js';
import { checkId, type Id } from './ids.js';

/** The session that a token admits to, where sessions come from tokens (`sessions=token`). */
export interface SessionClaim {
  room: Id;
  /** When the session ends, in milliseconds since 1970. */
  endAt: number;
  leaderId?: Id | null;
  duplicates?: Duplicates;
  /** The most members at once. */
  capacity?: number | null;
  timerBy?: TimerBy;
  features?: Feature[] | null;
}

/** Whom a token is for. */
export interface User {
  userId: Id;
  /** The name that other members see. Rollcall removes hidden characters, and what exceeds 256 bytes. */
  username?: string | number | null;
  /** The role that other members see. */
  userRole?: string | number | null;
  /** The session that the user may enter. */
  rollcall?: SessionClaim | null;
}

/** 2001: times before are seconds mistaken for milliseconds. */
const EARLIEST_END_MS = 1_000_000_000_000;
const LATEST_END_MS = 99_999_999_999_999;
const MAX_CAPACITY = 2 ** 32 - 1;

const DUPLICATES: readonly Duplicates[] = ['refuse', 'takeover', 'share'];
const TIMER_BY: readonly TimerBy[] = ['leader', 'host', 'anyone'];
const FEATURES: readonly Feature[] = ['timer', 'status', 'chat', 'code', 'lobby'];

/**
 * Returns the claims about a user, and nothing else that the object holds.
 *
 * @throws {TypeError} for a claim that Rollcall would refuse
 */
export function claimsAbout({ userId, username, userRole, rollcall }: User): User {
  checkId(userId, 'userId');
  checkLabel(username, 'username');
  checkLabel(userRole, 'userRole');
  if (rollcall !== undefined && rollcall !== null) checkSession(rollcall);
  return {
    userId,
    ...(username === undefined ? {} : { username }),
    ...(userRole === undefined ? {} : { userRole }),
    ...(rollcall === undefined ? {} : { rollcall }),
  };
}

function checkLabel(label: unknown, name: string): void {
  if (label === undefined || label === null || Number.isFinite(label)) return;
  if (typeof label !== 'string') throw new TypeError(`${name}: must be a string or a number`);
  if (!label.isWellFormed()) throw new TypeError(`${name}: half of a surrogate pair is no text`);
}

function checkSession({ room, endAt, leaderId, duplicates, capacity, timerBy, features }: SessionClaim): void {
  checkId(room, 'rollcall.room');
  checkInteger(endAt, 'rollcall.endAt', EARLIEST_END_MS, LATEST_END_MS);
  if (leaderId !== undefined && leaderId !== null) checkId(leaderId, 'rollcall.leaderId');
  if (capacity !== undefined && capacity !== null) checkInteger(capacity, 'rollcall.capacity', 1, MAX_CAPACITY);
  if (duplicates !== undefined) checkChoice(duplicates, 'rollcall.duplicates', DUPLICATES);
  if (timerBy !== undefined) checkChoice(timerBy, 'rollcall.timerBy', TIMER_BY);
  for (const feature of features ?? []) checkChoice(feature, 'rollcall.features', FEATURES);
}

function checkInteger(value: unknown, name: string, least: number, most: number): void {
  if (!Number.isInteger(value) || (value as number) < least || (value as number) > most) {
    throw new TypeError(`${name}: must be an integer from ${least} to ${most}`);
  }
}

function checkChoice<T>(value: T, name: string, choices: readonly T[]): void {
  if (!choices.includes(value)) throw new TypeError(`${name}: must be one of ${choices.join(', ')}`);
}
