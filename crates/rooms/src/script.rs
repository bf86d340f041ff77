//! The Lua scripts. `build.rs` assembles each file in `scripts/` with its includes, and writes a static for it.

use rollcall_lua::{Part, trace_lines};

/// What Redis calls the text of a script in its errors.
const CHUNK: &str = "user_script:";

/// The scripts of operators' calls. A second run would publish a notice twice, find the lock of the first run, release the
/// lock of another change, or miss the member whom the first run removed. All others give the same reply again.
const RUN_ONCE: [&str; 5] = ["define", "end", "kick", "notice", "revise"];

/// A script that Redis runs as one atomic step.
pub struct Script {
    name: &'static str,
    text: &'static str,
    parts: &'static [Part<'static>],
    sha1: &'static str,
}

impl Script {
    /// The file's name without its ending.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The whole text, includes first.
    pub fn text(&self) -> &'static str {
        self.text
    }

    /// The hash by which Redis knows the script.
    pub fn sha1(&self) -> &'static str {
        self.sha1
    }

    /// Whether a second run of the same call changes nothing.
    pub(crate) fn may_run_twice(&self) -> bool {
        !RUN_ONCE.contains(&self.name)
    }

    /// Replaces each line of the whole text that an error of Redis names by the file and line that it comes from.
    pub(crate) fn trace_lines(&self, error: &str) -> String {
        trace_lines(self.parts, CHUNK, error)
    }
}

include!(concat!(env!("OUT_DIR"), "/scripts.rs"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_whole_text() {
        for script in ALL {
            assert_eq!(
                script.sha1(),
                sha1_smol::Sha1::from(script.text()).digest().to_string(),
                "{}",
                script.name()
            );
        }
    }

    #[test]
    fn calls_that_a_second_run_would_repeat_run_once() {
        for name in RUN_ONCE {
            assert!(ALL.iter().any(|script| script.name() == name), "{name}");
        }
        assert!(!KICK.may_run_twice());
        assert!(JOIN.may_run_twice());
    }

    #[test]
    fn an_error_names_the_file_that_a_line_of_the_text_comes_from() {
        for script in ALL {
            let own = script.parts.last().unwrap().first_line;
            let error = format!("ERR user_script:{own}: on @user_script:{}.", own - 1);
            let traced = script.trace_lines(&error);
            assert!(traced.starts_with(&format!("ERR {}.lua:1: on @include/", script.name())), "{traced}");
        }
    }
}
