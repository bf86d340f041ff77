//! What one client watches, and knows.

use std::{collections::HashSet, sync::Arc};

use rollcall_protocol::{
    Refusal, RoomId,
    lobby::{RoomCount, RoomCounts},
};
use tokio::sync::watch;

use super::board::{Board, Counted, Counts, read};

/// The rooms that a client watches, and the counts that the client knows. Dropping it ends the watch.
pub(crate) struct Watch {
    board: Arc<Board>,
    /// As the client names them.
    ids: Vec<RoomId>,
    known: Vec<Counted>,
    counts: watch::Receiver<Arc<Counts>>,
}

impl Watch {
    pub(super) fn begin(board: Arc<Board>, mut ids: Vec<RoomId>) -> Result<Self, Refusal> {
        let mut seen = HashSet::new();
        ids.retain(|id| seen.insert(id.clone()));
        board.add(&ids)?;
        Ok(Self { known: vec![Counted::default(); ids.len()], ids, counts: board.subscribe(), board })
    }

    pub(super) fn ids(&self) -> &[RoomId] {
        &self.ids
    }

    /// The latest counts, if the board has those of all rooms.
    pub(super) fn latest(&mut self) -> Option<RoomCounts> {
        let counts = Arc::clone(&self.counts.borrow_and_update());
        let rooms: Option<Vec<_>> = self.ids.iter().map(|id| Some((id, counts.get(id)?))).collect();
        rooms.map(|rooms| describe(&rooms))
    }

    /// Remembers counts that the client gets, in the order of the rooms.
    pub(super) fn learn(&mut self, counts: &RoomCounts) {
        for (known, (_, counted)) in self.known.iter_mut().zip(read(counts)) {
            *known = counted;
        }
    }

    /// Waits until counts have changed, and returns those.
    pub(crate) async fn changed(&mut self) -> RoomCounts {
        loop {
            // The board, which this watch holds, has the sender.
            let _ = self.counts.changed().await;
            let counts = Arc::clone(&self.counts.borrow_and_update());
            let changed = self.take_changed(&counts);
            if !changed.rooms.is_empty() {
                return changed;
            }
        }
    }

    fn take_changed(&mut self, counts: &Counts) -> RoomCounts {
        let mut changed = Vec::new();
        for (id, known) in self.ids.iter().zip(&mut self.known) {
            let Some(counted) = counts.get(id) else { continue };
            if !counted.looks_like(known) {
                changed.push((id, counted));
            }
            *known = *counted;
        }
        describe(&changed)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.board.remove(&self.ids);
    }
}

fn describe(rooms: &[(&RoomId, &Counted)]) -> RoomCounts {
    let now = rooms.iter().map(|(_, counted)| counted.at).max();
    let describe = |(id, counted): &(&RoomId, &Counted)| RoomCount {
        id: (*id).clone(),
        count: counted.count,
        end_at: counted.end_at,
    };
    RoomCounts { rooms: rooms.iter().map(describe).collect(), now }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use serde_json::json;

    use super::*;

    fn counts(now: u64, rooms: serde_json::Value) -> RoomCounts {
        serde_json::from_value(json!({ "now": now, "rooms": rooms })).unwrap()
    }

    fn publish(board: &Board, now: u64, rooms: serde_json::Value) {
        board.publish(read(&counts(now, rooms)).collect());
    }

    #[test]
    fn a_client_gets_what_has_changed_under_the_names_that_it_uses() {
        let board = Arc::new(Board::default());
        let ids = serde_json::from_value(json!([7, "a", "7", "b"])).unwrap();
        let mut watch = Watch::begin(Arc::clone(&board), ids).unwrap();
        assert_eq!(watch.ids().len(), 3, "each room once");
        assert_eq!(watch.latest(), None);
        publish(
            &board,
            10,
            json!([{ "id": "7", "count": 1 }, { "id": "a", "count": 2 }, { "id": "b", "count": 0 }]),
        );
        let latest = watch.latest().unwrap();
        assert_eq!(serde_json::to_value(&latest.rooms[0]).unwrap(), json!({ "id": 7, "count": 1 }));
        watch.learn(&latest);
        publish(&board, 20, json!([{ "id": "7", "count": 3, "endAt": 99 }, { "id": "a", "count": 2 }]));
        let changed = watch.changed().now_or_never().unwrap();
        assert_eq!(changed, counts(20, json!([{ "id": 7, "count": 3, "endAt": 99 }])));
        assert_eq!(watch.changed().now_or_never(), None);
    }

    #[test]
    fn newer_counts_that_came_before_the_answer_to_the_client_are_told_after_it() {
        let board = Arc::new(Board::default());
        let mut watch = Watch::begin(Arc::clone(&board), vec!["a".parse().unwrap()]).unwrap();
        assert_eq!(watch.latest(), None);
        publish(&board, 25, json!([{ "id": "a", "count": 1 }]));
        publish(&board, 20, json!([{ "id": "a", "count": 2 }]));
        watch.learn(&counts(20, json!([{ "id": "a", "count": 2 }])));
        assert_eq!(watch.changed().now_or_never(), Some(counts(25, json!([{ "id": "a", "count": 1 }]))));
    }

    #[test]
    fn a_dropped_watch_ends() {
        let board = Arc::new(Board::default());
        let watch = Watch::begin(Arc::clone(&board), vec!["a".parse().unwrap()]).unwrap();
        assert!(board.watched().now_or_never().is_some());
        drop(watch);
        assert!(board.watched().now_or_never().is_none());
    }
}
