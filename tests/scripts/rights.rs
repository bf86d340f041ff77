//! Rights of the app's user in Redis: a script that lacks one changes nothing.

use redis::aio::MultiplexedConnection;
use rollcall_protocol::{Keyspace, api::Notice};
use rollcall_rooms::{Error, Rooms};
use rollcall_tests::{
    cluster::Cluster,
    listener::Listener,
    redis_server::{RedisPort, connect},
};

use crate::fixture::{Fixture, MINUTE, contents, heartbeat, keyspace};

const PASSWORD: &str = "secret";

/// The rules of a user in the operators' documentation, which has those of the default keyspace.
fn documented_rules(user: &str, keyspace: &Keyspace) -> Vec<String> {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md")).unwrap();
    let prefix = format!("ACL SETUSER {user} ");
    let rules = page.lines().find_map(|line| line.strip_prefix(&prefix)).expect("the page lists the rules");
    let adapt = |rule: &str| match rule.strip_prefix('>') {
        Some(_) => format!(">{PASSWORD}"),
        None => rule.replacen("rollcall:", &format!("{keyspace}:"), 1),
    };
    rules.split(' ').map(adapt).collect()
}

/// The rules that the page adds for a cluster, too.
fn documented_rules_in_cluster(user: &str) -> Vec<String> {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md")).unwrap();
    let prefix = format!("ACL SETUSER {user} +");
    let rules = page.lines().find_map(|line| line.strip_prefix(&prefix)).expect("the page lists the rules");
    let mut all = documented_rules(user, &Keyspace::default());
    all.extend(rules.split(' ').map(|rule| format!("+{}", rule.trim_start_matches('+'))));
    all
}

/// Changes the rights of a user.
async fn set_rules(room: &Fixture, user: &str, rules: &[String]) {
    let mut command = redis::cmd("ACL");
    command.arg("SETUSER").arg(user).arg("reset").arg(rules);
    let () = command.query_async(&mut room.redis.clone()).await.unwrap();
}

/// A live room, and a connection of the app's user.
async fn live_room() -> (Fixture, MultiplexedConnection) {
    live_room_in(Fixture::start().await).await
}

async fn live_room_in(mut room: Fixture) -> (Fixture, MultiplexedConnection) {
    set_rules(&room, "rollcall-app", &documented_rules("rollcall-app", &room.settings.keyspace)).await;
    let app = connect(&room.server.client_of("rollcall-app", PASSWORD)).await;
    room.join("lea/1").await.unwrap();
    room.join("kim/1").await.unwrap();
    room.at(MINUTE);
    (room, app)
}

/// The outcome of a use case.
pub struct Outcome {
    pub name: &'static str,
    pub result: Result<(), Error>,
    has_changed: bool,
}

/// Runs each use case once, over a connection of the app's user. The order leaves something to do for each.
pub async fn run_all(room: &mut Fixture, app: &MultiplexedConnection) -> Vec<Outcome> {
    let owner = std::mem::replace(&mut room.redis, app.clone());
    let rooms: Rooms<RedisPort> = room.rooms();
    let algebra = &"algebra".parse().unwrap();
    let notice = &Notice { text: "x".to_owned() };
    let shard = room.shard();
    let (mut outcomes, mut before) = (Vec::new(), contents(&owner).await);
    let mut record = async |name, result| {
        let after = contents(&owner).await;
        outcomes.push(Outcome { name, result, has_changed: after != before });
        before = after;
    };
    record("join", room.try_join("ben/1").await.map(drop)).await;
    record("disconnect", rooms.disconnect(&room.membership("ben/1")).await.map(drop)).await;
    record("leave", rooms.leave(&room.membership("kim/1")).await.map(drop)).await;
    record("read", rooms.read(&room.read_of(&["kim/1"])).await.map(drop)).await;
    record("members", rooms.members(algebra, None, 10).await.map(drop)).await;
    record("attendance", rooms.attendance(algebra, &[]).await.map(drop)).await;
    record("list", rooms.list(None, 10).await.map(drop)).await;
    record("notice", rooms.notify(algebra, notice).await.map(drop)).await;
    record("kick", rooms.kick(algebra, &"lea".parse().unwrap()).await.map(drop)).await;
    record("check", rooms.check().await).await;
    record("heartbeat", rooms.heartbeat(shard, &heartbeat("node-2")).await.map(drop)).await;
    record("define", room.try_change().await).await;
    record("sweep", rooms.sweep(shard).await.map(drop)).await;
    record("undefine", room.try_undefine().await).await;
    room.redis = owner;
    outcomes
}

#[tokio::test]
async fn the_documented_rights_are_enough() {
    let (mut room, app) = live_room().await;
    for Outcome { name, result, .. } in run_all(&mut room, &app).await {
        assert!(result.is_ok(), "{name}: {result:?}");
    }
}

#[tokio::test]
async fn the_documented_rights_with_another_prefix_are_enough_for_its_keys_and_no_others() {
    let production = Fixture::start().await;
    production.join("kim/1").await.unwrap();
    for keyspace in [keyspace("staging", 0), keyspace("staging", 3)] {
        let (mut room, mut app) = live_room_in(Fixture::start_beside(&production, keyspace).await).await;
        for Outcome { name, result, .. } in run_all(&mut room, &app).await {
            assert!(result.is_ok(), "{name}: {result:?}");
        }
        let (channel, key) =
            (Keyspace::default().channel(&production.home), production.shard_key("room:algebra"));
        for words in [&["PUBLISH", &channel, "x"][..], &["HGET", &key, "seq"], &["DEL", &key]] {
            let mut command = redis::cmd(words[0]);
            let refused = command.arg(&words[1..]).query_async::<redis::Value>(&mut app).await;
            assert!(refused.unwrap_err().to_string().to_lowercase().contains("permission"), "{words:?}");
        }
    }
}

#[tokio::test]
async fn rights_on_the_keys_of_shards_are_enough() {
    let (mut room, app) = live_room().await;
    let mut rules = documented_rules("rollcall-app", &Keyspace::default());
    for rule in rules.iter_mut().filter(|rule| rule.starts_with('~')) {
        *rule = "~rollcall:{*".to_owned();
    }
    set_rules(&room, "rollcall-app", &rules).await;
    for Outcome { name, result, .. } in run_all(&mut room, &app).await {
        assert!(result.is_ok(), "{name}: {result:?}");
    }
}

#[tokio::test]
async fn without_any_one_of_the_rights_a_script_changes_nothing_and_names_the_right() {
    let (mut room, app) = live_room().await;
    let rules = documented_rules("rollcall-app", &Keyspace::default());
    let removable: Vec<&String> = rules.iter().filter(|rule| rule.starts_with(['+', '~', '&'])).collect();
    assert!(removable.len() > 30, "{removable:?}");
    for missing in removable {
        let rest: Vec<String> = rules.iter().filter(|rule| *rule != missing).cloned().collect();
        set_rules(&room, "rollcall-app", &rest).await;
        // Scripts that are loaded already need no EVAL.
        let () = redis::cmd("SCRIPT").arg("FLUSH").query_async(&mut room.redis).await.unwrap();
        let right = missing.trim_start_matches(['+', '~', '&']).trim_end_matches('*');
        for Outcome { name, result, has_changed } in run_all(&mut room, &app).await {
            let Err(Error::Unavailable(reason)) = result else {
                panic!("{name} without {missing}: {result:?}")
            };
            // Redis itself refuses a script whose key the user may not use.
            let names_right = reason.to_lowercase().contains(right)
                || (right.starts_with("rollcall:") && reason.contains("key"));
            assert!(names_right, "{name} without {missing}: {reason}");
            assert!(!has_changed, "{name} without {missing}");
        }
    }
}

#[tokio::test]
async fn the_documented_rights_are_enough_in_a_cluster_and_without_one_more_of_them_nothing_changes() {
    let cluster = Cluster::start(1).await;
    let mut room = Fixture::start_in_cluster(&cluster).await;
    let rules = documented_rules_in_cluster("rollcall-app");
    set_rules(&room, "rollcall-app", &documented_rules("rollcall-app", &Keyspace::default())).await;
    let app = connect(&cluster.nodes[0].server().client_of("rollcall-app", PASSWORD)).await;
    room.join("lea/1").await.unwrap();
    room.join("kim/1").await.unwrap();
    room.at(MINUTE);
    for Outcome { name, result, has_changed } in run_all(&mut room, &app).await {
        let Err(Error::Unavailable(reason)) = result else { panic!("{name}: {result:?}") };
        assert!(reason.contains("SPUBLISH on rollcall:events:") && !has_changed, "{name}: {reason}");
    }
    set_rules(&room, "rollcall-app", &rules).await;
    for Outcome { name, result, .. } in run_all(&mut room, &app).await {
        assert!(result.is_ok(), "{name}: {result:?}");
    }
}

#[tokio::test]
async fn a_redis_without_memory_changes_nothing_or_everything() {
    let (mut room, app) = live_room().await;
    set_rules(&room, "rollcall-app", &["on", "nopass", "+@all", "~*", "&*"].map(str::to_owned)).await;
    let set_memory = async |room: &Fixture, bytes: u32| {
        let mut set = redis::cmd("CONFIG");
        let () =
            set.arg("SET").arg("maxmemory").arg(bytes).query_async(&mut room.redis.clone()).await.unwrap();
    };
    set_memory(&room, 1).await;
    for Outcome { name, result, has_changed } in run_all(&mut room, &app).await {
        if let Err(error) = result {
            assert!(error.to_string().contains("OOM") && !has_changed, "{name}: {error}");
        }
    }
    set_memory(&room, 0).await;
    for Outcome { name, result, .. } in run_all(&mut room, &app).await {
        assert!(!matches!(result, Err(Error::Unavailable(_))), "{name}: {result:?}");
    }
}

#[tokio::test]
async fn a_bridge_may_subscribe_to_rooms_and_nothing_else() {
    let room = Fixture::start().await;
    set_rules(&room, "rollcall-bridge", &documented_rules("rollcall-bridge", &Keyspace::default())).await;
    let client = room.server.client_of("rollcall-bridge", PASSWORD);
    let mut subscription = client.get_async_pubsub().await.unwrap();
    let channel = Keyspace::default().channel(&"algebra".parse().unwrap());
    subscription.subscribe(&channel).await.unwrap();
    subscription.unsubscribe(&channel).await.unwrap();
    let keyspace = Keyspace::default();
    let own = [keyspace.node_channel(&"node".parse().unwrap()), keyspace.due_channel()];
    subscription.subscribe(&own).await.unwrap();
    assert!(subscription.subscribe("another").await.is_err());
    let cluster = Cluster::start(1).await;
    let room_in_cluster = Fixture::start_in_cluster(&cluster).await;
    set_rules(&room_in_cluster, "rollcall-bridge", &documented_rules_in_cluster("rollcall-bridge")).await;
    let node = cluster.nodes[0].server().client_of("rollcall-bridge", PASSWORD);
    let subscriptions = Listener::connect(&node).await.unwrap().subscriptions();
    for channel in [keyspace.shard_channel(6), format!("{}algebra", keyspace.shard_channel_prefix(6))] {
        subscriptions.subscribe_to_shard(&channel).await.unwrap();
        subscriptions.unsubscribe_from_shard(&channel).await.unwrap();
    }
    assert!(subscriptions.subscribe_to_shard("another").await.is_err());

    let mut bridge = connect(&client).await;
    for words in [&["PUBLISH", &channel, "x"][..], &["GET", "rollcall:{0}:epoch"], &["KEYS", "*"]] {
        let mut command = redis::cmd(words[0]);
        let refused = command.arg(&words[1..]).query_async::<redis::Value>(&mut bridge).await;
        assert!(refused.unwrap_err().to_string().to_lowercase().contains("permission"), "{words:?}");
    }
}
