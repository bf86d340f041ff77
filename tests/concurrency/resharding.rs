//! A cluster in which, while the threads make their calls, the slot of all rooms moves to another node again and again, key
//! by key, and the primary that has it is killed.

use std::{collections::BTreeMap, time::Duration};

use rollcall_tests::cluster::Cluster;
use tokio::time;

use crate::{
    ghosts,
    ids::SHARD,
    recorder::{self, Recorder, Recording},
};

/// As few as can agree on a new primary after one was killed.
const PRIMARIES: u16 = 3;

/// The time between two changes.
const INTERVAL: Duration = Duration::from_millis(500);

/// How often the slot moves for each primary that is killed.
const MOVES_PER_KILL: usize = 3;

/// The node that clients know from the start. Nothing moves there, and it lives.
const SEED: usize = 0;

pub struct Resharding {
    cluster: Cluster,
    /// Of all nodes, including those that were killed, by their addresses.
    recorders: BTreeMap<String, Recorder>,
}

impl Resharding {
    pub async fn start() -> Self {
        let cluster = Cluster::start(PRIMARIES).await;
        let owner = cluster.owner_of(&key()).await;
        let mut resharding = Self { cluster, recorders: BTreeMap::new() };
        for node in 0..resharding.cluster.nodes.len() {
            resharding.record(node).await;
        }
        resharding.listen_to_shard(owner).await;
        resharding
    }

    async fn record(&mut self, node: usize) {
        let server = self.cluster.nodes[node].server();
        self.recorders.insert(server.address(), Recorder::start(server.client()).await);
    }

    /// Records the events of the shard in a node that has the shard, replicates it, or will have it.
    async fn listen_to_shard(&self, node: usize) {
        self.recorders[&self.cluster.nodes[node].server().address()].listen_to_shard().await;
    }

    /// The address of one node, as host and port.
    pub fn address(&self) -> String {
        self.cluster.nodes[SEED].server().address()
    }

    /// Moves the slot, and kills its primary, until the threads are done. Returns how often.
    pub async fn disturb_until(&mut self, is_over: impl Fn() -> bool) -> usize {
        let mut disturbances = 0;
        while !is_over() {
            time::sleep(INTERVAL).await;
            if disturbances % (MOVES_PER_KILL + 1) == MOVES_PER_KILL {
                self.kill_owner().await;
            } else {
                self.move_slot().await;
            }
            disturbances += 1;
        }
        disturbances
    }

    async fn move_slot(&self) {
        let owner = self.cluster.owner_of(&key()).await;
        let primaries = self.cluster.primaries().await;
        let to = primaries.into_iter().find(|&node| node != SEED && node != owner).expect("another primary");
        self.cluster.begin_to_move(&key(), to).await;
        self.listen_to_shard(to).await;
        self.cluster.finish_move(&key(), owner, to).await;
    }

    async fn kill_owner(&mut self) {
        let owner = self.cluster.owner_of(&key()).await;
        let replica = self.cluster.add_replica(owner).await;
        self.record(replica).await;
        self.listen_to_shard(replica).await;
        self.cluster.kill(owner, &key()).await;
    }

    /// Keys that are left, in all nodes.
    pub async fn find_ghosts(&self) -> Vec<String> {
        let mut found = Vec::new();
        for primary in self.cluster.primaries().await {
            found.extend(ghosts::find(&self.cluster.nodes[primary].server().client()).await);
        }
        found
    }

    /// Everything that was published, and the number of places in which nodes had different events.
    pub async fn finish(self) -> (Recording, usize) {
        recorder::end_all(&self.cluster.nodes[SEED].server().client()).await;
        recorder::merge(self.recorders.into_values().map(Recorder::finish))
    }
}

/// A key of the only shard.
fn key() -> String {
    format!("rollcall:{{{SHARD}}}:deadlines")
}
