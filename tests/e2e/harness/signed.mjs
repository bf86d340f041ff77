// Calls to the app as a bridge makes them: CloudEvents, signed according to the Standard Webhooks specification.
// This code follows the specification and not the product's code, so that no mistake is in both.

import { createHmac, randomUUID } from 'node:crypto';

import { BRIDGE_SECRET } from './bridge.mjs';

/** A call with one event; `kind` is in the path, and `event` is the body. */
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

/** A call with a batch of events, each `{id, event}`. `change` alters the body before it is signed. */
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

/** Makes a call; returns status and body of the response. */
export async function make(appUrl, { path, body, headers }) {
  const signal = AbortSignal.timeout(30_000);
  const response = await fetch(appUrl + path, { method: 'POST', headers, body, signal });
  const text = await response.text();
  return { status: response.status, answer: text.startsWith('{') ? JSON.parse(text) : text };
}
