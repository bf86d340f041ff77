//! The configuration file: TOML, with the names of flags as keys. What it says counts where neither a flag nor the
//! environment says otherwise.

use std::path::Path;

use anyhow::{Context, anyhow, bail, ensure};
use clap::{Arg, ArgAction, Command};
use toml::{Table, Value};

/// The flag that names the file. It cannot stand in one.
const FLAG: &str = "config";

/// Makes what a file says the defaults of a command's flags. `command` is that of the whole program, `name` that of
/// the command in it.
pub(crate) fn apply(command: Command, name: &str, file: &Path) -> anyhow::Result<Command> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    with_defaults(command, name, &text).with_context(|| file.display().to_string())
}

fn with_defaults(command: Command, name: &str, text: &str) -> anyhow::Result<Command> {
    // Only what is wrong and where is told: the line itself may hold a password.
    let table: Table = toml::from_str(text)
        .map_err(|error| anyhow!("line {}: {}", line_of(text, &error), error.message()))?;
    table.iter().try_fold(command, |command, (key, value)| {
        let set = || {
            let values = texts(value)?;
            let flag = find(&command, name, key).context("there is no such flag")?;
            check(&command, name, flag, &values)?;
            let id = flag.get_id().clone();
            Ok::<_, anyhow::Error>((id, values))
        };
        let (id, values) = set().with_context(|| key.clone())?;
        Ok(command.mut_subcommand(name, |it| it.mut_arg(id, |flag| flag.default_values(values))))
    })
}

fn line_of(text: &str, error: &toml::de::Error) -> usize {
    let start = error.span().map_or(0, |span| span.start);
    text.get(..start).unwrap_or_default().matches('\n').count() + 1
}

/// Values as they would be given to a flag.
fn texts(value: &Value) -> anyhow::Result<Vec<String>> {
    match value {
        Value::Array(values) => values.iter().map(text).collect(),
        value => text(value).map(|text| vec![text]),
    }
}

fn text(value: &Value) -> anyhow::Result<String> {
    Ok(match value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(is) => is.to_string(),
        Value::Array(_) | Value::Datetime(_) | Value::Table(_) => {
            bail!("this takes a text, a number, or a list of them")
        }
    })
}

fn find<'a>(command: &'a Command, name: &str, key: &str) -> Option<&'a Arg> {
    let mut flags = command.find_subcommand(name)?.get_arguments();
    flags.find(|flag| key != FLAG && flag.get_long() == Some(key))
}

/// Reads values as if they were given to their flag.
fn check(command: &Command, name: &str, flag: &Arg, values: &[String]) -> anyhow::Result<()> {
    let takes_many = matches!(flag.get_action(), ArgAction::Append);
    ensure!(takes_many || values.len() == 1, "this takes one value");
    let long = flag.get_long().unwrap_or_default();
    let given = values.iter().map(|value| format!("--{long}={value}"));
    let line = [command.get_name().to_owned(), name.to_owned()].into_iter().chain(given);
    command.clone().try_get_matches_from(line).map(drop).map_err(|error| {
        let said = error.render().to_string();
        let said = said.strip_prefix("error: ").unwrap_or(&said);
        // What follows is about the command line.
        anyhow!("{}", said.split("\n\n").next().unwrap_or_default())
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
        let command = with_defaults(<Cli as clap::CommandFactory>::command(), "bridge", text)?;
        let matches = command.try_get_matches_from(["rollcall", "bridge"].iter().chain(line))?;
        let Sub::Bridge(flags) = Cli::from_arg_matches(&matches)?.command;
        Ok(flags)
    }

    #[test]
    fn what_the_file_says_counts_unless_a_flag_says_otherwise() {
        let text = "pause-ms = 7\nratio = 0.5\norigin = [\"https://a.example\", \"https://b.example\"]\n";
        let origins = vec!["https://a.example".to_owned(), "https://b.example".to_owned()];
        let flags = Flags { config: None, pause_ms: 7, ratio: Some(0.5), origins };
        assert_eq!(read(text, &[]).unwrap(), flags);
        let other = read(text, &["--pause-ms", "3", "--origin", "https://c.example"]).unwrap();
        assert_eq!((other.pause_ms, other.origins), (3, vec!["https://c.example".to_owned()]));
        assert_eq!(read("", &[]).unwrap().pause_ms, 5);
    }

    #[test]
    fn mistakes_are_told_with_their_key_or_line() {
        for (text, told) in [
            ("pause-ms = 10", "pause-ms: invalid value '10' for '--pause-ms <PAUSE_MS>': 10 is not in 1..=9"),
            ("pause-ms = [1, 2]", "pause-ms: this takes one value"),
            ("pause_ms = 1", "pause_ms: there is no such flag"),
            ("config = \"other.toml\"", "config: there is no such flag"),
            ("[pause-ms]\nvalue = 1", "pause-ms: this takes a text, a number, or a list of them"),
        ] {
            assert_eq!(format!("{:#}", read(text, &[]).unwrap_err()), told);
        }
        let error = read("ratio = 1\norigin = hunter2", &[]).unwrap_err().to_string();
        assert!(error.starts_with("line 2: ") && !error.contains("hunter2"), "{error}");
    }
}
