//! Reads the configuration file: TOML, with the names of flags as keys. Flags and the environment override the file.

use std::path::Path;

use anyhow::{Context, anyhow, bail, ensure};
use clap::{Arg, ArgAction, Command};
use toml::{Table, Value};

/// Flag that names the file. The file itself must not contain this flag.
const FLAG: &str = "config";

/// Turns the values in a file into defaults of a subcommand's flags. `command` is the whole program; `name` names the
/// subcommand.
pub(crate) fn apply(command: Command, name: &str, file: &Path) -> anyhow::Result<Command> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    set_defaults(command, name, &text).with_context(|| file.display().to_string())
}

fn set_defaults(command: Command, name: &str, text: &str) -> anyhow::Result<Command> {
    // Errors contain only the problem and the line number, because the line itself may hold a password.
    let table: Table = toml::from_str(text)
        .map_err(|error| anyhow!("line {}: {}", find_line(text, &error), error.message()))?;
    table.iter().try_fold(command, |command, (key, value)| {
        let read = || {
            let values = to_texts(value)?;
            let flag = find_flag(&command, name, key).context("there is no such flag")?;
            check_values(&command, name, flag, &values)?;
            let id = flag.get_id().clone();
            Ok::<_, anyhow::Error>((id, values))
        };
        let (id, values) = read().with_context(|| key.clone())?;
        Ok(command
            .mut_subcommand(name, |subcommand| subcommand.mut_arg(id, |flag| flag.default_values(values))))
    })
}

fn find_line(text: &str, error: &toml::de::Error) -> usize {
    let start = error.span().map_or(0, |span| span.start);
    text.get(..start).unwrap_or_default().matches('\n').count() + 1
}

/// Converts a TOML value to the values that a command line would contain.
fn to_texts(value: &Value) -> anyhow::Result<Vec<String>> {
    match value {
        Value::Array(values) => values.iter().map(to_text).collect(),
        value => to_text(value).map(|text| vec![text]),
    }
}

fn to_text(value: &Value) -> anyhow::Result<String> {
    Ok(match value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(boolean) => boolean.to_string(),
        Value::Array(_) | Value::Datetime(_) | Value::Table(_) => {
            bail!("the value must be a string, a number, or a list of them")
        }
    })
}

fn find_flag<'a>(command: &'a Command, name: &str, key: &str) -> Option<&'a Arg> {
    let mut flags = command.find_subcommand(name)?.get_arguments();
    flags.find(|flag| key != FLAG && flag.get_long() == Some(key))
}

/// Parses values as if the command line contained them.
fn check_values(command: &Command, name: &str, flag: &Arg, values: &[String]) -> anyhow::Result<()> {
    let takes_many = matches!(flag.get_action(), ArgAction::Append);
    ensure!(takes_many || values.len() == 1, "the flag takes one value");
    let long = flag.get_long().unwrap_or_default();
    let given = values.iter().map(|value| format!("--{long}={value}"));
    let line = [command.get_name().to_owned(), name.to_owned()].into_iter().chain(given);
    command.clone().try_get_matches_from(line).map(drop).map_err(|error| {
        let message = error.render().to_string();
        let message = message.strip_prefix("error: ").unwrap_or(&message);
        // The rest of the message is about the command line.
        anyhow!("{}", message.split("\n\n").next().unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use clap::{Args, FromArgMatches, Parser, Subcommand};

    use super::*;

    #[derive(Parser)]
    #[command(name = "rollcall")]
    struct Cli {
        #[command(subcommand)]
        command: Sub,
    }

    #[derive(Subcommand)]
    enum Sub {
        Bridge(Flags),
    }

    #[derive(Args, Debug, PartialEq)]
    struct Flags {
        #[arg(long)]
        config: Option<String>,
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=9))]
        pause_ms: u64,
        #[arg(long)]
        ratio: Option<f64>,
        #[arg(long = "origin", value_delimiter = ',')]
        origins: Vec<String>,
    }

    fn read(text: &str, line: &[&str]) -> anyhow::Result<Flags> {
        let command = set_defaults(<Cli as clap::CommandFactory>::command(), "bridge", text)?;
        let matches = command.try_get_matches_from(["rollcall", "bridge"].iter().chain(line))?;
        let Sub::Bridge(flags) = Cli::from_arg_matches(&matches)?.command;
        Ok(flags)
    }

    #[test]
    fn flags_override_the_file() {
        let text = "pause-ms = 7\nratio = 0.5\norigin = [\"https://a.example\", \"https://b.example\"]\n";
        let origins = vec!["https://a.example".to_owned(), "https://b.example".to_owned()];
        let flags = Flags { config: None, pause_ms: 7, ratio: Some(0.5), origins };
        assert_eq!(read(text, &[]).unwrap(), flags);
        let other = read(text, &["--pause-ms", "3", "--origin", "https://c.example"]).unwrap();
        assert_eq!((other.pause_ms, other.origins), (3, vec!["https://c.example".to_owned()]));
        assert_eq!(read("", &[]).unwrap().pause_ms, 5);
    }

    #[test]
    fn errors_name_the_key_or_the_line() {
        for (text, message) in [
            ("pause-ms = 10", "pause-ms: invalid value '10' for '--pause-ms <PAUSE_MS>': 10 is not in 1..=9"),
            ("pause-ms = [1, 2]", "pause-ms: the flag takes one value"),
            ("pause_ms = 1", "pause_ms: there is no such flag"),
            ("config = \"other.toml\"", "config: there is no such flag"),
            ("[pause-ms]\nvalue = 1", "pause-ms: the value must be a string, a number, or a list of them"),
        ] {
            assert_eq!(format!("{:#}", read(text, &[]).unwrap_err()), message);
        }
        let error = read("ratio = 1\norigin = hunter2", &[]).unwrap_err().to_string();
        assert!(error.starts_with("line 2: ") && !error.contains("hunter2"), "{error}");
    }
}
