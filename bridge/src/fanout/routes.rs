//! Over which channels the events of a room come.

use rollcall_protocol::{RoomId, shard::shard_of};

/// A way on which the events of some rooms come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Route {
    /// Over channels that every node of Redis passes on.
    Plain,
    /// Over the channels of a shard in a cluster, which only the node of the shard passes on.
    Shard(u64),
}

/// The routes of all rooms.
#[derive(Clone)]
pub(super) struct Routes {
    /// The numbers of shards among which rooms may lie; none without a cluster.
    layouts: Vec<Option<u64>>,
    is_told: bool,
}

impl Default for Routes {
    /// As long as the app has not answered, there is no cluster.
    fn default() -> Self {
        Self { layouts: vec![None], is_told: false }
    }
}

impl Routes {
    /// Learns from the app among how many shards rooms lie. Returns whether the routes of rooms have changed. Instances
    /// of the app may differ while they are replaced, so what one of them has said once stays true.
    pub(super) fn learn(&mut self, told: &[u64]) -> bool {
        let told = if told.is_empty() { vec![None] } else { told.iter().copied().map(Some).collect() };
        if !std::mem::replace(&mut self.is_told, true) {
            let earlier = std::mem::replace(&mut self.layouts, told);
            return self.layouts != earlier;
        }
        let news: Vec<_> = told.into_iter().filter(|layout| !self.layouts.contains(layout)).collect();
        self.layouts.extend(&news);
        !news.is_empty()
    }

    /// The routes of a room. One may be named twice.
    pub(super) fn of(&self, room: &RoomId) -> impl Iterator<Item = Route> {
        self.layouts.iter().map(|layout| match layout {
            None => Route::Plain,
            Some(shards) => Route::Shard(shard_of(room, *shards)),
        })
    }

    /// The number of shards.
    pub(super) fn count_shards(&self) -> u64 {
        self.layouts.iter().flatten().copied().max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes_after(told: &[&[u64]]) -> Vec<Route> {
        let mut routes = Routes::default();
        for layouts in told {
            routes.learn(layouts);
        }
        routes.of(&"algebra".parse().unwrap()).collect()
    }

    #[test]
    fn without_a_cluster_there_is_one_route() {
        assert_eq!(routes_after(&[]), [Route::Plain]);
        assert_eq!(routes_after(&[&[], &[]]), [Route::Plain]);
    }

    #[test]
    fn the_first_word_of_the_app_counts_and_later_ones_add_to_it() {
        assert_eq!(routes_after(&[&[16]]), [Route::Shard(6)]);
        let [of_16, of_64] =
            [16, 64].map(|shards| Route::Shard(shard_of(&"algebra".parse().unwrap(), shards)));
        assert_eq!(routes_after(&[&[16], &[16, 64], &[16], &[64]]), [of_16, of_64]);
        assert_eq!(routes_after(&[&[16], &[]]), [of_16, Route::Plain], "an older instance of the app");
    }

    #[test]
    fn only_news_change_routes() {
        let mut routes = Routes::default();
        assert!(!routes.learn(&[]));
        assert!(routes.learn(&[16]) && !routes.learn(&[16]));
        assert_eq!(routes.count_shards(), 16);
    }
}
