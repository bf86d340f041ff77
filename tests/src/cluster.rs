//! A cluster of real servers.

use std::time::Duration;

use redis::FromRedisValue;
use tokio::time::sleep;

use crate::redis_server::RedisServer;

const SLOTS: u16 = 16_384;
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// How long the server waits for the other node when it moves keys.
const MIGRATE_TIMEOUT_MS: &str = "5000";

/// A running cluster. Dropping it kills all nodes.
pub struct Cluster {
    /// The nodes that run.
    pub nodes: Vec<Node>,
}

/// A node, which may be a primary or a replica.
pub struct Node {
    server: RedisServer,
    id: String,
}

impl Node {
    async fn start() -> Self {
        let server = RedisServer::start_node().await;
        let id = server.query(&["CLUSTER", "MYID"]).await.expect("a node");
        Self { server, id }
    }

    /// The server.
    pub fn server(&self) -> &RedisServer {
        &self.server
    }

    /// Runs a command.
    pub async fn query<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let reply = self.server.query(words).await;
        reply.unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    async fn is_primary(&self) -> bool {
        self.query::<String>(&["INFO", "replication"]).await.contains("role:master")
    }

    /// Waits until the reply to a command has a text.
    async fn wait_for(&self, words: &[&str], text: &str) {
        while !self.query::<String>(words).await.contains(text) {
            sleep(POLL_INTERVAL).await;
        }
    }

    async fn meet(&self, other: &Self) {
        let address = other.server.address();
        let (host, port) = address.split_once(':').expect("host and port");
        let bus_port = other.server.bus_port().to_string();
        let () = self.query(&["CLUSTER", "MEET", host, port, &bus_port]).await;
        // A node becomes a replica only of a node that it knows.
        self.wait_for(&["CLUSTER", "NODES"], &other.id).await;
        other.wait_for(&["CLUSTER", "NODES"], &self.id).await;
    }
}

impl Cluster {
    /// Starts so many primaries, which share all slots.
    pub async fn start(primaries: u16) -> Self {
        let mut nodes: Vec<Node> = Vec::new();
        for number in 0..primaries {
            let node = Node::start().await;
            let (first, next) = (SLOTS / primaries * number, SLOTS / primaries * (number + 1));
            let last = if number + 1 == primaries { SLOTS - 1 } else { next - 1 };
            let slots = [first.to_string(), last.to_string()];
            let () = node.query(&["CLUSTER", "ADDSLOTSRANGE", &slots[0], &slots[1]]).await;
            // Two nodes with the same epoch would have to agree on another one first.
            let () = node.query(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]).await;
            for other in &nodes {
                other.meet(&node).await;
            }
            nodes.push(node);
        }
        let cluster = Self { nodes };
        cluster.wait_until_ready().await;
        cluster
    }

    /// Adds a replica of a primary, and waits until the replica has its data. Returns the number of the replica.
    pub async fn add_replica(&mut self, primary: usize) -> usize {
        let node = Node::start().await;
        for other in &self.nodes {
            other.meet(&node).await;
        }
        while node.server.query::<()>(&["CLUSTER", "REPLICATE", &self.nodes[primary].id]).await.is_err() {
            sleep(POLL_INTERVAL).await;
        }
        node.wait_for(&["INFO", "replication"], "master_link_status:up").await;
        self.nodes.push(node);
        self.wait_until_ready().await;
        self.nodes.len() - 1
    }

    /// Waits until every node serves its slots.
    async fn wait_until_ready(&self) {
        for node in &self.nodes {
            node.wait_for(&["CLUSTER", "INFO"], "cluster_state:ok").await;
        }
    }

    /// The numbers of all primaries.
    pub async fn primaries(&self) -> Vec<usize> {
        let mut primaries = Vec::new();
        for (number, node) in self.nodes.iter().enumerate() {
            if node.is_primary().await {
                primaries.push(number);
            }
        }
        primaries
    }

    /// The number of the primary that has a key.
    pub async fn owner_of(&self, key: &str) -> usize {
        loop {
            for (number, node) in self.nodes.iter().enumerate() {
                // Other nodes say where the key is, which is an error.
                if node.is_primary().await && node.server.query::<u8>(&["EXISTS", key]).await.is_ok() {
                    return number;
                }
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    async fn slot_of(&self, key: &str) -> u16 {
        self.nodes[0].query(&["CLUSTER", "KEYSLOT", key]).await
    }

    /// Says at both nodes that the slot of a key is on its way to another node.
    pub async fn begin_to_move(&self, key: &str, to: usize) {
        let (slot, from) = (self.slot_of(key).await.to_string(), self.owner_of(key).await);
        let [from, to] = [&self.nodes[from], &self.nodes[to]];
        let () = to.query(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from.id]).await;
        let () = from.query(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to.id]).await;
    }

    /// Moves the keys of the slot one by one, and then the slot.
    pub async fn finish_move(&self, key: &str, from: usize, to: usize) {
        let slot = self.slot_of(key).await.to_string();
        let address = self.nodes[to].server.address();
        let (host, port) = address.split_once(':').expect("host and port");
        loop {
            let keys: Vec<String> = self.nodes[from].query(&["CLUSTER", "GETKEYSINSLOT", &slot, "1"]).await;
            let Some(key) = keys.first() else { break };
            let () = self.nodes[from].query(&["MIGRATE", host, port, key, "0", MIGRATE_TIMEOUT_MS]).await;
        }
        let id = &self.nodes[to].id;
        let others = self.nodes.iter().enumerate().filter(|(number, _)| ![from, to].contains(number));
        // A node that is told twice ends the subscriptions to channels in the slot.
        for node in [&self.nodes[to], &self.nodes[from]].into_iter().chain(others.map(|(_, node)| node)) {
            // A replica refuses.
            let _ = node.server.query::<()>(&["CLUSTER", "SETSLOT", &slot, "NODE", id]).await;
        }
    }

    /// Kills a primary when its replicas have all that it ran, and waits until one of them has taken over.
    pub async fn kill(&mut self, number: usize, key: &str) {
        let () = self.nodes[number].query(&["CLIENT", "PAUSE", "60000", "WRITE"]).await;
        self.wait_until_replicated(number).await;
        drop(self.nodes.remove(number));
        self.owner_of(key).await;
        self.wait_until_ready().await;
    }

    /// The second look comes after everything that reached the primary before the first one.
    async fn wait_until_replicated(&self, number: usize) {
        let mut equal = 0;
        while equal < 2 {
            let info: String = self.nodes[number].query(&["INFO", "replication"]).await;
            let field = |name: &str| -> Option<u64> {
                info.split(['\r', '\n', ',']).find_map(|part| part.strip_prefix(name)?.parse().ok())
            };
            let is_equal = field("master_repl_offset:").is_some_and(|own| field("offset=") == Some(own));
            equal = if is_equal { equal + 1 } else { 0 };
            sleep(POLL_INTERVAL).await;
        }
    }
}
