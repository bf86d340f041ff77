//! Leases of nodes: their connections count as live until the lease ends.

use std::collections::BTreeMap;

use crate::ids::{LEASE, Node, Time};

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Leases(BTreeMap<Node, Lease>);

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lease {
    pub until: Time,
    /// Start of the unbroken lease.
    pub since: u64,
}

/// Numbers for sessions, leases and revisions: times that only rise.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Epochs {
    pub last: u64,
}

impl Epochs {
    pub fn next(&mut self, now: Time) -> u64 {
        self.last = now.max(self.last + 1);
        self.last
    }
}

impl Leases {
    pub fn iter(&self) -> impl Iterator<Item = (Node, Lease)> {
        self.0.iter().map(|(&node, &lease)| (node, lease))
    }

    pub fn of(&self, node: Node) -> Option<Lease> {
        self.0.get(node).copied()
    }

    /// End of a node's lease. A node with entries always has one.
    pub fn end_of(&self, node: Node) -> Time {
        self.0[node].until
    }

    /// Grants a lease to a node that has none.
    pub fn ensure(&mut self, node: Node, epochs: &mut Epochs, now: Time) -> Lease {
        *self.0.entry(node).or_insert_with(|| Lease { until: now + LEASE, since: epochs.next(now) })
    }

    /// Prolongs leases that had not ended by the given time.
    pub fn prolong(&mut self, by: Time, pause: Time) {
        for lease in self.0.values_mut().filter(|lease| lease.until > by) {
            lease.until += pause;
        }
    }

    pub fn extend(&mut self, node: Node, now: Time) {
        self.0.entry(node).and_modify(|lease| lease.until = now + LEASE);
    }

    /// Ends a lease now, unless it has ended already.
    pub fn end(&mut self, node: Node, now: Time) {
        self.0.entry(node).and_modify(|lease| lease.until = lease.until.min(now));
    }

    pub fn remove(&mut self, node: Node) {
        self.0.remove(node);
    }

    /// Nodes whose lease has ended, ordered by the end.
    pub fn ended(&self, now: Time) -> Vec<Node> {
        let mut ended: Vec<_> = self.iter().filter(|(_, lease)| lease.until <= now).collect();
        ended.sort_by_key(|(node, lease)| (lease.until, *node));
        ended.into_iter().map(|(node, _)| node).collect()
    }

    pub fn first_end(&self) -> Option<Time> {
        self.0.values().map(|lease| lease.until).min()
    }

    /// Leases that have not ended.
    pub fn valid(&self, now: Time) -> Self {
        Self(self.iter().filter(|(_, lease)| lease.until > now).collect())
    }
}
