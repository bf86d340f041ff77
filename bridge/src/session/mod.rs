//! One socket's session: what it may do, in which order things happen, and how it ends. A session knows nothing of the
//! transport of its socket.
//!
//! A session is one task. Commands wait in its inbox and are handled one after the other; during a command, room
//! updates wait in the feed. So an ack always goes out before the events that follow it. While the client's queue is
//! full, both wait.
//!
//! | module | what it does |
//! |---|---|
//! | [`args`] | flags: what one client may do |
//! | [`context`] | what all sessions share |
//! | [`auth`] | authenticates clients |
//! | [`command`] | takes a client's events and answers them |
//! | [`rate_limit`] | limits how fast clients may send |
//! | [`membership`] | where a session stands towards rooms |
//! | [`join`], [`rejoin`], [`leave`] | entering a room, entering it again after a lost lease, and leaving it |
//! | [`repeated_join`] | a join of the room that the session is in |
//! | [`room_command`] | commands to the room that the session is in |
//! | [`documents`] | the documents that the client has open |
//! | [`lobby`] | how many are in which room |
//! | [`updates`], [`filter`] | hands room updates to the client, each once |
//! | [`expiry`], [`refresh`] | when a token expires, and a new token in time |
//! | [`outbound`] | the way to the client |

pub(crate) mod args;
pub(crate) mod auth;
mod command;
mod context;
mod documents;
mod expiry;
mod filter;
mod join;
mod leave;
mod lobby;
mod membership;
mod outbound;
mod rate_limit;
mod refresh;
mod rejoin;
mod repeated_join;
mod room_command;
mod updates;

use std::{future, sync::Arc, time::Duration};

use rollcall_protocol::{
    UserId,
    client::{ClientEvent, Draining, Identity},
    close::CloseReason,
    command::DOCUMENT_OPEN,
    server::ServerEvent,
};
use rollcall_sockets::queue::TooSlow;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

use self::{
    auth::Authenticated,
    command::{Command, encode_ack},
    expiry::{Due, Expiry},
    membership::RoomState,
    rate_limit::SocketRateLimit,
};
pub(crate) use self::{
    command::{Inbox, RawEvent, Reply},
    context::{Context, Shutdown},
    outbound::Outbound,
};
use crate::{
    limits::permits::Permit,
    lobby::Watcher,
    telemetry::{
        metrics::{self, Queue},
        trace::{Activity, ClientTrace},
    },
};

/// Most commands of one client that may wait.
const INBOX_CAPACITY: usize = 16;

/// One socket's session.
pub(crate) struct Session<O> {
    context: Arc<Context>,
    identity: Identity,
    expiry: Expiry,
    /// Counts the socket among the user's sockets.
    _permit: Permit<UserId>,
    trace: ClientTrace,
    outbound: O,
    inbox: mpsc::Receiver<Command>,
    rate_limit: Arc<SocketRateLimit>,
    lease_losses: watch::Receiver<u64>,
    room: RoomState,
    /// What the client does in the lobby, since it first watched rooms.
    watcher: Option<Box<Watcher>>,
    /// When the session ends because the bridge drains.
    drain_at: Option<Instant>,
}

impl<O: Outbound> Session<O> {
    /// Starts a session and returns the way into it. The session ends when the last [`Inbox`] is dropped, or by
    /// itself.
    pub(crate) fn start(
        context: Arc<Context>,
        Authenticated { identity, permit }: Authenticated,
        trace: ClientTrace,
        outbound: O,
    ) -> Inbox {
        let (commands, inbox) = mpsc::channel(INBOX_CAPACITY);
        let rate_limit = context.rate_limits.for_socket(identity.profile.user_id.clone());
        let tasks = context.shutdown.sessions.clone();
        let session = Self {
            expiry: Expiry::at(identity.expires_at_s),
            lease_losses: context.lease_losses.subscribe(),
            rate_limit: Arc::clone(&rate_limit),
            context,
            identity,
            _permit: permit,
            trace,
            outbound,
            inbox,
            room: RoomState::Outside,
            watcher: None,
            drain_at: None,
        };
        tasks.spawn(session.run());
        Inbox::new(commands, rate_limit)
    }

    async fn run(mut self) {
        tracing::debug!(user_id = %self.user_id(), "session.started");
        let socket = metrics::track_socket(O::TRANSPORT);
        let reason = self.serve().await;
        self.report_disconnect().await;
        let user_id = &self.identity.profile.user_id;
        socket.closed(reason.label());
        if reason == CloseReason::Gone {
            tracing::debug!(%user_id, "session.socket_gone");
        } else {
            tracing::debug!(%user_id, reason = reason.reason(), "session.closing");
            self.outbound.close(reason).await;
        }
    }

    /// Serves the client until the session has a reason to end.
    async fn serve(&mut self) -> CloseReason {
        let Shutdown { draining, stopping, .. } = &Arc::clone(&self.context).shutdown;
        loop {
            let is_full = self.outbound.is_full();
            let step = tokio::select! {
                biased;
                () = stopping.cancelled() => Err(CloseReason::ShuttingDown),
                () = draining.cancelled(), if self.drain_at.is_none() => {
                    self.schedule_drain();
                    Ok(())
                }
                () = sleep_until_some(self.drain_at) => Err(CloseReason::ShuttingDown),
                () = self.rate_limit.exceeded() => Err(CloseReason::RateLimited),
                due = self.expiry.due() => match due {
                    Due::Warning => {
                        self.outbound.emit(ServerEvent::Expiring, &self.expiry.warning());
                        Ok(())
                    }
                    Due::End => Err(CloseReason::TokenExpired),
                },
                waited = self.outbound.wait_for_capacity(), if is_full => waited.map_err(|TooSlow| {
                    metrics::record_dropped_message(Queue::Socket);
                    CloseReason::TooSlow
                }),
                command = self.inbox.recv(), if !is_full => match command {
                    // In a box, because an idle session should not hold space for what it does seldom.
                    Some(command) => Box::pin(self.handle(command)).await,
                    None => Err(CloseReason::Gone),
                },
                Ok(()) = self.lease_losses.changed() => {
                    self.schedule_rejoin();
                    Ok(())
                }
                () = sleep_until_some(self.room.rejoin_at()) => Box::pin(self.rejoin()).await,
                update = updates::next(&mut self.room), if !is_full => self.forward(update),
                counts = lobby::next(&mut self.watcher), if !is_full => {
                    self.outbound.emit(ServerEvent::LobbyChanged, &counts);
                    Ok(())
                }
            };
            if let Err(reason) = step {
                return reason;
            }
        }
    }

    async fn handle(&mut self, command: Command) -> Result<(), CloseReason> {
        if self.room.rejoin_at().is_some() {
            // The client's event is about the membership that the client believes to have.
            self.rejoin().await?;
        }
        let Command { event, payload, reply } = command;
        let taken_at = Instant::now();
        let ack = match event {
            // Without a socket, nobody would be there to be in the room.
            ClientEvent::Join if self.inbox.is_closed() => return Ok(()),
            ClientEvent::Join => {
                let outcome = self.traced(event, async |it| it.join(&payload).await).await?;
                encode_ack(Some(event), outcome)
            }
            ClientEvent::Leave => encode_ack(Some(event), self.traced(event, Self::leave).await),
            ClientEvent::Refresh => {
                encode_ack(Some(event), self.traced(event, async |it| it.refresh(&payload).await).await)
            }
            ClientEvent::Watch => {
                encode_ack(Some(event), self.traced(event, async |it| it.watch(&payload).await).await)
            }
            ClientEvent::CloseDocument => encode_ack(Some(event), self.close_document(&payload)),
            // The inbox has answered it.
            ClientEvent::Ping => return Ok(()),
            ClientEvent::Command(DOCUMENT_OPEN) => {
                let open = async |it: &mut Self| {
                    it.open_document(&payload, async |it| it.command(DOCUMENT_OPEN, &payload).await).await
                };
                encode_ack(Some(event), self.traced(event, open).await)
            }
            ClientEvent::Command(name) => {
                encode_ack(Some(event), self.traced(event, async |it| it.command(name, &payload).await).await)
            }
        };
        reply(&ack);
        metrics::record_client_event_duration(event, taken_at.into_std());
        Ok(())
    }

    /// Handles a client's event as part of the client's trace.
    async fn traced<T>(&mut self, event: ClientEvent, work: impl AsyncFnOnce(&mut Self) -> T) -> T {
        let trace = self.trace.clone();
        trace.in_span(Activity::Event(event.as_str()), work(self)).await
    }

    /// Announces to the client that the bridge stops, and schedules the end of the session at a random time: clients
    /// that all came back at the same time would overload the other bridges.
    fn schedule_drain(&mut self) {
        let drain_ms = self.context.shutdown.drain_time.as_millis().try_into().unwrap_or(u64::MAX);
        let delay_ms = fastrand::u64(0..=drain_ms);
        self.drain_at = Some(Instant::now() + Duration::from_millis(delay_ms));
        self.outbound.emit(ServerEvent::Draining, &Draining { delay_ms });
    }

    /// Queues a report for the app that the connection is lost, if the session is in a room.
    async fn report_disconnect(&mut self) {
        let state = self.room.take();
        let Some(membership) = state.membership() else { return };
        let report = async {
            for membership in membership.all_named(self.user_id()) {
                drop(self.context.disconnects.send(membership));
            }
        };
        self.trace.in_span(Activity::Disconnect, report).await;
    }

    fn user_id(&self) -> &UserId {
        &self.identity.profile.user_id
    }
}

/// Waits until a time, if there is one.
async fn sleep_until_some(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::*;
    use crate::{fanout::EncodedEvent, telemetry::metrics::Transport};

    struct Nowhere;

    impl Outbound for Nowhere {
        const TRANSPORT: Transport = Transport::WebSocket;

        fn broadcast(&self, _: &EncodedEvent) {}

        fn emit(&self, _: ServerEvent, _: &impl Serialize) {}

        fn is_full(&self) -> bool {
            false
        }

        async fn wait_for_capacity(&self) -> Result<(), TooSlow> {
            Ok(())
        }

        async fn close(self, _: CloseReason) {}
    }

    fn size_of_future<A, F: Future>(_: impl Fn(A) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn an_idle_session_holds_no_space_for_what_it_does_seldom() {
        let bytes = size_of_future(Session::<Nowhere>::run);
        assert!(bytes <= 3 * 1024, "{bytes} bytes");
    }
}
