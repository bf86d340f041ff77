//! JSON objects from strangers. Serde reads an array into a struct too, its items by position, so that `["algebra"]`
//! would be a join and `[1900000000000]` a change of a session's end.

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Error, Result};

/// Reads a JSON object into a struct, and refuses every other value.
pub fn from_object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T> {
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err(Error::custom("expected a JSON object"));
    }
    serde_json::from_slice(json)
}

/// Reads a JSON object into a struct, and refuses every other value.
pub fn from_object_str<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T> {
    from_object(json.as_bytes())
}

/// Distinguishes `null` from an absent member.
pub(crate) fn deserialize_present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Room {
        id: String,
    }

    #[test]
    fn an_object_is_read_and_an_array_in_its_place_is_not() {
        assert_eq!(from_object::<Room>(br#" {"id": "r"}"#).unwrap(), Room { id: "r".to_owned() });
        for json in
            [r#"["r"]"#, r#" ["r"]"#, r#"[{"id": "r"}]"#, r#""r""#, "null", "", "{", r#"{"id": ["r"]}"#]
        {
            assert!(from_object_str::<Room>(json).is_err(), "{json}");
        }
    }
}
