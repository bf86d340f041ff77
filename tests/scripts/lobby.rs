//! How many are in which room.

use futures_util::future::LocalBoxFuture;
use rollcall_protocol::{
    ErrorCode, RoomId,
    command::Feature,
    definition::SessionDefinition,
    lobby::{MAX_ROOMS, RoomCount, RoomCounts},
    shard::shard_of,
};
use rollcall_rooms::Error;

use crate::fixture::{END, Fixture, MINUTE, START, definition, expect_refusal};

impl Fixture {
    async fn count_rooms(&self, ids: &[RoomId]) -> Result<RoomCounts, Error> {
        self.rooms().counts(ids, async |work| work.await).await
    }

    pub async fn counts(&self, ids: &[&str]) -> Vec<(String, u32, Option<u64>)> {
        let ids: Vec<RoomId> = ids.iter().map(|id| id.parse().unwrap()).collect();
        let counts = self.count_rooms(&ids).await.unwrap();
        let flat = |RoomCount { id, count, end_at }: RoomCount| (id.to_string(), count, end_at);
        counts.rooms.into_iter().map(flat).collect()
    }
}

fn count(id: &str, count: u32, end_at: Option<u64>) -> (String, u32, Option<u64>) {
    (id.to_owned(), count, end_at)
}

#[tokio::test]
async fn rooms_are_counted_in_the_order_of_the_request_whatever_their_shards() {
    let mut room = Fixture::start().await;
    assert_eq!(room.counts(&["algebra"]).await, [count("algebra", 0, None)]);
    room.join("lea/1").await.unwrap();
    room.join("kim/1").await.unwrap();
    for (id, user) in [("botany", "ali/1"), ("7", "ben/1"), ("수학", "eva/1")] {
        room.in_room(id).join(user).await.unwrap();
    }
    let ids = ["수학", "nowhere", "algebra", "7", "botany", "algebra"];
    let end = Some(END);
    let expected = [
        count("수학", 1, end),
        count("nowhere", 0, None),
        count("algebra", 2, end),
        count("7", 1, end),
        count("botany", 1, end),
        count("algebra", 2, end),
    ];
    assert_eq!(room.counts(&ids).await, expected);
    let counts = room.at(1000).count_rooms(&["algebra".parse().unwrap()]).await.unwrap();
    assert_eq!(counts.now, Some(START + 1000));
    assert_eq!(room.count_rooms(&[]).await.unwrap().rooms, []);
}

#[tokio::test]
async fn a_lost_member_counts_until_the_grace_period_is_settled_and_who_leaves_does_not() {
    let room = Fixture::start().await;
    room.join("lea/1").await.unwrap();
    room.join("kim/1").await.unwrap();
    room.disconnect("kim/1").await;
    assert_eq!(room.counts(&["algebra"]).await[0].1, 2);
    room.leave("lea/1").await;
    assert_eq!(room.counts(&["algebra"]).await[0].1, 1);
}

#[tokio::test]
async fn a_session_that_is_over_or_does_without_the_lobby_counts_nobody() {
    let mut room = Fixture::start().await;
    room.join("lea/1").await.unwrap();
    for (features, expected) in [
        (Some(vec![]), count("algebra", 0, None)),
        (Some(vec![Feature::Chat, Feature::Lobby]), count("algebra", 1, Some(END))),
        (Some(vec![Feature::Chat]), count("algebra", 0, None)),
        (None, count("algebra", 1, Some(END))),
    ] {
        room.define(SessionDefinition { features: features.clone(), ..definition() }).await;
        assert_eq!(room.counts(&["algebra"]).await, [expected], "{features:?}");
    }
    assert_eq!(room.at(60 * MINUTE - 1).counts(&["algebra"]).await[0].1, 1);
    assert_eq!(
        room.at(60 * MINUTE).counts(&["algebra"]).await,
        [count("algebra", 0, None)],
        "before any sweep"
    );
}

#[tokio::test]
async fn a_room_is_counted_wherever_it_lies_while_the_number_of_shards_grows() {
    let mut room = Fixture::start().await;
    room.join("lea/1").await.unwrap();
    room.settings.shards = "16-64".parse().unwrap();
    for (id, user) in [("botany", "ali/1"), ("7", "ben/1"), ("수학", "eva/1"), ("zoology", "kim/1")] {
        room.in_room(id).join(user).await.unwrap();
    }
    let ids = ["algebra", "botany", "7", "수학", "zoology"];
    let all = ids.map(|id| count(id, 1, Some(END)));
    assert_eq!(room.counts(&ids).await, all);
    room.settings.shards = 16.into();
    assert_eq!(room.counts(&ids).await, all, "an instance that knows the earlier number only");
    room.settings.shards = 64.into();
    assert_eq!(room.counts(&ids[1..]).await, all[1..]);
}

#[tokio::test]
async fn a_request_names_so_many_rooms() {
    let room = Fixture::start().await;
    let ids: Vec<RoomId> = (0..=MAX_ROOMS).map(|number| number.to_string().parse().unwrap()).collect();
    assert_eq!(room.count_rooms(&ids[1..]).await.unwrap().rooms.len(), MAX_ROOMS);
    let refused = room.count_rooms(&ids).await.map_err(expect_refusal);
    assert_eq!(refused, Err(ErrorCode::Malformed));
}

#[tokio::test]
async fn a_shard_that_fails_hides_its_own_rooms_only() {
    let mut room = Fixture::start().await;
    room.join("lea/1").await.unwrap();
    room.in_room("botany").join("ali/1").await.unwrap();
    assert_ne!(room.shard(), shard_of(&"botany".parse().unwrap(), 16));
    let key = room.shard_key("room:algebra");
    let () = redis::cmd("SET").arg(key).arg("corrupt").query_async(&mut room.redis).await.unwrap();
    assert_eq!(room.counts(&["algebra", "botany"]).await, [count("botany", 1, Some(END))]);
    let alone = room.count_rooms(&["algebra".parse().unwrap()]).await;
    assert!(matches!(alone, Err(Error::Unavailable(_))), "{alone:?}");
}

#[tokio::test]
async fn counts_that_have_come_within_the_time_limit_are_told() {
    let room = Fixture::start().await;
    room.join("lea/1").await.unwrap();
    let ids: Vec<RoomId> = ["algebra", "botany"].map(|id| id.parse().unwrap()).into();
    let in_time = async |work: LocalBoxFuture<'_, Result<(), Error>>| {
        work.await?;
        Err(Error::Unavailable("too late".to_owned()))
    };
    assert_eq!(room.rooms().counts(&ids, in_time).await.unwrap().rooms.len(), 2);
    let too_late =
        async |_: LocalBoxFuture<'_, Result<(), Error>>| Err(Error::Unavailable("too late".to_owned()));
    assert!(matches!(room.rooms().counts(&ids, too_late).await, Err(Error::Unavailable(_))));
}
