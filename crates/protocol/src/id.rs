//! Ids, parsed once at the edge, so that they cannot be mixed up or malformed behind it.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};

/// The longest id that is accepted, in bytes.
pub const MAX_ID_BYTES: usize = 128;

/// Why a text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// Nothing in it.
    #[error("an id must not be empty")]
    Empty,
    /// More than [`MAX_ID_BYTES`].
    #[error("an id must not be longer than {MAX_ID_BYTES} bytes")]
    TooLong,
    /// Control characters would end up in keys, channels and logs.
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
            /// Takes a text as an id.
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
    /// A room: one study group's session.
    RoomId
}
id! {
    /// A user of the study platform.
    UserId
}
id! {
    /// One coming-in of a user to a room; the id of the join event that did it.
    ///
    /// Whoever holds the membership is known by it: a later call or deadline names the entry that it means,
    /// and one that is not current changes nothing.
    EntryId
}
id! {
    /// An event that a bridge tells of. It is the same each time that the event is delivered.
    EventId
}
id! {
    /// One bridge process, from its start to its end.
    NodeId
}
id! {
    /// What is kept of a resume token: its hash.
    ResumeHash
}

/// Study platforms number their users and groups or name them; both are the same id here.
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
