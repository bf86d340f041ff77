//! The documents that a client has open: what happens in a document goes to nobody else.

use rollcall_protocol::{
    ErrorCode, Refusal,
    client::Done,
    document::{DocumentName, MAX_OPEN_DOCUMENTS},
    json,
    server::ServerEvent,
};
use serde_json::value::RawValue;

use super::{Outbound, Session};
use crate::fanout::EncodedEvent;

/// The numbers of the documents that a client has open.
#[derive(Default)]
pub(super) struct OpenDocuments(Vec<u64>);

impl OpenDocuments {
    pub(super) fn contains(&self, number: u64) -> bool {
        self.0.contains(&number)
    }

    /// Adds a document. Returns whether it is new.
    fn open(&mut self, number: u64) -> Result<bool, Refusal> {
        if self.contains(number) {
            return Ok(false);
        }
        if self.0.len() >= MAX_OPEN_DOCUMENTS {
            return Err(ErrorCode::TooManyDocuments.into());
        }
        self.0.push(number);
        Ok(true)
    }

    fn close(&mut self, number: u64) {
        self.0.retain(|open| *open != number);
    }
}

impl<O: Outbound> Session<O> {
    /// Opens a document. The client gets its events from before the document is read, so no update is in between.
    pub(super) async fn open_document(
        &mut self,
        payload: &RawValue,
        read: impl AsyncFnOnce(&mut Self) -> Result<Box<RawValue>, Refusal>,
    ) -> Result<Box<RawValue>, Refusal> {
        let DocumentName { number } = parse(payload)?;
        let documents = self.room.membership_mut().map(|membership| &mut membership.documents);
        let is_new = documents.ok_or(ErrorCode::NotInRoom)?.open(number)?;
        let outcome = read(self).await;
        if is_new && outcome.is_err() {
            self.forget_document(number);
        }
        outcome
    }

    /// Closes a document, if it is open.
    pub(super) fn close_document(&mut self, payload: &RawValue) -> Result<Done, Refusal> {
        let DocumentName { number } = parse(payload)?;
        self.forget_document(number);
        Ok(Done {})
    }

    /// Tells the client for each open document that updates may have been missed.
    pub(super) fn announce_missed_updates(&self) {
        let documents = self.room.membership().map(|membership| &membership.documents.0);
        for &number in documents.into_iter().flatten() {
            self.outbound.emit(ServerEvent::DocumentMissed, &DocumentName { number });
        }
    }

    /// Closes the document of a snippet that is gone. Later events of it would not come, but it would count as open.
    pub(super) fn close_gone_document(&mut self, event: &EncodedEvent) {
        if event.envelope.event == ServerEvent::CodeClosed.as_str()
            && let Ok(DocumentName { number }) = serde_json::from_str(event.envelope.data.get())
        {
            self.forget_document(number);
        }
    }

    fn forget_document(&mut self, number: u64) {
        if let Some(membership) = self.room.membership_mut() {
            membership.documents.close(number);
        }
    }
}

fn parse(payload: &RawValue) -> Result<DocumentName, Refusal> {
    json::from_object_str(payload.get()).map_err(|error| {
        let message = format!("a document is named by {{\"number\": <the number of the snippet>}}: {error}");
        Refusal::because(ErrorCode::Malformed, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_few_documents_open() {
        let mut documents = OpenDocuments::default();
        for number in 1..=MAX_OPEN_DOCUMENTS as u64 {
            assert_eq!(documents.open(number), Ok(true));
        }
        assert_eq!(documents.open(1), Ok(false), "it is open already");
        assert_eq!(documents.open(99).unwrap_err().code, ErrorCode::TooManyDocuments);
        documents.close(1);
        documents.close(1);
        assert_eq!(documents.open(99), Ok(true));
        assert!(documents.contains(99) && !documents.contains(1));
    }
}
