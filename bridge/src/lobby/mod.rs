//! Tells clients how many are in which room, whether they are in a room or not. The bridge asks the app for the counts of
//! all watched rooms at an interval, however many clients watch them, and each client gets what has changed since.
//!
//! | module | what it does |
//! |---|---|
//! | [`args`] | the flag |
//! | [`board`] | which rooms clients watch, and how many are in each |
//! | [`watch`] | what one client watches, and knows |

pub(crate) mod args;
mod board;
mod watch;

use std::{sync::Arc, time::Duration};

use rollcall_protocol::{
    Refusal, RoomId,
    lobby::{CountRooms, MAX_ROOMS, RoomCounts},
};
use tokio::time::sleep;

use self::board::{Board, Counts, read};
pub(crate) use self::watch::Watch;
use crate::app::{App, new_event_id};

/// The rooms that clients of this bridge watch.
pub(crate) struct Lobby {
    app: Arc<App>,
    interval: Duration,
    board: Arc<Board>,
}

impl Lobby {
    /// Asks the app at this interval.
    pub(crate) fn new(app: Arc<App>, interval: Duration) -> Self {
        Self { app, interval, board: Arc::default() }
    }

    /// Watches rooms for a client. Returns the watch, and the counts to begin with.
    pub(crate) async fn watch(&self, ids: Vec<RoomId>) -> Result<(Watch, RoomCounts), Refusal> {
        let mut watch = Watch::begin(Arc::clone(&self.board), ids)?;
        let counts = match watch.latest() {
            Some(counts) => counts,
            None => {
                let counts = self.ask(watch.ids()).await?;
                self.board.replace(read(&counts).collect());
                counts
            }
        };
        watch.learn(&counts);
        Ok((watch, counts))
    }

    /// Asks for the counts of the watched rooms until the future is dropped. While the app does not answer, the earlier
    /// counts stay.
    pub(crate) async fn run(self: Arc<Self>) {
        loop {
            let mut found = Counts::new();
            for ids in self.board.watched().await.chunks(MAX_ROOMS) {
                match self.ask(ids).await {
                    Ok(counts) => found.extend(read(&counts)),
                    Err(refusal) => tracing::debug!(%refusal, "lobby.not_counted"),
                }
            }
            self.board.publish(found);
            sleep(self.interval).await;
        }
    }

    async fn ask(&self, ids: &[RoomId]) -> Result<RoomCounts, Refusal> {
        Ok(self.app.call(&CountRooms { ids: ids.to_vec() }, &new_event_id()).await?)
    }
}
