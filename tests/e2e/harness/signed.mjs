// Calls of the app as a bridge makes them: CloudEvents, signed as the Standard Webhooks specification says.
// Written from the specification and not from the product's code, so that both can be wrong independently.

import { createHmac, randomUUID } from 'node:crypto';

import { BRIDGE_SECRET } from './bridge.mjs';

/** A call that delivers an event; `kind` is the path's, `event` the body. */
export function signedCall(kind, event, { secret = BRIDGE_SECRET, ageS = 0, id = randomUUID() } = {}) {
  const body = typeof event === 'string' ? event : JSON.stringify(event);
  const timestamp = String(Math.floor(Date.now() / 1000) - ageS);
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return {
    path: `/events/${kind}`,
    body,
    headers: {
      'content-type': 'application/json',
      'ce-specversion': '1.0',
      'ce-id': id,
      'ce-type': `rollcall.${kind}`,
      'ce-source': '/bridges/test',
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': `v1,${signature}`,
    },
  };
}

/** A call that delivers events together, each `{id, event}`. What `change` does to the body is signed with it. */
export function signedBatch(kind, deliveries, { change = (events) => events, ...options } = {}) {
  const events = deliveries.map(({ id, event }) => ({
    specversion: '1.0',
    id,
    type: `rollcall.${kind}`,
    source: '/bridges/test',
    data: event,
  }));
  const { path, body, headers } = signedCall(kind, JSON.stringify(change(events)), options);
  const own = Object.entries(headers).filter(([name]) => !name.startsWith('ce-'));
  return { path, body, headers: { ...Object.fromEntries(own), 'content-type': 'application/cloudevents-batch+json' } };
}

/** Makes a call: its status and what the answer says. */
export async function make(appUrl, { path, body, headers }) {
  const signal = AbortSignal.timeout(10_000);
  const response = await fetch(appUrl + path, { method: 'POST', headers, body, signal });
  const text = await response.text();
  return { status: response.status, answer: text.startsWith('{') ? JSON.parse(text) : text };
}
