//! Authorization of callers.

use rollcall_guest::{
    bearer::{self, Tokens},
    definitions::{KeyValueDefinitions, PostgresDefinitions, Source},
    events, identity,
};
use rollcall_protocol::{ErrorCode, Refusal, RoomId, client::Identity};
use rollcall_rooms::{
    Error,
    definitions::{self, DefinitionSource, TokenDefinitions},
};
use spin_sdk::http::{HeaderMap, Method};

use crate::path::Resource;

thread_local! {
    static TOKENS: Tokens = const { Tokens::new() };
    static READ_TOKENS: Tokens = const { Tokens::new() };
}

/// What a caller may do with the API.
#[derive(Clone, Copy)]
pub enum Access {
    Read,
    Change,
}

impl Access {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Change => "change",
        }
    }
}

/// Permits operators everything or to read everything, and users to read the rooms that they may enter, and how many are in
/// any rooms.
pub async fn authorize(headers: &HeaderMap, resource: &Resource, method: &Method) -> Result<Access, Error> {
    let presented = bearer::presented(headers);
    match bearer::authorize(presented, &TOKENS, "operator_tokens").await {
        Err(Error::Refused(_)) => {}
        outcome => return outcome.map(|()| Access::Change),
    }
    let refusal = match bearer::authorize(presented, &READ_TOKENS, "operator_read_tokens").await {
        Ok(()) if *method == Method::GET => return Ok(Access::Read),
        Ok(()) => return Err(Refusal::because(ErrorCode::NotAllowed, "this token may only read").into()),
        Err(Error::Refused(refusal)) => refusal,
        Err(error) => return Err(error),
    };
    // A user's token is a JWT with two dots.
    let presented = presented.filter(|presented| presented.split('.').count() == 3);
    match (resource, presented) {
        (Resource::Room(room) | Resource::Members(room), Some(presented)) if *method == Method::GET => {
            let identity = identity::verify(presented).await?;
            events::within_time_limit(authorize_user(&identity, room)).await?;
        }
        (Resource::Counts, Some(presented)) => drop(identity::verify(presented).await?),
        _ => return Err(refusal.into()),
    }
    Ok(Access::Read)
}

async fn authorize_user(identity: &Identity, room: &RoomId) -> Result<(), Error> {
    let user = &identity.profile.user_id;
    let found = match Source::configured().await? {
        Source::KeyValue => KeyValueDefinitions.find(room, user).await?,
        Source::Postgres => PostgresDefinitions::configured().await?.find(room, user).await?,
        Source::Token => TokenDefinitions(identity.grant.as_ref()).find(room, user).await?,
    };
    definitions::admit(found, user).map(drop)
}
