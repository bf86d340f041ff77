//! What a path names.

use rollcall_protocol::{Refusal, RoomId};

use crate::malformed;

/// What a path names.
pub enum Resource {
    /// `/rooms/{id}`
    Room(RoomId),
    /// `/rooms/{id}/attendance`
    Attendance(RoomId),
}

impl Resource {
    /// Reads a path. An id may hold any character, percent-encoded.
    pub fn parse(path: &str) -> Result<Self, Refusal> {
        let segments: Vec<_> = path.split('/').skip(1).collect();
        match segments.as_slice() {
            ["rooms", id] => Ok(Self::Room(room(id)?)),
            ["rooms", id, "attendance"] => Ok(Self::Attendance(room(id)?)),
            _ => Err(malformed("the path must be /rooms/{id} or /rooms/{id}/attendance")),
        }
    }
}

fn room(segment: &str) -> Result<RoomId, Refusal> {
    let id = percent_encoding::percent_decode_str(segment).decode_utf8().map_err(malformed)?;
    RoomId::new(id).map_err(malformed)
}
