//! Changes of one token.

use super::{Edit, code::Code, token::Kind};

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
    if token.is("floor") {
        return change_rounding(code, index);
    }
    let replacements: Vec<String> = match token.kind {
        Kind::Number => change_number(code, index),
        Kind::Text => {
            let swaps = TEXT_SWAPS.iter().filter(|(text, _)| *text == token.text);
            swaps.map(|(_, swap)| (*swap).to_owned()).collect()
        }
        Kind::Word if is_time_argument(code, index) => {
            ["+", "-"].map(|sign| format!("{} {sign} 1", token.text)).to_vec()
        }
        Kind::Symbol if token.is("+") && code.is_binary(index) => vec!["-".to_owned()],
        Kind::Symbol if token.is("-") && code.is_binary(index) => vec!["+".to_owned()],
        Kind::Word | Kind::Symbol => {
            let swaps = SWAPS.iter().filter(|(text, _)| token.is(text));
            swaps.flat_map(|(_, swaps)| swaps.iter().map(|swap| (*swap).to_owned())).collect()
        }
    };
    replacements.into_iter().map(|replacement| Edit::new(token.range(), replacement)).collect()
}

/// Adds one, unless the number stands for a missing value: there, most numbers do.
fn change_number(code: &Code, index: usize) -> Vec<String> {
    let is_default = code.before(index).is_some_and(|before| before.is("or"));
    let number = code.tokens[index].text.parse::<u64>().ok().filter(|_| !is_default);
    number.map(|number| (number + 1).to_string()).into_iter().collect()
}

/// Rounds up, or not at all: `math.floor(x)` becomes `x`.
fn change_rounding(code: &Code, index: usize) -> Vec<Edit> {
    let (opening, library) = (index + 1, index - 2);
    let Some(closing) = code.find_closing(opening) else { return Vec::new() };
    let exact = &code.source[code.span(opening + 1, closing - 1)];
    let token = &code.tokens[index];
    vec![Edit::new(token.range(), "ceil"), Edit::new(code.span(library, closing), exact)]
}

fn is_time_argument(code: &Code, index: usize) -> bool {
    code.tokens[index].is_any_of(&TIMES)
        && !code.is_parameter(index)
        && code.before(index).is_some_and(|before| before.is_any_of(&["(", ","]))
        && code.get(index + 1).is_some_and(|after| after.is_any_of(&[")", ","]))
}
