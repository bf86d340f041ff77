//! Text from elsewhere, so that a terminal neither obeys nor hides what is in it: users choose their names.

use std::fmt::Write;

use rollcall_protocol::text;

/// Escapes characters that a terminal would obey or not show, in a text of one line.
pub(crate) fn printable(text: &str) -> String {
    text::replace_hidden(text, |character, printable| printable.extend(character.escape_unicode()))
}

/// Escapes such characters in a text that may have lines and tabs.
pub(crate) fn printable_lines(text: &str) -> String {
    let is_layout = |character| matches!(character, '\n' | '\t');
    let escape = |part: &str| match part.strip_suffix(is_layout) {
        Some(words) => printable(words) + &part[words.len()..],
        None => printable(part),
    };
    text.split_inclusive(is_layout).map(escape).collect()
}

/// Escapes all such characters in JSON, which stays the same JSON: it may hold them only in strings, in which a letter
/// `u` and the number of a character mean the character.
pub(crate) fn printable_json(json: &str) -> String {
    let mut printable = String::with_capacity(json.len());
    for character in json.chars() {
        if character == '\n' || text::find_hidden(character.encode_utf8(&mut [0; 4])).is_none() {
            printable.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            let _ = write!(printable, "\\u{unit:04x}");
        }
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_no_hidden_character() {
        for (text, shown) in [
            ("\u{1b}[2J\nx", r"\u{1b}[2J\u{a}x"),
            ("Kim \u{202e}eeL", r"Kim \u{202e}eeL"),
            ("a\u{200b}b\u{e0041}", r"a\u{200b}b\u{e0041}"),
            ("김 می\u{200c}خواهم 👩🏽\u{200d}🏫", "김 می\u{200c}خواهم 👩🏽\u{200d}🏫"),
        ] {
            assert_eq!(printable(text), shown);
        }
        assert_eq!(printable_lines("a\nb\u{1b}\n"), "a\nb\\u{1b}\n");
    }

    #[test]
    fn escaped_json_is_the_same_json() {
        let text = "a\u{7f}\u{202e}\u{200d}\u{e0041}\u{2028}ü👩";
        let json = serde_json::to_string(text).unwrap();
        let escaped = printable_json(&json);
        assert_eq!(escaped, r#""a\u007f\u202e\u200d\udb40\udc41\u2028ü👩""#);
        assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), text);
        assert_eq!(printable_json("{\n  \"a\": 1\n}"), "{\n  \"a\": 1\n}");
    }
}
