//! Requests about definitions.

use rollcall_guest::{
    definitions::KeyValueDefinitions,
    http::{self, Response},
    redis,
};
use rollcall_protocol::{
    ErrorCode, Refusal, RoomId,
    definition::{DefinitionPatch, SessionDefinition, StoredDefinition},
    json,
};
use rollcall_rooms::{
    Error,
    definitions::{DefinitionStore, Expected},
};
use serde::de::DeserializeOwned;
use spin_sdk::http::{HeaderMap, HeaderValue, Request, StatusCode};

use crate::{malformed, respond_with};

/// Enough for the longest list of members of a definition.
const MAX_DEFINITION_BYTES: usize = 2 * 1024 * 1024;

pub async fn get(room: &RoomId) -> Result<Response, Error> {
    respond_with(async {
        let stored = KeyValueDefinitions::open().await?.get(room).await?.ok_or(ErrorCode::NoSuchRoom)?;
        Ok(describe(StatusCode::OK, &stored))
    })
    .await
}

pub async fn put(room: &RoomId, request: &mut Request) -> Result<Response, Error> {
    let expected = expected(request.headers())?;
    let definition: SessionDefinition = read_json(request).await?;
    change(room, expected, |_, _| Ok(definition)).await
}

pub async fn patch(room: &RoomId, request: &mut Request) -> Result<Response, Error> {
    let expected = expected(request.headers())?;
    let patch: DefinitionPatch = read_json(request).await?;
    change(room, expected, |definition, _| Ok(definition.ok_or(ErrorCode::NoSuchRoom)?.patched(patch))).await
}

/// Ends the session now. The definition ends too, so that no join starts the session again.
pub async fn end(room: &RoomId) -> Result<Response, Error> {
    let ended = change(room, Expected::Anything, |definition, now| {
        let definition = definition.ok_or(ErrorCode::NoSuchRoom)?;
        Ok(SessionDefinition { end_at: definition.end_at.min(now), ..definition })
    });
    ended.await?;
    Ok(http::empty(StatusCode::NO_CONTENT))
}

pub async fn delete(room: &RoomId, request: &Request) -> Result<Response, Error> {
    let expected = expected(request.headers())?;
    respond_with(async {
        let store = KeyValueDefinitions::open().await?;
        redis::rooms().await?.undefine(&store, room, expected).await?;
        Ok(http::empty(StatusCode::NO_CONTENT))
    })
    .await
}

async fn change(
    room: &RoomId,
    expected: Expected,
    change: impl FnOnce(Option<SessionDefinition>, u64) -> Result<SessionDefinition, Error>,
) -> Result<Response, Error> {
    respond_with(async {
        let store = KeyValueDefinitions::open().await?;
        let valid = |definition, now| {
            let definition = change(definition, now)?;
            definition.validate().map_err(malformed)?;
            Ok(definition)
        };
        let (stored, is_new) = redis::rooms().await?.change(&store, room, expected, valid).await?;
        Ok(describe(if is_new { StatusCode::CREATED } else { StatusCode::OK }, &stored))
    })
    .await
}

async fn read_json<T: DeserializeOwned>(request: &mut Request) -> Result<T, Refusal> {
    let body = http::read_body(request, MAX_DEFINITION_BYTES).await?;
    json::from_object(&body).map_err(malformed)
}

/// Reads the condition of a request (RFC 9110, conditional requests). The entity tag of a definition is its revision.
fn expected(headers: &HeaderMap) -> Result<Expected, Refusal> {
    let text = |name| headers.get(name).map(HeaderValue::to_str).transpose().map_err(malformed);
    match (text("if-match")?, text("if-none-match")?) {
        (None, None) => Ok(Expected::Anything),
        (Some("*"), None) => Ok(Expected::Something),
        (None, Some("*")) => Ok(Expected::Nothing),
        (Some(tag), None) => {
            // No definition has the revision 0, so a foreign tag matches none.
            let revision = tag.trim_matches('"').parse().unwrap_or(0);
            Ok(Expected::Revision(revision))
        }
        _ => Err(malformed("If-None-Match takes nothing but *, and not together with If-Match")),
    }
}

fn describe(status: StatusCode, stored: &StoredDefinition) -> Response {
    let mut response = http::json(status, &stored.definition);
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", stored.revision)) {
        response.headers_mut().insert("etag", tag);
    }
    response
}
