//! How many scripts Redis alone runs.

use std::time::Duration;

use anyhow::Result;
use redis::Script;
use rollcall_tests::redis_server::RedisServer;
use tokio::{task::JoinSet, time::Instant};

/// As many connections as `redis-benchmark` opens.
const CONNECTIONS: usize = 50;

/// A script of one command.
const SCRIPT: &str = "return redis.call('INCR', KEYS[1])";

/// Measures how many scripts per second Redis runs over many connections, each of which waits for its answers.
pub async fn measure(length: Duration) -> Result<f64> {
    let redis = RedisServer::start().await;
    let end = Instant::now() + length;
    let mut tasks = JoinSet::new();
    for number in 0..CONNECTIONS {
        let mut connection = redis.connection().await;
        tasks.spawn(async move {
            let (script, mut count) = (Script::new(SCRIPT), 0_u32);
            while Instant::now() < end {
                script.key(format!("key-{number}")).invoke_async::<u64>(&mut connection).await?;
                count += 1;
            }
            anyhow::Ok(count)
        });
    }
    let mut count = 0.0;
    while let Some(outcome) = tasks.join_next().await {
        count += f64::from(outcome??);
    }
    Ok(count / length.as_secs_f64())
}
