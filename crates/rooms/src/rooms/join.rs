//! Joins.

use rollcall_protocol::{
    EntryId, NodeId, ResumeHash, RoomId, UserId,
    client::{Joined, Profile},
    command::Feature,
    definition::{Duplicates, StoredDefinition, TimerBy},
    event::Join,
    id,
};
use serde::Serialize;

use super::{
    Rooms,
    reply::{DefinitionNeeded, Reply},
};
use crate::{
    Error,
    definitions::{self, DefinitionSource},
    redis::Redis,
    script,
};

/// How often a join reads the definition while changes keep coming.
const MAX_DEFINITION_READS: usize = 3;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JoinCall<'a> {
    #[serde(serialize_with = "id::as_text")]
    room_id: &'a RoomId,
    /// The room's id as clients see it.
    group_id: &'a RoomId,
    profile: &'a Profile,
    entry_id: &'a EntryId,
    node_id: &'a NodeId,
    resume_hash: &'a ResumeHash,
    #[serde(skip_serializing_if = "Option::is_none")]
    resumes: Option<&'a ResumeHash>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<&'a EntryId>,
    refreshes: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    terms: Option<Terms<'a>>,
    /// The last announced change that the caller knew of when it read the definition.
    known_revision: u64,
}

/// A definition, as a room stores it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Terms<'a> {
    revision: u64,
    end_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    leader_id: Option<&'a UserId>,
    duplicates: Duplicates,
    timer_by: TimerBy,
    /// Names separated by spaces, or `*` for all.
    features: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    capacity: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<Vec<&'a str>>,
}

impl<'a> From<&'a StoredDefinition> for Terms<'a> {
    fn from(StoredDefinition { revision, definition }: &'a StoredDefinition) -> Self {
        // A source without revisions knows of one user only whether the definition lists the user.
        let members = definition.members.as_ref().filter(|_| *revision > 0);
        Self {
            revision: *revision,
            end_at: definition.end_at,
            leader_id: definition.leader_id.as_ref(),
            duplicates: definition.duplicates,
            timer_by: definition.timer_by,
            features: definition.features.as_deref().map_or_else(|| "*".to_owned(), join_names),
            capacity: definition.capacity,
            members: members.map(|members| members.iter().map(UserId::as_str).collect()),
        }
    }
}

fn join_names(features: &[Feature]) -> String {
    let names: Vec<_> = features.iter().map(|feature| feature.as_str()).collect();
    names.join(" ")
}

impl<R: Redis> Rooms<R> {
    /// Enters a user into a room, or resumes the user's membership within the grace period.
    ///
    /// A live room knows its definition if the source has revisions. The join then reads the source only if a change may
    /// have reached the source and not the room, and first completes that change.
    pub async fn join<S: DefinitionSource>(&self, source: &S, join: &Join) -> Result<Joined, Error> {
        let mut needed = DefinitionNeeded::default();
        if S::HAS_REVISIONS {
            match self.enter(None, 0, join).await? {
                Reply::Done(joined) => return Ok(joined),
                Reply::DefinitionNeeded(reply) => needed = reply,
            }
        }
        for _ in 0..MAX_DEFINITION_READS {
            let found = source.find(&join.room_id, &join.profile.user_id).await?;
            if needed.is_live {
                self.complete_change(&join.room_id, found.as_ref(), needed.revision).await?;
            }
            let stored = definitions::admit(found, &join.profile.user_id)?;
            match self.enter(Some(&stored), needed.revision, join).await? {
                Reply::Done(joined) => return Ok(joined),
                Reply::DefinitionNeeded(reply) => needed = reply,
            }
        }
        Err(Error::Unavailable(format!("the definition of room {} changes too often", join.room_id)))
    }

    async fn enter(
        &self,
        stored: Option<&StoredDefinition>,
        known_revision: u64,
        join: &Join,
    ) -> Result<Reply<Joined>, Error> {
        let call = JoinCall {
            room_id: &join.room_id,
            group_id: group_id(join),
            profile: &join.profile,
            entry_id: &join.entry_id,
            node_id: &join.node_id,
            resume_hash: &join.resume_hash,
            resumes: join.resumes.as_ref(),
            replaces: join.replaces.as_ref(),
            refreshes: join.refreshes,
            terms: stored.map(Terms::from),
            known_revision,
        };
        Ok(self.call_room(&script::JOIN, &join.room_id, &call).await?.0)
    }
}

/// The room's id as clients see it: as the token has it that names the session, else as the client sent it.
fn group_id(join: &Join) -> &RoomId {
    let granted = join.grant.as_ref().map(|grant| &grant.room);
    granted.filter(|room| **room == join.room_id).unwrap_or(&join.room_id)
}
