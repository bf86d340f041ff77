//! Cargo, with Clippy as the compiler of the workspace's own crates.
//!
//! `cargo clippy` only checks, so it compiles all dependencies once more, for nothing but the lints of this workspace. Clippy
//! is also a whole compiler. Cargo lets it compile the workspace's crates, and keeps what it compiles apart from what rustc
//! compiles. So one build gives the lints and the programs.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::shell;

const CLIPPY: &str = "clippy-driver";

/// Cargo, for commands that compile. Without Clippy, rustc compiles everything.
pub fn compiling() -> Command {
    let mut cargo = as_from_a_shell();
    if shell::output_of(Command::new(CLIPPY).arg("--version")).is_some() {
        cargo.env("RUSTC_WORKSPACE_WRAPPER", CLIPPY);
    }
    cargo
}

/// Cargo without the variables with which cargo runs this program. Cargo would compile ring anew, and all that depends on
/// it, each time when they come or go, because the build script of ring names them.
pub fn as_from_a_shell() -> Command {
    let mut cargo = Command::new("cargo");
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    cargo
}

/// Runs a command that compiles, and fails if there is a warning.
pub fn deny_warnings(cargo: &mut Command) -> Result<()> {
    let line = shell::describe(cargo);
    cargo.args(["--keep-going", "--message-format", "json-diagnostic-rendered-ansi"]);
    let mut child = cargo.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run `{line}`"))?;
    let stdout = child.stdout.take().context("cargo has no output")?;
    let mut has_warnings = false;
    for message in BufReader::new(stdout).lines() {
        if let Some(diagnostic) = find_diagnostic(&message?) {
            print!("{diagnostic}");
            has_warnings = true;
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`{line}` failed: {status}");
    }
    if has_warnings {
        bail!("`{line}` has warnings");
    }
    Ok(())
}

/// The text of a warning or an error, if one of cargo's messages is one.
fn find_diagnostic(message: &str) -> Option<String> {
    let message: Value = serde_json::from_str(message).ok()?;
    Some(message.get("message")?.get("rendered")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diagnostics_are_found_among_the_messages_of_cargo() {
        let warning =
            r#"{"reason":"compiler-message","message":{"level":"warning","rendered":"warning: unused\n"}}"#;
        assert_eq!(find_diagnostic(warning).as_deref(), Some("warning: unused\n"));
        for other in [
            r#"{"reason":"compiler-artifact","fresh":true}"#,
            r#"{"reason":"build-finished","success":true}"#,
            "text",
        ] {
            assert_eq!(find_diagnostic(other), None, "{other}");
        }
    }

    #[test]
    fn a_warning_fails_each_time_until_it_is_mended() {
        let folder = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| std::fs::write(folder.path().join(file), text).unwrap();
        std::fs::create_dir(folder.path().join("src")).unwrap();
        write("Cargo.toml", "[package]\nname = \"seed\"\nedition = \"2024\"\n[workspace]\n");
        let build = || deny_warnings(compiling().arg("build").current_dir(folder.path()));
        write("src/lib.rs", "fn unused() {}\n");
        for _ in 0..2 {
            assert!(build().unwrap_err().to_string().contains("has warnings"));
        }
        write("src/lib.rs", "pub fn used() {}\n");
        build().unwrap();
        write("src/lib.rs", "pub fn used() -> u8 {}\n");
        assert!(build().unwrap_err().to_string().contains("failed"));
    }
}
