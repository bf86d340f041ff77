//! Entering a room again after the app has taken the connection for lost.

use std::{mem, time::Duration};

use rollcall_protocol::{
    ErrorCode, Refusal, RoomId, close::CloseReason, event::Join, fanout::Envelope, server::ServerEvent,
};
use serde_json::value::to_raw_value;
use tokio::time::Instant;

use super::{Outbound, Session, Shutdown, sleep_until_some};
use crate::fanout::EncodedEvent;

/// How many sessions of one bridge rejoin per second when all have to.
const REJOINS_PER_SECOND: u64 = 1000;

/// A random delay that spreads the rejoins of all sessions.
pub(super) fn random_delay(sessions: u64) -> Duration {
    Duration::from_millis(fastrand::u64(0..=sessions.saturating_mul(1000) / REJOINS_PER_SECOND))
}

/// Why a rejoin did not succeed.
enum RejoinError {
    Refused(Refusal),
    /// The session ends meanwhile.
    Closing(CloseReason),
}

impl From<Refusal> for RejoinError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<O: Outbound> Session<O> {
    /// Rejoins the room. The app has taken this connection for lost, because it did not hear of the bridge for too
    /// long. Events that happen meanwhile wait in the feed, so the client misses nothing and need not notice.
    pub(super) async fn rejoin(&mut self) -> Result<(), CloseReason> {
        self.room.unschedule_rejoin();
        let Some(membership) = self.room.membership() else { return Ok(()) };
        let room = membership.room().clone();
        match self.replace_entry().await {
            Ok(()) => Ok(()),
            Err(RejoinError::Closing(reason)) => Err(reason),
            // The new entry existed and was lost like the one before: the app's answer took longer than the lease.
            Err(RejoinError::Refused(refusal)) if refusal.code == ErrorCode::EntryClosed => {
                self.forward_waiting()?;
                // Replaces the random time of a rejoin that an update has scheduled meanwhile.
                self.room.unschedule_rejoin();
                self.room.schedule_rejoin(Instant::now());
                Ok(())
            }
            Err(RejoinError::Refused(refusal)) => Err(self.close_after_refusal(&room, refusal)),
        }
    }

    /// Joins with a new entry that replaces the previous one, for as long as the session may last.
    async fn replace_entry(&mut self) -> Result<(), RejoinError> {
        let Some(membership) = self.room.membership() else { return Ok(()) };
        let join = self.new_join(membership.room(), &membership.resume_token)?;
        let Some(membership) = self.room.membership_mut() else { return Ok(()) };
        // Until the app answers, either entry may be the current one.
        let previous = mem::replace(&mut membership.entry, join.entry_id.clone());
        membership.previous_entry = Some(previous.clone());
        membership.grant = join.grant.clone();
        // The new entry has the name and role of the latest token.
        membership.refreshes = 0;
        // The new entry replaces this one only. A newer connection of the same user stays.
        let join = Join { replaces: Some(previous), ..join };
        let context = self.context.clone();
        let Shutdown { stopping, .. } = &context.shutdown;
        let outcome = tokio::select! {
            outcome = context.app.deliver(&join, join.entry_id.as_str()) => outcome,
            () = stopping.cancelled() => return Err(RejoinError::Closing(CloseReason::ShuttingDown)),
            () = sleep_until_some(self.drain_at) => {
                return Err(RejoinError::Closing(CloseReason::ShuttingDown));
            }
            () = self.expiry.end() => return Err(RejoinError::Closing(CloseReason::TokenExpired)),
        };
        self.announce_entry();
        let joined = outcome.map_err(Refusal::from)?;
        if let Some(membership) = self.room.membership_mut() {
            (membership.previous_entry, membership.epoch) = (None, joined.epoch);
        }
        Ok(())
    }

    /// Ends a session whose rejoin was refused. Events of the room that wait explain the end better, if there are any.
    fn close_after_refusal(&mut self, room: &RoomId, refusal: Refusal) -> CloseReason {
        if let Err(reason) = self.forward_waiting() {
            return reason;
        }
        if refusal.code == ErrorCode::SessionEnded
            && let Some(ended) = room_ended(room)
        {
            self.outbound.broadcast(&ended);
            return self.close_after(&ended.envelope);
        }
        CloseReason::RejoinRefused(refusal)
    }
}

/// The event of a room's end, for a client that missed it.
fn room_ended(room: &RoomId) -> Option<EncodedEvent> {
    let data = to_raw_value(&serde_json::json!({"groupId": room, "reason": "time"})).ok()?;
    let event = ServerEvent::Ended.as_str().to_owned();
    Some(EncodedEvent::new(Envelope {
        event,
        epoch: 0,
        seq: 0,
        except: None,
        only: None,
        document: None,
        closes: true,
        data,
    }))
}
