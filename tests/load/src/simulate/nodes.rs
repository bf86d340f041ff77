//! Several Redis servers, each of which holds some of the shards.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use redis::aio::MultiplexedConnection;
use rollcall_rooms::redis::{Redis, RedisError};
use rollcall_tests::redis_server::{RedisPort, RedisServer};

/// How many connections to each node instances of the app share.
const CONNECTIONS: usize = 8;

/// Slower scripts are in the slow log, in microseconds.
pub const SLOW_US: u64 = 1000;

/// One Redis server.
pub struct Node {
    /// A connection for measurements.
    pub connection: MultiplexedConnection,
    server: RedisServer,
}

impl Node {
    async fn start() -> Self {
        let server = RedisServer::start_with(|command: &mut Command| {
            command.args(["--slowlog-log-slower-than", &SLOW_US.to_string(), "--slowlog-max-len", "100000"]);
            // The subscribers share the cores of this machine with everything else, and may fall behind for a while.
            command.args(["--client-output-buffer-limit", "pubsub 512mb 512mb 60"]);
        })
        .await;
        Self { connection: server.connection().await, server }
    }

    /// A client to it.
    pub fn client(&self) -> redis::Client {
        self.server.client()
    }
}

/// Starts this many servers.
pub async fn start(count: usize) -> Vec<Node> {
    let mut nodes = Vec::new();
    for _ in 0..count {
        nodes.push(Node::start().await);
    }
    nodes
}

/// The node that holds a shard.
pub fn node_of(shard: u64, nodes: usize) -> usize {
    usize::try_from(shard).unwrap_or_default() % nodes
}

/// A port that sends each script to the node of its shard.
#[derive(Clone)]
pub struct Router {
    ports: Arc<[Vec<RedisPort>]>,
    calls: Arc<AtomicUsize>,
}

impl Router {
    /// Connects to all nodes.
    pub async fn connect(nodes: &[Node]) -> Self {
        let mut ports = Vec::new();
        for node in nodes {
            let mut connections = Vec::new();
            for _ in 0..CONNECTIONS {
                connections.push(RedisPort(node.server.connection().await));
            }
            ports.push(connections);
        }
        Self { ports: ports.into(), calls: Arc::default() }
    }
}

impl Redis for Router {
    async fn command(&self, name: &str, arguments: &[&[u8]]) -> Result<Vec<Vec<u8>>, RedisError> {
        let shard = find_shard(arguments);
        let shard = shard.ok_or_else(|| RedisError::Refused(format!("{name} names no shard")))?;
        let ports = &self.ports[node_of(shard, self.ports.len())];
        let port = &ports[self.calls.fetch_add(1, Ordering::Relaxed) % ports.len()];
        port.command(name, arguments).await
    }
}

/// Finds the shard of a script: the number in the braces of its key.
fn find_shard(arguments: &[&[u8]]) -> Option<u64> {
    let [_, b"1", key, ..] = arguments else { return None };
    let (_, rest) = std::str::from_utf8(key).ok()?.split_once('{')?;
    rest.split_once('}')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_script_names_its_shard() {
        let key = b"rollcall:{12}:deadlines".as_slice();
        assert_eq!(find_shard(&[b"sha", b"1", key, b"{}"]), Some(12));
        assert_eq!(find_shard(&[b"sha", b"2", key, key]), None, "the nodes of several keys may differ");
        assert_eq!(find_shard(&[b"channel", b"message"]), None);
    }

    #[test]
    fn every_node_holds_as_many_shards() {
        let mut shards = [0; 3];
        for shard in 0..12 {
            shards[node_of(shard, 3)] += 1;
        }
        assert_eq!(shards, [4; 3]);
    }
}
