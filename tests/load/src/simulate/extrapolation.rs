//! From what was measured to ten million members.

/// How many members the report extrapolates to.
pub const MEMBERS: u64 = 10_000_000;

/// How much of a node may be in use at the busiest time.
pub const HEADROOM: f64 = 0.7;

/// A resource of Redis nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// What it is, with its unit.
    pub name: &'static str,
    /// What all nodes together used of it at the busiest time.
    pub used: f64,
    /// What one node has of it.
    pub per_node: f64,
}

impl Resource {
    /// The nodes that so many times the use needs.
    pub fn count_nodes(&self, factor: f64) -> f64 {
        (self.used * factor / (self.per_node * HEADROOM)).ceil()
    }
}

/// Orders resources by the nodes that they need: the first one saturates first.
pub fn rank(mut resources: Vec<Resource>) -> Vec<Resource> {
    let share = |resource: &Resource| resource.used / resource.per_node;
    resources.sort_by(|one, other| share(other).total_cmp(&share(one)));
    resources
}

/// How many times as many members ten million are.
#[expect(clippy::cast_precision_loss, reason = "members are far below 2^52")]
pub fn factor(connected: u64) -> f64 {
    MEMBERS as f64 / connected.max(1) as f64
}

/// How many scripts the heartbeats of all bridges run in a second: each bridge reports to each shard.
pub fn heartbeats_per_second(bridges: f64, shards: f64, interval_seconds: u32) -> f64 {
    bridges * shards / f64::from(interval_seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(name: &'static str, used: f64, per_node: f64) -> Resource {
        Resource { name, used, per_node }
    }

    #[test]
    fn nodes_grow_with_the_members_and_keep_headroom() {
        assert_eq!(resource("CPU", 1.4, 1.0).count_nodes(1.0), 2.0);
        assert_eq!(resource("CPU", 1.4, 1.0).count_nodes(10.0), 20.0);
        assert_eq!(resource("CPU", 1.5, 1.0).count_nodes(10.0), 22.0);
        assert_eq!(resource("memory", 0.1, 16.0).count_nodes(1.0), 1.0);
    }

    #[test]
    fn the_resource_that_needs_most_nodes_saturates_first() {
        let resources =
            vec![resource("memory", 8.0, 16.0), resource("CPU", 0.6, 1.0), resource("net", 1.0, 10.0)];
        let names: Vec<_> = rank(resources).iter().map(|resource| resource.name).collect();
        assert_eq!(names, ["CPU", "memory", "net"]);
    }

    #[test]
    fn ten_million_are_ten_times_a_million() {
        assert_eq!(factor(1_000_000), 10.0);
        assert_eq!(heartbeats_per_second(200.0, 64.0, 5), 2560.0);
    }
}
