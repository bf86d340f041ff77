//! The Lua scripts. `build.rs` assembles each file in `scripts/` with its includes, and writes a static for it.

use std::sync::OnceLock;

use rollcall_lua::{Part, locate};

/// What Redis calls the text of a script in its errors.
const CHUNK: &str = "user_script:";

/// A script that Redis runs as one atomic step.
pub struct Script {
    name: &'static str,
    text: &'static str,
    parts: &'static [Part<'static>],
    sha1: OnceLock<String>,
}

impl Script {
    const fn new(name: &'static str, text: &'static str, parts: &'static [Part<'static>]) -> Self {
        Self { name, text, parts, sha1: OnceLock::new() }
    }

    /// The file's name without its ending.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The whole text, includes first.
    pub fn text(&self) -> &'static str {
        self.text
    }

    /// The hash by which Redis knows the script.
    pub fn sha1(&self) -> &str {
        self.sha1.get_or_init(|| sha1_smol::Sha1::from(self.text).digest().to_string())
    }

    /// Replaces each line of the whole text that an error of Redis names by the file and line that it comes from.
    pub(crate) fn trace_lines(&self, error: &str) -> String {
        let mut chunks = error.split(CHUNK);
        let mut traced = chunks.next().unwrap_or_default().to_owned();
        for chunk in chunks {
            let digits = chunk.bytes().take_while(u8::is_ascii_digit).count();
            let (number, rest) = chunk.split_at(digits);
            match number.parse().ok().and_then(|line| locate(self.parts, line)) {
                Some((file, line)) => traced.push_str(&format!("{file}:{line}")),
                None => traced.extend([CHUNK, number]),
            }
            traced.push_str(rest);
        }
        traced
    }
}

include!(concat!(env!("OUT_DIR"), "/scripts.rs"));

#[cfg(test)]
mod tests {
    use super::*;

    static SCRIPT: Script = Script::new(
        "join",
        "",
        &[Part { file: "include/room.lua", first_line: 1 }, Part { file: "join.lua", first_line: 11 }],
    );

    #[test]
    fn each_line_in_an_error_is_traced_to_its_file_at_the_borders_too() {
        for (line, origin) in [
            (1, "include/room.lua:1"),
            (10, "include/room.lua:10"),
            (11, "join.lua:1"),
            (123, "join.lua:113"),
        ] {
            let error = format!("ERR user_script:{line}: too many script: f00, on @user_script:{line}.");
            let traced = format!("ERR {origin}: too many script: f00, on @{origin}.");
            assert_eq!(SCRIPT.trace_lines(&error), traced);
        }
    }

    #[test]
    fn an_error_without_a_line_of_the_script_stays_as_it_is() {
        for error in ["", "connection refused", "ERR user_script: no line", "ERR user_script:0: no such line"]
        {
            assert_eq!(SCRIPT.trace_lines(error), error);
        }
    }

    #[test]
    fn every_script_ends_with_its_own_file() {
        for script in [&JOIN, &LEAVE, &LIST] {
            let last = script.parts.last().unwrap();
            assert_eq!(last.file, format!("{}.lua", script.name()));
            assert!(last.first_line < script.text().lines().count());
        }
    }
}
