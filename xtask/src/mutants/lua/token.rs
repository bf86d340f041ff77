//! Tokens of Lua.

use std::ops::Range;

/// A token that is no comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token<'a> {
    pub kind: Kind,
    pub text: &'a str,
    pub start: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A name or a keyword.
    Word,
    Number,
    Text,
    Symbol,
}

impl Token<'_> {
    pub fn range(&self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }

    pub fn is(&self, text: &str) -> bool {
        self.kind != Kind::Text && self.text == text
    }

    pub fn is_any_of(&self, texts: &[&str]) -> bool {
        texts.iter().any(|text| self.is(text))
    }
}

/// Symbols of several characters, the longest first.
const LONG_SYMBOLS: [&str; 6] = ["...", "..", "==", "~=", "<=", ">="];

/// Splits code into tokens. The scripts have no long strings and no long comments.
pub fn tokenize(code: &str) -> Vec<Token<'_>> {
    let (mut tokens, mut start) = (Vec::new(), 0);
    while let Some(first) = code[start..].chars().next() {
        let rest = &code[start..];
        let length = if first.is_whitespace() {
            first.len_utf8()
        } else if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else {
            let (kind, length) = measure(rest, first);
            tokens.push(Token { kind, text: &rest[..length], start });
            length
        };
        start += length;
    }
    tokens
}

/// The kind and the length of the first token.
fn measure(code: &str, first: char) -> (Kind, usize) {
    let length_of = |is_part: fn(char) -> bool| code.find(|c| !is_part(c)).unwrap_or(code.len());
    match first {
        '\'' | '"' => (Kind::Text, measure_text(code, first)),
        '0'..='9' => (Kind::Number, length_of(|c| c.is_ascii_alphanumeric() || c == '.')),
        'A'..='Z' | 'a'..='z' | '_' => (Kind::Word, length_of(|c| c.is_ascii_alphanumeric() || c == '_')),
        _ => {
            let long = LONG_SYMBOLS.iter().find(|symbol| code.starts_with(**symbol));
            (Kind::Symbol, long.map_or(first.len_utf8(), |symbol| symbol.len()))
        }
    }
}

fn measure_text(code: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (index, c) in code.char_indices().skip(1) {
        if c == quote && !is_escaped {
            return index + 1;
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(code: &str) -> Vec<&str> {
        tokenize(code).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn code_splits_into_names_numbers_strings_and_symbols() {
        let code = "if a.b <= 10 and x ~= '(' .. \"y\" then -- why\n  f(-1, #t)\nend";
        let words = [
            "if", "a", ".", "b", "<=", "10", "and", "x", "~=", "'('", "..", "\"y\"", "then", "f", "(", "-",
            "1", ",", "#", "t", ")", "end",
        ];
        assert_eq!(texts(code), words);
    }

    #[test]
    fn a_string_ends_at_its_own_quote() {
        assert_eq!(texts(r#"'{"' .. '\'--' .. '\\' -- x"#), [r#"'{"'"#, "..", r"'\'--'", "..", r"'\\'"]);
    }
}
