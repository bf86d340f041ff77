use rollcall_protocol::event::{Heartbeat, NextDue};
use rollcall_rooms::rooms::DueShards;

use crate::fixture::{END, Fixture, MINUTE, START, heartbeat};

const LEASE_MS: u64 = 15_000;

/// What a look finds if no shard has to be visited.
fn nothing_due(as_of: u64, due_at: Option<u64>, due_in_ms: Option<u64>) -> DueShards {
    let next_due = NextDue { as_of: START + as_of, due_at: due_at.map(|at| START + at), is_partial: false };
    DueShards { shards: vec![], next_due: Some(next_due), due_in_ms, all_shards: None }
}

#[tokio::test]
async fn a_shard_is_due_at_its_next_deadline() {
    let mut room = Fixture::start().await;
    assert_eq!(room.find_due().await, nothing_due(0, None, None), "nothing is live");
    room.join("kim/1").await.unwrap();
    assert_eq!(room.find_due().await, nothing_due(0, Some(50 * MINUTE), Some(50 * MINUTE)), "the reminder");
    room.disconnect("kim/1").await;
    assert_eq!(room.at(29_999).find_due().await, nothing_due(29_999, Some(30_000), Some(1)));
    let due = DueShards { shards: vec![room.shard()], ..nothing_due(30_000, None, None) };
    assert_eq!(room.at(30_000).find_due().await, due);
    room.sweep().await;
    assert_eq!(room.find_due().await.shards, [0; 0], "the sweep has settled the room");
}

#[tokio::test]
async fn a_shard_with_a_bridge_is_due_before_it_seems_to_have_paused() {
    let mut room = Fixture::start().await;
    room.settings.lease_ms = LEASE_MS;
    room.heartbeat(false).await;
    let due_in_ms = Some(LEASE_MS / 3 - 2000);
    assert_eq!(room.at(2000).find_due().await, nothing_due(2000, Some(LEASE_MS), due_in_ms));
    assert_eq!(room.at(LEASE_MS / 6).find_due().await.shards, [room.shard()]);
    room.sweep().await;
    assert_eq!(
        room.find_due().await,
        nothing_due(LEASE_MS / 6, Some(LEASE_MS), Some(LEASE_MS / 3)),
        "the end of the lease"
    );
}

#[tokio::test]
async fn sweeps_of_due_shards_alone_remove_the_members_of_a_dead_bridge_in_time() {
    let mut room = Fixture::start().await;
    room.settings.lease_ms = LEASE_MS;
    room.join("kim/1").await.unwrap();
    room.events().await;
    for second in 1..=LEASE_MS / 1000 + 30 {
        assert_eq!(room.at(second * 1000 - 1).event_names().await, [""; 0], "before second {second}");
        room.at(second * 1000);
        if room.find_due().await.shards.contains(&room.shard()) {
            room.sweep().await;
        }
        let expected: &[&str] = match second * 1000 {
            LEASE_MS => &["room:participantReconnecting"],
            LOST_MS => &["room:participantsChanged"],
            _ => &[],
        };
        assert_eq!(room.event_names().await, expected, "second {second}");
    }
}

#[tokio::test]
async fn a_shard_whose_clock_is_missing_is_no_obstacle() {
    let room = with_leases().await;
    room.heartbeat(false).await;
    let mut forget = redis::cmd("DEL");
    let () = forget.arg(room.shard_key("clock")).query_async(&mut room.redis.clone()).await.unwrap();
    assert_eq!(room.find_due().await, nothing_due(0, Some(LEASE_MS), Some(LEASE_MS / 3)));
}

/// When the grace period of a member ends whose bridge died at the start.
const LOST_MS: u64 = LEASE_MS + 30_000;

/// A room whose bridges hold leases of the usual length.
async fn with_leases() -> Fixture {
    let mut room = Fixture::start().await;
    room.settings.lease_ms = LEASE_MS;
    room
}

#[tokio::test]
async fn a_heartbeat_tells_when_something_is_due_next() {
    let mut room = with_leases().await;
    let next = async |room: &Fixture| {
        let lease = room.rooms().heartbeat(room.shard(), &heartbeat("node-1")).await.unwrap().lease;
        let NextDue { as_of, due_at, is_partial } = lease.next_due.unwrap();
        assert!(!is_partial);
        (as_of - START, due_at.unwrap() - START)
    };
    assert_eq!(next(&room).await, (0, LEASE_MS), "the end of its own lease");
    room.at(1000).through("node-2").heartbeat(false).await;
    assert_eq!(next(room.at(5000)).await, (5000, 1000 + LEASE_MS), "the end of another lease");
    room.store_end(START + 14_000);
    room.join("kim/1").await.unwrap();
    assert_eq!(next(&room).await, (5000, 14_000), "the end of a session");
    assert_eq!(next(room.at(14_500)).await, (14_500, 14_000), "overdue, and a heartbeat settles nothing");
}

#[tokio::test]
async fn bridges_rank_by_the_age_of_their_leases_and_dead_ones_count_no_longer() {
    let mut room = with_leases().await;
    let rank = async |room: &Fixture, node: &str| {
        room.rooms().heartbeat(0, &heartbeat(node)).await.unwrap().lease.rank.unwrap()
    };
    // Ordered neither by name nor by the end of the lease.
    for (at, node, expected) in [(0, "b", 0), (1, "a", 1), (2, "c", 2), (3, "b", 0), (4, "a", 1), (4, "c", 2)]
    {
        assert_eq!(rank(room.at(at), node).await, expected, "{node} at {at}");
    }
    for at in [5000, 10_000] {
        rank(room.at(at), "a").await;
        rank(&room, "c").await;
    }
    assert_eq!(rank(room.at(3 + LEASE_MS - 1), "c").await, 2);
    assert_eq!(rank(room.at(3 + LEASE_MS), "c").await, 1, "the lease of b has ended, though nobody swept");
    assert_eq!(rank(&room, "a").await, 0);
}

/// Grants leases without a heartbeat to nodes that began before all others.
async fn add_nodes(room: &Fixture, count: u64) {
    let (mut leases, mut starts) = (redis::cmd("ZADD"), redis::cmd("HSET"));
    leases.arg(room.settings.keyspace.key(0, "leases"));
    starts.arg(room.settings.keyspace.key(0, "leased"));
    for node in 0..count {
        leases.arg(START + 1000).arg(format!("old-{node}"));
        starts.arg(format!("old-{node}")).arg(node);
    }
    let () = leases.query_async(&mut room.redis.clone()).await.unwrap();
    let () = starts.query_async(&mut room.redis.clone()).await.unwrap();
}

#[tokio::test]
async fn a_rank_is_a_thousand_at_most() {
    let room = with_leases().await;
    for (nodes, expected) in [(999, 999), (1001, 1000)] {
        add_nodes(&room, nodes).await;
        let heard = room.rooms().heartbeat(0, &heartbeat("new")).await.unwrap();
        assert_eq!(heard.lease.rank, Some(expected), "beside {nodes}");
    }
}

#[tokio::test]
async fn a_lease_whose_start_is_missing_ranks_before_nobody() {
    let room = with_leases().await;
    add_nodes(&room, 2).await;
    let mut forget = redis::cmd("HDEL");
    forget.arg(room.settings.keyspace.key(0, "leased")).arg("old-0");
    let () = forget.query_async(&mut room.redis.clone()).await.unwrap();
    assert_eq!(room.rooms().heartbeat(0, &heartbeat("new")).await.unwrap().lease.rank, Some(1));
}

#[tokio::test]
async fn only_the_first_shard_ranks_and_names_all_shards_and_a_bridge_that_stops_learns_no_more() {
    let room = with_leases().await;
    assert_ne!(room.shard(), 0);
    let elsewhere = room.rooms().heartbeat(room.shard(), &heartbeat("b")).await.unwrap();
    assert_eq!((elsewhere.lease.rank, elsewhere.shards), (None, None));
    let stopping = Heartbeat { is_leaving: true, ..heartbeat("b") };
    for (shard, shards) in [(0, Some(room.settings.shards.shards())), (room.shard(), None)] {
        let reply = room.rooms().heartbeat(shard, &stopping).await.unwrap();
        assert_eq!((reply.lease.next_due, reply.lease.rank, reply.shards), (None, None, shards));
    }
}

#[tokio::test]
async fn a_deadline_is_announced_at_once_if_heartbeats_would_be_too_late() {
    let mut room = with_leases().await;
    let mut heard = room.listen_for_deadlines().await;
    room.join("kim/1").await.unwrap();
    room.join("lea/1").await.unwrap();
    room.disconnect("kim/1").await;
    assert_eq!(heard.next(&room).await, [], "grace periods are longer than the time between heartbeats");

    let near =
        |as_of, due_at| NextDue { as_of: START + as_of, due_at: Some(START + due_at), is_partial: true };
    room.settings.grace_ms = 2000;
    room.at(100).disconnect("lea/1").await;
    assert_eq!(heard.next(&room).await, [near(100, 2100)], "a short grace period");
    room.at(200).read(&[]).await;
    assert_eq!(heard.next(&room).await, [], "nothing has changed");

    room.at(2100).sweep().await;
    room.run_until(20_000).await.sweep().await;
    heard.next(&room).await;
    room.run_until(50 * MINUTE).await.sweep().await;
    heard.next(&room).await;
    let half_lease = LEASE_MS / 2;
    room.define_end(START + 50 * MINUTE + half_lease).await;
    assert_eq!(heard.next(&room).await, [], "the next heartbeat tells of it");
    room.define_end(START + 50 * MINUTE + half_lease - 1).await;
    assert_eq!(heard.next(&room).await, [near(50 * MINUTE, 50 * MINUTE + half_lease - 1)], "a moved end");
}

#[tokio::test]
async fn a_sweep_tells_when_something_is_due_next() {
    let mut room = with_leases().await;
    room.join("kim/1").await.unwrap();
    room.at(1000).disconnect("kim/1").await;
    let next_due = NextDue { as_of: START + 2000, due_at: Some(START + LEASE_MS), is_partial: false };
    assert_eq!(room.at(2000).sweep().await.next_due, next_due);
    room.run_until(31_000).await;
    let next_due = room.sweep().await.next_due;
    assert_eq!(next_due.as_of, START + 31_000);
    assert!(next_due.due_at.is_some_and(|at| at > START + 31_000 && at < END), "{next_due:?}");
}

#[tokio::test]
async fn bridges_hear_what_a_sweep_has_found() {
    let room = with_leases().await;
    let mut heard = room.listen_for_deadlines().await;
    let all = NextDue { as_of: START, due_at: None, is_partial: false };
    room.rooms().announce_next_due(all).await.unwrap();
    assert_eq!(heard.next(&room).await, [all]);
}
