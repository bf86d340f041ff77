//! Changes of a definition, before its session starts or while the session is live.

use rollcall_protocol::{
    RoomId, UserId,
    client::Done,
    definition::{SessionDefinition, StoredDefinition},
    id,
};
use serde::{Deserialize, Serialize};

use super::{DefinitionStore, Precondition};
use crate::{
    Error, Rooms,
    redis::Redis,
    rooms::{RoomCall, Terms},
    script, shard,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DefineCall<'a> {
    #[serde(serialize_with = "id::as_text")]
    room_id: &'a RoomId,
    terms: Terms<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<Vec<&'a str>>,
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
    /// The change reaches the store before the room. A join that has read the old definition then finds a newer
    /// revision in the room and reads again; a join that has read the new definition applies the definition itself.
    /// The next join thus completes a change that broke off between the two.
    ///
    /// Refuses with `CONFLICT` while another change is under way, and as [`Precondition::check`] does.
    pub async fn change(
        &self,
        store: &impl DefinitionStore,
        room: &RoomId,
        precondition: &Precondition,
        change: impl FnOnce(Option<SessionDefinition>, u64) -> Result<SessionDefinition, Error>,
    ) -> Result<(StoredDefinition, bool), Error> {
        let Revised { revision, now } = self.revise(room).await?;
        let outcome = async {
            let found = find(store, room, precondition).await?;
            let is_new = found.is_none();
            let definition = change(found.map(|stored| stored.definition), now)?;
            let stored = StoredDefinition { revision, definition };
            store.put(room, &stored).await?;
            self.apply(room, &stored).await?;
            Ok((stored, is_new))
        };
        self.release_after(room, outcome.await).await
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
        self.revise(room).await?;
        let outcome = async {
            find(store, room, precondition).await?;
            store.delete(room).await?;
            let Done {} = self.run(&script::END, self.shard_of(room), &RoomCall { room_id: room }).await?;
            Ok(())
        };
        self.release_after(room, outcome.await).await
    }

    /// Begins a change and locks out other changes. [`Self::apply`] or the end of the session unlocks.
    async fn revise(&self, room: &RoomId) -> Result<Revised, Error> {
        self.run(&script::REVISE, self.shard_of(room), &RoomCall { room_id: room }).await
    }

    /// Unlocks after a refused change, which has changed nothing. After any other error the change may have happened in
    /// part, and the lock stays until it expires.
    async fn release_after<T>(&self, room: &RoomId, outcome: Result<T, Error>) -> Result<T, Error> {
        if matches!(outcome, Err(Error::Refused(_))) {
            let key = shard::revising_key(self.shard_of(room), room);
            // A second run could release the lock of another change.
            let released = self.redis().command_once("DEL", &[key.as_bytes()]).await;
            released.map_err(|error| Error::Unavailable(error.to_string()))?;
        }
        outcome
    }

    /// Applies a definition to a live room with an older revision.
    pub(crate) async fn apply(&self, room: &RoomId, stored: &StoredDefinition) -> Result<Done, Error> {
        let members = stored.definition.members.as_ref();
        let members = members.map(|members| members.iter().map(UserId::as_str).collect());
        let call = DefineCall { room_id: room, terms: stored.into(), members };
        self.run(&script::DEFINE, self.shard_of(room), &call).await
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
