//! Changes of one token.

use super::{
    Edit,
    code::Code,
    token::{Kind, Token},
};

/// Times that a call may get a millisecond too early or too late.
const TIMES: [&str; 2] = ["now", "until_ms"];

/// What a token may become.
const SWAPS: &[(&str, &[&str])] = &[
    ("==", &["~="]),
    ("~=", &["=="]),
    ("<", &["<=", ">="]),
    ("<=", &["<", ">"]),
    (">", &[">=", "<="]),
    (">=", &[">", "<"]),
    ("and", &["or"]),
    ("or", &["and"]),
    ("*", &["/"]),
    ("/", &["*"]),
    ("true", &["false"]),
    ("false", &["true"]),
    ("min", &["max"]),
    ("max", &["min"]),
    ("floor", &["ceil"]),
    ("load_settled_room", &["load_room"]),
];

/// What a string may become: options of Redis's commands, and borders of ranges.
const TEXT_SWAPS: &[(&str, &str)] = &[
    ("'NX'", "'XX'"),
    ("'GT'", "'LT'"),
    ("'LT'", "'GT'"),
    ("'('", "'['"),
    ("'-inf'", "'+inf'"),
    ("'+inf'", "'-inf'"),
    ("'+'", "'-'"),
    ("'-'", "'+'"),
    ("'PEXPIRE'", "'EXPIRE'"),
    ("'PX'", "'EX'"),
];

/// All changes of a token.
pub fn mutate(code: &Code, index: usize) -> Vec<Edit> {
    let token = &code.tokens[index];
    let mut replacements: Vec<String> = match token.kind {
        Kind::Number => {
            token.text.parse::<u64>().map(|number| (number + 1).to_string()).into_iter().collect()
        }
        Kind::Text => {
            let swaps = TEXT_SWAPS.iter().filter(|(text, _)| *text == token.text);
            swaps.map(|(_, swap)| (*swap).to_owned()).collect()
        }
        Kind::Word | Kind::Symbol => {
            let swaps = SWAPS.iter().filter(|(text, _)| token.is(text));
            swaps.flat_map(|(_, swaps)| swaps.iter().map(|swap| (*swap).to_owned())).collect()
        }
    };
    if token.is_any_of(&["+", "-"]) && code.is_binary(index) {
        replacements.push(if token.is("+") { "-" } else { "+" }.to_owned());
    }
    if is_time_argument(code, index, token) {
        replacements.extend(["+", "-"].map(|sign| format!("{} {sign} 1", token.text)));
    }
    replacements.into_iter().map(|replacement| Edit::new(token.range(), replacement)).collect()
}

fn is_time_argument(code: &Code, index: usize, token: &Token) -> bool {
    token.is_any_of(&TIMES)
        && !code.is_parameter(index)
        && code.before(index).is_some_and(|before| before.is_any_of(&["(", ","]))
        && code.get(index + 1).is_some_and(|after| after.is_any_of(&[")", ","]))
}
