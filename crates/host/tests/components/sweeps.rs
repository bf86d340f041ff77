//! What sweeps cost, counted by Redis, and who may ask for one.

use http::StatusCode;
use rollcall_host::Host;
use rollcall_protocol::event::{NextDue, Sweep};
use serde_json::Value;

use crate::support::{
    Counts, OPERATOR_TOKEN, RedisServer, application, connect, count, request, rollcall, rollcall_with, send,
    text, wasm,
};

const SHARDS: u64 = 16;

/// The number of open connections.
fn clients(redis: &mut redis::Connection) -> usize {
    redis::cmd("CLIENT").arg("LIST").query::<String>(redis).unwrap().lines().count()
}

fn run(redis: &mut redis::Connection, command: &str) {
    let mut words = command.split(' ');
    let mut line = redis::cmd(words.next().unwrap());
    words.for_each(|word| {
        line.arg(word);
    });
    line.exec(redis).unwrap();
}

fn now_ms() -> u128 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_opens_one_connection_and_visits_only_shards_that_are_due() {
    let server = RedisServer::start().unwrap();
    let host = rollcall(&server).await;
    let mut redis = connect(&server);
    // The first runs load the scripts.
    run(&mut redis, "ZADD rollcall:{0}:leases 1 gone");
    host.fire_cron("sweep").await.unwrap();
    host.fire_cron("sweep").await.unwrap();

    let before = count(&mut redis);
    for _ in 0..10 {
        host.fire_cron("sweep").await.unwrap();
    }
    assert_eq!(count(&mut redis).since(before), Counts { connections: 10, scripts: 10 }, "nothing is due");

    // Bridges hold leases in all shards. In one of them no script has run for a while.
    let (now_ms, lease_ms) = (now_ms(), 3_600_000);
    for shard in 0..SHARDS {
        run(&mut redis, &format!("ZADD rollcall:{{{shard}}}:leases {} node", now_ms + lease_ms));
        run(&mut redis, &format!("HSET rollcall:{{{shard}}}:clock ranAt {}", now_ms + lease_ms));
    }
    run(&mut redis, &format!("HSET rollcall:{{3}}:clock ranAt {}", now_ms - 5000));
    let before = count(&mut redis);
    host.fire_cron("sweep").await.unwrap();
    assert_eq!(count(&mut redis).since(before), Counts { connections: 1, scripts: 2 }, "one shard is due");

    for shard in 0..SHARDS {
        run(&mut redis, &format!("ZADD rollcall:{{{shard}}}:leases 1 node"));
    }
    let before = count(&mut redis);
    host.fire_cron("sweep").await.unwrap();
    assert_eq!(
        count(&mut redis).since(before),
        Counts { connections: 1, scripts: 1 + SHARDS },
        "all are due"
    );
    let left: Vec<String> = redis::cmd("KEYS").arg("*:leases").query(&mut redis).unwrap();
    assert_eq!(left, [""; 0]);
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_gives_up_on_a_redis_that_does_not_answer() {
    let server = RedisServer::start().unwrap();
    let manifest = format!(
        "[[trigger.cron]]\ncron_expression = '* * * * * *'\ncomponent = 'sweep'\n\
         [component.sweep]\nsource = '{}'\nallowed_outbound_hosts = ['{url}']\n\
         [component.sweep.variables]\nredis_url = '{url}'\nredis_prefix = 'rollcall'\nredis_database = '0'\nredis_nodes = 'none:0'\nredis_timeout_ms = '200'\nsettings = 'grace_ms=30000 \
         lease_ms=15000 reminder_lead_ms=600000 roster_limit=256 retention_ms=3600000 shards=16 attendance_limit=10 \
         attendance_ms=60000 chat_limit=10 chat_ms=0 code_limit=10 code_ms=0'\n",
        wasm("sweep"),
        url = server.url()
    );
    let host = application(&server, &manifest).await.unwrap();
    let mut redis = connect(&server);
    let before = count(&mut redis).connections;
    run(&mut redis, "CLIENT PAUSE 600000 WRITE");
    let runs = (0..3).map(|_| host.fire_cron("sweep"));
    for outcome in futures_util::future::join_all(runs).await {
        let error = outcome.unwrap_err().to_string();
        assert!(error.contains("not done within 200 ms"), "{error}");
    }
    assert_eq!(count(&mut redis).connections - before, 3);
    while clients(&mut redis) > 1 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    host.close().await;
}

/// Asks for a sweep as a bridge does. Returns the number of settled rooms, and when something is due next.
async fn ask(host: &Host) -> (u64, NextDue) {
    let response = send(host, &Sweep {}, "sweep").await;
    assert_eq!(response.status(), StatusCode::OK, "{}", text(&response));
    let ack: Value = serde_json::from_slice(response.body()).unwrap();
    let next_due = serde_json::from_value(ack["data"]["nextDue"].clone()).unwrap();
    (ack["data"]["settled"].as_u64().unwrap(), next_due)
}

/// The number of messages that Redis has published.
fn count_published(redis: &mut redis::Connection) -> u64 {
    let info: String = redis::cmd("INFO").arg("commandstats").query(redis).unwrap();
    let publish = info.lines().find_map(|line| line.strip_prefix("cmdstat_publish:calls="));
    publish.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_for_a_bridge_costs_one_script_and_one_message_while_nothing_is_due() {
    let server = RedisServer::start().unwrap();
    let host = rollcall(&server).await;
    let mut redis = connect(&server);
    // The first sweeps load the scripts.
    run(&mut redis, "ZADD rollcall:{0}:leases 1 gone");
    ask(&host).await;
    ask(&host).await;

    let (before, published) = (count(&mut redis), count_published(&mut redis));
    for _ in 0..10 {
        let (_, next_due) = ask(&host).await;
        assert_eq!((next_due.due_at, next_due.is_partial), (None, false));
    }
    assert_eq!(count(&mut redis).since(before), Counts { connections: 0, scripts: 10 });
    assert_eq!(count_published(&mut redis) - published, 10);

    // A deadline of a room that has expired, and one that is far away.
    run(&mut redis, "ZADD rollcall:{3}:deadlines 1 gone");
    run(&mut redis, "ZADD rollcall:{4}:deadlines 4102444800000 later");
    let before = count(&mut redis);
    let (settled, next_due) = ask(&host).await;
    assert_eq!((settled, next_due.due_at), (1, Some(4_102_444_800_000)));
    assert_eq!(count(&mut redis).since(before), Counts { connections: 0, scripts: 2 }, "one shard is due");
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_may_present_its_token_in_the_path() {
    const TOKEN: &str = "sweep-token-of-the-tests";
    let server = RedisServer::start().unwrap();
    let host = rollcall_with(&server, &[("sweep_tokens", &format!("another-{TOKEN} {TOKEN}"))]).await;
    for method in ["GET", "POST"] {
        let response = host.handle(request(method, &format!("/sweep/{TOKEN}"), "")).await;
        assert_eq!(response.status(), StatusCode::OK, "{}", text(&response));
        assert_eq!(response.headers()["cache-control"], "no-store");
        for wrong in ["x", &TOKEN[1..], &format!("{TOKEN}x"), &format!("{TOKEN}/x"), OPERATOR_TOKEN] {
            let response = host.handle(request(method, &format!("/sweep/{wrong}"), "")).await;
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{wrong}");
        }
    }
    for (method, path, allowed) in
        [("DELETE", format!("/sweep/{TOKEN}"), "GET, POST"), ("GET", "/sweep".to_owned(), "POST")]
    {
        let response = host.handle(request(method, &path, "")).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()["allow"], allowed);
    }
    host.close().await;
}
