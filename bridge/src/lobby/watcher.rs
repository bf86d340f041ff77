//! One client of the lobby.

use std::{future, sync::Arc};

use rollcall_protocol::{Refusal, RoomId, UserId, lobby::RoomCounts};

use super::{Lobby, rate_limit::SocketRateLimit, watch::Watch};

/// One client of the lobby: what it watches, and how often the app may be asked for it.
pub(crate) struct Watcher {
    lobby: Arc<Lobby>,
    user: UserId,
    rate_limit: SocketRateLimit,
    watch: Option<Watch>,
}

impl Watcher {
    pub(super) fn new(lobby: Arc<Lobby>, user: UserId) -> Self {
        let rate_limit = lobby.rate_limits.for_socket(user.clone());
        Self { lobby, user, rate_limit, watch: None }
    }

    /// Watches rooms from now on, instead of those before. Returns the counts to begin with. After a refusal, the client goes
    /// on watching those before.
    pub(crate) async fn watch(&mut self, ids: Vec<RoomId>) -> Result<RoomCounts, Refusal> {
        let mut watch = Watch::begin(&self.lobby.board, &self.user, ids, self.watch.as_ref())?;
        let missing = watch.find_missing();
        if !missing.is_empty() {
            self.rate_limit.check()?;
            self.lobby.ask(missing).await?;
        }
        let counts = watch.take_changed();
        self.watch = Some(watch);
        Ok(counts)
    }

    /// Watches nothing from now on.
    pub(crate) fn end(&mut self) {
        self.watch = None;
    }

    /// Waits until counts have changed, and returns those.
    pub(crate) async fn changed(&mut self) -> RoomCounts {
        match &mut self.watch {
            Some(watch) => watch.changed().await,
            None => future::pending().await,
        }
    }
}
