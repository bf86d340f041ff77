//! The names of members, rooms and bridges. Ids of users, entries and bridges are as long as UUIDs.

use anyhow::Result;
use rollcall_protocol::{EntryId, NodeId, ResumeHash, RoomId, UserId, client::Profile};

use super::{
    crowd::{BridgeNo, MemberNo},
    timetable::RoomNo,
};

const ROOM_PREFIX: &str = "study-room-";

/// The id of a room.
pub fn room(room: RoomNo) -> Result<RoomId> {
    Ok(RoomId::new(format!("{ROOM_PREFIX}{room}"))?)
}

/// The number of the room with this id.
pub fn room_number(id: &RoomId) -> Option<RoomNo> {
    id.as_str().strip_prefix(ROOM_PREFIX)?.parse().ok()
}

/// The id of a member.
pub fn user(member: MemberNo) -> Result<UserId> {
    Ok(UserId::new(format!("{member:08x}-0000-4000-8000-{member:012x}"))?)
}

/// The public data of a member.
pub fn profile(member: MemberNo) -> Result<Profile> {
    Ok(Profile { user_id: user(member)?, user_name: format!("Member Number {member}"), user_role: None })
}

/// The id of an entry.
pub fn entry(member: MemberNo, entry: u32) -> Result<EntryId> {
    Ok(EntryId::new(format!("{member:08x}-0000-7000-8000-{entry:012x}"))?)
}

/// The hash of the token that resumes an entry, as long as a real one.
pub fn resume_hash(member: MemberNo, entry: u32) -> Result<ResumeHash> {
    Ok(ResumeHash::new(format!("{member:031}-{entry:011}"))?)
}

/// The id of a bridge.
pub fn node(bridge: BridgeNo) -> Result<NodeId> {
    Ok(NodeId::new(format!("{bridge:08x}-0000-7000-8000-000000000000"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_found_by_its_id() {
        assert_eq!(room_number(&room(7).unwrap()), Some(7));
        assert_eq!(room_number(&RoomId::new("another").unwrap()), None);
    }

    #[test]
    fn ids_are_as_long_as_real_ones_and_differ() {
        let ids =
            [user(7).unwrap().to_string(), entry(7, 1).unwrap().to_string(), node(7).unwrap().to_string()];
        assert!(ids.iter().all(|id| id.len() == 36), "{ids:?}");
        assert_eq!(resume_hash(7, 1).unwrap().as_str().len(), 43);
        assert_ne!(entry(7, 1).unwrap(), entry(7, 2).unwrap());
        assert_ne!(user(7).unwrap(), user(8).unwrap());
    }
}
