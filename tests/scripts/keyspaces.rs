//! Deployments that share a Redis, with different prefixes or databases.

use futures_util::StreamExt;

use crate::{
    fixture::{Fixture, contents, keyspace},
    rights::{Outcome, run_all},
};

const END: &str = "end";

/// Runs each use case once in a room with members.
async fn do_everything(room: &mut Fixture) {
    for entry in ["lea/1", "kim/1"] {
        room.join(entry).await.unwrap();
    }
    let redis = room.redis.clone();
    for Outcome { name, result, .. } in run_all(room, &redis).await {
        assert!(result.is_ok(), "{name}: {result:?}");
    }
    room.rooms().signal_node(&"node-1".parse().unwrap()).await.unwrap();
}

#[tokio::test]
async fn nothing_that_happens_in_one_deployment_changes_a_room_with_the_same_id_in_another() {
    let mut production = Fixture::start().await;
    for entry in ["lea/1", "kim/1"] {
        production.join(entry).await.unwrap();
    }
    production.events().await;
    let before = contents(&production.redis).await;
    for keyspace in [keyspace("staging", 0), keyspace("rollcall", 3), keyspace("rollcall-2", 0)] {
        let mut other = Fixture::start_beside(&production, keyspace).await;
        do_everything(&mut other).await;
        let events = other.event_names().await;
        assert!(events.contains(&"room:ended".to_owned()), "{events:?}");
        let mut now = contents(&production.redis).await;
        now.retain(|key, _| key.starts_with("rollcall:{"));
        assert_eq!(now, before);
        assert_eq!(production.event_names().await, [""; 0]);
    }
    assert!(production.join("kim/2").await.is_err(), "Kim is still in the room");
}

#[tokio::test]
async fn all_keys_and_channels_begin_with_the_prefix_and_the_database() {
    let neighbor = Fixture::start().await;
    for (keyspace, begins) in [(keyspace("staging", 0), "staging:"), (keyspace("staging", 3), "staging:3:")] {
        let mut room = Fixture::start_beside(&neighbor, keyspace).await;
        let () = redis::cmd("FLUSHALL").query_async(&mut room.redis).await.unwrap();
        let mut published = room.server.client().get_async_pubsub().await.unwrap();
        published.psubscribe("*").await.unwrap();
        do_everything(&mut room).await;
        let () = redis::cmd("PUBLISH").arg(END).arg("").query_async(&mut room.redis).await.unwrap();
        let channels: Vec<_> = published
            .on_message()
            .map(|message| message.get_channel_name().to_owned())
            .take_while(|channel| std::future::ready(channel != END))
            .collect()
            .await;
        assert!(channels.len() > 5, "{channels:?}");
        assert!(channels.iter().all(|name| name.starts_with(&format!("{begins}events:"))), "{channels:?}");
        let keys = room.keys().await;
        assert!(keys.len() > 5, "{keys:?}");
        assert!(keys.iter().all(|key| key.starts_with(&format!("{begins}{{"))), "{keys:?}");
    }
}
