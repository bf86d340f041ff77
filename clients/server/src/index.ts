// What the server of a study platform needs of Rollcall.
//
// - `tokens`: signs the tokens of users. `keys` reads the keys, `claims` and `ids` check what Rollcall would refuse.
// - `chat-hook`: answers whether members may see a message. `webhook` verifies that Rollcall asks.
// - `api`: the HTTP API. `calls` makes requests from the table in `generated` and tries again, `attempt` is one request.

export { type Conditions, type PageOptions, RollcallApi, type StoredDefinition } from './api.js';
export type { CallOptions, CallsOptions } from './calls.js';
export {
  allow,
  type ChatAnswer,
  ChatHook,
  type ChatQuestion,
  type ChatResponse,
  change,
  type Decide,
  refuse,
} from './chat-hook.js';
export type { SessionClaim, User } from './claims.js';
export { type ClientCode, RollcallError } from './errors.js';
export type * from './generated.js';
export { checkId, type Id } from './ids.js';
export type { Jwk } from './keys.js';
export { type SignerOptions, type TokenOptions, TokenSigner } from './tokens.js';
export { type RequestHeaders, WebhookError } from './webhook.js';
