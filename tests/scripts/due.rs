use rollcall_rooms::rooms::DueShards;

use crate::fixture::{Fixture, MINUTE};

const LEASE_MS: u64 = 15_000;

#[tokio::test]
async fn a_shard_is_due_at_its_next_deadline() {
    let mut room = Fixture::start().await;
    assert_eq!(room.find_due().await, DueShards { shards: vec![], due_in_ms: None }, "nothing is live");
    room.join("kim/1").await.unwrap();
    let due_in_ms = Some(50 * MINUTE);
    assert_eq!(room.find_due().await, DueShards { shards: vec![], due_in_ms }, "the reminder");
    room.disconnect("kim/1").await;
    assert_eq!(room.at(29_999).find_due().await, DueShards { shards: vec![], due_in_ms: Some(1) });
    assert_eq!(room.at(30_000).find_due().await, DueShards { shards: vec![room.shard()], due_in_ms: None });
    room.sweep().await;
    assert_eq!(room.find_due().await.shards, [0; 0], "the sweep has settled the room");
}

#[tokio::test]
async fn a_shard_with_a_bridge_is_due_before_it_seems_to_have_paused() {
    let mut room = Fixture::start().await;
    room.settings.lease_ms = LEASE_MS;
    room.heartbeat(false).await;
    let due_in_ms = Some(LEASE_MS / 3 - 2000);
    assert_eq!(room.at(2000).find_due().await, DueShards { shards: vec![], due_in_ms });
    assert_eq!(room.at(LEASE_MS / 6).find_due().await.shards, [room.shard()]);
    room.sweep().await;
    assert_eq!(room.find_due().await, DueShards { shards: vec![], due_in_ms: Some(LEASE_MS / 3) });
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

/// When the grace period of a member ends whose bridge died at the start.
const LOST_MS: u64 = LEASE_MS + 30_000;
