//! A join of the room that the session is in. Clients repeat a join whose ack may be lost, or send a join both before
//! and after they have connected.

use rollcall_protocol::{
    ErrorCode, Refusal,
    client::{JoinAck, Joined},
    close::CloseReason,
    event::Join,
    version::VERSION,
};
use tokio::time::timeout;

use super::{Outbound, Session, membership::RoomMembership, updates};
use crate::{
    app::AppError,
    fanout::{Coalesced, RoomUpdate},
};

/// How often the session asks for the room, which may change too fast.
const MAX_ATTEMPTS: usize = 3;

/// A position among the events of a room: epoch and seq.
type Position = (u64, u64);

impl<O: Outbound> Session<O> {
    /// Answers a repeated join like the first one, with the room as it is now.
    pub(super) async fn repeat_join(&mut self) -> Result<Result<JoinAck, Refusal>, CloseReason> {
        for _ in 0..MAX_ATTEMPTS {
            let Some(membership) = self.room.membership() else { break };
            let join = self.same_join(membership);
            let joined = match self.context.app.call(&join, join.entry_id.as_str()).await {
                Ok(joined) => joined,
                Err(AppError::Refused { refusal, .. }) if refusal.code == ErrorCode::EntryClosed => {
                    // An event that closes the socket explains the end of the entry. Without such an event, the app has
                    // taken the connection for lost.
                    self.forward_waiting()?;
                    self.rejoin().await?;
                    continue;
                }
                Err(error) => return Ok(Err(error.into())),
            };
            if let Some(ack) = self.acknowledge_again(joined).await? {
                return Ok(Ok(ack));
            }
        }
        Ok(Err(ErrorCode::Unavailable.into()))
    }

    /// The join of the current entry, which the app recognises as a repetition.
    pub(super) fn same_join(&self, membership: &RoomMembership) -> Join {
        Join {
            grant: membership.grant.clone(),
            refreshes: membership.refreshes,
            ..self.join_with_entry(membership.room(), membership.entry.clone(), &membership.resume_token)
        }
    }

    /// The ack of a repeated join, or none if the client has newer events than the response by now.
    async fn acknowledge_again(&mut self, mut joined: Joined) -> Result<Option<JoinAck>, CloseReason> {
        let position = (joined.epoch, joined.seq);
        // No event may come after the ack that includes it, and none may be left out: a notice is in no ack.
        let caught_up = timeout(self.context.subscribe_timeout, self.catch_up(position)).await;
        let is_late = caught_up.is_err();
        caught_up.unwrap_or(Ok(()))?;
        let Some(membership) = self.room.membership_mut() else { return Ok(None) };
        if is_late {
            // The events that the ack includes may still come, and must not come after it.
            membership.filter.skip_unseen(position);
            self.context.resync.request([membership.room().clone()]);
        }
        let (epoch, seq) = membership.filter.position();
        // The ack of the member who started the session leaves out the start, which this client may have.
        let is_start = position.1 == 0 && seq <= 1;
        if (epoch, seq) > position && !is_start {
            return Ok(None);
        }
        membership.epoch = joined.epoch;
        joined.seq = if epoch == joined.epoch { joined.seq.max(seq) } else { joined.seq };
        Ok(Some(JoinAck { joined, resume_token: membership.resume_token.clone(), version: VERSION }))
    }

    /// Hands the events up to a position to the client.
    async fn catch_up(&mut self, position: Position) -> Result<(), CloseReason> {
        while let Some(membership) = self.room.membership_mut()
            && membership.filter.position() < position
        {
            let update = updates::next(&mut self.room).await;
            match (update, self.room.membership_mut()) {
                (Some(RoomUpdate::Coalesced(coalesced)), Some(membership))
                    if end_of(&coalesced).is_some_and(|end| end > position) =>
                {
                    // Some of these changes are in the ack, and the others come after it.
                    membership.postponed = Some(RoomUpdate::Coalesced(coalesced));
                    membership.filter.skip_to(position);
                }
                (update, _) => self.forward(update)?,
            }
        }
        Ok(())
    }
}

/// The position of the last of some changes.
fn end_of(coalesced: &Coalesced) -> Option<Position> {
    coalesced.events.last().map(|event| (event.envelope.epoch, event.envelope.seq))
}
