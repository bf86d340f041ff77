//! The operations of the API, with their parameters and responses.

#![allow(dead_code, reason = "this crate only describes the operations of the components")]

use rollcall_protocol::{
    api::{ChatRequest, LiveRooms, Notice, Problem, RoomMembers, SweepReport, TimerRequest},
    attendance::Attendance,
    chat::{ChatAck, History, HistoryRequest},
    code::{SnippetContent, Snippets},
    definition::{DefinitionPatch, SessionDefinition},
    lobby::RoomCounts,
    timer::TimerAck,
};
use utoipa::{IntoParams, IntoResponses};

/// The refusals of every operation.
#[derive(IntoResponses)]
enum Refusals {
    /// The request is malformed
    #[response(status = 400, content_type = "application/problem+json")]
    Malformed(#[to_schema] Problem),
    /// The token is missing or not valid here
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(#[to_schema] Problem),
    /// The page's origin may not use the API, the user may not enter the room, or the token may only read
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(#[to_schema] Problem),
    /// The caller is too fast, see Retry-After
    #[response(status = 429, content_type = "application/problem+json")]
    TooFast(#[to_schema] Problem),
    /// A part of the service does not respond at the moment
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(#[to_schema] Problem),
}

/// The further refusals of changes of a definition.
#[derive(IntoResponses)]
enum ChangeRefusals {
    /// Another change is in progress; retry
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(#[to_schema] Problem),
    /// The definition does not meet the condition of the request
    #[response(status = 412, content_type = "application/problem+json")]
    PreconditionFailed(#[to_schema] Problem),
    /// The body is larger than 2 MiB
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
#[into_params(parameter_in = Query)]
struct RoomIds {
    /// The ids of up to 100 rooms, separated by commas
    #[param(min_length = 1)]
    ids: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
struct SnippetNumber {
    /// The number of the snippet
    number: u64,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
struct Condition {
    /// Demands one of these `ETag`s of the definition, or any definition (`*`)
    #[param(rename = "If-Match")]
    if_match: Option<String>,
    /// Demands another `ETag` than these, or no definition (`*`)
    #[param(rename = "If-None-Match")]
    if_none_match: Option<String>,
}

/// Lists live rooms, a page at a time
#[utoipa::path(get, path = "/rooms", security(("operator" = [])),
    params(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "The most rooms of a page; 100 by default"),
        ("after" = Option<String>, Query, description = "The `next` of the previous page"),
    ),
    responses(
        (status = 200, description = "One page", body = LiveRooms,
            headers(("Rollcall-Access" = String, description = "What the token may do: `read`, or `change` for everything"))),
        Refusals))]
pub fn list() {}

/// Reads a definition
#[utoipa::path(get, path = "/rooms/{id}", security(("operator" = []), ("user" = [])), params(Room, Condition),
    responses(
        (status = 200, description = "The definition", body = SessionDefinition,
            headers(("ETag" = String, description = "Its revision"))),
        (status = 304, description = "The definition is the one of `If-None-Match`",
            headers(("ETag" = String, description = "Its revision"))),
        (status = 412, description = "The definition is not the one of `If-Match`", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "No session is defined", body = Problem, content_type = "application/problem+json"),
        Refusals))]
pub fn get() {}

/// Sets a definition, which a live session adopts at once
#[utoipa::path(put, path = "/rooms/{id}", security(("operator" = [])), params(Room, Condition),
    request_body = SessionDefinition,
    responses(
        (status = 201, description = "The definition is new", body = SessionDefinition,
            headers(("ETag" = String, description = "Its revision"))),
        (status = 200, description = "The definition replaces another", body = SessionDefinition,
            headers(("ETag" = String, description = "Its revision"))),
        Refusals, ChangeRefusals))]
pub fn put() {}

/// Changes a definition, which a live session adopts at once
#[utoipa::path(patch, path = "/rooms/{id}", security(("operator" = [])), params(Room, Condition),
    request_body(content = DefinitionPatch, content_type = "application/merge-patch+json"),
    responses(
        (status = 200, description = "The changed definition", body = SessionDefinition,
            headers(("ETag" = String, description = "Its revision"))),
        (status = 404, description = "No session is defined", body = Problem, content_type = "application/problem+json"),
        Refusals, ChangeRefusals))]
pub fn patch() {}

/// Deletes a definition and ends its session
#[utoipa::path(delete, path = "/rooms/{id}", security(("operator" = [])), params(Room, Condition),
    responses((status = 204, description = "No definition is left"), Refusals, ChangeRefusals))]
pub fn delete() {}

/// Ends a session now
#[utoipa::path(post, path = "/rooms/{id}/end", security(("operator" = [])), params(Room),
    responses(
        (status = 204, description = "The session has ended"),
        (status = 404, description = "No session is defined", body = Problem, content_type = "application/problem+json"),
        Refusals, ChangeRefusals))]
pub fn end() {}

/// Reads the state of a room and its members, a page at a time
#[utoipa::path(get, path = "/rooms/{id}/members", security(("operator" = []), ("user" = [])),
    params(
        Room,
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "The most members of a page; 1000 by default"),
        ("after" = Option<String>, Query, description = "The `next` of the previous page"),
    ),
    responses(
        (status = 200, description = "The room, and a page of its members", body = RoomMembers),
        (status = 404, description = "No session is live", body = Problem,
            content_type = "application/problem+json"),
        Refusals))]
pub fn members() {}

/// Removes a member, who may return if the definition admits them
#[utoipa::path(delete, path = "/rooms/{id}/members/{user}", security(("operator" = [])),
    params(Room, ("user" = String, Path, min_length = 1, max_length = 128, description = "The user's id, percent-encoded")),
    responses(
        (status = 204, description = "The member is removed"),
        (status = 404, description = "No session is live, or the user is not in the room", body = Problem,
            content_type = "application/problem+json"),
        Refusals))]
pub fn kick() {}

/// Sends a notice to all members of a room
#[utoipa::path(post, path = "/rooms/{id}/notices", security(("operator" = [])), params(Room), request_body = Notice,
    responses(
        (status = 204, description = "The notice has been sent"),
        (status = 404, description = "No session is live", body = Problem,
            content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        Refusals))]
pub fn notify() {}

/// Deletes a message, mutes a user or lets one send again, or sets the slow mode
#[utoipa::path(post, path = "/rooms/{id}/chat", security(("operator" = [])), params(Room), request_body = ChatRequest,
    responses(
        (status = 200, description = "The command is applied", body = ChatAck),
        (status = 404, description = "No session is live, it has no chat, or there is no such message", body = Problem,
            content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        Refusals))]
pub fn command_chat() {}

/// Reads messages of a room that is live, or that keeps them
#[utoipa::path(get, path = "/rooms/{id}/messages", security(("operator" = [])), params(Room, HistoryRequest),
    responses(
        (status = 200, description = "A page of the messages", body = History),
        (status = 404, description = "No session is live, and the room keeps no messages", body = Problem,
            content_type = "application/problem+json"),
        Refusals))]
pub fn history() {}

/// Counts the members of rooms
#[utoipa::path(get, path = "/rooms/counts", security(("operator" = []), ("user" = [])), params(RoomIds),
    responses(
        (status = 200, description = "The counts, for three seconds", body = RoomCounts),
        (status = 404, description = "The deployment does without the lobby", body = Problem,
            content_type = "application/problem+json"),
        Refusals))]
pub fn counts() {}

/// Lists the snippets of a room that is live, or that keeps them
#[utoipa::path(get, path = "/rooms/{id}/snippets", security(("operator" = [])), params(Room),
    responses(
        (status = 200, description = "The snippets, without their texts", body = Snippets),
        (status = 404, description = "No session is live, and the room keeps no snippets", body = Problem,
            content_type = "application/problem+json"),
        Refusals))]
pub fn snippets() {}

/// Reads a snippet with its text
#[utoipa::path(get, path = "/rooms/{id}/snippets/{number}", security(("operator" = [])), params(Room, SnippetNumber),
    responses(
        (status = 200, description = "The snippet", body = SnippetContent),
        (status = 404, description = "There is no such snippet, or no session is live and the room keeps no snippets",
            body = Problem, content_type = "application/problem+json"),
        Refusals))]
pub fn snippet() {}

/// Closes a snippet of a live room
#[utoipa::path(delete, path = "/rooms/{id}/snippets/{number}", security(("operator" = [])),
    params(Room, SnippetNumber),
    responses(
        (status = 204, description = "The snippet is closed"),
        (status = 404, description = "No session is live, it shares no code, or there is no such snippet", body = Problem,
            content_type = "application/problem+json"),
        Refusals))]
pub fn close_snippet() {}

/// Sets the timer of a room, or starts, stops or changes it
#[utoipa::path(post, path = "/rooms/{id}/timer", security(("operator" = [])), params(Room), request_body = TimerRequest,
    responses(
        (status = 200, description = "The timer after the command", body = TimerAck),
        (status = 404, description = "No session is live, it uses no timer, or no timer is set", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "The timer cannot do this in its state", body = Problem,
            content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        Refusals))]
pub fn command_timer() {}

/// Reads the attendance of a room
#[utoipa::path(get, path = "/rooms/{id}/attendance", security(("operator" = [])), params(Room),
    responses((status = 200, description = "The attendance by user", body = Attendance), Refusals))]
pub fn attendance() {}

/// Settles the rooms that are due
#[utoipa::path(post, path = "/sweep", security(("sweeper" = [])),
    responses((status = 200, description = "The result, and when to sweep again", body = SweepReport), Refusals))]
pub fn sweep() {}

/// Settles the rooms that are due, for schedulers that can only request a path
#[utoipa::path(get, path = "/sweep/{token}",
    params(("token" = String, Path, min_length = 1, description = "One of the app's `sweep_tokens`")),
    responses((status = 200, description = "The result, and when to sweep again", body = SweepReport), Refusals))]
pub fn sweep_by_path() {}
