//! A program with these commands alone, for tests.

use clap::Parser;

use crate::Tool;

#[derive(Parser)]
#[command(name = "rollcall")]
pub(crate) struct Cli {
    #[command(subcommand)]
    tool: Tool,
}

/// Parses the words after `rollcall`.
pub(crate) fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Tool, clap::Error> {
    Cli::try_parse_from(["rollcall"].into_iter().chain(words)).map(|cli| cli.tool)
}
