//! The command line, and the commands that people use: each is run once, prints what it has to say, and ends.
//!
//! | module | what it does |
//! |---|---|
//! | [`token`] | mints tokens for development |
//! | [`room`] | the commands that ask the operators' API |
//! | [`definition`] | the flags that define a session |
//! | [`show`] | tells people what the API answered |
//! | [`answer`] | what the API answers |
//! | [`api`] | asks it |
//! | [`table`] | aligned columns |
//! | [`time`] | times and durations as people write and read them |

mod answer;
mod api;
mod definition;
mod room;
mod show;
mod table;
mod time;
mod token;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::config::{BridgeArgs, DetectionTime};

/// Live presence for study rooms.
///
/// One command holds clients' sockets and runs for good: `rollcall bridge`. The others are for people: they mint
/// tokens to try things with, define sessions, and look into rooms.
#[derive(Parser)]
#[command(version, about)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What the binary can do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Holds clients' sockets: Socket.IO under /socket.io/, plain WebSockets under /ws.
    ///
    /// Calls to the app are signed with the first secret in ROLLCALL_BRIDGE_SECRET ("whsec_...").
    /// With the app in this process, its variables are read from SPIN_VARIABLE_<NAME>.
    #[command(after_help = DetectionTime::from_env().explain(), after_long_help = DetectionTime::from_env().explain())]
    Bridge(Box<BridgeArgs>),

    /// What ends as soon as it is done.
    #[command(flatten)]
    Tool(Tool),
}

/// The commands that people use.
#[derive(Subcommand)]
pub(crate) enum Tool {
    /// Mints a token for a client, to try things with.
    ///
    /// It is signed with the first shared key ("kty": "oct") of the JSON Web Key Set in ROLLCALL_JWT_KEYS or else
    /// SPIN_VARIABLE_JWT_KEYS; there is no flag for keys, since flags show in the list of processes. The token
    /// alone is printed, so that a script can take it as it is.
    #[command(after_long_help = token::EXAMPLES)]
    Token(token::TokenArgs),

    /// Defines sessions, and looks into rooms.
    ///
    /// These commands ask the app's API for operators, with the token in ROLLCALL_OPERATOR_TOKEN; there is no flag
    /// for it, since flags show in the list of processes.
    #[command(after_long_help = room::EXAMPLES)]
    Room(room::RoomArgs),

    /// Prints completions for a shell.
    ///
    /// Put them where your shell looks for completions, and the Tab key knows every command and flag.
    #[command(after_long_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// The shell.
        shell: Shell,
    },
}

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  rollcall completions bash > ~/.local/share/bash-completion/completions/rollcall
  rollcall completions fish > ~/.config/fish/completions/rollcall.fish";

/// Runs a command to its end.
pub(crate) fn run(tool: Tool) -> ExitCode {
    let outcome = match tool {
        Tool::Token(args) => token::run(args),
        Tool::Room(args) => room::run(args),
        Tool::Completions { shell } => Ok(completions(shell)),
    };
    match outcome.and_then(|text| print(&text)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If even this cannot be written, the exit code still tells.
            let _ = writeln!(io::stderr(), "error: {}", table::clean(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}

fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "rollcall", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// Whoever closes the pipe, as `head` does, has read enough.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    match write!(out, "{text}{end}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_teaches_with_an_example() {
        fn check(command: &clap::Command) {
            for command in command.get_subcommands().filter(|command| command.get_name() != "bridge") {
                let name = command.get_name();
                assert!(command.get_long_about().is_some(), "{name} has a long help");
                let examples = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
                assert!(examples.contains("\n  rollcall ") && examples.contains(name), "{name}: {examples}");
                check(command);
            }
        }
        check(&Cli::command());
    }

    #[test]
    fn examples_are_commands_that_work() {
        fn check(command: &clap::Command) {
            let examples = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
            for example in examples.lines().filter_map(|line| line.strip_prefix("  rollcall ")) {
                let words = example.split(" | ").next().and_then(|line| line.split(" > ").next()).unwrap();
                let words: Vec<_> = words.split('\'').enumerate().flat_map(quoted).collect();
                let parsed = Cli::try_parse_from(std::iter::once("rollcall".to_owned()).chain(words));
                assert!(parsed.is_ok(), "{example}: {}", parsed.err().unwrap());
            }
            command.get_subcommands().for_each(check);
        }
        /// Every second part between quotation marks is one word.
        fn quoted((index, part): (usize, &str)) -> Vec<String> {
            if index % 2 == 1 {
                vec![part.to_owned()]
            } else {
                part.split_whitespace().map(str::to_owned).collect()
            }
        }
        check(&Cli::command());
    }

    #[test]
    fn every_shell_completes_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell, Shell::Elvish] {
            assert!(completions(shell).contains("attendance"), "{shell}");
        }
    }

    #[test]
    fn secrets_are_no_flags() {
        for words in [
            &["token", "--user", "kim", "--key", "x"][..],
            &["room", "ls", "--token", "x"],
            &["room", "ls", "--operator-token", "x"],
        ] {
            assert!(Cli::try_parse_from(["rollcall"].iter().chain(words)).is_err());
        }
    }
}
