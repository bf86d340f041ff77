//! How many are in which room, for those who are in none of them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{
    RoomId,
    event::{AppEvent, EventKind},
};

/// The path that pages without a socket ask for counts.
pub const COUNTS_PATH: &str = "/rooms/counts";

/// The most rooms whose counts a client watches or asks for at once.
pub const MAX_ROOMS: usize = 100;

/// How many are in a room.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomCount {
    /// The room, as the client names it.
    pub id: RoomId,
    /// The number of members; 0 if no session is live, or if the session does without the lobby.
    pub count: u32,
    /// When the session ends, in milliseconds since 1970, if one is live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_at: Option<u64>,
}

/// How many are in which room.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomCounts {
    /// The rooms, in the order of the request. Rooms whose counts are not known at the moment are left out.
    pub rooms: Vec<RoomCount>,
    /// The time of Redis, in milliseconds since 1970; none without rooms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<u64>,
}

/// The payload of `lobby:watch`: the rooms whose counts to watch from now on, instead of those before.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct WatchRequest {
    /// At most 100 rooms. None ends the watch.
    #[cfg_attr(feature = "openapi", schema(max_items = 100))]
    pub ids: Vec<RoomId>,
}

/// There are too many rooms in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("ids must name at most {MAX_ROOMS} rooms")]
pub struct TooManyRooms;

/// Checks the number of rooms in a request.
pub fn check_rooms(ids: &[RoomId]) -> Result<(), TooManyRooms> {
    (ids.len() <= MAX_ROOMS).then_some(()).ok_or(TooManyRooms)
}

/// The `ids` in the query of a request for [`COUNTS_PATH`]. Without them, the request is about the room `counts`.
pub fn ids_in_query(query: Option<&str>) -> Option<Cow<'_, str>> {
    let mut pairs = url::form_urlencoded::parse(query?.as_bytes());
    pairs.find_map(|(key, ids)| (key == "ids").then_some(ids))
}

/// A bridge asks how many are in which room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountRooms {
    /// The rooms.
    pub ids: Vec<RoomId>,
}

impl AppEvent for CountRooms {
    const KIND: EventKind = EventKind::Lobby;
    type Response = RoomCounts;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn counts_name_rooms_as_the_client_does() {
        let counts =
            json!({ "rooms": [{ "id": 7, "count": 2, "endAt": 9 }, { "id": "7", "count": 0 }], "now": 1 });
        let read: RoomCounts = serde_json::from_value(counts.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), counts);
    }

    #[test]
    fn the_query_of_a_request_for_counts_has_ids_wherever_they_stand() {
        for (query, ids) in [
            ("ids=a,b", Some("a,b")),
            ("x=1&ids=a%2Cb", Some("a,b")),
            ("%69ds=a", Some("a")),
            ("ids", Some("")),
            ("x=ids=a", None),
            ("", None),
        ] {
            assert_eq!(ids_in_query(Some(query)).as_deref(), ids, "{query}");
        }
        assert_eq!(ids_in_query(None), None);
    }

    #[test]
    fn a_client_watches_so_many_rooms() {
        let request = |count: usize| {
            let ids: Vec<String> = (0..count).map(|number| number.to_string()).collect();
            serde_json::from_value::<WatchRequest>(json!({ "ids": ids })).unwrap()
        };
        assert_eq!(check_rooms(&request(MAX_ROOMS).ids), Ok(()));
        assert_eq!(check_rooms(&request(MAX_ROOMS + 1).ids), Err(TooManyRooms));
    }
}
