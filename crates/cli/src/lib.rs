//! The commands of `rollcall` for people. Each command runs once, prints its result, and ends. The crate knows nothing
//! of the bridge: the program `rollcall` puts these commands beside `rollcall bridge`.
//!
//! | module | what it does |
//! |---|---|
//! | [`token`] | mints tokens for development |
//! | [`room`] | the commands that call the operators' API |
//! | [`completions`] | prints completions for shells |
//! | [`api`] | calls the operators' API |
//! | [`display`] | formats results for a terminal |
//! | [`time`] | parses and formats times and durations |

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod api;
mod completions;
mod display;
mod room;
#[cfg(test)]
mod test_cli;
mod time;
mod token;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Subcommand;
use clap_complete::Shell;

/// The exit code of clap for a wrong command line.
const USAGE_ERROR: u8 = 2;

/// The commands for people.
#[derive(Subcommand)]
pub enum Tool {
    /// Mints a token for a client, for development.
    ///
    /// The first shared key ("kty": "oct") of the JSON Web Key Set in ROLLCALL_JWT_KEYS, or else in
    /// SPIN_VARIABLE_JWT_KEYS, signs the token. There is no flag for keys, because flags show in the list of
    /// processes. The command prints only the token, so that a script can use the output as it is.
    #[command(after_long_help = token::EXAMPLES)]
    Token(token::TokenArgs),

    /// Defines sessions, and inspects rooms.
    ///
    /// These commands call the app's API for operators with the token in ROLLCALL_OPERATOR_TOKEN. There is no flag
    /// for the token, because flags show in the list of processes.
    #[command(after_long_help = room::EXAMPLES)]
    Room(room::RoomArgs),

    /// Prints completions for a shell.
    ///
    /// Put the output where your shell looks for completions; the Tab key then completes every command and flag.
    #[command(after_long_help = completions::EXAMPLES)]
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// Runs a command to its end. `program` is the whole command line of the program, which completions describe.
pub fn run(tool: Tool, program: clap::Command) -> ExitCode {
    let outcome = match tool {
        Tool::Token(args) => token::run(args),
        Tool::Room(args) => room::run(args),
        Tool::Completions { shell } => Ok(completions::generate(shell, program)),
    };
    match outcome.and_then(|text| print(&text)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The exit code reports the failure even if standard error is closed.
            let _ = writeln!(io::stderr(), "error: {}", display::printable(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}

/// Reports that a command line is wrong. The words of it may come from elsewhere, and reach the terminal escaped.
pub fn report_usage(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    let printable = display::printable_lines(&text);
    if printable == text {
        error.exit();
    }
    let _ = write!(io::stderr(), "{printable}");
    ExitCode::from(USAGE_ERROR)
}

/// Prints to standard output. A reader that closes the pipe early, as `head` does, is no error.
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
    use clap::{CommandFactory, Parser};

    use super::test_cli::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example() {
        fn check(command: &clap::Command) {
            for command in command.get_subcommands() {
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
    fn every_example_parses() {
        fn check(command: &clap::Command) {
            let examples = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
            for example in examples.lines().filter_map(|line| line.strip_prefix("  rollcall ")) {
                let words = example.split(" | ").next().and_then(|line| line.split(" > ").next()).unwrap();
                let words: Vec<_> = words.split('\'').enumerate().flat_map(unquote).collect();
                let parsed = Cli::try_parse_from(std::iter::once("rollcall".to_owned()).chain(words));
                assert!(parsed.is_ok(), "{example}: {}", parsed.err().unwrap());
            }
            command.get_subcommands().for_each(check);
        }
        /// Every second part between quotation marks is one word.
        fn unquote((index, part): (usize, &str)) -> Vec<String> {
            if index % 2 == 1 {
                vec![part.to_owned()]
            } else {
                part.split_whitespace().map(str::to_owned).collect()
            }
        }
        check(&Cli::command());
    }

    #[test]
    fn secrets_cannot_be_flags() {
        for words in [
            &["token", "--user", "kim", "--key", "x"][..],
            &["room", "ls", "--token", "x"],
            &["room", "ls", "--operator-token", "x"],
        ] {
            assert!(Cli::try_parse_from(["rollcall"].iter().chain(words)).is_err());
        }
    }
}
