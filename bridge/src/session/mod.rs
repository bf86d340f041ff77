//! One socket's session: what it may do, in which order things happen, and how it ends. Knows nothing of how
//! the socket is connected.
//!
//! A session is one task. Commands wait in its inbox and are handled one after the other; while one is under
//! way, room events wait in the feed. So an ack always goes out before the events that follow it.

mod command;
mod filter;
mod outbound;

use std::{future, sync::Arc};

use rollcall_protocol::{
    EntryId, ErrorCode, Refusal, RoomId,
    client::{Ack, Done, Identity, JoinRequest, Joined},
    event::{BridgeEvent, Join, Membership},
};
use serde_json::value::RawValue;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};
use uuid::Uuid;

use self::{command::answer, filter::Filter};
pub(crate) use self::{
    command::{Command, Inbox, Reply, refuse},
    outbound::{Closing, Outbound, Overflow},
};
use crate::{
    app::Unavailable,
    clock,
    gateway::Gateway,
    hub::{Attachment, Delivery},
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
    outbound: O,
    inbox: mpsc::Receiver<Command>,
    lease_losses: watch::Receiver<u64>,
    place: Option<Place>,
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
        outbound: O,
        inbox: mpsc::Receiver<Command>,
    ) {
        let tasks = gateway.tasks.clone();
        let lease_losses = gateway.lease_losses.subscribe();
        let session = Self { gateway, identity, outbound, inbox, lease_losses, place: None, doubt: None };
        tasks.spawn(session.run());
    }

    async fn run(mut self) {
        tracing::debug!(user_id = %self.identity.profile.user_id, "session.started");
        let end = self.until_the_end().await;
        if let Some(place) = self.place.take() {
            self.gateway.report_lost(self.membership(&place));
        }
        let user_id = &self.identity.profile.user_id;
        match end {
            End::SocketGone => tracing::debug!(%user_id, "session.socket_gone"),
            End::Closing(closing) => {
                tracing::debug!(%user_id, reason = closing.reason(), "session.closing");
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
                Ok(()) = self.lease_losses.changed() => self.enter_again().await,
                delivery = next_delivery(&mut self.place) => self.pass_on(delivery),
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    async fn handle(&mut self, command: Command) -> Result<(), End> {
        let (answer, reply) = match command {
            // Nobody would be there to be in the room.
            Command::Join { .. } if self.inbox.is_closed() => return Ok(()),
            Command::Join { payload, reply } => (answer(self.join(&payload).await), reply),
            Command::Leave { reply } => (answer(self.leave().await), reply),
        };
        reply(&answer).map_err(|Overflow| End::Closing(Closing::TooSlow))
    }

    async fn join(&mut self, payload: &RawValue) -> Result<Joined, Refusal> {
        let request: JoinRequest = serde_json::from_str(payload.get()).map_err(|error| {
            Refusal::because(
                ErrorCode::Malformed,
                format!("room:join takes {{\"groupId\": <the room's id>}}: {error}"),
            )
        })?;
        let room = request.group_id;
        if let Some(place) = &self.place {
            let is_same = *place.attachment.room() == room;
            return Err(if is_same { ErrorCode::AlreadyJoined } else { ErrorCode::InAnotherRoom }.into());
        }
        self.clear_doubt().await?;
        // Before the call, so that nothing that is published after it can be missed.
        let attachment = self.attach(room.clone()).await?;
        let entry = new_entry()?;
        let event = self.join_event(&room, &entry);
        let outcome = self.gateway.app.call::<Joined>(&event, entry.as_str()).await;
        let place = |position| Place { attachment, filter: Filter::new(entry.clone(), position), entry };
        match outcome {
            Ok(Ack(Ok(joined))) => {
                self.place = Some(place((joined.epoch, joined.seq)));
                Ok(joined)
            }
            Ok(Ack(Err(refusal))) if refusal.code != ErrorCode::Unavailable => Err(refusal),
            Ok(Ack(Err(_))) | Err(Unavailable) => {
                // The app may have let the user in all the same.
                let membership = self.membership(&place((0, 0)));
                let report = self.gateway.report_lost(membership.clone());
                self.doubt = Some(Doubt { membership, report });
                Err(Unavailable.into())
            }
        }
    }

    /// The app has taken this connection for lost, because nothing was heard of the bridge for too long. The member
    /// enters again; what happened meanwhile waits in the feed, so the client misses nothing and need not notice.
    async fn enter_again(&mut self) -> Result<(), End> {
        let Some(place) = &self.place else { return Ok(()) };
        let not_let_in = |refusal| End::Closing(Closing::NotLetIn(refusal));
        let entry = new_entry().map_err(not_let_in)?;
        let event = self.join_event(place.attachment.room(), &entry);
        // Should the entry be current after all, it would keep the new one out.
        self.report_lost_now(place).await;
        let outcome = self.gateway.app.deliver::<Joined>(&event, entry.as_str()).await;
        if let Some(place) = &mut self.place {
            place.entry = entry;
        }
        match outcome {
            Ok(Ack(Ok(_))) => Ok(()),
            Ok(Ack(Err(refusal))) => Err(not_let_in(refusal)),
            Err(unavailable) => Err(not_let_in(unavailable.into())),
        }
    }

    async fn report_lost_now(&self, place: &Place) {
        let event = BridgeEvent::Disconnect(self.membership(place));
        // Logged where it happened.
        let _ = self.gateway.app.deliver::<Done>(&event, &Uuid::now_v7().to_string()).await;
    }

    fn join_event(&self, room: &RoomId, entry: &EntryId) -> BridgeEvent {
        BridgeEvent::Join(Join {
            room_id: room.clone(),
            profile: self.identity.profile.clone(),
            entry_id: entry.clone(),
            node_id: self.gateway.node.clone(),
        })
    }

    /// Sees to it that a former try to enter is out of the way, or the app would take this one for a duplicate.
    async fn clear_doubt(&mut self) -> Result<(), Unavailable> {
        let Some(doubt) = self.doubt.take() else { return Ok(()) };
        let event = BridgeEvent::Disconnect(doubt.membership.clone());
        if let Err(unavailable) = self.gateway.app.call::<Done>(&event, &Uuid::now_v7().to_string()).await {
            self.doubt = Some(doubt);
            return Err(unavailable);
        }
        doubt.report.abort();
        Ok(())
    }

    async fn attach(&self, room: RoomId) -> Result<Attachment, Unavailable> {
        let mut attachment = self.gateway.hub.attach(room);
        timeout(self.gateway.subscribe_limit, attachment.subscribed()).await.map_err(|_| {
            tracing::warn!(room_id = %attachment.room(), "redis.not_subscribed");
            Unavailable
        })?;
        Ok(attachment)
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

    fn pass_on(&mut self, delivery: Option<Arc<Delivery>>) -> Result<(), End> {
        let delivery = delivery.ok_or(End::Closing(Closing::TooSlow))?;
        let envelope = &delivery.envelope;
        if !self.place.as_ref().is_some_and(|place| place.filter.admits(envelope)) {
            return Ok(());
        }
        self.outbound.send(&delivery).map_err(|Overflow| End::Closing(Closing::TooSlow))?;
        if envelope.closes {
            // Whoever closes the room has ended the membership: no loss to report.
            self.place = None;
            return Err(End::Closing(Closing::RoomClosed(envelope.event.clone())));
        }
        Ok(())
    }

    fn membership(&self, place: &Place) -> Membership {
        Membership {
            room_id: place.attachment.room().clone(),
            user_id: self.identity.profile.user_id.clone(),
            entry_id: place.entry.clone(),
        }
    }
}

/// A new entry's id, which is also that of the event that makes it.
fn new_entry() -> Result<EntryId, Refusal> {
    EntryId::new(Uuid::now_v7().to_string())
        .map_err(|error| Refusal::because(ErrorCode::Malformed, error.to_string()))
}

/// The next event of the session's room; none, ever, without a room.
async fn next_delivery(place: &mut Option<Place>) -> Option<Arc<Delivery>> {
    match place {
        Some(place) => place.attachment.next().await,
        None => future::pending().await,
    }
}
