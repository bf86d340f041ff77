//! Ids. Each id has a type of its own, and parsing validates each id once.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};

/// The longest id, in bytes.
pub const MAX_ID_BYTES: usize = 128;

/// A text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// The text is empty.
    #[error("an id must not be empty")]
    Empty,
    /// The text is longer than [`MAX_ID_BYTES`].
    #[error("an id must not be longer than {MAX_ID_BYTES} bytes")]
    TooLong,
    /// The text holds a control character, which must not reach keys, channels or logs.
    #[error("an id must not contain control characters")]
    ControlCharacter,
}

fn check(text: &str) -> Result<(), InvalidId> {
    if text.is_empty() {
        return Err(InvalidId::Empty);
    }
    if text.len() > MAX_ID_BYTES {
        return Err(InvalidId::TooLong);
    }
    if text.chars().any(char::is_control) {
        return Err(InvalidId::ControlCharacter);
    }
    Ok(())
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = String, pattern = r"^[^\x00-\x1f\x7f-\x9f]{1,128}$"))]
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(pub(crate) String);

        impl $name {
            /// Parses an id.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidId> {
                let text = text.into();
                check(&text)?;
                Ok(Self(text))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(TextOrInteger).and_then(|text| Self::new(text).map_err(de::Error::custom))
            }
        }
    };
}

id! {
    /// A room of one study group.
    RoomId
}
id! {
    /// A user of the study platform.
    UserId
}
id! {
    /// One entry of a user into a room; the id of its join event.
    ///
    /// Later calls and deadlines name their entry. A call about an entry that is no longer current changes nothing.
    EntryId
}
id! {
    /// An event of a bridge. Every delivery of the same event carries the same id.
    EventId
}
id! {
    /// One bridge process, from start to end.
    NodeId
}
id! {
    /// The hash of a resume token.
    ResumeHash
}

/// Some study platforms number their users and groups, others name them. A number and its text are the same id.
struct TextOrInteger;

impl de::Visitor<'_> for TextOrInteger {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id, as a string or an integer")
    }

    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_string<E>(self, text: String) -> Result<String, E> {
        Ok(text)
    }

    fn visit_u64<E>(self, number: u64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_i64<E>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_its_text_are_the_same_id() {
        let number: UserId = serde_json::from_str("42").unwrap();
        let text: UserId = serde_json::from_str(r#""42""#).unwrap();
        assert_eq!(number, text);
    }

    #[test]
    fn an_id_is_written_as_text() {
        assert_eq!(serde_json::to_string(&UserId::new("42").unwrap()).unwrap(), r#""42""#);
    }

    #[test]
    fn malformed_ids_are_refused() {
        assert_eq!(RoomId::new(""), Err(InvalidId::Empty));
        assert_eq!(RoomId::new("x".repeat(MAX_ID_BYTES + 1)), Err(InvalidId::TooLong));
        assert_eq!(RoomId::new("a\nb"), Err(InvalidId::ControlCharacter));
        for json in ["null", "true", "1.5", "[]", "{}", r#""""#] {
            assert!(serde_json::from_str::<RoomId>(json).is_err(), "{json}");
        }
    }
}
