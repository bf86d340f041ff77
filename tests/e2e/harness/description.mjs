// Compares real messages with the description of events.

import Ajv2020 from 'ajv/dist/2020.js';

/** The channels of the description. */
export const CHANNELS = { 'Socket.IO': 'socketIo', WebSocket: 'webSocket' };

/**
 * Says of a schema where a whole value stands that the value has no field that is not described. Clients must ignore
 * such fields, and the test must not.
 */
function closed(schema) {
  if (schema === null || typeof schema !== 'object') return schema;
  return { ...withClosedFields(schema), unevaluatedProperties: false };
}

function withClosedFields(schema) {
  const copy = { ...schema };
  // Each type is a schema of its own for the validator.
  if (copy.$ref) copy.$ref = copy.$ref.replace('#/components/schemas/', '');
  if (copy.items) copy.items = closed(copy.items);
  if (copy.properties) {
    const fields = Object.entries(copy.properties);
    copy.properties = Object.fromEntries(fields.map(([name, field]) => [name, closed(field)]));
  }
  for (const key of ['allOf', 'oneOf']) {
    if (copy[key]) copy[key] = copy[key].map(withClosedFields);
  }
  return copy;
}

export class Description {
  #validators = new Map();

  constructor(document) {
    this.document = document;
    // The schemas have keywords that are none of JSON Schema, and formats such as int64.
    this.ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
    for (const [name, schema] of Object.entries(document.components.schemas)) {
      this.ajv.addSchema(withClosedFields(schema), name);
    }
  }

  /** The names of the messages of a channel. */
  messages(channel) {
    return Object.keys(this.document.channels[channel].messages);
  }

  /** What is wrong with a message; null if it is as described. */
  problem(channel, key, payload) {
    const message = this.document.channels[channel].messages[key];
    if (!message) return `${channel} ${key} is not described`;
    if (!this.#validators.has(message)) this.#validators.set(message, this.ajv.compile(closed(message.payload)));
    const validate = this.#validators.get(message);
    if (validate(payload)) return null;
    return `${channel} ${key}: ${this.ajv.errorsText(validate.errors)} in ${JSON.stringify(payload).slice(0, 500)}`;
  }
}

const keyOf = (side, event) => `${side}.${event.replaceAll(':', '.')}`;

/** Records the messages of a client from now on as {channel, key, payload}. */
export function record(transport, member, messages) {
  const note = (key, payload) =>
    messages.push({ channel: CHANNELS[transport], key, payload: structuredClone(payload) });
  if (transport === 'Socket.IO') recordPackets(member, note);
  else recordFrames(member, note);
}

function recordPackets(member, note) {
  const { socket } = member;
  note('connect', socket.auth);
  socket.on('connect_error', ({ message, data }) => note('connect_error', { message, data }));
  socket.onAny((event, payload) => note(keyOf('server', event), payload));
  socket.onAnyOutgoing((event, payload) => note(keyOf('client', event), payload));
  const acknowledged = member.acknowledged.bind(member);
  member.acknowledged = (event, ack) => {
    note(`${keyOf('client', event)}.ack`, ack);
    acknowledged(event, ack);
  };
}

function recordFrames(member, note) {
  const { socket } = member;
  const sent = new Map();
  socket.on('message', (bytes) => {
    const frame = JSON.parse(bytes);
    if ('ack' in frame) note(`${keyOf('client', sent.get(frame.ack))}.ack`, frame);
    else note(keyOf('server', frame.event), frame);
  });
  const send = socket.send.bind(socket);
  socket.send = (text) => {
    if (text.startsWith('{')) {
      const frame = JSON.parse(text);
      sent.set(frame.id, frame.event);
      note(keyOf('client', frame.event), frame);
    }
    send(text);
  };
}
