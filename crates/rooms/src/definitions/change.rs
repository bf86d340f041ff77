//! Changes of a definition, before its session starts or while the session is live.

use rollcall_protocol::{
    RoomId,
    client::Done,
    definition::{SessionDefinition, StoredDefinition},
    id,
};
use serde::{Deserialize, Serialize};

use super::{DefinitionStore, Precondition};
use crate::{
    Error, Rooms,
    redis::Redis,
    rooms::{RoomCall, Terms, reply},
    script, shard,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DefineCall<'a> {
    #[serde(serialize_with = "id::as_text")]
    room_id: &'a RoomId,
    terms: Terms<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RevisionCall<'a> {
    #[serde(serialize_with = "id::as_text")]
    room_id: &'a RoomId,
    revision: u64,
}

/// The reply to the start of a change.
#[derive(Deserialize)]
struct Revised {
    revision: u64,
    /// The time, in milliseconds since 1970.
    now: u64,
}

impl<R: Redis> Rooms<R> {
    /// Changes a definition in the store and, if the session is live, in the room. Returns the definition, and whether
    /// the store had none before.
    ///
    /// The change announces itself to the room, reaches the store, and then the room. The next join after a change that
    /// broke off finds the announcement, reads the store and completes the change.
    ///
    /// Refuses with `CONFLICT` while another change is under way, and as [`Precondition::check`] does.
    pub async fn change(
        &self,
        store: &impl DefinitionStore,
        room: &RoomId,
        precondition: &Precondition,
        change: impl FnOnce(Option<SessionDefinition>, u64) -> Result<SessionDefinition, Error>,
    ) -> Result<(StoredDefinition, bool), Error> {
        let (Revised { revision, now }, shard) = self.revise(room).await?;
        let prepared = async {
            let found = find(store, room, precondition).await?;
            let is_new = found.is_none();
            let definition = change(found.map(|stored| stored.definition), now)?;
            Ok((StoredDefinition { revision, definition }, is_new))
        };
        let (stored, is_new) = self.release_after_refusal(room, shard, prepared.await).await?;
        self.announce(room, revision).await?;
        store.put(room, &stored).await?;
        self.apply(room, &stored).await?;
        Ok((stored, is_new))
    }

    /// Sets a definition, in place of any other.
    pub async fn define(
        &self,
        store: &impl DefinitionStore,
        room: &RoomId,
        definition: SessionDefinition,
    ) -> Result<(StoredDefinition, bool), Error> {
        self.change(store, room, &Precondition::default(), |_, _| Ok(definition)).await
    }

    /// Deletes a room's definition and ends the session, if live. Refuses as [`Self::change`] does.
    pub async fn undefine(
        &self,
        store: &impl DefinitionStore,
        room: &RoomId,
        precondition: &Precondition,
    ) -> Result<(), Error> {
        let (Revised { revision, .. }, shard) = self.revise(room).await?;
        self.release_after_refusal(room, shard, find(store, room, precondition).await).await?;
        self.announce(room, revision).await?;
        store.delete(room).await?;
        self.end(room, revision).await
    }

    /// Completes a change that has been announced to a live room, with what the store holds.
    pub(crate) async fn complete_change(
        &self,
        room: &RoomId,
        found: Option<&StoredDefinition>,
        announced: u64,
    ) -> Result<(), Error> {
        match found {
            Some(stored) => self.apply(room, stored).await,
            None => self.end(room, announced).await,
        }
    }

    /// Begins a change and locks out other changes. [`Self::apply`] or [`Self::end`] unlocks. Returns also the shard of the
    /// lock.
    async fn revise(&self, room: &RoomId) -> Result<(Revised, u64), Error> {
        let (reply, shard) = self.call_room(&script::REVISE, room, &RoomCall { room_id: room }).await?;
        Ok((reply::result_of(&script::REVISE, reply)?, shard))
    }

    /// Marks the room, because from now on the store may hold another definition than the room.
    async fn announce(&self, room: &RoomId, revision: u64) -> Result<(), Error> {
        let call = RevisionCall { room_id: room, revision };
        let Done {} = self.run_on_room(&script::ANNOUNCE, room, &call).await?;
        Ok(())
    }

    /// Unlocks after a refused change. After any other error, the lock stays until it expires.
    async fn release_after_refusal<T>(
        &self,
        room: &RoomId,
        shard: u64,
        outcome: Result<T, Error>,
    ) -> Result<T, Error> {
        if matches!(outcome, Err(Error::Refused(_))) {
            let key = shard::revising_key(self.keyspace(), shard, room);
            // A second run could release the lock of another change.
            let released = self.redis().command_once("DEL", &[key.as_bytes()]).await;
            released.map_err(|error| Error::Unavailable(error.to_string()))?;
        }
        outcome
    }

    /// Applies a definition to a live room with an older revision.
    async fn apply(&self, room: &RoomId, stored: &StoredDefinition) -> Result<(), Error> {
        let call = DefineCall { room_id: room, terms: stored.into() };
        let Done {} = self.run_on_room(&script::DEFINE, room, &call).await?;
        Ok(())
    }

    /// Ends a live session with an older revision, because the definition is deleted.
    async fn end(&self, room: &RoomId, revision: u64) -> Result<(), Error> {
        let call = RevisionCall { room_id: room, revision };
        let Done {} = self.run_on_room(&script::END, room, &call).await?;
        Ok(())
    }
}

async fn find(
    store: &impl DefinitionStore,
    room: &RoomId,
    precondition: &Precondition,
) -> Result<Option<StoredDefinition>, Error> {
    let found = store.get(room).await?;
    precondition.check(found.as_ref())?;
    Ok(found)
}
