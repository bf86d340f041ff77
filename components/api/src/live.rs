//! Requests about live rooms and attendance.

use rollcall_guest::{
    features,
    http::{self, Response},
    lobby, redis, variables,
};
use rollcall_protocol::{
    CommandId, Refusal, RoomId, UserId,
    api::{ChatRequest, MAX_NOTICE_CHARS, MAX_PAGE, Notice, TimerRequest},
    chat::HistoryRequest,
    command::Feature,
    json,
};
use rollcall_rooms::Error;
use serde::{Deserialize, de::DeserializeOwned};
use spin_sdk::{
    http::{HeaderValue, Request, StatusCode},
    wasip3::random::random::get_random_u64,
};

use crate::{caller::Access, malformed, path, respond_with};

/// Enough for the longest notice in any JSON notation of its characters.
const MAX_NOTICE_BYTES: usize = MAX_NOTICE_CHARS * 12 + 100;

/// Enough for the longest plan of a timer.
const MAX_COMMAND_BYTES: usize = 4096;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    after: Option<String>,
    limit: Option<u32>,
}

/// Reads which page a query asks for: its `after` and `limit`.
fn page(query: Option<&str>, default_limit: u32) -> Result<(Option<String>, u32), Refusal> {
    let Page { after, limit } = path::query(query)?;
    let limit = limit.unwrap_or(default_limit);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(malformed(format!("limit must be from 1 to {MAX_PAGE}")));
    }
    Ok((after, limit))
}

/// Tells operators what their token may do.
const ACCESS: &str = "rollcall-access";

pub async fn list(query: Option<&str>, access: Access) -> Result<Response, Error> {
    let (after, limit) = page(query, 100)?;
    respond_with(async {
        let rooms = redis::rooms().await?.list(after.as_deref(), limit).await?;
        let mut response = http::json(StatusCode::OK, &rooms);
        response.headers_mut().insert(ACCESS, HeaderValue::from_static(access.as_str()));
        Ok(response)
    })
    .await
}

pub async fn members(room: &RoomId, query: Option<&str>) -> Result<Response, Error> {
    let (after, limit) = page(query, MAX_PAGE)?;
    respond_with(async {
        let members = redis::rooms().await?.members(room, after.as_deref(), limit).await?;
        Ok(http::json(StatusCode::OK, &members))
    })
    .await
}

pub async fn kick(room: &RoomId, user: &UserId) -> Result<Response, Error> {
    respond_with(async {
        redis::rooms().await?.kick(room, user).await?;
        Ok(http::empty(StatusCode::NO_CONTENT))
    })
    .await
}

pub async fn notify(room: &RoomId, request: &mut Request) -> Result<Response, Error> {
    let received = http::take_body(request)?;
    let body = http::read_body(request.headers(), received, MAX_NOTICE_BYTES).await?;
    let notice: Notice = json::from_object(&body).map_err(malformed)?;
    if !notice.is_valid() {
        return Err(malformed(format!("text must be from 1 to {MAX_NOTICE_CHARS} characters")).into());
    }
    respond_with(async {
        redis::rooms().await?.notify(room, &notice).await?;
        Ok(http::empty(StatusCode::NO_CONTENT))
    })
    .await
}

pub async fn command_timer(room: &RoomId, request: &mut Request) -> Result<Response, Error> {
    let TimerRequest { id, action } = read_command(request).await?;
    let id = id.map_or_else(new_command_id, Ok)?;
    respond_with(async {
        features::ensure(Feature::Timer).await?;
        let timer = redis::rooms().await?.operate_timer(room, &id, &action).await?;
        Ok(http::json(StatusCode::OK, &timer))
    })
    .await
}

pub async fn command_chat(room: &RoomId, request: &mut Request) -> Result<Response, Error> {
    let ChatRequest { id, action } = read_command(request).await?;
    let id = id.map_or_else(new_command_id, Ok)?;
    respond_with(async {
        features::ensure(Feature::Chat).await?;
        let ack = redis::rooms().await?.operate_chat(room, &id, &action).await?;
        Ok(http::json(StatusCode::OK, &ack))
    })
    .await
}

pub async fn history(room: &RoomId, query: Option<&str>) -> Result<Response, Error> {
    let request: HistoryRequest = path::query(query)?;
    respond_with(async {
        Ok(http::json(StatusCode::OK, &redis::rooms().await?.history(room, &request).await?))
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CountsQuery {
    ids: String,
}

/// How long a page may keep counts. Caches that pages share must not: only who has a token sees counts.
const COUNTS_CACHE: &str = "private, max-age=3";

pub async fn counts(query: Option<&str>) -> Result<Response, Error> {
    let CountsQuery { ids } = path::query(query)?;
    let ids = ids.split(',').map(str::parse).collect::<Result<Vec<RoomId>, _>>().map_err(malformed)?;
    let mut response = http::json(StatusCode::OK, &lobby::counts(&ids).await?);
    response.headers_mut().insert("cache-control", HeaderValue::from_static(COUNTS_CACHE));
    Ok(response)
}

pub async fn snippets(room: &RoomId) -> Result<Response, Error> {
    respond_with(async { Ok(http::json(StatusCode::OK, &redis::rooms().await?.snippets(room).await?)) }).await
}

pub async fn snippet(room: &RoomId, number: u64) -> Result<Response, Error> {
    respond_with(async {
        Ok(http::json(StatusCode::OK, &redis::rooms().await?.snippet(room, number).await?))
    })
    .await
}

pub async fn close_snippet(room: &RoomId, number: u64) -> Result<Response, Error> {
    let id = new_command_id()?;
    respond_with(async {
        features::ensure(Feature::Code).await?;
        redis::rooms().await?.close_snippet(room, &id, number).await?;
        Ok(http::empty(StatusCode::NO_CONTENT))
    })
    .await
}

async fn read_command<T: DeserializeOwned>(request: &mut Request) -> Result<T, Error> {
    let received = http::take_body(request)?;
    let body = http::read_body(request.headers(), received, MAX_COMMAND_BYTES).await?;
    Ok(json::from_object(&body).map_err(malformed)?)
}

/// An id for a command without one, because the connection to Redis may break and the command be sent again.
fn new_command_id() -> Result<CommandId, Refusal> {
    CommandId::new(format!("{:016x}{:016x}", get_random_u64(), get_random_u64())).map_err(malformed)
}

pub async fn attendance(room: &RoomId) -> Result<Response, Error> {
    respond_with(async {
        let excluded = variables::study_excludes().await?;
        Ok(http::json(StatusCode::OK, &redis::rooms().await?.attendance(room, &excluded).await?))
    })
    .await
}
