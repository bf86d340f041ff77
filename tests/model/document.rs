//! The rules of snippets that members edit together.

use std::collections::BTreeSet;

use rollcall_protocol::{
    ErrorCode,
    code::{Editors, MAX_TEXT_BYTES},
    document::TEXT,
};
use yrs::{Doc, GetString, Text, Transact, Update, updates::decoder::Decode};

use crate::{
    code::{CodeReply, Snippet},
    event::{Event, EventKind, Person, Recipients},
    history::History,
    ids::{DOCUMENT_BURST, DOCUMENT_INTERVAL, EntryId, Time},
    live::{Limited, Live},
};

/// As in document.lua.
const MERGE_EDITS: u64 = 64;
const MERGE_BYTES: usize = 64 * 1024;

/// A word that an editor of its own types into a document. Words of editors with larger numbers stand behind those of
/// others, because each editor knows of none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Word(u64);

impl Word {
    /// Long words are about as long as an update may be.
    pub fn new(number: u64, is_long: bool) -> Self {
        // Lower numbers are left to the editor of the first state.
        Self(2 * (number + 1) + u64::from(is_long))
    }

    pub fn is_long(self) -> bool {
        self.0 % 2 == 1
    }

    fn text(self) -> String {
        if self.is_long() { "가\n ".repeat(10_000) } else { format!("{} ", self.0) }
    }

    pub fn update(self) -> Vec<u8> {
        let editor = Doc::with_client_id(self.0);
        let text = editor.get_or_insert_text(TEXT);
        let mut transaction = editor.transact_mut();
        text.push(&mut transaction, &self.text());
        transaction.encode_update_v1()
    }

    fn encoded_length(self) -> usize {
        self.update().len().div_ceil(3) * 4
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    first: &'static str,
    pub words: BTreeSet<Word>,
    pub edit: u64,
    pub merged: u64,
    /// The length of the updates that are not merged, in Base64.
    pub log_bytes: usize,
}

impl Document {
    pub fn new(first: &'static str) -> Self {
        Self { first, words: BTreeSet::new(), edit: 0, merged: 0, log_bytes: 0 }
    }

    pub fn text(&self) -> String {
        let words = self.words.iter().map(|word| word.text());
        std::iter::once(self.first.to_owned()).chain(words).collect()
    }

    /// Adds a word. Returns whether the updates are merged then.
    fn add(&mut self, word: Word) -> bool {
        let before = self.log_bytes;
        self.words.insert(word);
        self.edit += 1;
        self.log_bytes += word.encoded_length();
        let has_many = (self.edit - self.merged).is_multiple_of(MERGE_EDITS);
        let is_over = self.log_bytes / MERGE_BYTES > before / MERGE_BYTES;
        has_many || is_over
    }
}

/// The text of a document that is one update.
pub fn read_text(update: &[u8]) -> String {
    let document = Doc::new();
    let text = document.get_or_insert_text(TEXT);
    document
        .transact_mut()
        .apply_update(Update::decode_v1(update).expect("an update"))
        .expect("the first state");
    text.get_string(&document.transact())
}

impl Live {
    /// The text that a change into a document starts from, where the change names none.
    pub fn check_text_for_document(&self, snippet: Snippet) -> Result<(), ErrorCode> {
        let is_too_long = self.text_of(snippet).len() > MAX_TEXT_BYTES;
        if is_too_long { Err(ErrorCode::EditedTogether) } else { Ok(()) }
    }

    /// The text of a snippet, also of a document.
    pub fn text_of(&self, snippet: Snippet) -> String {
        self.documents.get(&snippet.number).map_or_else(|| snippet.text.to_owned(), Document::text)
    }

    pub fn open_document(&self, snippet: Snippet, now: Time) -> Result<CodeReply, ErrorCode> {
        let document = self.documents.get(&snippet.number).ok_or(ErrorCode::NotTogether)?;
        Ok(CodeReply::Opened { snippet, text: document.text(), edit: document.edit, now })
    }

    /// Adds a word to a document, or, without a word, shows where somebody is in it.
    pub fn edit_document(
        &mut self,
        history: &mut History,
        snippet: Snippet,
        word: Option<Word>,
        (by, entry): (Person, EntryId),
        now: Time,
    ) -> Result<CodeReply, ErrorCode> {
        if snippet.editors != Editors::Together {
            return Err(ErrorCode::NotTogether);
        }
        self.limit(Limited::Document(by.user), now, DOCUMENT_BURST, DOCUMENT_INTERVAL)?;
        let number = snippet.number;
        let document = self.documents.get_mut(&number).ok_or(ErrorCode::NotTogether)?;
        let merges = word.is_some_and(|word| document.add(word));
        let edit = document.edit;
        if merges {
            document.merged = edit;
            document.log_bytes = 0;
        }
        let bytes = merges.then(|| document.text().len());
        let stored = self.snippets.iter_mut().find(|snippet| snippet.number == number);
        if let (Some(stored), Some(_)) = (stored, word) {
            stored.updated_by = by;
            stored.updated_at = now;
            stored.bytes = bytes.unwrap_or(stored.bytes);
        }
        let kind = match word {
            Some(word) => EventKind::DocumentUpdated { number, word, user: by.id(), edit, now },
            None => EventKind::DocumentAwareness { number, user: by.id(), now },
        };
        self.publish_to_editors(history, entry, kind);
        Ok(CodeReply::Edited { edit, now })
    }

    /// Tells those who have the document open, apart from one. The event takes no sequence number.
    fn publish_to_editors(&self, history: &mut History, entry: EntryId, kind: EventKind) {
        let to = Recipients::AllBut(entry);
        history.events.push(Event { epoch: self.epoch, seq: self.seq, room: self.room, to, kind });
    }
}
