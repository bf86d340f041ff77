//! Runs other programs.

use std::{
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

/// The root of the checkout.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Cargo's target folder, which the environment may move.
pub fn target_folder() -> Result<PathBuf> {
    let metadata = Command::new("cargo").args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout)?;
    let target = metadata["target_directory"].as_str().context("cargo metadata names no target directory")?;
    Ok(PathBuf::from(target))
}

/// Formats a command line for messages.
pub fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Runs a program with its output on the terminal. Fails if the program fails.
pub fn run(command: &mut Command) -> Result<()> {
    let line = describe(command);
    let status = command.status().with_context(|| format!("cannot run `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed: {status}");
    }
    Ok(())
}

/// Runs a program, and shows its output only if it fails.
pub fn run_quietly(command: &mut Command) -> Result<()> {
    let line = describe(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run `{line}`"))?;
    if !output.status.success() {
        let printed = [output.stdout, output.stderr].concat();
        bail!("`{line}` failed: {}\n{}", output.status, String::from_utf8_lossy(&printed).trim_end());
    }
    Ok(())
}

/// Returns what a program prints, or none if it fails or cannot run.
pub fn output_of(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Puts a program into a process group of its own, so that the terminal's Ctrl-C reaches only this program, which then
/// stops its children in order. Call this before other settings than arguments and variables.
pub fn in_own_group(command: Command) -> Command {
    let mut command = bind_to_this_process(command);
    command.process_group(0);
    command
}

/// Makes the kernel stop the program when this program is killed. Every Debian has `setpriv`; without it, this
/// program leaves its children behind when it is killed.
fn bind_to_this_process(command: Command) -> Command {
    if which("setpriv").is_none() {
        return command;
    }
    let mut bound = Command::new("setpriv");
    bound.args(["--pdeathsig", "TERM", "--"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => bound.env(name, value),
            None => bound.env_remove(name),
        };
    }
    bound
}

/// Finds a program in `PATH`.
pub fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Finds a server. Debian installs servers outside of the `PATH` of most users.
pub fn which_server(program: &str) -> Option<PathBuf> {
    let debian = PathBuf::from("/usr/sbin").join(program);
    which(program).or_else(|| debian.is_file().then_some(debian))
}

/// Reports that a part of the set-up is installed.
pub fn present(what: &str) {
    println!("  ok       {what}");
}

/// Reports that the set-up installs a part now.
pub fn doing(what: &str) {
    println!("  install  {what}");
}
