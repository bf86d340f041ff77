//! What a live room knows of its definition, and what a join then costs.

use rollcall_protocol::{
    ErrorCode, RoomId, UserId,
    definition::{MAX_MEMBERS, SessionDefinition, StoredDefinition},
};
use rollcall_rooms::{Error, definitions::DefinitionSource};

use crate::fixture::{END, Fixture, MINUTE, definition};

fn listing(users: &[&str]) -> SessionDefinition {
    let members = Some(users.iter().map(|user| user.parse().unwrap()).collect());
    SessionDefinition { members, ..definition() }
}

/// A store without a single definition, of a kind that has revisions.
struct Unreadable;

impl DefinitionSource for Unreadable {
    const HAS_REVISIONS: bool = true;

    async fn find(&self, _: &RoomId, _: &UserId) -> Result<Option<StoredDefinition>, Error> {
        panic!("a live room knows its definition")
    }
}

/// A source that decides at each join, such as tokens.
struct EachTime(Option<SessionDefinition>);

impl DefinitionSource for EachTime {
    const HAS_REVISIONS: bool = false;

    async fn find(&self, _: &RoomId, _: &UserId) -> Result<Option<StoredDefinition>, Error> {
        Ok(self.0.clone().map(|definition| StoredDefinition { revision: 0, definition }))
    }
}

#[tokio::test]
async fn only_the_first_join_of_a_session_reads_the_definition() {
    let room = Fixture::start().await;
    room.define(listing(&["kim", "ben"])).await;
    let count = room.count(async || drop(room.join("kim/1").await.unwrap())).await;
    assert_eq!(count, (2, 1), "scripts and reads of the first");
    room.disconnect("kim/1").await;
    for entry in ["ben/1", "lea/1", "kim/2", "kim/2"] {
        let count = room.count(async || drop(room.join(entry).await.unwrap())).await;
        assert_eq!(count, (1, 0), "scripts and reads of {entry}");
    }
    for (entry, code) in [("ben/2", ErrorCode::AlreadyJoined), ("ann/1", ErrorCode::NotAMember)] {
        let count = room.count(async || assert_eq!(room.join(entry).await.unwrap_err(), code)).await;
        assert_eq!(count, (1, 0), "scripts and reads of {entry}");
    }
}

#[tokio::test]
async fn a_join_after_a_change_of_a_live_session_does_not_read_the_definition() {
    let room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    let lists = [Some(&["kim"][..]), Some(&["kim", "ben"]), Some(&["kim"]), None];
    for (members, entry) in lists.into_iter().zip(["ben/1", "ben/2", "ben/3", "ben/4"]) {
        let is_admitted = members.is_none_or(|members| members.contains(&"ben"));
        room.define(members.map_or_else(definition, listing)).await;
        let joined = room.join_from(&Unreadable, entry).await;
        assert_eq!(joined.is_ok(), is_admitted, "{members:?}");
        if is_admitted {
            room.leave(entry).await;
        }
    }
    room.define(SessionDefinition { leader_id: Some("ann".parse().unwrap()), ..listing(&["kim"]) }).await;
    room.join_from(&Unreadable, "ann/1").await.unwrap();
    let refused = room.join_from(&Unreadable, "lea/1").await.unwrap_err().into_refusal().code;
    assert_eq!(refused, ErrorCode::NotAMember, "the leader has changed");
}

#[tokio::test]
async fn a_session_after_another_one_reads_the_definition_once_more() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.define(SessionDefinition { end_at: END - MINUTE, ..listing(&["kim"]) }).await;
    room.at(59 * MINUTE).define(SessionDefinition { end_at: END, ..listing(&["ben"]) }).await;
    let refused =
        room.count(async || assert_eq!(room.join("kim/2").await.unwrap_err(), ErrorCode::NotAMember));
    assert_eq!(refused.await, (1, 1));
    assert_eq!(room.count(async || drop(room.join("ben/1").await.unwrap())).await, (2, 1));
    assert_eq!(room.join("kim/3").await.unwrap_err(), ErrorCode::NotAMember);
}

#[tokio::test]
async fn a_live_room_lets_users_in_while_the_store_is_away_and_no_other_room_does() {
    let mut room = Fixture::start().await;
    room.define(listing(&["kim", "ben"])).await;
    room.join("kim/1").await.unwrap();
    room.set_store_away(true);
    room.join("ben/1").await.unwrap();
    assert_eq!(room.join("ann/1").await.unwrap_err(), ErrorCode::NotAMember);
    room.try_change().await.unwrap_err();
    room.leave("ben/1").await;
    room.join("ben/2").await.unwrap();
    let unavailable = room.in_room("botany").try_join("kim/1").await.unwrap_err();
    assert_eq!(unavailable.into_refusal().code, ErrorCode::Unavailable);
}

#[tokio::test]
async fn the_longest_list_is_kept_with_the_session_and_searched_by_one_command() {
    let mut room = Fixture::start().await;
    let users: Vec<String> = (0..MAX_MEMBERS).map(|number| format!("user-{number}")).collect();
    let users: Vec<&str> = users.iter().map(String::as_str).collect();
    room.define(listing(&users)).await;
    for user in [users[0], users[4999], users[5000], users[MAX_MEMBERS - 1]] {
        room.join(&format!("{user}/1")).await.unwrap();
    }
    assert_eq!(room.join("somebody/1").await.unwrap_err(), ErrorCode::NotAMember);
    let mut size = redis::cmd("SCARD");
    let size: usize = size.arg(room.shard_key("listed:algebra")).query_async(&mut room.redis).await.unwrap();
    assert_eq!(size, MAX_MEMBERS);

    for (end_at, members) in [(END + MINUTE, &users[..]), (END, &["user-0"]), (END, &["user-0", "user-1"])] {
        room.define(SessionDefinition { end_at, ..listing(members) }).await;
        assert_eq!(room.expiry("listed:algebra").await, (end_at + room.settings.retention_ms) as i64);
    }
    room.undefine().await;
    assert!(!room.keys().await.iter().any(|key| key.contains("listed")));
}

#[tokio::test]
async fn a_source_without_revisions_is_asked_each_time_and_decides_alone() {
    let room = Fixture::start().await;
    room.join_from(&EachTime(Some(listing(&["kim"]))), "kim/1").await.unwrap();
    let count = room.count(async || {
        room.join_from(&EachTime(Some(listing(&["ben"]))), "ben/1").await.unwrap();
    });
    assert_eq!(count.await.0, 1, "scripts");
    for (source, code) in [(Some(listing(&[])), ErrorCode::NotAMember), (None, ErrorCode::NoSuchRoom)] {
        let refused = room.join_from(&EachTime(source), "ann/1").await.unwrap_err();
        assert_eq!(refused.into_refusal().code, code);
    }
    // An operator may define the session as well.
    room.define(listing(&["kim", "ben"])).await;
    room.join_from(&EachTime(Some(definition())), "ann/1").await.unwrap();
    room.join("ann/1").await.expect("a member need not be listed");
}

#[tokio::test]
async fn a_room_that_does_not_know_its_definition_learns_it_once() {
    let room = Fixture::start().await;
    room.join_from(&EachTime(Some(definition())), "kim/1").await.unwrap();
    let revision = room.try_define(listing(&["kim", "ben"])).await.unwrap();
    // As in a room from before rooms knew their definition.
    let mut forget = redis::cmd("HDEL");
    forget.arg(room.shard_key("room:algebra")).arg("admits");
    let () = forget.query_async(&mut room.redis.clone()).await.unwrap();
    assert_eq!(room.join("ann/1").await.unwrap_err(), ErrorCode::NotAMember);
    assert_eq!(room.count(async || drop(room.join("ben/1").await.unwrap())).await, (1, 0));
    let () = forget.query_async(&mut room.redis.clone()).await.unwrap();
    let older = StoredDefinition { revision: revision - 1, definition: definition() };
    room.store(Some(older));
    let unavailable = room.try_join("ann/1").await.unwrap_err();
    assert_eq!(
        unavailable.into_refusal().code,
        ErrorCode::Unavailable,
        "the store is behind, and may catch up"
    );
}
