import assert from 'node:assert/strict';

/** Sends a command of a member and expects success; returns the ack's data. */
export async function command(member, event, payload) {
  const ack = await member.request(event, payload);
  assert.equal(ack.success, true, `${event}: ${JSON.stringify(ack)}`);
  return ack.data;
}
