//! One socket's session: what it may do, in which order things happen, and how it ends. Knows nothing of how
//! the socket is connected.
//!
//! A session is one task. Commands wait in its inbox and are handled one after the other; while one is under
//! way, room events wait in the feed. So an ack always goes out before the events that follow it.

mod command;
mod entering;
mod filter;
mod outbound;

use std::{collections::HashSet, future, sync::Arc};

use rollcall_protocol::{
    EntryId, ErrorCode, Refusal,
    client::{Ack, ClientEvent, Done, Identity},
    event::{BridgeEvent, Membership},
    resume::ResumeToken,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep, sleep_until},
};
use uuid::Uuid;

use self::{command::answer, filter::Filter};
pub(crate) use self::{
    command::{Command, Inbox, Reply, refuse},
    outbound::{Closing, Outbound, Overflow},
};
use crate::{
    clock,
    gateway::Gateway,
    hub::{Attachment, Delivery, Notice},
    telemetry::{
        metrics::{self, CloseReason, Queue},
        trace::{ClientTrace, Doing},
    },
};

/// How many commands of one client may wait.
const INBOX_CAPACITY: usize = 16;

/// The way into a session and the session's end of it.
pub(crate) fn inbox() -> (Inbox, mpsc::Receiver<Command>) {
    let (sender, receiver) = mpsc::channel(INBOX_CAPACITY);
    (Inbox::new(sender), receiver)
}

/// One socket's session.
pub(crate) struct Session<O> {
    gateway: Arc<Gateway>,
    identity: Identity,
    trace: ClientTrace,
    outbound: O,
    inbox: mpsc::Receiver<Command>,
    lease_losses: watch::Receiver<u64>,
    place: Option<Place>,
    /// When to enter the room again, after the connection was taken for lost.
    return_at: Option<Instant>,
    doubt: Option<Doubt>,
}

/// A join that was not answered: the app may have let the user in, and is told in the background that it is in vain.
struct Doubt {
    membership: Membership,
    report: JoinHandle<()>,
}

/// The room that the session is in.
struct Place {
    attachment: Attachment,
    /// The entry that holds the membership.
    entry: EntryId,
    /// What the client can come back with.
    token: ResumeToken,
    filter: Filter,
}

/// Why a session ended.
enum End {
    /// The socket is gone: closed by the client, or lost.
    SocketGone,
    /// The bridge closes the socket.
    Closing(Closing),
}

impl<O: Outbound> Session<O> {
    /// Starts a session. It ends when the last [`Inbox`] is dropped, or by itself.
    pub(crate) fn start(
        gateway: Arc<Gateway>,
        identity: Identity,
        trace: ClientTrace,
        outbound: O,
        inbox: mpsc::Receiver<Command>,
    ) {
        let tasks = gateway.tasks.clone();
        let lease_losses = gateway.lease_losses.subscribe();
        let session = Self {
            gateway,
            identity,
            trace,
            outbound,
            inbox,
            lease_losses,
            place: None,
            return_at: None,
            doubt: None,
        };
        tasks.spawn(session.run());
    }

    async fn run(mut self) {
        tracing::debug!(user_id = %self.identity.profile.user_id, "session.started");
        let socket = metrics::socket_opened(O::TRANSPORT);
        let end = self.until_the_end().await;
        if let Some(place) = self.place.take() {
            let report = async { drop(self.gateway.report_lost(self.membership(&place))) };
            self.trace.follow(Doing::Disconnect, report).await;
        }
        let user_id = &self.identity.profile.user_id;
        match end {
            End::SocketGone => {
                socket.closed(CloseReason::Gone);
                tracing::debug!(%user_id, "session.socket_gone");
            }
            End::Closing(closing) => {
                tracing::debug!(%user_id, reason = closing.reason(), "session.closing");
                socket.closed(closing.counted());
                self.outbound.close(closing).await;
            }
        }
    }

    async fn until_the_end(&mut self) -> End {
        let stopping = self.gateway.stopping.clone();
        let expiry = sleep(clock::until(self.identity.expires_at_s));
        tokio::pin!(expiry);
        loop {
            let step = tokio::select! {
                biased;
                () = stopping.cancelled() => Err(End::Closing(Closing::ShuttingDown)),
                () = &mut expiry => Err(End::Closing(Closing::TokenExpired)),
                command = self.inbox.recv() => match command {
                    Some(command) => self.handle(command).await,
                    None => Err(End::SocketGone),
                },
                Ok(()) = self.lease_losses.changed() => {
                    self.return_soon();
                    Ok(())
                }
                () = at(self.return_at) => self.enter_again().await,
                notice = next_notice(&mut self.place) => self.pass_on(notice),
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    async fn handle(&mut self, command: Command) -> Result<(), End> {
        if self.return_at.is_some() {
            // What the client asks for is about the membership that it takes for its own.
            self.enter_again().await?;
        }
        let (answer, reply) = match command {
            // Nobody would be there to be in the room.
            Command::Join { .. } if self.inbox.is_closed() => return Ok(()),
            Command::Join { payload, reply } => {
                let outcome = self.follow(ClientEvent::Join, async |it| it.join(&payload).await).await;
                (answer(Some(ClientEvent::Join), outcome), reply)
            }
            Command::Leave { reply } => {
                let outcome = self.follow(ClientEvent::Leave, Self::leave).await;
                (answer(Some(ClientEvent::Leave), outcome), reply)
            }
        };
        reply(&answer).map_err(|Overflow| End::Closing(Closing::TooSlow))
    }

    /// Does what a client asks for, as part of its trace.
    async fn follow<T>(&mut self, event: ClientEvent, work: impl AsyncFnOnce(&mut Self) -> T) -> T {
        let trace = self.trace.clone();
        trace.follow(Doing::Event(event.as_str()), work(self)).await
    }

    async fn leave(&mut self) -> Result<Done, Refusal> {
        let place = self.place.as_ref().ok_or(ErrorCode::NotInRoom)?;
        let event = BridgeEvent::Leave(self.membership(place));
        let Ack(outcome) = self.gateway.app.call(&event, &Uuid::now_v7().to_string()).await?;
        // Any other refusal says that the membership is gone already.
        if !matches!(&outcome, Err(refusal) if refusal.code.may_retry()) {
            self.place = None;
        }
        outcome
    }

    fn pass_on(&mut self, notice: Option<Notice>) -> Result<(), End> {
        match notice {
            None => {
                metrics::message_dropped(Queue::Session);
                Err(End::Closing(Closing::TooSlow))
            }
            Some(Notice::Event(delivery)) => self.pass_on_event(&delivery),
            Some(Notice::Reading { state, gone }) => self.pass_on_reading(state.as_deref(), &gone),
        }
    }

    fn pass_on_event(&mut self, delivery: &Delivery) -> Result<(), End> {
        let Some(place) = &mut self.place else { return Ok(()) };
        let envelope = &delivery.envelope;
        let is_meant = match &envelope.only {
            Some(entry) => *entry == place.entry,
            None => place.filter.admits(envelope),
        };
        if place.filter.has_gap() {
            self.gateway.rereads.ask([place.attachment.room().clone()]);
        }
        if !is_meant {
            return Ok(());
        }
        self.send(delivery)?;
        if envelope.closes {
            return Err(self.close_after(envelope.event.clone()));
        }
        Ok(())
    }

    fn pass_on_reading(&mut self, state: Option<&Delivery>, gone: &HashSet<EntryId>) -> Result<(), End> {
        let Some(place) = &mut self.place else { return Ok(()) };
        if gone.contains(&place.entry) {
            self.return_soon();
            return Ok(());
        }
        match state {
            Some(state) if place.filter.admits_state(&state.envelope) => self.send(state),
            _ => Ok(()),
        }
    }

    fn send(&self, delivery: &Delivery) -> Result<(), End> {
        self.outbound.send(delivery).map_err(|Overflow| {
            metrics::message_dropped(Queue::Socket);
            End::Closing(Closing::TooSlow)
        })
    }

    /// The end after an event that closes. Whoever sent it has ended the membership: no loss to report.
    fn close_after(&mut self, event: String) -> End {
        self.place = None;
        End::Closing(Closing::RoomClosed(event))
    }

    fn membership(&self, place: &Place) -> Membership {
        Membership {
            room_id: place.attachment.room().clone(),
            user_id: self.identity.profile.user_id.clone(),
            entry_id: place.entry.clone(),
        }
    }
}

/// Waits until a time, if there is one.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => future::pending().await,
    }
}

/// What the session learns next of its room; nothing, ever, without a room.
async fn next_notice(place: &mut Option<Place>) -> Option<Notice> {
    match place {
        Some(place) => place.attachment.next().await,
        None => future::pending().await,
    }
}
