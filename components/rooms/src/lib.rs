//! The HTTP API for operators: defines, changes and ends sessions, and tells who was there.

mod path;

use rollcall_guest::{
    bearer::{self, Tokens},
    definitions::KeyValueDefinitions,
    events,
    http::{self, Response},
    redis,
};
use rollcall_protocol::{
    ErrorCode, Refusal, RoomId,
    session::{Session, SessionDefinition},
};
use rollcall_rooms::{Failure, directory::Directory};
use spin_sdk::{
    http::{HeaderValue, Method, Request, StatusCode},
    http_service,
};

use self::path::Resource;

/// Room for the longest list of members that a definition may hold.
const MAX_DEFINITION_BYTES: usize = 2 * 1024 * 1024;

thread_local! {
    static TOKENS: Tokens = const { Tokens::new() };
}

#[http_service]
async fn handle(request: Request) -> Response {
    answer(request).await.unwrap_or_else(http::problem)
}

async fn answer(mut request: Request) -> Result<Response, Failure> {
    bearer::authorize(request.headers(), &TOKENS, "operator_tokens").await?;
    match (Resource::parse(request.uri().path())?, request.method()) {
        (Resource::Room(room), &Method::PUT) => {
            let definition = read_definition(&mut request).await?;
            events::within_time_limit(put(&room, definition)).await
        }
        (Resource::Room(room), &Method::GET) => events::within_time_limit(get(&room)).await,
        (Resource::Room(room), &Method::DELETE) => events::within_time_limit(delete(&room)).await,
        (Resource::Attendance(room), &Method::GET) => events::within_time_limit(attendance(&room)).await,
        _ => Ok(http::empty(StatusCode::METHOD_NOT_ALLOWED)),
    }
}

async fn read_definition(request: &mut Request) -> Result<SessionDefinition, Refusal> {
    let body = http::read_body(request, MAX_DEFINITION_BYTES).await?;
    let definition: SessionDefinition = serde_json::from_slice(&body).map_err(malformed)?;
    definition.validate().map_err(malformed)?;
    Ok(definition)
}

async fn put(room: &RoomId, definition: SessionDefinition) -> Result<Response, Failure> {
    let store = KeyValueDefinitions::open().await?;
    let (session, is_new) = redis::rooms().await?.define(&store, room, definition).await?;
    Ok(describe(if is_new { StatusCode::CREATED } else { StatusCode::OK }, &session))
}

async fn get(room: &RoomId) -> Result<Response, Failure> {
    let session = KeyValueDefinitions::open().await?.find(room).await?.ok_or(ErrorCode::NoSuchRoom)?;
    Ok(describe(StatusCode::OK, &session))
}

async fn delete(room: &RoomId) -> Result<Response, Failure> {
    let store = KeyValueDefinitions::open().await?;
    redis::rooms().await?.undefine(&store, room).await?;
    Ok(http::empty(StatusCode::NO_CONTENT))
}

async fn attendance(room: &RoomId) -> Result<Response, Failure> {
    Ok(http::json(StatusCode::OK, &redis::rooms().await?.attendance(room).await?))
}

fn describe(status: StatusCode, session: &Session) -> Response {
    let mut response = http::json(status, &session.definition);
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", session.revision)) {
        response.headers_mut().insert("etag", tag);
    }
    response
}

fn malformed(error: impl std::fmt::Display) -> Refusal {
    Refusal::because(ErrorCode::Malformed, error.to_string())
}
