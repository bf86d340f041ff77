//! Scripts in nodes of a cluster, which check the slot of every key that a script touches.

use rollcall_rooms::{Rooms, Settings, redis::client::Client};
use rollcall_tests::{
    cluster::Cluster,
    redis_server::{RedisNetwork, RedisServer},
};

use crate::{
    fixture::{Fixture, MINUTE, START},
    rights::{Outcome, run_all},
};

/// The key that a script of the test's room gets.
fn first_key(room: &Fixture) -> String {
    room.shard_key("deadlines")
}

#[tokio::test]
async fn no_script_leaves_the_slot_of_its_first_key() {
    let cluster = Cluster::start(1).await;
    let mut room = Fixture::start_in_cluster(&cluster).await;
    for entry in ["lea/1", "kim/1"] {
        room.join(entry).await.unwrap();
    }
    room.disconnect("kim/1").await;
    room.at(MINUTE).join("kim/2").await.unwrap();
    room.resume("kim/3", "kim/2").await.unwrap();
    let redis = room.redis.clone();
    for Outcome { name, result, .. } in run_all(&mut room, &redis).await {
        assert!(result.is_ok(), "{name}: {result:?}");
    }
}

#[tokio::test]
async fn a_script_that_left_the_slot_would_be_refused() {
    let cluster = Cluster::start(1).await;
    let script = "#!lua\nredis.call('SET', KEYS[1], 1) redis.call('SET', 'rollcall:{1}:epoch', 1)";
    let eval = ["EVAL", script, "1", "rollcall:{0}:epoch"];
    let refused = cluster.nodes[0].server().query::<redis::Value>(&eval).await;
    assert!(refused.unwrap_err().to_string().contains("same slot"));
}

#[tokio::test]
async fn no_script_runs_on_a_replica() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    let address = room.server.address().replace(':', " ");
    let replica = RedisServer::start_with(move |command| {
        command.args(["--replicaof", &address]);
    })
    .await;
    room.redis = replica.connection().await;
    let failure = room.rooms().read(&room.read_of(&["kim/1"])).await.unwrap_err().to_string();
    assert!(failure.contains("READONLY") || failure.contains("LOADING"), "{failure}");
}

/// How many messages the nodes have passed on to each other because of PUBLISH, and how many because of SPUBLISH.
async fn count_passed_on(cluster: &Cluster) -> [u64; 2] {
    let mut counts = [0; 2];
    for node in &cluster.nodes {
        let info: String = node.query(&["CLUSTER", "INFO"]).await;
        for (count, name) in counts.iter_mut().zip(["publish", "publishshard"]) {
            let sent = info
                .lines()
                .find_map(|line| line.strip_prefix(&format!("cluster_stats_messages_{name}_sent:")));
            *count += sent.map_or(0, |sent| sent.trim().parse::<u64>().unwrap());
        }
    }
    counts
}

#[tokio::test]
async fn only_the_node_of_the_shard_passes_events_on() {
    let cluster = Cluster::start(3).await;
    let mut room = Fixture::start_in_cluster(&cluster).await;
    // With longer leases, scripts announce more deadlines.
    room.settings.lease_ms = 15_000;
    let before = count_passed_on(&cluster).await;
    room.join("lea/1").await.unwrap();
    for number in 0..20 {
        room.join(&format!("user-{number}/1")).await.unwrap();
    }
    assert_eq!(count_passed_on(&cluster).await, before);
    let events = room.event_names().await;
    assert_eq!(events.len(), 21, "{events:?}");
    // The end of the events goes over a channel that belongs to no shard.
    assert_eq!(count_passed_on(&cluster).await, [before[0] + 2, before[1]]);
}

#[tokio::test]
async fn while_a_slot_moves_key_by_key_no_script_runs_and_afterwards_the_client_finds_the_room() {
    let cluster = Cluster::start(2).await;
    let mut room = Fixture::start_in_cluster(&cluster).await;
    room.join("lea/1").await.unwrap();
    let key = first_key(&room);
    let from = cluster.owner_of(&key).await;
    let to = 1 - from;
    cluster.begin_to_move(&key, to).await;
    for entry in ["kim/1", "lea/2"] {
        let failure = room.try_join(entry).await.unwrap_err().to_string();
        assert!(failure.contains("TRYAGAIN"), "{failure}");
    }
    cluster.finish_move(&key, from, to).await;

    // Through the node that the room has left.
    let network = RedisNetwork::new(cluster.nodes[from].server().address());
    let settings = Settings { is_cluster: true, now: Some(START), ..room.settings.clone() };
    let rooms = Rooms::new(Client::new(network), &settings).unwrap();
    let snapshot = rooms.read(&room.read_of(&["lea/1"])).await.unwrap();
    assert!(snapshot.room.is_some() && snapshot.gone.is_empty(), "{snapshot:?}");
    room.redis = cluster.nodes[to].server().connection().await;
    assert!(room.join("lea/2").await.is_err(), "Lea is still in the room");
}

#[tokio::test]
async fn a_sweep_of_a_cluster_visits_all_shards() {
    let cluster = Cluster::start(1).await;
    let room = Fixture::start_in_cluster(&cluster).await;
    assert_eq!(room.find_due().await.shards.len() as u64, room.settings.shards.shards());
}

#[tokio::test]
async fn bridges_hear_among_how_many_shards_rooms_may_lie() {
    let mut room = Fixture::start().await;
    assert!(room.rooms().channel_layouts(Some(16)).is_empty());
    room.settings.is_cluster = true;
    assert_eq!(room.rooms().channel_layouts(Some(16)), [16]);
    assert_eq!(room.rooms().channel_layouts(Some(64)), [16, 64], "other instances of the app know of more");
    room.settings.shards = "16-64".parse().unwrap();
    assert_eq!(room.rooms().channel_layouts(Some(64)), [16, 64]);
    assert_eq!(room.rooms().channel_layouts(None), [16, 64]);
}
