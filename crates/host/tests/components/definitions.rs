//! Joins and the key-value store with the definitions: what a join reads there, and what happens while the store is away.

use rollcall_protocol::definition::{SessionDefinition, StoredDefinition};

use crate::support::{RedisServer, connect, count, count_store, join_with_store, send_join};

pub(crate) fn define(store: &RedisServer, room: &str) {
    let definition = SessionDefinition {
        members: Some(["kim", "ben", "ann"].map(|user| user.parse().unwrap()).to_vec()),
        ..SessionDefinition::until(4_000_000_000_000)
    };
    let json = serde_json::to_string(&StoredDefinition { revision: 1, definition }).unwrap();
    redis::cmd("SET").arg(format!("session:{room}")).arg(json).exec(&mut connect(store)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_room_needs_neither_a_read_of_the_store_nor_the_store() {
    let (redis, store) = (RedisServer::start().unwrap(), RedisServer::start().unwrap());
    let host = join_with_store(&redis, &store).await;
    for room in ["algebra", "botany"] {
        define(&store, room);
    }
    // The first join of a shard also loads the script.
    send_join(&host, "algebra", "kim", "kim/1").await.unwrap();
    let count = || (count(&mut connect(&redis)).scripts, count_store(&mut connect(&store)));
    let before = count();
    send_join(&host, "algebra", "ben", "ben/1").await.unwrap();
    assert_eq!(send_join(&host, "algebra", "mallory", "mallory/1").await.unwrap_err(), "NOT_A_MEMBER");
    let after = count();
    assert_eq!((after.0 - before.0, after.1 - before.1), (2, 0), "scripts and reads of two joins");

    drop(store);
    send_join(&host, "algebra", "ann", "ann/1").await.unwrap();
    assert_eq!(send_join(&host, "botany", "kim", "kim/2").await.unwrap_err(), "UNAVAILABLE");
    send_join(&host, "algebra", "kim", "kim/1").await.unwrap();
    host.close().await;
}
