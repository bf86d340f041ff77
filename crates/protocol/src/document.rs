//! Documents: snippets that several members edit at the same time. A document is a Yjs document, and its text is the
//! `Y.Text` of the name [`TEXT`].

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::code::Snippet;

/// The name of the text in a document.
pub const TEXT: &str = "text";

/// The longest update of a document, in bytes: a text of 64 KiB fits, with what Yjs adds.
pub const MAX_UPDATE_BYTES: usize = 66 * 1024;

/// The longest update of what an editor shows of its user, in bytes.
pub const MAX_AWARENESS_BYTES: usize = 2 * 1024;

/// The most documents that one connection has open at the same time.
pub const MAX_OPEN_DOCUMENTS: usize = 8;

/// An update of a document.
pub type DocumentUpdate = EncodedUpdate<MAX_UPDATE_BYTES>;

/// An update of what an editor shows of its user, such as the position of the cursor.
pub type AwarenessUpdate = EncodedUpdate<MAX_AWARENESS_BYTES>;

/// Bytes of Yjs, which are Base64 on the wire. What they mean is checked where they are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedUpdate<const MAX_BYTES: usize>(Vec<u8>);

/// A text is no update.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUpdate {
    /// The text is no Base64.
    #[error("update must be Base64 with padding: {0}")]
    NotBase64(#[from] base64::DecodeError),
    /// The update is too long.
    #[error("update must have at most {0} bytes")]
    TooLong(usize),
}

impl<const MAX_BYTES: usize> EncodedUpdate<MAX_BYTES> {
    /// Wraps the bytes of an update.
    pub fn new(bytes: Vec<u8>) -> Result<Self, InvalidUpdate> {
        if bytes.len() > MAX_BYTES {
            return Err(InvalidUpdate::TooLong(MAX_BYTES));
        }
        Ok(Self(bytes))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl<const MAX_BYTES: usize> std::str::FromStr for EncodedUpdate<MAX_BYTES> {
    type Err = InvalidUpdate;

    fn from_str(text: &str) -> Result<Self, InvalidUpdate> {
        Self::new(BASE64_STANDARD.decode(text)?)
    }
}

impl<const MAX_BYTES: usize> Serialize for EncodedUpdate<MAX_BYTES> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(&self.0))
    }
}

impl<'de, const MAX_BYTES: usize> Deserialize<'de> for EncodedUpdate<MAX_BYTES> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Names a document: the payload of `document:close` and `document:missed`, and what `document:open` names.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentName {
    /// The number of the snippet.
    pub number: u64,
}

/// The data of the ack of `document:open`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenedDocument {
    /// The snippet.
    pub snippet: Snippet,
    /// The whole document, as one update in Base64.
    pub document: String,
    /// How many updates the document has had.
    pub edit: u64,
    /// The time of Redis, in milliseconds since 1970.
    pub now: u64,
}

/// The data of the ack of `document:update`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditAck {
    /// How many updates the document has had, this one included.
    pub edit: u64,
    /// The time of Redis, in milliseconds since 1970.
    pub now: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_is_base64_with_padding() {
        let update: AwarenessUpdate = serde_json::from_str(r#""AAE=""#).unwrap();
        assert_eq!(update.as_bytes(), [0, 1]);
        assert_eq!(serde_json::to_string(&update).unwrap(), r#""AAE=""#);
        for text in ["AAE", "AA-_", "A A=", "\u{1f600}"] {
            let error = text.parse::<AwarenessUpdate>().unwrap_err().to_string();
            assert!(error.contains("Base64"), "{text}: {error}");
        }
    }

    #[test]
    fn an_update_has_a_greatest_length() {
        assert!(DocumentUpdate::new(vec![0; MAX_UPDATE_BYTES]).is_ok());
        let error = DocumentUpdate::new(vec![0; MAX_UPDATE_BYTES + 1]).unwrap_err();
        assert_eq!(error.to_string(), "update must have at most 67584 bytes");
    }
}
