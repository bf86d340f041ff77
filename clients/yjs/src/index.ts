// Edits a shared snippet of a Rollcall room together.
//
// | file | what it holds |
// |---|---|
// | `provider` | the provider: what an application calls and learns |
// | `exchange` | opens the document, sends and receives updates |
// | `session` | requests and waits that end with a connection, pauses, pace |
// | `outbox`, `updates` | local changes until they are acknowledged, in parts that fit into messages |
// | `edits` | gaps in the numbers of updates |
// | `presence` | awareness: whose state is whose |
// | `channel` | the connection, with an adapter for `socket.io-client` |
// | `codes`, `base64`, `emitter` | codes of refusals, Base64, events with types |

export { type Ack, type Channel, type Refusal, type SocketIoSocket, socketIoChannel } from './channel.js';
export {
  type ProviderError,
  type ProviderEvents,
  type ProviderOptions,
  RollcallProvider,
  type Status,
} from './provider.js';
