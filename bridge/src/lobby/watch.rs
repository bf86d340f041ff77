//! What one client watches, and knows.

use std::{collections::HashSet, sync::Arc};

use rollcall_protocol::{
    Refusal, RoomId, UserId,
    lobby::{RoomCount, RoomCounts},
};
use tokio::sync::watch;

use super::board::{Board, Counted, Shown};

/// The rooms that a client watches, and the counts that the client knows. Dropping it ends the watch.
pub(super) struct Watch {
    board: Arc<Board>,
    user: UserId,
    /// As the client names them.
    ids: Vec<Arc<RoomId>>,
    /// None for a room whose count the client does not know yet.
    known: Vec<Option<Shown>>,
    news: watch::Receiver<()>,
}

impl Watch {
    /// Watches each of the rooms once. The watch that it replaces has to be dropped afterwards.
    pub(super) fn begin(
        board: &Arc<Board>,
        user: &UserId,
        ids: Vec<RoomId>,
        replaced: Option<&Self>,
    ) -> Result<Self, Refusal> {
        let mut seen = HashSet::new();
        let ids: Vec<_> = ids.into_iter().map(Arc::new).filter(|id| seen.insert(Arc::clone(id))).collect();
        board.add(user, &ids, replaced.map(|replaced| replaced.ids.as_slice()).unwrap_or_default())?;
        Ok(Self {
            known: vec![None; ids.len()],
            ids,
            news: board.subscribe(),
            board: Arc::clone(board),
            user: user.clone(),
        })
    }

    /// The rooms about which the app has to be asked before the client gets an answer.
    pub(super) fn find_missing(&self) -> Vec<RoomId> {
        self.board.find_missing(&self.ids)
    }

    /// Waits until counts have changed, and returns those.
    pub(super) async fn changed(&mut self) -> RoomCounts {
        loop {
            // The board, which this watch holds, has the sender.
            let _ = self.news.changed().await;
            let changed = self.take_changed();
            if !changed.rooms.is_empty() {
                return changed;
            }
        }
    }

    /// The counts that the client does not know yet, which are all counts in the beginning.
    pub(super) fn take_changed(&mut self) -> RoomCounts {
        let counts = self.board.counts();
        let mut changed = Vec::new();
        for (id, known) in self.ids.iter().zip(&mut self.known) {
            let Some(counted) = counts.get(&**id) else { continue };
            if *known != Some(counted.shown) {
                changed.push((id, counted));
                *known = Some(counted.shown);
            }
        }
        describe(&changed)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.board.remove(&self.user, &self.ids);
    }
}

fn describe(rooms: &[(&Arc<RoomId>, &Counted)]) -> RoomCounts {
    let latest = rooms.iter().map(|(_, counted)| counted).max_by_key(|counted| counted.order());
    let describe = |(id, counted): &(&Arc<RoomId>, &Counted)| RoomCount {
        id: RoomId::clone(id),
        count: counted.shown.count,
        end_at: counted.shown.end_at,
    };
    RoomCounts { rooms: rooms.iter().map(describe).collect(), now: latest.and_then(|latest| latest.now) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;
    use serde_json::{Value, json};

    use super::*;

    fn board() -> Arc<Board> {
        Arc::new(Board::new(Duration::from_secs(6)))
    }

    fn begin(board: &Arc<Board>, ids: Value) -> Watch {
        Watch::begin(board, &"kim".parse().unwrap(), serde_json::from_value(ids).unwrap(), None).unwrap()
    }

    fn counts(now: u64, rooms: Value) -> RoomCounts {
        serde_json::from_value(json!({ "now": now, "rooms": rooms })).unwrap()
    }

    /// Enters an answer, and announces it.
    fn publish(board: &Board, now: u64, rooms: Value) {
        let answer = counts(now, rooms);
        let ids: Vec<_> = answer.rooms.iter().map(|room| room.id.clone()).collect();
        board.enter(board.begin_request(), &ids, Some(&answer));
        board.announce();
    }

    #[test]
    fn a_client_gets_what_has_changed_under_the_names_that_it_uses() {
        let board = board();
        let mut watch = begin(&board, json!([7, "a", "7", "b"]));
        assert_eq!(watch.find_missing().len(), 3, "each room once");
        publish(
            &board,
            10,
            json!([{ "id": "7", "count": 1 }, { "id": "a", "count": 2 }, { "id": "b", "count": 0 }]),
        );
        let first = watch.take_changed();
        assert_eq!(serde_json::to_value(&first.rooms[0]).unwrap(), json!({ "id": 7, "count": 1 }));
        assert_eq!(first.rooms.len(), 3);
        publish(&board, 20, json!([{ "id": "7", "count": 3, "endAt": 99 }, { "id": "a", "count": 2 }]));
        let changed = watch.changed().now_or_never().unwrap();
        assert_eq!(changed, counts(20, json!([{ "id": 7, "count": 3, "endAt": 99 }])));
        assert_eq!(watch.changed().now_or_never(), None);
    }

    #[test]
    fn a_count_that_was_not_known_at_first_is_told_later_even_if_nobody_is_there() {
        let board = board();
        let mut watch = begin(&board, json!(["a", "b"]));
        publish(&board, 10, json!([{ "id": "a", "count": 1 }]));
        assert_eq!(watch.take_changed(), counts(10, json!([{ "id": "a", "count": 1 }])));
        publish(&board, 20, json!([{ "id": "b", "count": 0 }]));
        assert_eq!(watch.changed().now_or_never(), Some(counts(20, json!([{ "id": "b", "count": 0 }]))));
    }

    #[test]
    fn the_time_of_counts_is_that_of_the_latest_even_if_the_clock_of_redis_steps_back() {
        let board = board();
        let mut watch = begin(&board, json!(["a", "b"]));
        publish(&board, 20, json!([{ "id": "a", "count": 1 }]));
        publish(&board, 10, json!([{ "id": "b", "count": 2 }]));
        assert_eq!(watch.take_changed().now, Some(10));
        publish(&board, 9, json!([{ "id": "a", "count": 3 }]));
        assert_eq!(watch.changed().now_or_never(), Some(counts(9, json!([{ "id": "a", "count": 3 }]))));
    }

    #[test]
    fn a_dropped_watch_ends() {
        let board = board();
        let watch = begin(&board, json!(["a"]));
        assert_eq!(board.rooms().len(), 1);
        drop(watch);
        assert!(board.rooms().is_empty());
    }
}
