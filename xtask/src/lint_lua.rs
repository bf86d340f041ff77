//! Lints of the Lua scripts.
//!
//! luacheck sees each script as Redis does: after its includes. It sees each include in the same way, after the
//! includes that the file itself names. So a file that uses a function of a file that it does not include is found,
//! although another script may happen to include both.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use anyhow::{Context, Result, bail};
use rollcall_lua::{Assembled, Part, Sources, trace_lines};

use crate::{setup::luacheck, shell};

const FOLDER: &str = "crates/rooms/src/scripts";
/// Where assembled texts go for luacheck.
const ASSEMBLED: &str = "target/lua";
/// Scripts of tests, which include nothing.
const TEST_SCRIPTS: [&str; 1] = ["tests/model/redis_snapshot.lua"];
/// Codes of luacheck for what is never used.
const UNUSED: &str = "(W2";

/// Checks all scripts, with warnings denied.
pub fn run() -> Result<()> {
    luacheck::ensure()?;
    let sources = Sources::read(Path::new(FOLDER))?;
    let mut findings = Findings::default();
    for file in sources.files() {
        let Assembled { text, parts } = sources.assemble(file)?;
        let path = Path::new(ASSEMBLED).join(file);
        fs::create_dir_all(path.parent().unwrap_or(Path::new(ASSEMBLED)))?;
        fs::write(&path, text)?;
        findings.add(&parts, &check(&path)?, &path);
    }
    let mut found = findings.in_every_text();
    for script in TEST_SCRIPTS {
        found.push_str(&check(Path::new(script))?);
    }
    if !found.is_empty() {
        bail!("luacheck:\n{found}");
    }
    Ok(())
}

/// What luacheck finds in a file, one finding per line.
fn check(path: &Path) -> Result<String> {
    let mut luacheck = Command::new("luacheck");
    luacheck.args(["--formatter", "plain", "--codes", "--config"]).arg(Path::new(FOLDER).join(".luacheckrc"));
    let output = luacheck.arg(path).output().context("cannot run luacheck")?;
    // 1 and 2 stand for warnings and for errors in the checked file.
    if !matches!(output.status.code(), Some(0..=2)) {
        bail!("`{}` failed: {}", shell::describe(&luacheck), String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Findings in assembled texts, traced to the files that they come from.
#[derive(Default)]
struct Findings {
    /// Finding → number of texts with it.
    counts: BTreeMap<String, usize>,
    /// File → number of texts that it is part of.
    texts: BTreeMap<String, usize>,
}

impl Findings {
    fn add(&mut self, parts: &[Part], output: &str, path: &Path) {
        for part in parts {
            *self.texts.entry(part.file.to_owned()).or_default() += 1;
        }
        for line in output.lines() {
            let line = trace_lines(parts, &format!("{}:", path.display()), line);
            *self.counts.entry(trace_lines(parts, "line ", &line)).or_default() += 1;
        }
    }

    /// The findings, one per line. A function that only some scripts use is no finding.
    fn in_every_text(&self) -> String {
        let is_used_elsewhere = |finding: &str, count: usize| {
            let file = finding.split(':').next().unwrap_or_default();
            finding.contains(UNUSED) && self.texts.get(file).is_some_and(|&texts| count < texts)
        };
        let findings = self.counts.iter().filter(|&(finding, &count)| !is_used_elsewhere(finding, count));
        findings.map(|(finding, _)| format!("{FOLDER}/{finding}\n")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Part = Part { file: "include/room.lua", first_line: 1 };
    const UNUSED_FUNCTION: &str = "x.lua:4:16: (W211) unused function 'schedule'\n";

    #[test]
    fn findings_name_the_file_and_line_that_they_come_from_once() {
        let parts = [ROOM, Part { file: "join.lua", first_line: 11 }];
        let mut findings = Findings::default();
        for _ in 0..2 {
            let output = "x.lua:13:7: (W421) shadowing definition of variable 'room' on line 5\n";
            findings.add(&parts, output, Path::new("x.lua"));
        }
        assert_eq!(
            findings.in_every_text(),
            "crates/rooms/src/scripts/join.lua:3:7: (W421) shadowing definition of variable 'room' on \
             include/room.lua:5\n"
        );
    }

    #[test]
    fn a_function_is_unused_if_no_script_uses_it() {
        let mut findings = Findings::default();
        findings.add(&[ROOM], UNUSED_FUNCTION, Path::new("x.lua"));
        assert!(findings.in_every_text().contains("include/room.lua:4:16: (W211)"));
        findings.add(&[ROOM], "", Path::new("y.lua"));
        assert_eq!(findings.in_every_text(), "");
    }
}
