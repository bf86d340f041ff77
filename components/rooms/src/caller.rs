//! Who calls, and what they may do.

use rollcall_guest::{
    bearer::{self, Tokens},
    definitions::{KeyValueDefinitions, PostgresDefinitions, Source},
    events, identity,
};
use rollcall_protocol::{ErrorCode, RoomId};
use rollcall_rooms::{Failure, directory, grant::Granted};
use spin_sdk::http::{HeaderMap, Method};

use crate::path::Resource;

thread_local! {
    static TOKENS: Tokens = const { Tokens::new() };
}

/// Lets operators do everything, and users read the rooms that they may enter.
pub async fn authorize(headers: &HeaderMap, resource: &Resource, method: &Method) -> Result<(), Failure> {
    let presented = bearer::presented(headers).ok_or(ErrorCode::Unauthorized)?;
    match resource {
        // Operators' tokens hold no dots; those of users, which are JWTs, hold two.
        Resource::Room(room) | Resource::Members(room)
            if *method == Method::GET && presented.split('.').count() == 3 =>
        {
            events::within_time_limit(authorize_user(presented, room)).await
        }
        _ => bearer::authorize(headers, &TOKENS, "operator_tokens").await,
    }
}

async fn authorize_user(token: &str, room: &RoomId) -> Result<(), Failure> {
    let identity = identity::verify(token).await?;
    let user = &identity.profile.user_id;
    let admitted = match Source::configured().await? {
        Source::KeyValue => directory::admit(&KeyValueDefinitions::open().await?, room, user).await,
        Source::Postgres => directory::admit(&PostgresDefinitions::open().await?, room, user).await,
        Source::Token => directory::admit(&Granted(identity.grant.as_ref()), room, user).await,
    };
    admitted.map(drop)
}
