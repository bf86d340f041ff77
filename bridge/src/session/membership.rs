//! Where a session stands towards rooms.

use std::mem;

use rollcall_protocol::{EntryId, RoomId, UserId, definition::Grant, event::Membership, resume::ResumeToken};
use tokio::time::Instant;

use super::{documents::OpenDocuments, filter::Filter};
use crate::{
    disconnects::CancelHandle,
    fanout::{Attachment, RoomUpdate},
};

/// Where a session stands towards rooms.
pub(super) enum RoomState {
    /// The session is in no room.
    Outside,
    /// The session is in no room, because the client left its room.
    Left,
    /// A join was not answered, so the app may have let the user in.
    Unconfirmed(UnconfirmedJoin),
    /// The session is in a room.
    Inside(RoomMembership),
    /// The app has taken the connection for lost, and the session rejoins its room at the given time.
    Rejoining(RoomMembership, Instant),
}

/// A join of which the outcome is unknown.
pub(super) struct UnconfirmedJoin {
    pub(super) membership: Membership,
    /// Cancels the disconnect that takes the join back in the background.
    pub(super) disconnect: CancelHandle,
}

/// A session's membership in a room.
pub(super) struct RoomMembership {
    pub(super) attachment: Attachment,
    /// The entry that holds the membership.
    pub(super) entry: EntryId,
    /// The previous entry, kept until the app confirms the new one.
    pub(super) previous_entry: Option<EntryId>,
    /// The session of the room that the membership belongs to.
    pub(super) epoch: u64,
    /// The token with which the client can come back.
    pub(super) resume_token: ResumeToken,
    pub(super) filter: Filter,
    /// The grant in the token of the join.
    pub(super) grant: Option<Grant>,
    /// How many tokens have followed the token of the join.
    pub(super) refreshes: u32,
    /// An update that the client gets before those in the feed.
    pub(super) postponed: Option<RoomUpdate>,
    pub(super) documents: OpenDocuments,
}

impl RoomState {
    pub(super) fn membership(&self) -> Option<&RoomMembership> {
        match self {
            Self::Outside | Self::Left | Self::Unconfirmed(_) => None,
            Self::Inside(membership) | Self::Rejoining(membership, _) => Some(membership),
        }
    }

    pub(super) fn membership_mut(&mut self) -> Option<&mut RoomMembership> {
        match self {
            Self::Outside | Self::Left | Self::Unconfirmed(_) => None,
            Self::Inside(membership) | Self::Rejoining(membership, _) => Some(membership),
        }
    }

    /// When the session rejoins its room, if it has to.
    pub(super) fn rejoin_at(&self) -> Option<Instant> {
        match self {
            Self::Rejoining(_, at) => Some(*at),
            Self::Outside | Self::Left | Self::Unconfirmed(_) | Self::Inside(_) => None,
        }
    }

    /// Schedules a rejoin, unless one is scheduled already or the session is in no room.
    pub(super) fn schedule_rejoin(&mut self, at: Instant) {
        *self = match self.take() {
            Self::Inside(membership) => Self::Rejoining(membership, at),
            state => state,
        };
    }

    /// Takes back a scheduled rejoin, because the session rejoins now.
    pub(super) fn unschedule_rejoin(&mut self) {
        *self = match self.take() {
            Self::Rejoining(membership, _) => Self::Inside(membership),
            state => state,
        };
    }

    /// Returns the state and leaves [`RoomState::Outside`].
    pub(super) fn take(&mut self) -> Self {
        mem::replace(self, Self::Outside)
    }
}

impl RoomMembership {
    /// The room.
    pub(super) fn room(&self) -> &RoomId {
        self.attachment.room()
    }

    /// The next update for the client, if one waits.
    pub(super) fn try_next_update(&mut self) -> Option<RoomUpdate> {
        self.postponed.take().or_else(|| self.attachment.try_next())
    }

    /// Names the membership towards the app, through its current entry.
    pub(super) fn named(&self, user: &UserId) -> Membership {
        self.named_through(user, &self.entry)
    }

    /// Names the membership towards the app, through each entry that may be the current one.
    pub(super) fn all_named<'a>(&'a self, user: &'a UserId) -> impl Iterator<Item = Membership> + 'a {
        let entries = std::iter::once(&self.entry).chain(&self.previous_entry);
        entries.map(|entry| self.named_through(user, entry))
    }

    fn named_through(&self, user: &UserId, entry: &EntryId) -> Membership {
        Membership { room_id: self.room().clone(), user_id: user.clone(), entry_id: entry.clone() }
    }
}
