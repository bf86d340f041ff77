// The fields of a definition that operators change, and what they change.

import type { DefinitionPatch, SessionDefinition } from '@rollcall/server/generated.js';

export interface DefinitionForm {
  leader: string;
  capacity: string;
  duplicates: NonNullable<SessionDefinition['duplicates']>;
  timerBy: NonNullable<SessionDefinition['timerBy']>;
}

export const toForm = ({ leaderId, capacity, duplicates, timerBy }: SessionDefinition): DefinitionForm => ({
  leader: leaderId == null ? '' : String(leaderId),
  capacity: capacity == null ? '' : String(capacity),
  duplicates: duplicates ?? 'refuse',
  timerBy: timerBy ?? 'host',
});

/** The patch for what the operator has changed in the form. All other fields stay as the definition has them. */
export function toPatch(definition: SessionDefinition, changes: Partial<DefinitionForm>): DefinitionPatch {
  const before = toForm(definition);
  const { leader, capacity, duplicates, timerBy } = { ...before, ...changes };
  return {
    // The type of an id is the platform's, so an id that stays as it is must not be named.
    ...(leader.trim() !== before.leader && { leaderId: leader.trim() || null }),
    capacity: capacity === '' ? null : Number(capacity),
    duplicates,
    timerBy,
  };
}

/** Whether there is a list of users who may enter, on which the user is not. */
export const mayAdmit = ({ members }: SessionDefinition, user: string): boolean =>
  user !== '' && members != null && !members.some((listed) => String(listed) === user);
