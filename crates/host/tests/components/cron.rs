//! Components on a schedule, run as in production.

use std::time::Duration;

use crate::support::{RedisServer, application, connect, rollcall, wasm};

#[tokio::test(flavor = "multi_thread")]
async fn the_sweep_runs() {
    let redis = RedisServer::start().unwrap();
    let host = rollcall(&redis).await;
    host.fire_cron("sweep").await.unwrap();
    assert!(evaluations(&redis) > 0);
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schedule_runs_the_sweep_until_told_to_end() {
    let redis = RedisServer::start().unwrap();
    let host = rollcall(&redis).await;
    host.run_cron(async {
        while evaluations(&redis) == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_cannot_connect_where_it_may_not() {
    let redis = RedisServer::start().unwrap();
    let host = application(&redis, &sweep(&redis, &wasm("sweep"), "redis://elsewhere:6379")).await.unwrap();
    let error = host.fire_cron("sweep").await.unwrap_err().to_string();
    assert!(error.contains("redis_url is not allowed"), "{error}");
    assert_eq!(evaluations(&redis), 0);
    host.close().await;

    let host = application(&redis, &sweep(&redis, &wasm("sweep"), &redis.url())).await.unwrap();
    host.fire_cron("sweep").await.unwrap();
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_without_schedule_cannot_be_fired() {
    let redis = RedisServer::start().unwrap();
    let host = rollcall(&redis).await;
    let error = host.fire_cron("join").await.unwrap_err().to_string();
    assert!(error.contains("[[trigger.cron]]"), "{error}");
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_is_not_built_says_how_to_build_it() {
    let redis = RedisServer::start().unwrap();
    let loaded = application(&redis, &sweep(&redis, "missing.wasm", "redis://a:1")).await;
    let error = format!("{:#}", loaded.err().unwrap());
    assert!(error.contains("missing.wasm") && error.contains("cargo xtask build"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http_component_cannot_be_on_a_schedule() {
    let redis = RedisServer::start().unwrap();
    let loaded = application(&redis, &sweep(&redis, &wasm("api"), "redis://a:1")).await;
    let error = format!("{:#}", loaded.err().unwrap());
    assert!(error.contains("does not handle cron events"), "{error}");
}

fn sweep(redis: &RedisServer, wasm: &str, allowed: &str) -> String {
    format!(
        "[[trigger.cron]]\ncron_expression = '* * * * * *'\ncomponent = 'sweep'\n\
         [component.sweep]\nsource = '{wasm}'\nallowed_outbound_hosts = ['{allowed}']\n\
         [component.sweep.variables]\nredis_url = '{}'\nredis_prefix = 'rollcall'\nredis_database = '0'\nredis_nodes = 'none:0'\nredis_timeout_ms = '2000'\nsettings = 'grace_ms=30000 lease_ms=15000 reminder_lead_ms=600000 \
         roster_limit=256 retention_ms=3600000 shards=4 attendance_limit=10 attendance_ms=60000 chat_limit=10 chat_ms=0 code_limit=10 code_ms=0'\n",
        redis.url()
    )
}

/// The number of scripts that have run.
fn evaluations(redis: &RedisServer) -> usize {
    let stats: String = redis::cmd("INFO").arg("commandstats").query(&mut connect(redis)).unwrap();
    stats.lines().filter(|line| line.starts_with("cmdstat_eval") || line.starts_with("cmdstat_fcall")).count()
}
