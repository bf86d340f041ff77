//! Text that people see, from people whom nobody has checked. Some characters cannot be seen, or change how the text
//! around them looks: controls could obey a terminal, and bidirectional controls could make one id look like another.
//!
//! Ids must not contain such characters. Names and notices lose them, because nobody should be refused for a name.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer};

/// The ranges are those of Unicode 16. A test compares them with the tables of a library, which would take 40 KB of
/// each component.
const LINE_SEPARATORS: Ranges = &[('\u{2028}', '\u{2029}')];

/// The property Bidi_Control.
const BIDI_CONTROLS: Ranges =
    &[('\u{61c}', '\u{61c}'), ('\u{200e}', '\u{200f}'), ('\u{202a}', '\u{202e}'), ('\u{2066}', '\u{2069}')];

/// The property Default_Ignorable_Code_Point, which contains the tag characters and the variation selectors.
const INVISIBLE: Ranges = &[
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{202a}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fff8}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// The general category Cf, as far as the other ranges leave it out.
const OTHER_FORMAT: Ranges = &[
    ('\u{600}', '\u{605}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{fff9}', '\u{fffb}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
];

/// The general category Co.
const PRIVATE_USE: Ranges =
    &[('\u{e000}', '\u{f8ff}'), ('\u{f0000}', '\u{ffffd}'), ('\u{100000}', '\u{10fffd}')];

/// They choose between the forms of the character before them, as in emoji and in Chinese and Japanese names.
const VARIATION_SELECTORS: Ranges = &[
    ('\u{180b}', '\u{180d}'),
    ('\u{180f}', '\u{180f}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{e0100}', '\u{e01ef}'),
];

/// Persian and Indic words and emoji need them between two characters.
const JOINERS: Ranges = &[('\u{200c}', '\u{200d}')];

type Ranges = &'static [(char, char)];

fn is_in(ranges: Ranges, character: char) -> bool {
    ranges.iter().any(|&(first, last)| (first..=last).contains(&character))
}

/// A character that must not reach people as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hidden {
    character: char,
    kind: &'static str,
}

impl fmt::Display for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "U+{:04X}, {}", u32::from(self.character), self.kind)
    }
}

impl Hidden {
    /// Finds what is wrong with a character. Characters that Unicode has not assigned yet are fine, because a newer
    /// Unicode may have assigned them.
    fn find(character: char) -> Option<Self> {
        if matches!(character, ' '..='~') {
            return None;
        }
        let kind = if character.is_control() {
            "a control character"
        } else if is_in(LINE_SEPARATORS, character) {
            "a line separator"
        } else if is_in(BIDI_CONTROLS, character) {
            "a bidirectional control"
        } else if is_in(INVISIBLE, character) {
            "an invisible character"
        } else if is_in(OTHER_FORMAT, character) {
            "a format character"
        } else if is_in(PRIVATE_USE, character) {
            "a private-use character"
        } else if is_noncharacter(character) {
            "a noncharacter"
        } else {
            return None;
        };
        Some(Self { character, kind })
    }
}

fn is_noncharacter(character: char) -> bool {
    let code = u32::from(character);
    code & 0xfffe == 0xfffe || (0xfdd0..=0xfdef).contains(&code)
}

/// Finds the first hidden character.
pub fn find_hidden(text: &str) -> Option<Hidden> {
    text.chars().find_map(Hidden::find)
}

/// Replaces each hidden character. Joiners and variation selectors stay where scripts and emoji need them.
pub fn replace_hidden(text: &str, replace: impl Fn(char, &mut String)) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.bytes().position(|byte| !is_plain(byte)) {
        // Whole runs of plain characters, because code consists of them and may be long.
        clean.push_str(&rest[..start]);
        let mut characters = rest[start..].chars();
        let Some(character) = characters.next() else { break };
        rest = characters.as_str();
        let is_visible = Hidden::find(character).is_none();
        if is_visible || is_needed(character, clean.chars().next_back(), characters.next()) {
            clean.push(character);
        } else {
            replace(character, &mut clean);
        }
    }
    clean.push_str(rest);
    clean
}

/// Whether a byte is a visible ASCII character or a space.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

/// Whether a hidden character shapes the characters around it.
fn is_needed(character: char, before: Option<char>, after: Option<char>) -> bool {
    let is_shaped =
        |other: char| !other.is_ascii() && !other.is_whitespace() && Hidden::find(other).is_none();
    let (Some(before), after) = (before, after.is_some_and(is_shaped)) else { return false };
    if is_in(JOINERS, character) {
        return after && (is_shaped(before) || is_in(VARIATION_SELECTORS, before));
    }
    // Keycaps are digits with a selector.
    is_in(VARIATION_SELECTORS, character) && (is_shaped(before) || matches!(before, '0'..='9' | '#' | '*'))
}

fn unify_line_ends(text: &str) -> Cow<'_, str> {
    if text.contains('\r') { text.replace("\r\n", "\n").into() } else { text.into() }
}

/// Cleans a text of one line. Line breaks and tabs become spaces.
pub fn clean_line(text: &str) -> String {
    replace_hidden(&unify_line_ends(text), |character, clean| {
        if character.is_whitespace() {
            clean.push(' ');
        }
    })
}

/// Cleans a text that may have lines and tabs.
pub fn clean_lines(text: &str) -> String {
    replace_hidden(&unify_line_ends(text), |character, clean| match character {
        '\t' => clean.push('\t'),
        character if character.is_whitespace() => clean.push('\n'),
        _ => {}
    })
}

/// Reads a text of one line and cleans it.
pub(crate) fn deserialize_line<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    String::deserialize(deserializer).map(|text| clean_line(&text))
}

/// Reads a text of one line, if there is one, and cleans it.
pub(crate) fn deserialize_optional_line<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.map(|text| clean_line(&text)))
}

/// Reads a text that may have lines and cleans it.
pub(crate) fn deserialize_lines<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    String::deserialize(deserializer).map(|text| clean_lines(&text))
}

#[cfg(test)]
mod tests {
    use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

    use super::*;

    #[test]
    fn the_ranges_are_those_of_unicode() {
        use GeneralCategory::{Control, Format, LineSeparator, ParagraphSeparator, PrivateUse};

        for character in '\0'..=char::MAX {
            let category = character.general_category();
            let is_hidden = Hidden::find(character).is_some();
            let code = u32::from(character);
            match category {
                Control | Format | LineSeparator | ParagraphSeparator | PrivateUse => {
                    assert!(is_hidden, "U+{code:04X} is {category:?}");
                }
                // Only a list of invisible characters names these.
                _ => assert_eq!(
                    is_hidden,
                    is_in(INVISIBLE, character) || is_noncharacter(character),
                    "U+{code:04X}"
                ),
            }
        }
    }

    #[test]
    fn a_hidden_character_is_named() {
        for (text, named) in [
            ("a\u{1b}b", "U+001B, a control character"),
            ("a\u{2028}b", "U+2028, a line separator"),
            ("a\u{202e}b", "U+202E, a bidirectional control"),
            ("a\u{200b}b", "U+200B, an invisible character"),
            ("a\u{600}b", "U+0600, a format character"),
            ("a\u{f8ff}b", "U+F8FF, a private-use character"),
            ("a\u{10ffff}b", "U+10FFFF, a noncharacter"),
        ] {
            assert_eq!(find_hidden(text).unwrap().to_string(), named);
        }
        for fine in ["", "kim", "ä ö", "김", "علی", "e\u{301}", "\u{a0}", "\u{378}", "👩🏽"] {
            assert_eq!(find_hidden(fine), None, "{fine}");
        }
    }

    #[test]
    fn a_line_loses_hidden_characters() {
        for (text, clean) in [
            ("Kim\r\nLee\u{2029}x\ty", "Kim Lee x y"),
            ("\u{1b}[2JKim\u{0}", "[2JKim"),
            ("Kim \u{202e}eeL\u{202c}\u{2066}", "Kim eeL"),
            ("K\u{200b}i\u{feff}m\u{ad}\u{e0041}\u{3164}", "Kim"),
            ("K\u{200d}i\u{200c}m\u{fe0f}", "Kim"),
            ("\u{200d}علی \u{200c}", "علی "),
        ] {
            assert_eq!(clean_line(text), clean);
        }
    }

    #[test]
    fn scripts_and_emoji_keep_what_shapes_them() {
        for text in [
            "می\u{200c}خواهم",
            "क\u{94d}\u{200d}ष",
            "ශ\u{dca}\u{200d}රී",
            "👩🏽\u{200d}🏫",
            "❤\u{fe0f}\u{200d}🔥",
            "1\u{fe0f}\u{20e3}",
            "葛\u{e0100}城",
        ] {
            assert_eq!(clean_line(text), text);
        }
        assert_eq!(clean_line("می\u{200c}\u{200c}خواهم"), "می\u{200c}خواهم");
        assert_eq!(clean_line("❤\u{fe0f}\u{fe0f}"), "❤\u{fe0f}");
    }

    #[test]
    fn a_notice_keeps_its_lines() {
        assert_eq!(clean_lines("a\r\nb\u{2028}c\td\u{1b}\u{202e}\n"), "a\nb\nc\td\n");
    }

    #[test]
    fn what_is_clean_stays_as_it_is() {
        for text in ["a\u{200d}\u{200d}ب\u{fe0f}\u{200c}ب", "\r\r\n\n", "ب\u{200d}\u{202e}ب"] {
            for clean in [clean_line, clean_lines] {
                assert_eq!(clean(&clean(text)), clean(text), "{text:?}");
            }
        }
    }
}
