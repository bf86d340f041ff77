//! Hands the updates of a room to the client.

use std::future;

use rollcall_protocol::{close::CloseReason, fanout::Envelope};
use tokio::time::Instant;

use super::{
    Outbound, Session,
    filter::SnapshotAge,
    membership::{RoomMembership, RoomState},
};
use crate::{
    fanout::{Coalesced, EncodedEvent, RoomSnapshot, RoomUpdate},
    telemetry::metrics::{self, Queue},
};

/// Waits for the next update of the session's room. Never returns outside of a room.
pub(super) async fn next(state: &mut RoomState) -> Option<RoomUpdate> {
    let Some(membership) = state.membership_mut() else { return future::pending().await };
    match membership.postponed.take() {
        Some(update) => Some(update),
        None => membership.attachment.next().await,
    }
}

impl<O: Outbound> Session<O> {
    /// Hands an update to the client. `None` means that the session did not keep up with its room.
    pub(super) fn forward(&mut self, update: Option<RoomUpdate>) -> Result<(), CloseReason> {
        match update {
            None => {
                metrics::record_dropped_message(Queue::Session);
                Err(CloseReason::TooSlow)
            }
            Some(RoomUpdate::Event(event)) => self.forward_event(&event),
            Some(RoomUpdate::Coalesced(coalesced)) => self.forward_coalesced(&coalesced),
            Some(RoomUpdate::Snapshot(snapshot)) => {
                self.forward_snapshot(&snapshot);
                Ok(())
            }
        }
    }

    /// Hands on the updates that wait already.
    pub(super) fn forward_waiting(&mut self) -> Result<(), CloseReason> {
        while let Some(update) = self.room.membership_mut().and_then(RoomMembership::try_next_update) {
            self.forward(Some(update))?;
        }
        Ok(())
    }

    fn forward_event(&mut self, event: &EncodedEvent) -> Result<(), CloseReason> {
        let Some(membership) = self.room.membership_mut() else { return Ok(()) };
        let envelope = &event.envelope;
        let is_for_client = match (&envelope.only, envelope.document) {
            (Some(entry), _) => *entry == membership.entry,
            (None, Some(number)) => {
                membership.documents.contains(number) && envelope.except.as_ref() != Some(&membership.entry)
            }
            (None, None) => membership.filter.admits(envelope, membership.attachment.generation()),
        };
        if membership.filter.has_gap() {
            self.context.resync.request([membership.room().clone()]);
        }
        if !is_for_client {
            return Ok(());
        }
        self.broadcast(event);
        if envelope.closes {
            return Err(self.close_after(envelope));
        }
        Ok(())
    }

    fn forward_coalesced(&mut self, coalesced: &Coalesced) -> Result<(), CloseReason> {
        let Some(membership) = self.room.membership_mut() else { return Ok(()) };
        // A client that entered meanwhile knows some of the changes from its ack.
        let events = coalesced.after(membership.filter.position());
        let envelopes = events.iter().map(|event| &event.envelope);
        if membership.filter.admits_together(envelopes, membership.attachment.generation()) {
            if membership.filter.has_gap() {
                self.context.resync.request([membership.room().clone()]);
            }
            coalesced.merge_last(events.len()).iter().for_each(|event| self.broadcast(event));
            return Ok(());
        }
        events.iter().try_for_each(|event| self.forward_event(event))
    }

    fn broadcast(&mut self, event: &EncodedEvent) {
        self.outbound.broadcast(event);
        self.close_gone_document(event);
    }

    fn forward_snapshot(&mut self, snapshot: &RoomSnapshot) {
        let Some(membership) = self.room.membership_mut() else { return };
        let is_gone = snapshot.gone.contains(&membership.entry);
        if let Some(state) = &snapshot.state {
            let age = membership.filter.apply_snapshot(&state.envelope, snapshot.generation);
            if age == SnapshotAge::Rewound {
                // Events since the snapshot looked as if the client had them already.
                self.context.resync.request([membership.room().clone()]);
            }
            if age != SnapshotAge::Known {
                self.outbound.broadcast(state);
            }
        }
        self.announce_missed_updates();
        if is_gone {
            self.schedule_rejoin();
        }
    }

    /// Ends the session after an event that closes. Whoever sent the event has ended the membership, so there is no
    /// disconnect to report. But the end of one session of the room may reach a member who is already in the next
    /// session, or still may enter it.
    pub(super) fn close_after(&mut self, envelope: &Envelope) -> CloseReason {
        let has_ended = |membership: &RoomMembership| {
            let is_of_this_session =
                membership.previous_entry.is_none() && envelope.epoch >= membership.epoch;
            envelope.only.is_some() || is_of_this_session
        };
        if self.room.membership().is_some_and(has_ended) {
            self.room.take();
        }
        CloseReason::RoomClosed(envelope.event.clone())
    }

    /// Schedules a rejoin after a random delay, so that the sessions of this bridge do not overload the app when all
    /// of them have to rejoin.
    pub(super) fn schedule_rejoin(&mut self) {
        let sessions = u64::try_from(self.context.shutdown.sessions.len()).unwrap_or(u64::MAX);
        self.room.schedule_rejoin(Instant::now() + super::rejoin::random_delay(sessions));
    }
}
