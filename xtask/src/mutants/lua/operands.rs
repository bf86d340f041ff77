//! Operands, arguments and fields that are left out.

use super::{
    Edit,
    code::Code,
    token::{Kind, Token},
};

const LOGIC: [&str; 2] = ["and", "or"];
const ARITHMETIC: [&str; 14] = ["+", "-", "*", "/", "%", "..", "==", "~=", "<", "<=", ">", ">=", "and", "or"];
/// Options of Redis's commands that take no value.
const OPTIONS: [&str; 5] = ["'NX'", "'XX'", "'GT'", "'LT'", "'~'"];

/// All changes of what a token joins or begins.
pub fn mutate(code: &Code, index: usize) -> Vec<Edit> {
    let token = &code.tokens[index];
    if token.is_any_of(&LOGIC) {
        return drop_operands(code, index);
    }
    if token.is_any_of(&["+", "-", "*", "/"]) && code.is_binary(index) {
        return drop_right_operand(code, index, &ARITHMETIC).into_iter().collect();
    }
    if token.is("not") {
        return without(code, index, index + 1).into_iter().collect();
    }
    if token.is("{") {
        return drop_fields(code, index);
    }
    if OPTIONS.contains(&token.text) && code.before(index).is_some_and(|before| before.is(",")) {
        return without(code, index, index + 2).into_iter().collect();
    }
    Vec::new()
}

/// Leaves out the tokens up to the next one that stays.
fn without(code: &Code, first: usize, next: usize) -> Option<Edit> {
    Some(Edit::new(code.tokens[first].start..code.get(next)?.start, ""))
}

fn drop_operands(code: &Code, index: usize) -> Vec<Edit> {
    let left = code.find_operand_start(index - 1, &LOGIC);
    without(code, left, index + 1).into_iter().chain(drop_right_operand(code, index, &LOGIC)).collect()
}

fn drop_right_operand(code: &Code, index: usize, closers: &[&str]) -> Option<Edit> {
    code.get(index + 1)?;
    let last = code.find_operand_end(index + 1, closers);
    Some(Edit::new(code.span(index, last), ""))
}

/// Leaves out each field of a table once, unless the table is a single value.
fn drop_fields(code: &Code, opening: usize) -> Vec<Edit> {
    let Some(closing) = code.find_closing(opening) else { return Vec::new() };
    let mut edits = Vec::new();
    let mut first = opening + 1;
    while first < closing {
        let is_named = code.get(first + 1).is_some_and(|token| token.is("="));
        let comma = code.find_after(first, &[","]).filter(|&comma| comma < closing);
        let end = comma.unwrap_or(closing);
        let is_single = comma.is_none() && first == opening + 1;
        if !is_single && (is_named || is_text(code.get(first), end - first)) {
            edits.push(match comma {
                Some(comma) => Edit::new(code.tokens[first].start..code.tokens[comma + 1].start, ""),
                None => Edit::new(code.span(first - 1, end - 1), ""),
            });
        }
        first = end + 1;
    }
    edits
}

/// Whether a field is a string, as in a list of names.
fn is_text(token: Option<&Token>, length: usize) -> bool {
    length == 1 && token.is_some_and(|token| token.kind == Kind::Text)
}
