//! The HTTP API for operators: defines sessions.

mod operator;

use rollcall_guest::{
    definitions::KeyValueDefinitions,
    http::{self, Response},
};
use rollcall_protocol::{ErrorCode, Refusal, RoomId, session::SessionDefinition};
use rollcall_rooms::{Failure, directory::Directory};
use spin_sdk::{
    http::{Method, Request, StatusCode},
    http_service,
};

/// Room for the longest list of members that a definition may hold.
const MAX_DEFINITION_BYTES: usize = 2 * 1024 * 1024;

#[http_service]
async fn handle(request: Request) -> Response {
    answer(request).await.unwrap_or_else(http::problem)
}

async fn answer(mut request: Request) -> Result<Response, Failure> {
    operator::authorize(request.headers()).await?;
    let room = room_of(request.uri().path())?;
    let definitions = KeyValueDefinitions::open().await?;
    match *request.method() {
        Method::PUT => put(&definitions, &room, &mut request).await,
        Method::GET => {
            let session = definitions.find(&room).await?.ok_or(ErrorCode::NoSuchRoom)?;
            Ok(http::json(StatusCode::OK, &session))
        }
        Method::DELETE => {
            definitions.delete(&room).await?;
            Ok(http::empty(StatusCode::NO_CONTENT))
        }
        _ => Ok(http::empty(StatusCode::METHOD_NOT_ALLOWED)),
    }
}

async fn put(
    definitions: &KeyValueDefinitions,
    room: &RoomId,
    request: &mut Request,
) -> Result<Response, Failure> {
    let body = http::read_body(request, MAX_DEFINITION_BYTES).await?;
    let session: SessionDefinition = serde_json::from_slice(&body).map_err(malformed)?;
    session.validate().map_err(malformed)?;
    let is_new = definitions.put(room, &session).await?;
    Ok(http::json(if is_new { StatusCode::CREATED } else { StatusCode::OK }, &session))
}

fn room_of(path: &str) -> Result<RoomId, Refusal> {
    let segment = path.strip_prefix("/rooms/").filter(|rest| !rest.contains('/'));
    let segment = segment.ok_or_else(|| malformed("the path must be /rooms/{id}"))?;
    let id = percent_encoding::percent_decode_str(segment).decode_utf8().map_err(malformed)?;
    RoomId::new(id).map_err(malformed)
}

fn malformed(error: impl std::fmt::Display) -> Refusal {
    Refusal::because(ErrorCode::Malformed, error.to_string())
}
