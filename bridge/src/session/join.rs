//! Entering a room.

use rollcall_protocol::{
    EntryId, ErrorCode, Refusal, RoomId,
    client::{JoinAck, JoinRequest, Joined},
    close::CloseReason,
    event::{Disconnect, EntryRef, Join, Membership},
    id::InvalidId,
    json,
    resume::ResumeToken,
    version::VERSION,
};
use serde_json::value::RawValue;
use tokio::time::timeout;

use super::{
    Outbound, Session,
    documents::OpenDocuments,
    filter::Filter,
    membership::{RoomMembership, RoomState, UnconfirmedJoin},
};
use crate::{
    app::{self, AppError},
    fanout::Attachment,
};

/// How often a join is made with a new entry, because the one before ended early.
const MAX_ATTEMPTS: usize = 3;

impl<O: Outbound> Session<O> {
    /// Enters the room that the payload names, or shows it again to a client that is in it.
    pub(super) async fn join(&mut self, payload: &RawValue) -> Result<Result<JoinAck, Refusal>, CloseReason> {
        let request: JoinRequest = match json::from_object_str(payload.get()) {
            Ok(request) => request,
            Err(error) => {
                let usage = "room:join takes {\"groupId\": <the room's id>, \"resumeToken\"?}";
                return Ok(Err(Refusal::because(ErrorCode::Malformed, format!("{usage}: {error}"))));
            }
        };
        match self.room.membership() {
            Some(membership) if *membership.room() == request.group_id => self.repeat_join().await,
            Some(_) => Ok(Err(ErrorCode::InAnotherRoom.into())),
            None => Ok(self.enter(request).await),
        }
    }

    async fn enter(&mut self, request: JoinRequest) -> Result<JoinAck, Refusal> {
        let room = request.group_id;
        if self.context.disconnects.is_full() {
            return Err(ErrorCode::Overloaded.into());
        }
        self.take_back_unconfirmed_join().await?;
        self.context.disconnects.wait_for(&room, self.user_id()).await;
        // The session attaches before the call, so it misses nothing that is published after the call.
        let attachment = self.attach(room.clone()).await?;
        let resume_token = new_resume_token()?;
        let resumes = request.resume_token.as_ref().map(ResumeToken::hash);
        for _ in 0..MAX_ATTEMPTS {
            let join = Join { resumes: resumes.clone(), ..self.new_join(&room, &resume_token)? };
            match self.context.app.call(&join, join.entry_id.as_str()).await {
                Ok(joined) => return Ok(self.set_inside(attachment, join, joined, resume_token)),
                // The entry existed and was lost before the app's answer arrived: the answer took longer than the lease.
                Err(AppError::Refused { refusal, .. }) if refusal.code == ErrorCode::EntryClosed => {}
                Err(error) => {
                    if error.may_have_been_applied() {
                        self.set_unconfirmed(room, join.entry_id);
                    }
                    return Err(error.into());
                }
            }
        }
        Err(ErrorCode::Unavailable.into())
    }

    fn set_inside(
        &mut self,
        attachment: Attachment,
        join: Join,
        joined: Joined,
        resume_token: ResumeToken,
    ) -> JoinAck {
        let position = (joined.epoch, joined.seq);
        let generation = attachment.generation();
        self.room = RoomState::Inside(RoomMembership {
            attachment,
            entry: join.entry_id.clone(),
            previous_entry: None,
            epoch: joined.epoch,
            resume_token: resume_token.clone(),
            filter: Filter::new(join.entry_id, position, generation),
            grant: join.grant,
            refreshes: 0,
            postponed: None,
            documents: OpenDocuments::default(),
        });
        self.announce_entry();
        JoinAck { joined, resume_token, version: VERSION }
    }

    /// Remembers a join that the app may have applied, and takes it back in the background.
    fn set_unconfirmed(&mut self, room_id: RoomId, entry_id: EntryId) {
        let membership = Membership { room_id, user_id: self.user_id().clone(), entry_id };
        let disconnect = self.context.disconnects.send(membership.clone());
        self.room = RoomState::Unconfirmed(UnconfirmedJoin { membership, disconnect });
    }

    /// Takes back a join that the app may have applied, because the app would take the next join for a duplicate.
    async fn take_back_unconfirmed_join(&mut self) -> Result<(), AppError> {
        let RoomState::Unconfirmed(join) = &self.room else { return Ok(()) };
        let event = Disconnect(join.membership.clone());
        match self.context.app.call(&event, &app::new_event_id()).await {
            // A refusal means that there is nothing to take back.
            Ok(_) | Err(AppError::Refused { .. }) => {}
            Err(error) => return Err(error),
        }
        if let RoomState::Unconfirmed(join) = self.room.take() {
            join.disconnect.cancel();
        }
        Ok(())
    }

    /// Tells the hub which entry the session holds.
    pub(super) fn announce_entry(&self) {
        if let Some(membership) = self.room.membership() {
            let user_id = self.user_id().clone();
            membership.attachment.set_entry(EntryRef { user_id, entry_id: membership.entry.clone() });
        }
    }

    /// A join with a new entry. The entry's id is the id of the event as well.
    pub(super) fn new_join(&self, room: &RoomId, resume_token: &ResumeToken) -> Result<Join, Refusal> {
        let entry = EntryId::new(app::new_event_id()).map_err(malformed)?;
        Ok(self.join_with_entry(room, entry, resume_token))
    }

    pub(super) fn join_with_entry(
        &self,
        room: &RoomId,
        entry_id: EntryId,
        resume_token: &ResumeToken,
    ) -> Join {
        Join {
            room_id: room.clone(),
            profile: self.identity.profile.clone(),
            grant: self.identity.grant.clone(),
            entry_id,
            node_id: self.context.node.clone(),
            resume_hash: resume_token.hash(),
            resumes: None,
            replaces: None,
            refreshes: 0,
        }
    }

    async fn attach(&self, room: RoomId) -> Result<Attachment, AppError> {
        let mut attachment = self.context.hub.attach(room);
        timeout(self.context.subscribe_timeout, attachment.subscribed()).await.map_err(|_| {
            tracing::warn!(room_id = %attachment.room(), "redis.not_subscribed");
            AppError::NoResponse
        })?;
        Ok(attachment)
    }
}

fn malformed(error: InvalidId) -> Refusal {
    Refusal::because(ErrorCode::Malformed, error.to_string())
}

fn new_resume_token() -> Result<ResumeToken, Refusal> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|error| {
        tracing::error!(%error, "no random numbers");
        Refusal::from(ErrorCode::Unavailable)
    })?;
    Ok(ResumeToken::new(random))
}
