//! Tells clients how many are in which room, whether they are in a room or not. The bridge asks the app for the counts of
//! all watched rooms at an interval, however many clients watch them, and each client gets what has changed since.
//!
//! | module | what it does |
//! |---|---|
//! | [`args`] | the flag |
//! | [`watched`] | which rooms clients watch, and how many they may be |
//! | [`board`] | how many are in each of them |
//! | [`watch`] | what one client watches, and knows |
//! | [`watcher`] | one client of the lobby |
//! | [`rate_limit`] | limits how often clients may make the bridge ask the app |

pub(crate) mod args;
mod board;
mod rate_limit;
mod watch;
mod watched;
mod watcher;

use std::{pin::pin, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use rollcall_protocol::{
    ErrorCode, Refusal, RoomId, UserId,
    lobby::{CountRooms, MAX_ROOMS},
};
use tokio::time::{sleep, timeout};

pub(crate) use self::watcher::Watcher;
use self::{board::Board, rate_limit::RateLimits};
use crate::app::{App, new_event_id};

/// How many requests of one look may be under way, so that one that takes long does not hold up all others.
const REQUESTS_AT_ONCE: usize = 4;

/// The rooms that clients of this bridge watch.
pub(crate) struct Lobby {
    app: Arc<App>,
    interval: Duration,
    board: Arc<Board>,
    rate_limits: Arc<RateLimits>,
}

impl Lobby {
    /// Asks the app at this interval.
    pub(crate) fn new(app: Arc<App>, interval: Duration) -> Self {
        // A look may take some time, too.
        let board = Arc::new(Board::new(2 * interval));
        Self { app, interval, board, rate_limits: Arc::default() }
    }

    /// A client that watches nothing yet.
    pub(crate) fn watcher(self: &Arc<Self>, user: UserId) -> Watcher {
        Watcher::new(Arc::clone(self), user)
    }

    /// Asks for the counts of the watched rooms until the future is dropped.
    pub(crate) async fn run(self: Arc<Self>) {
        tokio::join!(self.look_repeatedly(), self.rate_limits.evict_idle());
    }

    /// Announces what has changed once in an interval at most. A look that takes longer holds up nothing that it has found.
    async fn look_repeatedly(&self) {
        loop {
            self.board.begun().await;
            sleep(self.interval).await;
            let mut look = pin!(self.look());
            let mut is_late = false;
            while timeout(self.interval, &mut look).await.is_err() {
                self.board.announce();
                is_late = true;
            }
            if !is_late {
                self.board.announce();
            }
        }
    }

    /// Asks for the counts of all watched rooms once.
    async fn look(&self) {
        let rooms = self.board.rooms();
        let requests = stream::iter(rooms.chunks(MAX_ROOMS));
        let ask = async |ids: &[RoomId]| {
            if let Err(refusal) = self.ask(ids.to_vec()).await {
                tracing::debug!(%refusal, "lobby.not_counted");
            }
        };
        requests.for_each_concurrent(REQUESTS_AT_ONCE, ask).await;
    }

    /// Asks for the counts of some rooms, and enters them on the board.
    async fn ask(&self, ids: Vec<RoomId>) -> Result<(), Refusal> {
        let request = self.board.begin_request();
        let event = CountRooms { ids };
        let answer = self.app.call(&event, &new_event_id()).await.map_err(Refusal::from);
        self.board.enter(request, &event.ids, answer.as_ref().ok());
        match answer {
            Ok(_) => Ok(()),
            Err(refusal) => {
                if refusal.code == ErrorCode::FeatureOff {
                    self.board.clear();
                }
                Err(refusal)
            }
        }
    }
}
