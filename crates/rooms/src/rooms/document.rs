//! Documents: snippets that several members edit at the same time. Redis keeps the updates of a document, and what they
//! are together is worked out here, with [Yjs](crate::document).

use rollcall_protocol::{
    ErrorCode, RoomId,
    client::Done,
    code::{CodeCommand, Editors, Snippet, SnippetContent},
    document::{AwarenessUpdate, DocumentUpdate, EditAck, OpenedDocument},
    event::Membership,
    id, text,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Rooms, to_raw};
use crate::{Error, document, redis::Redis, script};

/// A snippet as Redis keeps it: with a text, or with the updates of a document, in order. The first of them is all those
/// that are merged.
#[derive(Deserialize)]
pub(super) struct StoredSnippet {
    snippet: Snippet,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    updates: Vec<String>,
    #[serde(default)]
    edit: u64,
    now: u64,
}

#[derive(Deserialize)]
struct Edited {
    #[serde(flatten)]
    ack: EditAck,
    /// Whether so many updates are not merged yet that they should be.
    #[serde(default)]
    merge: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Merge<'a> {
    #[serde(serialize_with = "id::as_text")]
    room_id: &'a RoomId,
    data: MergedUpdates,
}

/// Updates that become one.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MergedUpdates {
    number: u64,
    /// How many updates of the document were merged before.
    merged: u64,
    /// How many are merged now.
    edit: u64,
    /// The length of the updates that are merged now and were not before, in Base64.
    log_bytes: usize,
    /// All of them as one, in Base64.
    state: String,
    /// The length of the text in bytes.
    bytes: usize,
}

impl StoredSnippet {
    /// The snippet with its text. The text of a document has nothing hidden in it, as others have.
    pub(super) fn into_content(self) -> SnippetContent {
        let text = self.text.unwrap_or_else(|| text::clean_lines(&document::merge(&self.updates).text));
        SnippetContent { snippet: self.snippet, text, now: self.now }
    }
}

impl<R: Redis> Rooms<R> {
    /// Reads a document, as one update.
    pub(super) async fn open_document(
        &self,
        membership: &Membership,
        number: u64,
    ) -> Result<Box<RawValue>, Error> {
        let StoredSnippet { snippet, updates, edit, now, .. } =
            self.read_snippet(membership, number, true).await?;
        if snippet.editors != Editors::Together {
            return Err(ErrorCode::NotTogether.into());
        }
        let document = document::encode(&document::merge(&updates).state);
        to_raw(&OpenedDocument { snippet, document, edit, now })
    }

    /// Adds an update to a document. When many have come since they were merged last, this call merges them, after the
    /// update is stored and published.
    pub(super) async fn edit_document(
        &self,
        command: &CodeCommand,
        number: u64,
        update: &DocumentUpdate,
    ) -> Result<Box<RawValue>, Error> {
        document::check(update.as_bytes())?;
        let membership = &command.membership;
        let edited: Edited = self.run_on_room(&script::DOCUMENT, &membership.room_id, command).await?;
        if edited.merge {
            // The update is in the document whatever becomes of the merge. If it fails, a later one takes its place.
            let _ = self.merge_document(membership, number).await;
        }
        to_raw(&edited.ack)
    }

    /// Shows the others where a user is in a document.
    pub(super) async fn show_awareness(
        &self,
        command: &CodeCommand,
        update: &AwarenessUpdate,
    ) -> Result<Box<RawValue>, Error> {
        document::check_awareness(update.as_bytes())?;
        let edited: Edited =
            self.run_on_room(&script::DOCUMENT, &command.membership.room_id, command).await?;
        to_raw(&edited.ack)
    }

    /// Puts what the updates of a document are together in their place. Updates that come meanwhile stay, and of several
    /// calls that merge the same updates, one has an effect.
    async fn merge_document(&self, membership: &Membership, number: u64) -> Result<(), Error> {
        let StoredSnippet { updates, edit, .. } = self.read_snippet(membership, number, false).await?;
        let log = updates.get(1..).unwrap_or_default();
        if log.is_empty() {
            // Another call has merged them meanwhile.
            return Ok(());
        }
        let document::Merged { state, text } = document::merge(&updates);
        let data = MergedUpdates {
            number,
            merged: edit.saturating_sub(log.len() as u64),
            edit,
            log_bytes: log.iter().map(String::len).sum(),
            state: document::encode(&state),
            bytes: text.len(),
        };
        let room_id = &membership.room_id;
        let Done {} = self.run_on_room(&script::MERGE, room_id, &Merge { room_id, data }).await?;
        Ok(())
    }
}
