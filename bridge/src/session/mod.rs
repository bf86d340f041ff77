//! One socket's session: what it may do, in which order things happen, and how it ends. Knows nothing of how
//! the socket is connected.
//!
//! A session is one task. Commands wait in its inbox and are handled one after the other; while one is under
//! way, room events wait in the feed. So an ack always goes out before the events that follow it.

mod command;
#[path = "join.rs"]
mod entering;
mod expiry;
mod filter;
mod outbound;
#[path = "rate_limit.rs"]
mod pace;
#[path = "refresh.rs"]
mod refreshing;

use std::{future, iter, sync::Arc, time::Duration};

use rollcall_protocol::{
    EntryId, ErrorCode, Refusal, UserId,
    client::{Ack, ClientEvent, DRAINING, Done, Draining, EXPIRING, Identity},
    event::{BridgeEvent, Membership},
    fanout::Envelope,
    resume::ResumeToken,
};
use serde::Serialize;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};
use uuid::Uuid;

use self::{
    command::{Command, answer},
    expiry::{Due, Expiry},
    filter::{Filter, Standing},
    pace::Pace,
};
pub(crate) use self::{
    command::{Inbox, Reply},
    outbound::{Closing, Outbound, Overflow, SOCKET_QUEUE},
    pace::{Paces, Rates},
};
use crate::{
    auth::Admission,
    burst::Burst,
    gateway::Gateway,
    hub::{Attachment, Delivery, Notice, Reading},
    losses::Report,
    tally,
    telemetry::{
        metrics::{self, CloseReason, Queue},
        trace::{ClientTrace, Doing},
    },
};

/// How many commands of one client may wait.
const INBOX_CAPACITY: usize = 16;

/// One socket's session.
pub(crate) struct Session<O> {
    gateway: Arc<Gateway>,
    identity: Identity,
    expiry: Expiry,
    /// Counts among the user's sockets.
    _seat: tally::Guard<UserId>,
    trace: ClientTrace,
    outbound: O,
    inbox: mpsc::Receiver<Command>,
    pace: Arc<Pace>,
    lease_losses: watch::Receiver<u64>,
    place: Option<Place>,
    /// When to enter the room again, after the connection was taken for lost.
    return_at: Option<Instant>,
    /// When to make way for the end of the bridge.
    leave_at: Option<Instant>,
    doubt: Option<Doubt>,
}

/// A join that was not answered: the app may have let the user in, and is told in the background that it is in vain.
struct Doubt {
    membership: Membership,
    report: Report,
}

/// The room that the session is in.
struct Place {
    attachment: Attachment,
    /// The entry that holds the membership.
    entry: EntryId,
    /// The one before it, while it is not known which of them does.
    former: Option<EntryId>,
    /// The session of the room that it holds it in.
    epoch: u64,
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
    /// Starts a session and returns the way into it. It ends when the last [`Inbox`] is dropped, or by itself.
    pub(crate) fn start(
        gateway: Arc<Gateway>,
        admission: Admission,
        trace: ClientTrace,
        outbound: O,
    ) -> Inbox {
        let Admission { identity, seat } = admission;
        let (commands, inbox) = mpsc::channel(INBOX_CAPACITY);
        let pace = gateway.paces.of(identity.profile.user_id.clone());
        let tasks = gateway.tasks.clone();
        let session = Self {
            expiry: Expiry::at(identity.expires_at_s),
            lease_losses: gateway.lease_losses.subscribe(),
            pace: Arc::clone(&pace),
            gateway,
            identity,
            _seat: seat,
            trace,
            outbound,
            inbox,
            place: None,
            return_at: None,
            leave_at: None,
            doubt: None,
        };
        tasks.spawn(session.run());
        Inbox::new(commands, pace)
    }

    async fn run(mut self) {
        tracing::debug!(user_id = %self.identity.profile.user_id, "session.started");
        let socket = metrics::socket_opened(O::TRANSPORT);
        let end = self.until_the_end().await;
        if let Some(place) = self.place.take() {
            self.trace.follow(Doing::Disconnect, async { self.report_loss(&place) }).await;
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
        let Gateway { draining, stopping, .. } = &*Arc::clone(&self.gateway);
        loop {
            let step = tokio::select! {
                biased;
                () = stopping.cancelled() => Err(End::Closing(Closing::ShuttingDown)),
                () = draining.cancelled(), if self.leave_at.is_none() => self.leave_soon(),
                () = at(self.leave_at) => Err(End::Closing(Closing::ShuttingDown)),
                () = self.pace.flood() => Err(End::Closing(Closing::TooFast)),
                due = self.expiry.due() => match due {
                    Due::Warning => self.tell(EXPIRING, &self.expiry.warning()),
                    Due::End => Err(End::Closing(Closing::TokenExpired)),
                },
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
        let Command { event, payload, reply } = command;
        let answer = match event {
            // Nobody would be there to be in the room.
            ClientEvent::Join if self.inbox.is_closed() => return Ok(()),
            ClientEvent::Join => {
                answer(Some(event), self.follow(event, async |it| it.join(&payload).await).await)
            }
            ClientEvent::Leave => answer(Some(event), self.follow(event, Self::leave).await),
            ClientEvent::Refresh => {
                answer(Some(event), self.follow(event, async |it| it.refresh(&payload).await).await)
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
            Some(Notice::Burst(burst)) => self.pass_on_burst(&burst),
            Some(Notice::Reading(reading)) => self.pass_on_reading(&reading),
        }
    }

    fn pass_on_event(&mut self, delivery: &Delivery) -> Result<(), End> {
        let Some(place) = &mut self.place else { return Ok(()) };
        let envelope = &delivery.envelope;
        let is_meant = match &envelope.only {
            Some(entry) => *entry == place.entry,
            None => place.filter.admits(envelope, self.gateway.hub.connection()),
        };
        if place.filter.has_gap() {
            self.gateway.rereads.ask([place.attachment.room().clone()]);
        }
        if !is_meant {
            return Ok(());
        }
        self.send(delivery)?;
        if envelope.closes {
            return Err(self.close_after(envelope));
        }
        Ok(())
    }

    fn pass_on_burst(&mut self, burst: &Burst) -> Result<(), End> {
        let Some(place) = &mut self.place else { return Ok(()) };
        let envelopes = burst.events.iter().map(|event| &event.envelope);
        if place.filter.admits_together(envelopes, self.gateway.hub.connection()) {
            return burst.merged.iter().try_for_each(|delivery| self.send(delivery));
        }
        burst.events.iter().try_for_each(|delivery| self.pass_on_event(delivery))
    }

    fn pass_on_reading(&mut self, reading: &Reading) -> Result<(), End> {
        let Some(place) = &mut self.place else { return Ok(()) };
        let is_gone = reading.gone.contains(&place.entry);
        if let Some(state) = &reading.state {
            let standing = place.filter.stand(&state.envelope, reading.connection);
            if standing == Standing::Rewound {
                // What has come since that was read looked as if the client had it already.
                self.gateway.rereads.ask([place.attachment.room().clone()]);
            }
            if standing != Standing::Known {
                self.send(state)?;
            }
        }
        if is_gone {
            self.return_soon();
        }
        Ok(())
    }

    fn send(&self, delivery: &Delivery) -> Result<(), End> {
        queued(self.outbound.send(delivery))
    }

    fn tell(&self, event: &str, data: &impl Serialize) -> Result<(), End> {
        queued(self.outbound.tell(event, data))
    }

    /// Tells the client that the bridge stops, and sees to it that it goes at a time of its own: all at once would
    /// storm the bridges that stay.
    fn leave_soon(&mut self) -> Result<(), End> {
        let spread = self.gateway.drain_spread.as_millis().try_into().unwrap_or(u64::MAX);
        let delay_ms = fastrand::u64(0..=spread);
        self.leave_at = Some(Instant::now() + Duration::from_millis(delay_ms));
        self.tell(DRAINING, &Draining { delay_ms })
    }

    /// The end after an event that closes. Whoever sent it has ended the membership, so that there is no loss to report;
    /// but the end of one session of the room may reach a member who has entered the next one again already, or still
    /// may.
    fn close_after(&mut self, envelope: &Envelope) -> End {
        let is_of_this = |place: &Place| place.former.is_none() && envelope.epoch >= place.epoch;
        self.place.take_if(|place| envelope.only.is_some() || is_of_this(place));
        End::Closing(Closing::RoomClosed(envelope.event.clone()))
    }

    fn membership(&self, place: &Place) -> Membership {
        self.membership_of(place, &place.entry)
    }

    fn membership_of(&self, place: &Place, entry: &EntryId) -> Membership {
        Membership {
            room_id: place.attachment.room().clone(),
            user_id: self.identity.profile.user_id.clone(),
            entry_id: entry.clone(),
        }
    }

    fn report_loss(&self, place: &Place) {
        for entry in iter::once(&place.entry).chain(&place.former) {
            drop(self.gateway.losses.report(self.membership_of(place, entry)));
        }
    }
}

/// A message that finds no place ends the session.
fn queued(outcome: Result<(), Overflow>) -> Result<(), End> {
    outcome.map_err(|Overflow| {
        metrics::message_dropped(Queue::Socket);
        End::Closing(Closing::TooSlow)
    })
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
