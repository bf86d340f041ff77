//! The code that members of a room share.

use rollcall_protocol::{
    CommandId, RoomId,
    code::{CodeAction, CodeCommand, SnippetContent, Snippets},
    event::Membership,
    id,
};
use serde::Serialize;
use serde_json::value::RawValue;

use super::Rooms;
use crate::{Error, redis::Redis, script};

/// Which snippet to read; without a number, all are listed.
#[derive(Serialize)]
struct Which {
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
}

#[derive(Serialize)]
struct MemberRead<'a> {
    #[serde(flatten)]
    membership: &'a Membership,
    data: Which,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OperatorRead<'a> {
    #[serde(serialize_with = "id::as_text")]
    room_id: &'a RoomId,
    data: Which,
}

impl<R: Redis> Rooms<R> {
    /// Applies a member's command to the code of the room, or reads it. Returns `{snippet?, epoch, seq, now}`, the
    /// [`SnippetContent`] or the [`Snippets`].
    ///
    /// Refuses with `NOT_IN_ROOM`, `FEATURE_OFF`, `MUTED`, `NO_SUCH_SNIPPET`, `NOT_ALLOWED`, `TOO_MANY_SNIPPETS`,
    /// `VERSION_CONFLICT` (with the current [`SnippetContent`]) or `RATE_LIMITED`.
    pub async fn command_code(&self, command: &CodeCommand) -> Result<Box<RawValue>, Error> {
        let (membership, room) = (&command.membership, &command.membership.room_id);
        let number = match command.action {
            CodeAction::Get { number } => Some(number),
            CodeAction::List {} => None,
            CodeAction::Share { .. } | CodeAction::Update(_) | CodeAction::Close { .. } => {
                return self.run_on_room(&script::CODE, room, command).await;
            }
        };
        self.run_on_room(&script::SNIPPETS, room, &MemberRead { membership, data: Which { number } }).await
    }

    /// Lists the snippets of a room that is live, or that keeps them.
    ///
    /// Refuses with `NOT_LIVE`.
    pub async fn snippets(&self, room: &RoomId) -> Result<Snippets, Error> {
        let call = OperatorRead { room_id: room, data: Which { number: None } };
        self.run_on_room(&script::SNIPPETS, room, &call).await
    }

    /// Reads a snippet of a room that is live, or that keeps its snippets.
    ///
    /// Refuses with `NOT_LIVE` or `NO_SUCH_SNIPPET`.
    pub async fn snippet(&self, room: &RoomId, number: u64) -> Result<SnippetContent, Error> {
        let call = OperatorRead { room_id: room, data: Which { number: Some(number) } };
        self.run_on_room(&script::SNIPPETS, room, &call).await
    }

    /// Closes a snippet of a live room.
    ///
    /// Refuses with `NOT_LIVE`, `FEATURE_OFF` or `NO_SUCH_SNIPPET`.
    pub async fn close_snippet(&self, room: &RoomId, id: &CommandId, number: u64) -> Result<(), Error> {
        let _: Box<RawValue> = self.operate(&script::CODE, room, id, &CodeAction::Close { number }).await?;
        Ok(())
    }
}
