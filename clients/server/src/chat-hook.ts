// Rollcall asks the platform about each message before members see it.

import type { IncomingMessage, ServerResponse } from 'node:http';

import { checkSignature, type RequestHeaders, readSecret, WebhookError } from './webhook.js';

/** A message that a member wants to send. */
export interface ChatQuestion {
  type: 'chat.message';
  /** The room, as text. */
  roomId: string;
  /** The author, as text. */
  userId: string;
  /** The author's name for the message. */
  commandId: string;
  text: string;
  /** The id of the call. A message that is sent again has the same one. */
  webhookId: string;
}

/** What the platform says about a message. */
export type ChatAnswer = { allow: true; text?: string } | { allow: false; reason?: string };

/** Members see the message as it is. */
export const allow = (): ChatAnswer => ({ allow: true });

/** The author learns that the message is refused, and the reason if there is one. */
export const refuse = (reason?: string): ChatAnswer =>
  reason === undefined ? { allow: false } : { allow: false, reason };

/**
 * Members see this text instead: 1 to 2000 characters, not only white space.
 *
 * @throws {TypeError} for a text that is no message
 */
export function change(text: string): ChatAnswer {
  if (text.trim() === '' || !text.isWellFormed() || [...text].length > MAX_CHARS) {
    throw new TypeError(`text: must have 1 to ${MAX_CHARS} characters`);
  }
  return { allow: true, text };
}

const MAX_CHARS = 2000;

/** More than the longest question, whose every character may be escaped. */
const MAX_BODY_BYTES = 64 * 1024;

/** What to answer the request of Rollcall. */
export interface ChatResponse {
  status: number;
  headers: Record<string, string>;
  body: string;
}

export type Decide = (question: ChatQuestion) => ChatAnswer | Promise<ChatAnswer>;

/** Verifies and answers Rollcall's questions about messages. */
export class ChatHook {
  readonly #secrets: readonly Buffer[];

  /**
   * `secrets`: Rollcall's `chat_hook_secret`, or several while it changes.
   *
   * @throws {TypeError} for what is no secret
   */
  constructor(secrets: string | readonly string[]) {
    this.#secrets = [secrets].flat().map(readSecret);
    if (this.#secrets.length === 0) throw new TypeError('secrets: at least one is needed');
  }

  /**
   * Verifies a question. `body` is the body as it came, before anything has parsed it.
   *
   * @throws {WebhookError} for a call that is not Rollcall's, is stale, or asks something else
   */
  verify(body: string | Uint8Array, headers: RequestHeaders): ChatQuestion {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    if (!(bytes instanceof Uint8Array)) throw new TypeError('body: must be the bytes or the text that came');
    if (bytes.length > MAX_BODY_BYTES) throw new WebhookError(413, 'the body is too large');
    const webhookId = checkSignature(bytes, headers, this.#secrets);
    return { ...readQuestion(bytes), webhookId };
  }

  /** Verifies a question, lets `decide` answer it, and returns the response. What `decide` throws is passed on. */
  async respond(body: string | Uint8Array, headers: RequestHeaders, decide: Decide): Promise<ChatResponse> {
    let question: ChatQuestion;
    try {
      question = this.verify(body, headers);
    } catch (error) {
      if (!(error instanceof WebhookError)) throw error;
      return response(error.status, { error: error.message });
    }
    return response(200, await decide(question));
  }

  /**
   * A listener for `node:http`, and for frameworks that leave the body unread. If `decide` throws, `failed` gets the error,
   * and Rollcall does as its `chat_hook_fallback` says.
   */
  listener(decide: Decide, failed: (error: unknown) => void = console.error) {
    return async (request: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
      let { status, headers, body } = response(500, { error: 'the message could not be checked' });
      try {
        ({ status, headers, body } = await this.respond(await readBody(request), request.headers, decide));
      } catch (error) {
        failed(error);
      }
      outgoing.writeHead(status, headers).end(body);
    };
  }
}

function response(status: number, content: object): ChatResponse {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(content) };
}

function readQuestion(body: Uint8Array): Omit<ChatQuestion, 'webhookId'> {
  let read: Partial<ChatQuestion> | null;
  try {
    read = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw new WebhookError(400, 'the body is not JSON');
  }
  const { type, roomId, userId, commandId, text } = read ?? {};
  if (type !== 'chat.message') throw new WebhookError(400, 'the call asks about something that is not known');
  if (![roomId, userId, commandId, text].every((field) => typeof field === 'string')) {
    throw new WebhookError(400, 'the question lacks something');
  }
  return { type, roomId, userId, commandId, text } as Omit<ChatQuestion, 'webhookId'>;
}

/** Reads a body, and no more of a larger one than shows that it is too large. */
async function readBody(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request) {
    parts.push(part);
    length += part.length;
    if (length > MAX_BODY_BYTES) break;
  }
  return Buffer.concat(parts);
}
