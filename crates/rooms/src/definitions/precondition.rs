//! Conditional requests (RFC 9110, section 13). The entity tag of a definition is its revision, and a strong one.

use rollcall_protocol::{ErrorCode, Refusal, definition::StoredDefinition};

use crate::Error;

/// What a request demands of the definition that it is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Precondition {
    if_match: Option<EntityTags>,
    if_none_match: Option<EntityTags>,
    needs_definition: bool,
}

/// The value of `If-Match` or `If-None-Match`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum EntityTags {
    /// `*`: any definition.
    Any,
    List(Vec<EntityTag>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct EntityTag {
    is_weak: bool,
    /// The text between the quotes.
    opaque: Vec<u8>,
}

impl Precondition {
    /// Parses the lines of the headers `If-Match` and `If-None-Match`.
    pub fn parse<'a>(
        if_match: impl IntoIterator<Item = &'a [u8]>,
        if_none_match: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, Refusal> {
        let if_match = EntityTags::parse("If-Match", if_match)?;
        let if_none_match = EntityTags::parse("If-None-Match", if_none_match)?;
        Ok(Self { if_match, if_none_match, needs_definition: false })
    }

    /// The same, for a request that is only about a definition that there is. Without a definition, its conditions count
    /// for nothing.
    #[must_use]
    pub fn for_existing(self) -> Self {
        Self { needs_definition: true, ..self }
    }

    /// Refuses with `NO_SUCH_ROOM` or `PRECONDITION_FAILED` unless a change may replace this definition.
    pub fn check(&self, found: Option<&StoredDefinition>) -> Result<(), Error> {
        if self.needs_definition && found.is_none() {
            return Err(ErrorCode::NoSuchRoom.into());
        }
        self.check_match(found)?;
        if self.is_none_match(found) { Ok(()) } else { Err(ErrorCode::PreconditionFailed.into()) }
    }

    /// Whether a client that reads this definition has it already. Refuses with `PRECONDITION_FAILED` if the definition
    /// is not the one that the client demands.
    pub fn is_unmodified(&self, found: &StoredDefinition) -> Result<bool, Error> {
        self.check_match(Some(found))?;
        Ok(!self.is_none_match(Some(found)))
    }

    fn check_match(&self, found: Option<&StoredDefinition>) -> Result<(), Error> {
        let holds = match (&self.if_match, found) {
            (None, _) | (Some(EntityTags::Any), Some(_)) => true,
            (Some(_), None) => false,
            // The strong comparison: no weak tag matches.
            (Some(EntityTags::List(tags)), Some(stored)) => {
                tags.iter().any(|tag| !tag.is_weak && tag.names(stored))
            }
        };
        if holds { Ok(()) } else { Err(ErrorCode::PreconditionFailed.into()) }
    }

    fn is_none_match(&self, found: Option<&StoredDefinition>) -> bool {
        match (&self.if_none_match, found) {
            (None, _) | (Some(_), None) => true,
            (Some(EntityTags::Any), Some(_)) => false,
            // The weak comparison.
            (Some(EntityTags::List(tags)), Some(stored)) => !tags.iter().any(|tag| tag.names(stored)),
        }
    }
}

impl EntityTags {
    /// Parses the lines of one header, which are one list. None without a line.
    fn parse<'a>(name: &str, lines: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<Self>, Refusal> {
        let lines: Vec<&[u8]> = lines.into_iter().collect();
        if lines.is_empty() {
            return Ok(None);
        }
        let text = lines.join(&b',');
        if text.trim_ascii() == b"*" {
            return Ok(Some(Self::Any));
        }
        let tags = parse_list(&text).filter(|tags| !tags.is_empty());
        tags.map(|tags| Some(Self::List(tags))).ok_or_else(|| {
            let usage = "takes entity tags in quotes, separated by commas, or *";
            Refusal::because(ErrorCode::Malformed, format!("{name} {usage}"))
        })
    }
}

/// Parses a list of tags, which may have empty elements. Commas in quotes separate nothing.
fn parse_list(mut rest: &[u8]) -> Option<Vec<EntityTag>> {
    let mut tags = Vec::new();
    loop {
        rest = rest.trim_ascii_start();
        match rest {
            [] => return Some(tags),
            [b',', after @ ..] => rest = after,
            _ => {
                let (tag, after) = EntityTag::split_off(rest)?;
                tags.push(tag);
                rest = after.trim_ascii_start();
                if !rest.is_empty() && rest[0] != b',' {
                    return None;
                }
            }
        }
    }
}

impl EntityTag {
    /// Parses the tag at the start of a text. Returns the text after it as well.
    fn split_off(text: &[u8]) -> Option<(Self, &[u8])> {
        let (is_weak, quoted) = match text.strip_prefix(b"W/") {
            Some(quoted) => (true, quoted),
            None => (false, text),
        };
        let quoted = quoted.strip_prefix(b"\"")?;
        let end = quoted.iter().position(|byte| *byte == b'"')?;
        let (opaque, rest) = quoted.split_at(end);
        let is_valid = opaque.iter().all(|byte| matches!(byte, 0x21 | 0x23..=0x7e | 0x80..));
        is_valid.then(|| (Self { is_weak, opaque: opaque.to_vec() }, &rest[1..]))
    }

    fn names(&self, stored: &StoredDefinition) -> bool {
        self.opaque == stored.revision.to_string().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use rollcall_protocol::definition::SessionDefinition;

    use super::*;

    fn stored() -> StoredDefinition {
        let leader_id = Some("lea".parse().unwrap());
        let definition = SessionDefinition { leader_id, ..SessionDefinition::until(1) };
        StoredDefinition { revision: 7, definition }
    }

    fn precondition(if_match: &[&str], if_none_match: &[&str]) -> Result<Precondition, Refusal> {
        let bytes = |lines: &[&str]| lines.iter().map(|line| line.as_bytes().to_vec()).collect::<Vec<_>>();
        let (if_match, if_none_match) = (bytes(if_match), bytes(if_none_match));
        Precondition::parse(if_match.iter().map(Vec::as_slice), if_none_match.iter().map(Vec::as_slice))
    }

    fn allows(if_match: &[&str], if_none_match: &[&str], found: Option<&StoredDefinition>) -> bool {
        precondition(if_match, if_none_match).unwrap().check(found).is_ok()
    }

    #[test]
    fn if_match_compares_strongly() {
        let stored = stored();
        for matching in
            [&["\"7\""][..], &["*"], &["\"6\", \"7\""], &["\"6\"", "\"7\""], &[", \"a,b\" ,,\"7\""]]
        {
            assert!(allows(matching, &[], Some(&stored)), "{matching:?}");
            assert!(!allows(matching, &[], None), "{matching:?}");
        }
        for other in ["\"6\"", "W/\"7\"", "\"07\"", "\"\"", "\"7,\"", "\"*\""] {
            assert!(!allows(&[other], &[], Some(&stored)), "{other}");
        }
    }

    #[test]
    fn if_none_match_compares_weakly() {
        let stored = stored();
        for matching in ["\"7\"", "W/\"7\"", "*", "\"6\", W/\"7\""] {
            assert!(!allows(&[], &[matching], Some(&stored)), "{matching}");
            assert!(allows(&[], &[matching], None), "{matching}");
            assert!(precondition(&[], &[matching]).unwrap().is_unmodified(&stored).unwrap());
        }
        assert!(allows(&[], &["\"6\""], Some(&stored)));
        assert!(!precondition(&[], &["\"6\""]).unwrap().is_unmodified(&stored).unwrap());
    }

    #[test]
    fn if_match_comes_first_and_both_have_to_hold() {
        let stored = stored();
        assert!(allows(&["\"7\""], &["\"6\""], Some(&stored)));
        assert!(!allows(&["\"7\""], &["\"7\""], Some(&stored)));
        assert!(precondition(&["\"6\""], &["\"7\""]).unwrap().is_unmodified(&stored).is_err());
    }

    #[test]
    fn conditions_on_a_definition_that_is_missing_count_only_where_a_request_can_do_without() {
        let missing = precondition(&["\"7\""], &[]).unwrap();
        let code = |checked: Result<(), Error>| checked.unwrap_err().into_refusal().code;
        assert_eq!(code(missing.check(None)), ErrorCode::PreconditionFailed);
        assert_eq!(code(missing.for_existing().check(None)), ErrorCode::NoSuchRoom);
    }

    #[test]
    fn anything_else_is_malformed() {
        for text in [
            "",
            " ",
            ",",
            "7",
            "\"7",
            "7\"",
            "\"7\" \"8\"",
            "w/\"7\"",
            "W/ \"7\"",
            "*, \"7\"",
            "\"a b\"",
            "\"\u{7f}\"",
        ] {
            for parsed in [precondition(&[text], &[]), precondition(&[], &[text])] {
                assert_eq!(parsed.unwrap_err().code, ErrorCode::Malformed, "{text}");
            }
        }
    }
}
