//! Changing what a session is, before it starts or while it is live.

use rollcall_protocol::{
    ErrorCode, RoomId, UserId,
    client::Done,
    definition::{SessionDefinition, StoredDefinition},
};
use serde::{Deserialize, Serialize};

use crate::{
    Failure, Rooms,
    directory::Definitions,
    redis::Redis,
    rooms::{RoomCall, Terms},
    script, shard,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DefineCall<'a> {
    room_id: &'a RoomId,
    terms: Terms<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<&'a [UserId]>,
}

/// A change that has begun.
#[derive(Deserialize)]
struct Revised {
    revision: u64,
    /// The time, in milliseconds since 1970.
    now: u64,
}

/// Which definition a change is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Whatever there is.
    Anything,
    /// That there is none.
    Nothing,
    /// That there is one.
    Something,
    /// The one with this revision.
    Revision(u64),
}

impl Expected {
    fn check(self, found: Option<&StoredDefinition>) -> Result<(), Failure> {
        let holds = match self {
            Self::Anything => true,
            Self::Nothing => found.is_none(),
            Self::Something => found.is_some(),
            Self::Revision(revision) => found.is_some_and(|session| session.revision == revision),
        };
        if holds { Ok(()) } else { Err(ErrorCode::PreconditionFailed.into()) }
    }
}

impl<R: Redis> Rooms<R> {
    /// Changes a definition, in the store and, if its session is live, in the room. Returns it with its revision, and
    /// whether there was none before.
    ///
    /// The store comes before the room: a join that read the old definition then finds a newer one in the room and
    /// reads again; one that read the new definition applies it itself. So whoever dies in the middle leaves nothing
    /// half done for long. Refuses with `CONFLICT` while another change is under way, and with `PRECONDITION_FAILED`
    /// where the definition is not the expected one.
    pub async fn change(
        &self,
        store: &impl Definitions,
        room: &RoomId,
        expected: Expected,
        change: impl FnOnce(Option<SessionDefinition>, u64) -> Result<SessionDefinition, Failure>,
    ) -> Result<(StoredDefinition, bool), Failure> {
        let Revised { revision, now } = self.revise(room).await?;
        let outcome = async {
            let found = find(store, room, expected).await?;
            let is_new = found.is_none();
            let definition = change(found.map(|session| session.definition), now)?;
            let session = StoredDefinition { revision, definition };
            store.put(room, &session).await?;
            self.apply(room, &session).await?;
            Ok((session, is_new))
        };
        self.release_after(room, outcome.await).await
    }

    /// Sets a definition, whatever there was before.
    pub async fn define(
        &self,
        store: &impl Definitions,
        room: &RoomId,
        definition: SessionDefinition,
    ) -> Result<(StoredDefinition, bool), Failure> {
        self.change(store, room, Expected::Anything, |_, _| Ok(definition)).await
    }

    /// Forgets a room's definition and ends its session, if it is live. Refuses as [`Self::change`] does.
    pub async fn undefine(
        &self,
        store: &impl Definitions,
        room: &RoomId,
        expected: Expected,
    ) -> Result<(), Failure> {
        self.revise(room).await?;
        let outcome = async {
            find(store, room, expected).await?;
            store.delete(room).await?;
            let Done {} = self.run(&script::END, self.shard_of(room), &RoomCall { room_id: room }).await?;
            Ok(())
        };
        self.release_after(room, outcome.await).await
    }

    /// Begins a change: its revision. What follows it, [`Self::apply`] or the end, lets others begin.
    async fn revise(&self, room: &RoomId) -> Result<Revised, Failure> {
        self.run(&script::REVISE, self.shard_of(room), &RoomCall { room_id: room }).await
    }

    /// Lets others begin after a change that came to nothing because it was refused. After any other failure it is
    /// not known how far it came, and others wait until its time is over.
    async fn release_after<T>(&self, room: &RoomId, outcome: Result<T, Failure>) -> Result<T, Failure> {
        if matches!(outcome, Err(Failure::Refused(_))) {
            let key = shard::revising_key(self.shard_of(room), room);
            let released = self.redis().command("DEL", &[key.as_bytes()]).await;
            released.map_err(|error| Failure::Unavailable(error.to_string()))?;
        }
        outcome
    }

    /// Applies a definition to a room that is live under an older one.
    pub(crate) async fn apply(&self, room: &RoomId, session: &StoredDefinition) -> Result<Done, Failure> {
        let members = session.definition.members.as_deref();
        let call = DefineCall { room_id: room, terms: session.into(), members };
        self.run(&script::DEFINE, self.shard_of(room), &call).await
    }
}

async fn find(
    store: &impl Definitions,
    room: &RoomId,
    expected: Expected,
) -> Result<Option<StoredDefinition>, Failure> {
    let found = store.get(room).await?;
    expected.check(found.as_ref())?;
    Ok(found)
}
