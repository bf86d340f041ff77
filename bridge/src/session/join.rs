//! How a session enters a room, and enters it again when its connection was taken for lost.

use std::{mem, sync::Arc, time::Duration};

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

use super::{Closing, Doubt, End, Filter, Outbound, Place, Session, at};
use crate::{
    app::Unanswered,
    gateway::Gateway,
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
        let event = BridgeEvent::Join(Box::new(join));
        let (answer, tries) = self.gateway.app.call_counting_tries::<Joined>(&event, entry.as_str()).await;
        match answer {
            Ok(Ack(Ok(joined))) => {
                let connection = self.gateway.hub.connection();
                let filter = Filter::new(entry.clone(), (joined.epoch, joined.seq), connection);
                self.place = Some(Place {
                    attachment,
                    entry,
                    former: None,
                    epoch: joined.epoch,
                    token: token.clone(),
                    filter,
                });
                self.sit();
                Ok(Welcome { joined, resume_token: token })
            }
            Ok(Ack(Err(refusal))) if tries > 1 => {
                // An earlier try may arrive after the one that was refused.
                self.doubt(room, entry)?;
                Err(refusal)
            }
            Ok(Ack(Err(refusal))) => Err(refusal),
            Err(never_asked @ (Unanswered::Overloaded | Unanswered::Away)) => Err(never_asked.into()),
            Err(Unanswered::Unknown) => {
                // The app may have let the user in all the same.
                self.doubt(room, entry)?;
                Err(Unanswered::Unknown.into())
            }
        }
    }

    /// Tells the app in the background that an entry is in vain which may have come to be, or still may.
    fn doubt(&mut self, room_id: RoomId, entry_id: EntryId) -> Result<(), Refusal> {
        let user_id = self.identity.profile.user_id.clone();
        let membership = Membership { room_id, user_id, entry_id };
        let report = self.gateway.losses.report(membership.clone()).map_err(malformed)?;
        self.doubt = Some(Doubt { membership, report });
        Ok(())
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
            Ok(join) => self.replace_entry(join).await?,
            Err(refusal) => Err(refusal),
        };
        match outcome {
            Ok(()) => Ok(()),
            // It had come to be, and was lost like the one before: the answer took longer than the lease.
            Err(refusal) if refusal.code == ErrorCode::EntryClosed => {
                self.catch_up()?;
                self.return_at = Some(Instant::now());
                Ok(())
            }
            Err(refusal) => Err(self.not_let_in(&room, refusal)),
        }
    }

    /// Enters with an entry that takes the place of the one before, for as long as the session may last.
    async fn replace_entry(&mut self, join: Join) -> Result<Result<(), Refusal>, End> {
        let Some(place) = &mut self.place else { return Ok(Ok(())) };
        // Until there is an answer, either of them may be the current one.
        let former = mem::replace(&mut place.entry, join.entry_id.clone());
        // Should the former one be current after all, it makes way; a newer connection of the user's does not.
        let join = Join { replaces: Some(former.clone()), ..join };
        place.former = Some(former);
        let Gateway { app, stopping, .. } = &*Arc::clone(&self.gateway);
        let (event, id) = (BridgeEvent::Join(Box::new(join)), place.entry.clone());
        let answer = tokio::select! {
            answer = app.deliver(&event, id.as_str()) => answer,
            () = stopping.cancelled() => return Err(End::Closing(Closing::ShuttingDown)),
            () = at(self.leave_at) => return Err(End::Closing(Closing::ShuttingDown)),
            () = self.expiry.end() => return Err(End::Closing(Closing::TokenExpired)),
        };
        self.sit();
        Ok(answer.map_err(Refusal::from).and_then(|Ack::<Joined>(outcome)| outcome).map(|joined| {
            if let Some(place) = &mut self.place {
                (place.former, place.epoch) = (None, joined.epoch);
            }
        }))
    }

    /// The end of a session that is not let in again. What the room said before says better why.
    fn not_let_in(&mut self, room: &RoomId, refusal: Refusal) -> End {
        if let Err(end) = self.catch_up() {
            return end;
        }
        if refusal.code == ErrorCode::SessionEnded
            && let Some(ended) = ended(room)
            && self.send(&ended).is_ok()
        {
            return self.close_after(&ended.envelope);
        }
        End::Closing(Closing::NotLetIn(refusal))
    }

    /// Passes on what waits already.
    fn catch_up(&mut self) -> Result<(), End> {
        while let Some(notice) = self.place.as_mut().and_then(|place| place.attachment.try_next()) {
            self.pass_on(Some(notice))?;
        }
        Ok(())
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
