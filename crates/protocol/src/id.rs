//! Ids. Each id has a type of its own, and parsing validates each id once.
//!
//! Some platforms number their users and groups, others name them. Inside Rollcall an id is text: a number and its text
//! are the same id. The ids of the platform remember the type that they had in JSON, so that clients can compare them
//! with their own by `===`.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::text::{self, Hidden};

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
    /// The text holds a character that people cannot see. Two ids that look the same would be different ids, and
    /// controls must not reach keys, channels, logs or terminals.
    #[error("an id must not contain {0}")]
    Hidden(Hidden),
}

/// The largest integer that a JavaScript client reads without losing digits: 2^53 - 1.
const MAX_SAFE_INTEGER: u64 = 9_007_199_254_740_991;

fn check(text: &str) -> Result<(), InvalidId> {
    if text.is_empty() {
        return Err(InvalidId::Empty);
    }
    if text.len() > MAX_ID_BYTES {
        return Err(InvalidId::TooLong);
    }
    text::find_hidden(text).map_or(Ok(()), |hidden| Err(InvalidId::Hidden(hidden)))
}

/// An id that Rollcall makes. JSON holds it as text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub(crate) struct Text(pub(crate) String);

impl Text {
    fn new(text: String) -> Self {
        Self(text)
    }

    fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        TextOrNumber::deserialize(deserializer).map(|id| Self(id.text))
    }
}

/// An id that the platform gives. JSON holds it with the type that the platform uses, which plays no part in
/// comparisons.
#[derive(Debug, Clone)]
pub(crate) struct TextOrNumber {
    text: String,
    is_number: bool,
}

impl TextOrNumber {
    fn new(text: String) -> Self {
        Self { text, is_number: false }
    }

    fn as_str(&self) -> &str {
        &self.text
    }

    fn from_integer(number: i64) -> Self {
        Self { text: number.to_string(), is_number: number.unsigned_abs() <= MAX_SAFE_INTEGER }
    }

    fn with_type_of(self, other: &Self) -> Self {
        if !other.is_number {
            return Self { is_number: false, ..self };
        }
        let number = self.text.parse().ok().map(Self::from_integer);
        number.filter(|number| number.is_number && *number == self).unwrap_or(self)
    }
}

impl PartialEq for TextOrNumber {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for TextOrNumber {}

impl PartialOrd for TextOrNumber {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TextOrNumber {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl Hash for TextOrNumber {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl Serialize for TextOrNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.text.parse::<i64>() {
            Ok(number) if self.is_number => serializer.serialize_i64(number),
            _ => serializer.serialize_str(&self.text),
        }
    }
}

impl<'de> Deserialize<'de> for TextOrNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = deserializer.deserialize_any(TextOrInteger)?;
        check(&id.text).map_err(de::Error::custom)?;
        Ok(id)
    }
}

struct TextOrInteger;

impl de::Visitor<'_> for TextOrInteger {
    type Value = TextOrNumber;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id, as a string or an integer")
    }

    fn visit_str<E>(self, text: &str) -> Result<TextOrNumber, E> {
        Ok(TextOrNumber::new(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<TextOrNumber, E> {
        Ok(TextOrNumber::new(text))
    }

    fn visit_u64<E>(self, number: u64) -> Result<TextOrNumber, E> {
        Ok(TextOrNumber { text: number.to_string(), is_number: number <= MAX_SAFE_INTEGER })
    }

    fn visit_i64<E>(self, number: i64) -> Result<TextOrNumber, E> {
        Ok(TextOrNumber::from_integer(number))
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ident)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub(crate) $inner);

        impl $name {
            /// Parses an id.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidId> {
                let text = text.into();
                check(&text)?;
                Ok(Self($inner::new(text)))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }
    };
}

id! {
    /// A room of one study group.
    RoomId(TextOrNumber)
}
id! {
    /// A user of the study platform.
    UserId(TextOrNumber)
}
id! {
    /// One entry of a user into a room; the id of its join event.
    ///
    /// Later calls and deadlines name their entry. A call about an entry that is no longer current changes nothing.
    EntryId(Text)
}
id! {
    /// An event of a bridge. Every delivery of the same event carries the same id.
    EventId(Text)
}
id! {
    /// A command of a client. A command that arrives again with the same id has no second effect.
    CommandId(Text)
}
id! {
    /// One bridge process, from start to end.
    NodeId(Text)
}
id! {
    /// The hash of a resume token.
    ResumeHash(Text)
}

impl UserId {
    /// The same id, as a number if the other id is one and the text is that of an integer, and otherwise as text: for
    /// tables, whose columns need not have the type that ids have in the platform's tokens.
    pub fn with_type_of(self, other: &Self) -> Self {
        Self(self.0.with_type_of(&other.0))
    }
}

/// Writes an id as text, for the parts of Rollcall that compare ids and make keys of them.
pub fn as_text<S: Serializer>(id: &impl AsRef<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(id.as_ref())
}

/// Describes the ids of the platform, as they appear in JSON.
#[cfg(feature = "openapi")]
mod schema {
    use std::borrow::Cow;

    use utoipa::{
        PartialSchema, ToSchema,
        openapi::{
            RefOr,
            schema::{ObjectBuilder, Schema, SchemaType, Type},
        },
    };

    use super::{RoomId, UserId};

    fn describe(description: &str) -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Integer]))
            .description(Some(format!(
                "{description} A number and its text are the same id. Responses hold the type that the platform uses; an \
                 integer beyond 2^53 - 1 becomes text. An id has 1 to 128 bytes and no character that people cannot see."
            )))
            // Of the hidden characters, those that pages and tools meet most.
            .pattern(Some(r"^[^\x00-\x1f\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]{1,128}$"))
            .minimum(Some(-9_007_199_254_740_991_i64))
            .maximum(Some(9_007_199_254_740_991_i64))
            .into()
    }

    impl PartialSchema for RoomId {
        fn schema() -> RefOr<Schema> {
            describe("A room of one study group.")
        }
    }

    impl ToSchema for RoomId {
        fn name() -> Cow<'static, str> {
            Cow::Borrowed("RoomId")
        }
    }

    impl PartialSchema for UserId {
        fn schema() -> RefOr<Schema> {
            describe("A user of the study platform.")
        }
    }

    impl ToSchema for UserId {
        fn name() -> Cow<'static, str> {
            Cow::Borrowed("UserId")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn user(json: &str) -> UserId {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_number_and_its_text_are_the_same_id() {
        let (number, text) = (user("42"), user(r#""42""#));
        assert_eq!(number, text);
        assert_eq!(number.cmp(&text), Ordering::Equal);
        assert_eq!(HashSet::from([number, text]).len(), 1);
    }

    #[test]
    fn an_id_of_the_platform_keeps_its_type_as_long_as_no_digit_is_lost() {
        for (read, written) in [
            ("7", "7"),
            ("0", "0"),
            ("-7", "-7"),
            (r#""7""#, r#""7""#),
            (r#""007""#, r#""007""#),
            (r#""-0""#, r#""-0""#),
            (r#""1e3""#, r#""1e3""#),
            ("9007199254740991", "9007199254740991"),
            ("-9007199254740991", "-9007199254740991"),
            ("9007199254740992", r#""9007199254740992""#),
            ("-9007199254740992", r#""-9007199254740992""#),
            ("18446744073709551615", r#""18446744073709551615""#),
        ] {
            assert_eq!(serde_json::to_string(&user(read)).unwrap(), written);
            let room: RoomId = serde_json::from_str(read).unwrap();
            assert_eq!(serde_json::to_string(&room).unwrap(), written);
        }
        assert_eq!(serde_json::to_string(&UserId::new("42").unwrap()).unwrap(), r#""42""#);
    }

    #[test]
    fn an_id_of_a_column_gets_the_type_that_the_platform_uses() {
        for (text, other, expected) in [
            ("8", "7", "8"),
            ("-8", "7", "-8"),
            ("8", r#""7""#, r#""8""#),
            ("lea", "7", r#""lea""#),
            ("007", "7", r#""007""#),
            ("+8", "7", r#""+8""#),
            ("-0", "7", r#""-0""#),
            ("9007199254740992", "7", r#""9007199254740992""#),
        ] {
            let id = UserId::new(text).unwrap().with_type_of(&user(other));
            assert_eq!(serde_json::to_string(&id).unwrap(), expected);
        }
        let of_integer_column = user("8").with_type_of(&user(r#""7""#));
        assert_eq!(serde_json::to_string(&of_integer_column).unwrap(), r#""8""#);
    }

    #[test]
    fn an_id_of_rollcall_is_always_text() {
        let entry: EntryId = serde_json::from_str("42").unwrap();
        assert_eq!(serde_json::to_string(&entry).unwrap(), r#""42""#);
    }

    #[test]
    fn ids_that_look_alike_are_different_ids() {
        let (composed, decomposed) = (user(r#""\u00e9""#), user(r#""e\u0301""#));
        assert_ne!(composed, decomposed);
        assert_eq!(decomposed.as_str(), "e\u{301}");
    }

    #[test]
    fn malformed_ids_are_refused() {
        assert_eq!(RoomId::new(""), Err(InvalidId::Empty));
        assert_eq!(RoomId::new("x".repeat(MAX_ID_BYTES + 1)), Err(InvalidId::TooLong));
        for hidden in
            ["a\nb", "\u{200b}", "kim\u{202e}", "k\u{ad}im", "\u{feff}kim", "a\u{2028}", "kim\u{e0041}"]
        {
            assert!(matches!(RoomId::new(hidden), Err(InvalidId::Hidden(_))), "{hidden:?}");
            let json = serde_json::to_string(hidden).unwrap();
            let error = serde_json::from_str::<UserId>(&json).unwrap_err().to_string();
            assert!(error.starts_with("an id must not contain U+"), "{error}");
            assert!(serde_json::from_str::<NodeId>(&json).is_err(), "{hidden:?}");
        }
        for json in ["null", "true", "1.5", "7.0", "1e3", "-0", "18446744073709551616", "[]", "{}", r#""""#] {
            assert!(serde_json::from_str::<RoomId>(json).is_err(), "{json}");
        }
    }
}
