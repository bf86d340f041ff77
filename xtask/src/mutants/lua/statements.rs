//! Statements that are left out, and conditions that always or never hold.

use super::{Edit, code::Code};

/// All changes of the statement or the condition that begins with a token.
pub fn mutate(code: &Code, index: usize) -> Vec<Edit> {
    let token = &code.tokens[index];
    if token.is_any_of(&["if", "elseif"]) {
        return replace_condition(code, index, "then", &["true", "false"]);
    }
    if token.is("while") {
        return replace_condition(code, index, "do", &["false"]);
    }
    if token.is("until") {
        let last = code.find_statement_end(index);
        return vec![Edit::new(code.span(index + 1, last), "true")];
    }
    if code.begins_statement(index) {
        return vec![Edit::new(code.span(index, code.find_statement_end(index)), "")];
    }
    Vec::new()
}

fn replace_condition(code: &Code, index: usize, end: &str, values: &[&str]) -> Vec<Edit> {
    let Some(end) = code.find_after(index, &[end]) else { return Vec::new() };
    values.iter().map(|value| Edit::new(code.span(index + 1, end - 1), *value)).collect()
}
