//! Changing what a session is, before it starts or while it is live.

use rollcall_protocol::{
    RoomId, UserId,
    client::Done,
    session::{Session, SessionDefinition},
};
use serde::{Deserialize, Serialize};

use crate::{
    Failure, Rooms,
    directory::Definitions,
    redis::Redis,
    rooms::{RoomCall, Terms},
    script,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DefineCall<'a> {
    room_id: &'a RoomId,
    terms: Terms<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<&'a [UserId]>,
}

impl<R: Redis> Rooms<R> {
    /// Stores a definition, and applies it to the room if its session is live. Returns it with its revision, and
    /// whether there was none before.
    ///
    /// The store comes before the room: a join that read the old definition then finds a newer one in the room and
    /// reads again; one that read the new definition applies it itself. So whoever dies in the middle leaves nothing
    /// half done for long. Refuses with `CONFLICT` while another change is under way.
    pub async fn define(
        &self,
        store: &impl Definitions,
        room: &RoomId,
        definition: SessionDefinition,
    ) -> Result<(Session, bool), Failure> {
        let session = Session { revision: self.revise(room).await?, definition };
        let is_new = store.put(room, &session).await?;
        self.apply(room, &session).await?;
        Ok((session, is_new))
    }

    /// Forgets a room's definition and ends its session, if it is live.
    ///
    /// Refuses with `CONFLICT` while another change is under way.
    pub async fn undefine(&self, store: &impl Definitions, room: &RoomId) -> Result<(), Failure> {
        self.revise(room).await?;
        store.delete(room).await?;
        let Done {} = self.run(&script::END, self.shard_of(room), &RoomCall { room_id: room }).await?;
        Ok(())
    }

    /// Begins a change: its revision. What follows it, [`Self::apply`] or the end, lets others begin.
    async fn revise(&self, room: &RoomId) -> Result<u64, Failure> {
        #[derive(Deserialize)]
        struct Revised {
            revision: u64,
        }
        let Revised { revision } =
            self.run(&script::REVISE, self.shard_of(room), &RoomCall { room_id: room }).await?;
        Ok(revision)
    }

    /// Applies a definition to a room that is live under an older one.
    pub(crate) async fn apply(&self, room: &RoomId, session: &Session) -> Result<Done, Failure> {
        let members = session.definition.members.as_deref();
        let call = DefineCall { room_id: room, terms: session.into(), members };
        self.run(&script::DEFINE, self.shard_of(room), &call).await
    }
}
