//! A primary and its replica behind one name. While the threads make their calls, the replica takes over again and again:
//! as an operator asks for it, and after the primary was killed.

use std::{process::Command, time::Duration};

use redis::{Client, FromRedisValue};
use rollcall_tests::{
    forwarder::{Forwarder, Hold},
    redis_server::{RedisServer, connect},
};
use tokio::time;

use crate::recorder::{self, Recorder, Recording};

/// The time between two changes of the primary.
const INTERVAL: Duration = Duration::from_millis(700);

const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Shows in `INFO replication` that a replica has caught up.
const LINK_IS_UP: &str = "master_link_status:up";

pub struct Pair {
    name: Forwarder,
    primary: RedisServer,
    replica: RedisServer,
    /// Of all servers, including those that were killed.
    recorders: Vec<Recorder>,
}

impl Pair {
    pub async fn start() -> Self {
        let primary = RedisServer::start_with(serve_replicas_at_once).await;
        let name = Forwarder::start(primary.address()).await;
        let recorders = vec![Recorder::start(primary.client()).await];
        let replica = start_replica(&primary).await;
        let mut pair = Self { name, primary, replica, recorders };
        pair.record_replica().await;
        pair
    }

    /// The name of the primary, as host and port.
    pub fn address(&self) -> String {
        self.name.address()
    }

    /// The primary.
    pub fn client(&self) -> Client {
        self.primary.client()
    }

    /// Changes the primary until the threads are done. Returns how often.
    pub async fn fail_over_until(&mut self, is_over: impl Fn() -> bool) -> usize {
        let mut failovers = 0;
        while !is_over() {
            time::sleep(INTERVAL).await;
            if failovers % 2 == 0 {
                self.hand_over().await;
            } else {
                self.kill_primary().await;
            }
            failovers += 1;
        }
        failovers
    }

    /// Lets the replica take over without a loss. Connections to the former primary stay, and now lead to a replica.
    async fn hand_over(&mut self) {
        let (host, port) = split(&self.replica);
        let () = query(&self.primary.client(), &["FAILOVER", "TO", &host, &port]).await;
        while !replication(&self.primary).await.contains(LINK_IS_UP) {
            time::sleep(POLL_INTERVAL).await;
        }
        self.name.lead_to(self.replica.address());
        std::mem::swap(&mut self.primary, &mut self.replica);
    }

    /// Cuts the primary off, when its replica has all that it ran, and lets the replica take over. Replies are lost.
    async fn kill_primary(&mut self) {
        let held = self.name.hold().await;
        self.wait_until_replicated(&held).await;
        let () = query(&self.replica.client(), &["REPLICAOF", "NO", "ONE"]).await;
        std::mem::swap(&mut self.primary, &mut self.replica);
        self.name.cut_and_lead_to(self.primary.address());
        drop(held);
        // Kills the former primary, which nobody reaches any more.
        self.replica = start_replica(&self.primary).await;
        self.record_replica().await;
    }

    /// Waits until the replica has all that the primary ran. The second look comes after everything that reached the
    /// primary before the first one.
    async fn wait_until_replicated(&self, _: &Hold) {
        let mut equal = 0;
        while equal < 2 {
            let is_equal = offset(&self.primary).await == offset(&self.replica).await;
            equal = if is_equal { equal + 1 } else { 0 };
        }
    }

    async fn record_replica(&mut self) {
        self.recorders.push(Recorder::start(self.replica.client()).await);
    }

    /// Everything that was published, and the number of places in which servers had different events.
    pub async fn finish(self) -> (Recording, usize) {
        recorder::end_all(&self.primary.client()).await;
        recorder::merge(self.recorders.into_iter().map(Recorder::finish))
    }
}

async fn start_replica(primary: &RedisServer) -> RedisServer {
    let (host, port) = split(primary);
    let replica = RedisServer::start_with(move |command| {
        serve_replicas_at_once(command);
        command.args(["--replicaof", &format!("{host} {port}")]);
    })
    .await;
    while !replication(&replica).await.contains(LINK_IS_UP) {
        time::sleep(POLL_INTERVAL).await;
    }
    replica
}

/// By default, a primary waits some seconds for more replicas.
fn serve_replicas_at_once(command: &mut Command) {
    command.args(["--repl-diskless-sync-delay", "0"]);
}

fn split(server: &RedisServer) -> (String, String) {
    let address = server.address();
    let (host, port) = address.split_once(':').expect("host and port");
    (host.to_owned(), port.to_owned())
}

async fn replication(server: &RedisServer) -> String {
    query(&server.client(), &["INFO", "replication"]).await
}

/// How far a server has come in the stream of changes.
async fn offset(server: &RedisServer) -> u64 {
    let info = replication(server).await;
    let offset = info.lines().find_map(|line| line.strip_prefix("master_repl_offset:"));
    offset.expect("an offset").trim().parse().expect("a number")
}

async fn query<T: FromRedisValue>(client: &Client, words: &[&str]) -> T {
    redis::cmd(words[0]).arg(&words[1..]).query_async(&mut connect(client).await).await.expect("Redis is up")
}
