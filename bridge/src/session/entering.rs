//! How a session enters a room, and enters it again when its connection was taken for lost.

use std::time::Duration;

use rollcall_protocol::{
    EntryId, ErrorCode, Refusal, RoomId,
    client::{Ack, Done, JoinRequest, Joined, Welcome},
    event::{BridgeEvent, Join, Membership, Seat},
    fanout::Envelope,
    resume::ResumeToken,
};
use serde_json::value::{RawValue, to_raw_value};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::{Closing, Doubt, End, Filter, Outbound, Place, Session};
use crate::{
    app::Unanswered,
    hub::{Attachment, Delivery},
};

/// How many sessions of one bridge enter again per second when all have to, so that the app is not stormed.
const RETURNS_PER_SECOND: u64 = 1000;

impl<O: Outbound> Session<O> {
    pub(super) async fn join(&mut self, payload: &RawValue) -> Result<Welcome, Refusal> {
        let request: JoinRequest = serde_json::from_str(payload.get()).map_err(|error| {
            Refusal::because(
                ErrorCode::Malformed,
                format!("room:join takes {{\"groupId\": <the room's id>, \"resumeToken\"?}}: {error}"),
            )
        })?;
        let room = request.group_id;
        if let Some(place) = &self.place {
            let is_same = *place.attachment.room() == room;
            return Err(if is_same { ErrorCode::AlreadyJoined } else { ErrorCode::InAnotherRoom }.into());
        }
        if self.gateway.losses.are_too_many() {
            return Err(ErrorCode::Overloaded.into());
        }
        self.clear_doubt().await?;
        // Before the call, so that nothing that is published after it can be missed.
        let attachment = self.attach(room.clone()).await?;
        let token = new_token()?;
        let resumes = request.resume_token.as_ref().map(ResumeToken::hash);
        let join = Join { resumes, ..self.entry_event(&room, &token)? };
        let entry = join.entry_id.clone();
        match self.gateway.app.call::<Joined>(&BridgeEvent::Join(Box::new(join)), entry.as_str()).await {
            Ok(Ack(Ok(joined))) => {
                let filter = Filter::new(entry.clone(), (joined.epoch, joined.seq));
                self.place = Some(Place { attachment, entry, token: token.clone(), filter });
                self.sit();
                Ok(Welcome { joined, resume_token: token })
            }
            Ok(Ack(Err(refusal))) => Err(refusal),
            Err(never_asked @ (Unanswered::Overloaded | Unanswered::Away)) => Err(never_asked.into()),
            Err(Unanswered::Unknown) => {
                // The app may have let the user in all the same.
                let user_id = self.identity.profile.user_id.clone();
                let membership = Membership { room_id: room, user_id, entry_id: entry };
                let report = self.gateway.losses.report(membership.clone()).map_err(malformed)?;
                self.doubt = Some(Doubt { membership, report });
                Err(Unanswered::Unknown.into())
            }
        }
    }

    /// Sees to it that the member enters again, at a time of its own.
    pub(super) fn return_soon(&mut self) {
        if self.place.is_some() {
            let sessions = u64::try_from(self.gateway.tasks.len()).unwrap_or(u64::MAX);
            let spread_ms = fastrand::u64(0..=sessions.saturating_mul(1000) / RETURNS_PER_SECOND);
            self.return_at.get_or_insert(Instant::now() + Duration::from_millis(spread_ms));
        }
    }

    /// The app has taken this connection for lost, because nothing was heard of the bridge for too long. The member
    /// enters again; what happened meanwhile waits in the feed, so the client misses nothing and need not notice.
    pub(super) async fn enter_again(&mut self) -> Result<(), End> {
        self.return_at = None;
        let Some(place) = &self.place else { return Ok(()) };
        let room = place.attachment.room().clone();
        let outcome = match self.entry_event(&room, &place.token) {
            Ok(join) => {
                // Should it be current after all, it makes way; a newer connection of the user's does not.
                let join = Join { replaces: Some(place.entry.clone()), ..join };
                let entry = join.entry_id.clone();
                let answer =
                    self.gateway.app.deliver(&BridgeEvent::Join(Box::new(join)), entry.as_str()).await;
                // Whatever the answer: should the entry have come to be, it is this one that is to be lost.
                self.hold(entry);
                answer.map_err(Refusal::from).and_then(|Ack::<Joined>(outcome)| outcome)
            }
            Err(refusal) => Err(refusal),
        };
        match outcome {
            Ok(_) => Ok(()),
            Err(refusal) => Err(self.not_let_in(&room, refusal)),
        }
    }

    /// The end of a session that is not let in again. What the room said before says better why.
    fn not_let_in(&mut self, room: &RoomId, refusal: Refusal) -> End {
        while let Some(notice) = self.place.as_mut().and_then(|place| place.attachment.try_next()) {
            if let Err(end) = self.pass_on(Some(notice)) {
                return end;
            }
        }
        if refusal.code == ErrorCode::SessionEnded
            && let Some(ended) = ended(room)
            && self.send(&ended).is_ok()
        {
            return self.close_after(ended.envelope.event);
        }
        End::Closing(Closing::NotLetIn(refusal))
    }

    fn hold(&mut self, entry: EntryId) {
        if let Some(place) = &mut self.place {
            place.entry = entry;
        }
        self.sit();
    }

    fn sit(&self) {
        if let Some(place) = &self.place {
            let user_id = self.identity.profile.user_id.clone();
            place.attachment.sit(Seat { user_id, entry_id: place.entry.clone() });
        }
    }

    /// A new entry's event. The entry's id is also that of the event that makes it.
    fn entry_event(&self, room: &RoomId, token: &ResumeToken) -> Result<Join, Refusal> {
        Ok(Join {
            room_id: room.clone(),
            profile: self.identity.profile.clone(),
            grant: self.identity.grant.clone(),
            entry_id: EntryId::new(Uuid::now_v7().to_string()).map_err(malformed)?,
            node_id: self.gateway.node.clone(),
            resume_hash: token.hash(),
            resumes: None,
            replaces: None,
        })
    }

    /// Sees to it that a former try to enter is out of the way, or the app would take this one for a duplicate.
    async fn clear_doubt(&mut self) -> Result<(), Unanswered> {
        let Some(doubt) = self.doubt.take() else { return Ok(()) };
        let event = BridgeEvent::Disconnect(doubt.membership.clone());
        if let Err(unanswered) = self.gateway.app.call::<Done>(&event, &Uuid::now_v7().to_string()).await {
            self.doubt = Some(doubt);
            return Err(unanswered);
        }
        doubt.report.withdraw();
        Ok(())
    }

    async fn attach(&self, room: RoomId) -> Result<Attachment, Unanswered> {
        let mut attachment = self.gateway.hub.attach(room);
        timeout(self.gateway.subscribe_limit, attachment.subscribed()).await.map_err(|_| {
            tracing::warn!(room_id = %attachment.room(), "redis.not_subscribed");
            Unanswered::Unknown
        })?;
        Ok(attachment)
    }
}

fn malformed(error: rollcall_protocol::id::InvalidId) -> Refusal {
    Refusal::because(ErrorCode::Malformed, error.to_string())
}

fn new_token() -> Result<ResumeToken, Refusal> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|error| {
        tracing::error!(%error, "no random numbers");
        Refusal::from(ErrorCode::Unavailable)
    })?;
    Ok(ResumeToken::new(random))
}

/// What the room said at its end, for a client that missed it.
fn ended(room: &RoomId) -> Option<Delivery> {
    let data = to_raw_value(&serde_json::json!({"groupId": room, "reason": "time"})).ok()?;
    let event = "room:ended".to_owned();
    Some(Delivery::new(Envelope { event, epoch: 0, seq: 0, except: None, only: None, closes: true, data }))
}
