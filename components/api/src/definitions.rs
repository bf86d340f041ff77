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
    definitions::{DefinitionStore, Precondition},
};
use serde::de::DeserializeOwned;
use spin_sdk::http::{HeaderMap, HeaderValue, Request, StatusCode};

use crate::{malformed, respond_with};

/// Enough for the longest list of members of a definition.
const MAX_DEFINITION_BYTES: usize = 2 * 1024 * 1024;

pub async fn get(room: &RoomId, headers: &HeaderMap) -> Result<Response, Error> {
    let precondition = precondition(headers)?;
    respond_with(async {
        let stored = KeyValueDefinitions.get(room).await?.ok_or(ErrorCode::NoSuchRoom)?;
        if precondition.is_unmodified(&stored)? {
            return Ok(tag(http::empty(StatusCode::NOT_MODIFIED), &stored));
        }
        Ok(describe(StatusCode::OK, &stored))
    })
    .await
}

pub async fn put(room: &RoomId, request: &mut Request) -> Result<Response, Error> {
    let precondition = precondition(request.headers())?;
    let definition: SessionDefinition = read_json(request).await?;
    change(room, &precondition, |_, _| Ok(definition)).await
}

pub async fn patch(room: &RoomId, request: &mut Request) -> Result<Response, Error> {
    let precondition = precondition(request.headers())?;
    let patch: DefinitionPatch = read_json(request).await?;
    change(room, &precondition.for_existing(), |definition, _| {
        Ok(definition.ok_or(ErrorCode::NoSuchRoom)?.patched(patch))
    })
    .await
}

/// Ends the session now. The definition ends too, so that no join starts the session again.
pub async fn end(room: &RoomId) -> Result<Response, Error> {
    let precondition = Precondition::default().for_existing();
    change(room, &precondition, |definition, now| {
        let definition = definition.ok_or(ErrorCode::NoSuchRoom)?;
        Ok(SessionDefinition { end_at: definition.end_at.min(now), ..definition })
    })
    .await?;
    Ok(http::empty(StatusCode::NO_CONTENT))
}

pub async fn delete(room: &RoomId, request: &Request) -> Result<Response, Error> {
    let precondition = precondition(request.headers())?;
    respond_with(async {
        let store = KeyValueDefinitions;
        redis::rooms().await?.undefine(&store, room, &precondition).await?;
        Ok(http::empty(StatusCode::NO_CONTENT))
    })
    .await
}

async fn change(
    room: &RoomId,
    precondition: &Precondition,
    change: impl FnOnce(Option<SessionDefinition>, u64) -> Result<SessionDefinition, Error>,
) -> Result<Response, Error> {
    respond_with(async {
        let store = KeyValueDefinitions;
        let valid = |definition, now| {
            let definition = change(definition, now)?;
            definition.validate().map_err(malformed)?;
            Ok(definition)
        };
        let (stored, is_new) = redis::rooms().await?.change(&store, room, precondition, valid).await?;
        Ok(describe(if is_new { StatusCode::CREATED } else { StatusCode::OK }, &stored))
    })
    .await
}

async fn read_json<T: DeserializeOwned>(request: &mut Request) -> Result<T, Refusal> {
    let received = http::take_body(request)?;
    let body = http::read_body(request.headers(), received, MAX_DEFINITION_BYTES).await?;
    json::from_object(&body).map_err(malformed)
}

/// Reads the conditions of a request.
fn precondition(headers: &HeaderMap) -> Result<Precondition, Refusal> {
    let lines = |name| headers.get_all(name).into_iter().map(HeaderValue::as_bytes);
    Precondition::parse(lines("if-match"), lines("if-none-match"))
}

fn describe(status: StatusCode, stored: &StoredDefinition) -> Response {
    tag(http::json(status, &stored.definition), stored)
}

fn tag(mut response: Response, stored: &StoredDefinition) -> Response {
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", stored.revision)) {
        response.headers_mut().insert("etag", tag);
    }
    response
}
