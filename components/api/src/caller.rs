//! Authorization of callers.

use rollcall_guest::{
    bearer::{self, Tokens},
    definitions::{KeyValueDefinitions, PostgresDefinitions, Source},
    events, identity,
};
use rollcall_protocol::{RoomId, client::Identity};
use rollcall_rooms::{
    Error,
    definitions::{self, DefinitionSource, TokenDefinitions},
};
use spin_sdk::http::{HeaderMap, Method};

use crate::path::Resource;

thread_local! {
    static TOKENS: Tokens = const { Tokens::new() };
}

/// Permits operators everything, and users to read the rooms that they may enter, and how many are in any rooms.
pub async fn authorize(headers: &HeaderMap, resource: &Resource, method: &Method) -> Result<(), Error> {
    let refusal = match bearer::authorize(bearer::presented(headers), &TOKENS, "operator_tokens").await {
        Err(Error::Refused(refusal)) => refusal,
        outcome => return outcome,
    };
    // A user's token is a JWT with two dots.
    let presented = bearer::presented(headers).filter(|presented| presented.split('.').count() == 3);
    match (resource, presented) {
        (Resource::Room(room) | Resource::Members(room), Some(presented)) if *method == Method::GET => {
            let identity = identity::verify(presented).await?;
            events::within_time_limit(authorize_user(&identity, room)).await
        }
        (Resource::Counts, Some(presented)) => identity::verify(presented).await.map(drop),
        _ => Err(refusal.into()),
    }
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
