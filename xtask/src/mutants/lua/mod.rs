//! Mutations of Lua code: small changes that a test should notice.
//!
//! | file | what it holds |
//! |---|---|
//! | `token`, `code` | tokens, statements and operands |
//! | `tokens` | changes of one token: operators, numbers, flags |
//! | `operands` | operands, arguments and fields that are left out |
//! | `statements` | statements that are left out, conditions that always or never hold |

mod code;
mod operands;
mod statements;
mod token;
mod tokens;

use std::{collections::BTreeSet, ops::Range};

use self::code::Code;

/// A part of the code, and the text that replaces the part.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edit {
    start: usize,
    end: usize,
    replacement: String,
}

impl Edit {
    fn new(range: Range<usize>, replacement: impl Into<String>) -> Self {
        Self { start: range.start, end: range.end, replacement: replacement.into() }
    }

    /// The code after the edit. Adds and removes no line, because errors name lines.
    pub fn apply(&self, code: &str) -> String {
        let lines = code[self.start..self.end].matches('\n').count();
        let added = self.replacement.matches('\n').count();
        let missing = "\n".repeat(lines.saturating_sub(added));
        format!("{}{}{missing}{}", &code[..self.start], self.replacement, &code[self.end..])
    }
}

/// All mutations of the code, in order.
pub fn mutate(source: &str) -> Vec<Edit> {
    let code = Code::parse(source);
    let mut edits = BTreeSet::new();
    for index in 0..code.tokens.len() {
        edits.extend(tokens::mutate(&code, index));
        edits.extend(operands::mutate(&code, index));
        edits.extend(statements::mutate(&code, index));
    }
    edits.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mutations of code, as code.
    fn mutants(source: &str) -> Vec<String> {
        mutate(source).iter().map(|edit| edit.apply(source)).collect()
    }

    fn assert_mutants(source: &str, expected: &[&str]) {
        let mutants = mutants(source);
        for mutant in expected {
            assert!(mutants.iter().any(|it| it == mutant), "no {mutant:?} in {mutants:#?}");
        }
    }

    #[test]
    fn comparisons_are_moved_to_the_next_boundary_and_inverted() {
        assert_eq!(mutants("local a = b < c"), ["local a = b <= c", "local a = b >= c"]);
        assert_eq!(mutants("local a = b == c"), ["local a = b ~= c"]);
    }

    #[test]
    fn operators_are_swapped_and_operands_left_out() {
        assert_eq!(mutants("local a = b + c"), ["local a = b - c", "local a = b "]);
        let expected = ["local a = c or d", "local a = b  or d", "local a = b and c ", "local a = b and d"];
        assert_mutants("local a = b and c or d", &expected);
        assert_mutants("f(-1)", &["f(-2)"]);
        assert_mutants("local a = math.floor(b / 2)", &["local a = math.ceil(b / 2)", "local a = b / 2"]);
        let expected = ["local a = f(0)", "local a = f(b and 0)", "local a = f(b )"];
        assert_eq!(mutants("local a = f(b or 0)"), expected);
    }

    #[test]
    fn times_are_too_early_or_too_late() {
        assert_mutants("f(now, x)", &["f(now + 1, x)", "f(now - 1, x)"]);
        assert!(mutants("local function f(now)\nend").is_empty());
    }

    #[test]
    fn conditions_always_or_never_hold() {
        let code = "if a and\n  f(b) then\n  g()\nend";
        assert_mutants(
            code,
            &["if true\n then\n  g()\nend", "if false\n then\n  g()\nend", "if a and\n  f(b) then\n  \nend"],
        );
        assert_mutants("repeat\n  f()\nuntil a == b", &["repeat\n  f()\nuntil true"]);
    }

    #[test]
    fn statements_are_left_out_and_lines_stay() {
        let code = "redis.call('SET', key,\n  value)\nlocal a = b\nroom.x, room.y = 1, 2\nreturn a";
        let expected = [
            "\n\nlocal a = b\nroom.x, room.y = 1, 2\nreturn a",
            "redis.call('SET', key,\n  value)\nlocal a = b\n\nreturn a",
            "redis.call('SET', key,\n  value)\nlocal a = b\nroom.x, room.y = 1, 2\n",
        ];
        assert_mutants(code, &expected);
        assert!(mutants(code).iter().all(|mutant| mutant.matches('\n').count() == 4));
    }

    #[test]
    fn flags_and_fields_are_left_out() {
        assert_mutants(
            "redis.call('ZADD', key, 'NX', now, id)",
            &["redis.call('ZADD', key, now, id)", "redis.call('ZADD', key, 'XX', now, id)"],
        );
        assert_mutants(
            "local a = { b = 'x', c = f(y, z) }",
            &["local a = { c = f(y, z) }", "local a = { b = 'x' }"],
        );
    }
}
