//! The code that members of a room share.

use rollcall_protocol::{
    CommandId, ErrorCode, RoomId,
    code::{CodeAction, CodeCommand, Editors, SnippetContent, SnippetText, Snippets},
    event::Membership,
    id,
};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Rooms, document::StoredSnippet, unwritable};
use crate::{Error, document, redis::Redis, script};

/// Which snippet to read; without a number, all are listed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Which {
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    /// Whether the read counts for the user.
    is_limited: bool,
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
    /// [`SnippetContent`], the [`Snippets`], the [`OpenedDocument`](rollcall_protocol::document::OpenedDocument), or the
    /// [`EditAck`](rollcall_protocol::document::EditAck).
    ///
    /// Refuses with `NOT_IN_ROOM`, `FEATURE_OFF`, `MUTED`, `NO_SUCH_SNIPPET`, `NOT_ALLOWED`, `TOO_MANY_SNIPPETS`,
    /// `VERSION_CONFLICT` (with the current [`SnippetContent`]), `EDITED_TOGETHER`, `NOT_TOGETHER`, `DOCUMENT_FULL` or
    /// `RATE_LIMITED`.
    pub async fn command_code(&self, command: &CodeCommand) -> Result<Box<RawValue>, Error> {
        let membership = &command.membership;
        match &command.action {
            CodeAction::Share { editors: Editors::Together, text, .. } => {
                self.change_into_document(command, text.clone()).await
            }
            CodeAction::Update(update) if update.editors == Some(Editors::Together) => {
                let text = match &update.text {
                    Some(text) => text.clone(),
                    None => self.read_text(membership, update.number).await?,
                };
                self.change_into_document(command, text).await
            }
            CodeAction::Share { .. } | CodeAction::Update(_) | CodeAction::Close { .. } => {
                self.run_on_room(&script::CODE, &membership.room_id, command).await
            }
            CodeAction::Get { number } => {
                super::to_raw(&self.read_snippet(membership, *number, true).await?.into_content())
            }
            CodeAction::List {} => {
                let data = Which { number: None, is_limited: false };
                self.run_on_room(&script::SNIPPETS, &membership.room_id, &MemberRead { membership, data })
                    .await
            }
            CodeAction::Open { number } => self.open_document(membership, *number).await,
            CodeAction::Edit { number, update } => self.edit_document(command, *number, update).await,
            CodeAction::Awareness { update, .. } => self.show_awareness(command, update).await,
        }
    }

    /// Applies a command that makes a snippet a document, with the first state of that document.
    async fn change_into_document(
        &self,
        command: &CodeCommand,
        text: SnippetText,
    ) -> Result<Box<RawValue>, Error> {
        let mut call = serde_json::to_value(command).map_err(unwritable)?;
        call["data"]["document"] = document::encode(&document::first_state(text.as_str())).into();
        call["data"]["text"] = text.as_str().into();
        self.run_on_room(&script::CODE, &command.membership.room_id, &call).await
    }

    /// The text of a snippet that is no document yet. If another version follows, the script refuses the change.
    async fn read_text(&self, membership: &Membership, number: u64) -> Result<SnippetText, Error> {
        let content = self.read_snippet(membership, number, true).await?.into_content();
        SnippetText::clean(&content.text).map_err(|_| ErrorCode::EditedTogether.into())
    }

    /// Reads a snippet for a member. `is_limited` says whether the read counts for the user.
    pub(super) async fn read_snippet(
        &self,
        membership: &Membership,
        number: u64,
        is_limited: bool,
    ) -> Result<StoredSnippet, Error> {
        let data = Which { number: Some(number), is_limited };
        self.run_on_room(&script::SNIPPETS, &membership.room_id, &MemberRead { membership, data }).await
    }

    /// Lists the snippets of a room that is live, or that keeps them.
    ///
    /// Refuses with `NOT_LIVE`.
    pub async fn snippets(&self, room: &RoomId) -> Result<Snippets, Error> {
        let call = OperatorRead { room_id: room, data: Which { number: None, is_limited: false } };
        self.run_on_room(&script::SNIPPETS, room, &call).await
    }

    /// Reads a snippet of a room that is live, or that keeps its snippets.
    ///
    /// Refuses with `NOT_LIVE` or `NO_SUCH_SNIPPET`.
    pub async fn snippet(&self, room: &RoomId, number: u64) -> Result<SnippetContent, Error> {
        let call = OperatorRead { room_id: room, data: Which { number: Some(number), is_limited: false } };
        let stored: StoredSnippet = self.run_on_room(&script::SNIPPETS, room, &call).await?;
        Ok(stored.into_content())
    }

    /// Closes a snippet of a live room.
    ///
    /// Refuses with `NOT_LIVE`, `FEATURE_OFF` or `NO_SUCH_SNIPPET`.
    pub async fn close_snippet(&self, room: &RoomId, id: &CommandId, number: u64) -> Result<(), Error> {
        let _: Box<RawValue> = self.operate(&script::CODE, room, id, &CodeAction::Close { number }).await?;
        Ok(())
    }
}
