//! Replies of scripts.

use rollcall_protocol::{ErrorCode, Refusal};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{Error, script::Script};

/// The reply of a script that did not refuse.
pub enum Reply<T> {
    Done(T),
    /// The join of a user needs the definition.
    DefinitionNeeded(DefinitionNeeded),
}

/// What a shard says of a room that it has handed over. The call on the room's new shard carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    /// The number of shards among which the room lies.
    pub shards: u64,
    /// The last announced change of the definition, or 0.
    announced: u64,
    /// The latest number that the shard has given to a session or a change.
    epoch: u64,
}

/// Why a join needs the definition: no session is live, or a change may have reached the store and not the room.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DefinitionNeeded {
    /// The last announced change, or 0.
    pub revision: u64,
    pub is_live: bool,
}

pub fn parse<T: DeserializeOwned>(script: &Script, reply: &[Vec<u8>]) -> Result<Reply<T>, Error> {
    let reply: Vec<&[u8]> = reply.iter().map(Vec::as_slice).collect();
    match reply.as_slice() {
        [b"OK", json] => {
            serde_json::from_slice(json).map(Reply::Done).map_err(|error| unreadable(script, &error))
        }
        [b"DEFINITION", json] => serde_json::from_slice(json)
            .map(Reply::DefinitionNeeded)
            .map_err(|error| unreadable(script, &error)),
        [code] => Err(refusal_code(code).map_err(|error| unreadable(script, &error))?.into()),
        [code, json] => {
            let code = refusal_code(code).map_err(|error| unreadable(script, &error))?;
            let current: Box<RawValue> =
                serde_json::from_slice(json).map_err(|error| unreadable(script, &error))?;
            Err(Refusal::from(code).with_current(Some(current.into())).into())
        }
        _ => Err(unreadable(script, &"neither a result nor a code")),
    }
}

/// Parses the reply that sends the caller to another shard; none if the reply is another one.
pub fn parse_handover(script: &Script, reply: &[Vec<u8>]) -> Result<Option<Handover>, Error> {
    match reply {
        [kind, json] if kind == b"HANDED_OVER" => {
            serde_json::from_slice(json).map(Some).map_err(|error| unreadable(script, &error))
        }
        _ => Ok(None),
    }
}

pub fn result_of<T>(script: &Script, reply: Reply<T>) -> Result<T, Error> {
    match reply {
        Reply::Done(result) => Ok(result),
        Reply::DefinitionNeeded(_) => Err(unreadable(script, &"a request for the definition")),
    }
}

fn refusal_code(code: &[u8]) -> Result<ErrorCode, serde_json::Error> {
    let code: &str = std::str::from_utf8(code).unwrap_or_default();
    ErrorCode::deserialize(serde_json::Value::from(code))
}

fn unreadable(script: &Script, error: &dyn std::fmt::Display) -> Error {
    Error::Unavailable(format!("{}: the reply cannot be read: {error}", script.name()))
}
