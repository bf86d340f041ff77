//! Every call: what it takes and what it may answer.

#![allow(dead_code, reason = "described here, done by the components")]

use rollcall_protocol::{
    api::{DefinitionPatch, LiveRooms, Notice, Problem, RoomState, SweepReport},
    definition::SessionDefinition,
};
use rollcall_rooms::attendance::Attendance;
use utoipa::{IntoParams, IntoResponses};

/// What any call may be refused with.
#[derive(IntoResponses)]
enum Refusals {
    /// What was sent is not what the call takes
    #[response(status = 400, content_type = "application/problem+json")]
    Malformed(#[to_schema] Problem),
    /// No token that counts here
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(#[to_schema] Problem),
    /// A page of an origin that may not use the API, or a user who may not enter this room
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(#[to_schema] Problem),
    /// Something behind the API does not answer at the moment
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(#[to_schema] Problem),
}

/// What a change of a definition may be refused with, besides.
#[derive(IntoResponses)]
enum ChangeRefusals {
    /// Another change is under way; try again
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(#[to_schema] Problem),
    /// The definition is not the one that the request names
    #[response(status = 412, content_type = "application/problem+json")]
    PreconditionFailed(#[to_schema] Problem),
    /// More than 2 MiB
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(#[to_schema] Problem),
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
struct Room {
    /// The room's id, percent-encoded
    #[param(min_length = 1, max_length = 128)]
    id: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
struct Condition {
    /// Only if the definition has this `ETag`, or exists at all (`*`)
    #[param(rename = "If-Match")]
    if_match: Option<String>,
    /// `*`: only if there is no definition yet
    #[param(rename = "If-None-Match")]
    if_none_match: Option<String>,
}

/// Live rooms, a page at a time
#[utoipa::path(get, path = "/rooms", security(("operator" = [])),
    params(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "How many rooms; 100 if left out"),
        ("after" = Option<String>, Query, description = "The `next` of the page before"),
    ),
    responses((status = 200, description = "One page", body = LiveRooms), Refusals))]
pub fn list() {}

/// A definition
#[utoipa::path(get, path = "/rooms/{id}", security(("operator" = []), ("user" = [])), params(Room),
    responses(
        (status = 200, description = "The definition", body = SessionDefinition,
            headers(("ETag" = String, description = "Its revision"))),
        (status = 404, description = "None is defined", body = Problem, content_type = "application/problem+json"),
        Refusals))]
pub fn get() {}

/// Sets a definition; a live session follows at once
#[utoipa::path(put, path = "/rooms/{id}", security(("operator" = [])), params(Room, Condition),
    request_body = SessionDefinition,
    responses(
        (status = 201, description = "There was none before", body = SessionDefinition,
            headers(("ETag" = String, description = "Its revision"))),
        (status = 200, description = "It replaces another", body = SessionDefinition,
            headers(("ETag" = String, description = "Its revision"))),
        Refusals, ChangeRefusals))]
pub fn put() {}

/// Changes a definition; a live session follows at once
#[utoipa::path(patch, path = "/rooms/{id}", security(("operator" = [])), params(Room, Condition),
    request_body(content = DefinitionPatch, content_type = "application/merge-patch+json"),
    responses(
        (status = 200, description = "As it is now", body = SessionDefinition,
            headers(("ETag" = String, description = "Its revision"))),
        (status = 404, description = "None is defined", body = Problem, content_type = "application/problem+json"),
        Refusals, ChangeRefusals))]
pub fn patch() {}

/// Forgets a definition and ends its session
#[utoipa::path(delete, path = "/rooms/{id}", security(("operator" = [])), params(Room, Condition),
    responses((status = 204, description = "There is none now"), Refusals, ChangeRefusals))]
pub fn delete() {}

/// Ends a session now
#[utoipa::path(post, path = "/rooms/{id}/end", security(("operator" = [])), params(Room),
    responses(
        (status = 204, description = "It has ended"),
        (status = 404, description = "None is defined", body = Problem, content_type = "application/problem+json"),
        Refusals, ChangeRefusals))]
pub fn end() {}

/// Who is in a room now
#[utoipa::path(get, path = "/rooms/{id}/members", security(("operator" = []), ("user" = [])), params(Room),
    responses(
        (status = 200, description = "The room", body = RoomState),
        (status = 404, description = "No session is live", body = Problem,
            content_type = "application/problem+json"),
        Refusals))]
pub fn members() {}

/// Puts a member out; the definition may let them in again
#[utoipa::path(delete, path = "/rooms/{id}/members/{user}", security(("operator" = [])),
    params(Room, ("user" = String, Path, min_length = 1, max_length = 128, description = "The user's id, percent-encoded")),
    responses((status = 204, description = "They are not in the room now"), Refusals))]
pub fn kick() {}

/// Says something to everybody in a room
#[utoipa::path(post, path = "/rooms/{id}/notices", security(("operator" = [])), params(Room), request_body = Notice,
    responses(
        (status = 204, description = "It has been said"),
        (status = 404, description = "No session is live", body = Problem,
            content_type = "application/problem+json"),
        (status = 413, description = "Far too long", body = Problem, content_type = "application/problem+json"),
        Refusals))]
pub fn notify() {}

/// Who was in a room, and is
#[utoipa::path(get, path = "/rooms/{id}/attendance", security(("operator" = [])), params(Room),
    responses((status = 200, description = "User by user", body = Attendance), Refusals))]
pub fn attendance() {}

/// Settles what is overdue
#[utoipa::path(post, path = "/sweep", security(("sweeper" = [])),
    responses((status = 200, description = "What there was, and when to come again", body = SweepReport), Refusals))]
pub fn sweep() {}
