//! Paths and queries.

use rollcall_protocol::{ErrorCode, Refusal, RoomId, UserId, lobby};
use serde::de::DeserializeOwned;

use crate::malformed;

/// A resource of the API.
pub enum Resource {
    /// `/openapi.json`
    Description,
    /// `/rooms`
    Rooms,
    /// `/rooms/counts?ids=…`
    Counts,
    /// `/rooms/{id}`
    Room(RoomId),
    /// `/rooms/{id}/members`
    Members(RoomId),
    /// `/rooms/{id}/members/{user}`
    Member(RoomId, UserId),
    /// `/rooms/{id}/attendance`
    Attendance(RoomId),
    /// `/rooms/{id}/end`
    End(RoomId),
    /// `/rooms/{id}/notices`
    Notices(RoomId),
    /// `/rooms/{id}/timer`
    Timer(RoomId),
    /// `/rooms/{id}/chat`
    Chat(RoomId),
    /// `/rooms/{id}/messages`
    Messages(RoomId),
    /// `/rooms/{id}/snippets`
    Snippets(RoomId),
    /// `/rooms/{id}/snippets/{number}`
    Snippet(RoomId, u64),
}

impl Resource {
    /// The methods of the resource.
    pub fn methods(&self) -> &'static str {
        match self {
            Self::Description
            | Self::Rooms
            | Self::Counts
            | Self::Members(_)
            | Self::Attendance(_)
            | Self::Messages(_)
            | Self::Snippets(_) => "GET, OPTIONS",
            Self::Snippet(..) => "GET, DELETE, OPTIONS",
            Self::Room(_) => "GET, PUT, PATCH, DELETE, OPTIONS",
            Self::Member(..) => "DELETE, OPTIONS",
            Self::End(_) | Self::Notices(_) | Self::Timer(_) | Self::Chat(_) => "POST, OPTIONS",
        }
    }

    /// Parses a path. Ids are percent-encoded. A room may have the id `counts`, and no request about it has `ids`.
    pub fn parse(path: &str, query: Option<&str>) -> Result<Self, Refusal> {
        let segments: Vec<_> = path.split('/').skip(1).collect();
        Ok(match segments.as_slice() {
            ["openapi.json"] => Self::Description,
            ["rooms"] => Self::Rooms,
            ["rooms", "counts"] if lobby::ids_in_query(query).is_some() => Self::Counts,
            ["rooms", id] => Self::Room(parse(id)?),
            ["rooms", id, "members"] => Self::Members(parse(id)?),
            ["rooms", id, "members", user] => Self::Member(parse(id)?, parse(user)?),
            ["rooms", id, "attendance"] => Self::Attendance(parse(id)?),
            ["rooms", id, "end"] => Self::End(parse(id)?),
            ["rooms", id, "notices"] => Self::Notices(parse(id)?),
            ["rooms", id, "timer"] => Self::Timer(parse(id)?),
            ["rooms", id, "chat"] => Self::Chat(parse(id)?),
            ["rooms", id, "messages"] => Self::Messages(parse(id)?),
            ["rooms", id, "snippets"] => Self::Snippets(parse(id)?),
            ["rooms", id, "snippets", number] => Self::Snippet(parse(id)?, parse(number)?),
            _ => return Err(ErrorCode::NoSuchPath.into()),
        })
    }
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(segment: &str) -> Result<T, Refusal> {
    let id = percent_encoding::percent_decode_str(segment).decode_utf8().map_err(malformed)?;
    id.parse().map_err(malformed)
}

/// Parses a query.
pub fn query<T: DeserializeOwned>(query: Option<&str>) -> Result<T, Refusal> {
    serde_urlencoded::from_str(query.unwrap_or_default()).map_err(malformed)
}
