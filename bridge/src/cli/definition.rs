//! The flags that define a session.

use std::{fs, io};

use anyhow::Context;
use clap::{Args, ValueEnum};
use rollcall_protocol::{
    UserId,
    definition::{self, SessionDefinition},
};

use super::time::{self, Time};

/// What a session is defined by.
#[derive(Args)]
pub(crate) struct DefinitionArgs {
    /// When the session ends: as in "2026-11-23T18:00:00Z", "+90m" from now, or milliseconds since 1970.
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    end_at: Time,

    /// Who leads it; may always enter, even a full room.
    #[arg(long, value_name = "USER")]
    leader: UserId,

    /// Who may enter; may be repeated. Without any, and without a file of them, everybody with a valid token.
    #[arg(long = "member", value_name = "USER")]
    members: Vec<UserId>,

    /// File of more who may enter, one id a line; "-" reads them from standard input. With an empty one, only
    /// the leader and each --member may.
    #[arg(long, value_name = "FILE")]
    members_file: Option<String>,

    /// How many may be in the room; without it, as many as like.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    capacity: Option<u32>,

    /// What a second connection of a user means.
    #[arg(long, value_enum, default_value_t = Duplicates::Refuse)]
    duplicates: Duplicates,
}

/// What a second connection of a user means.
#[derive(Clone, Copy, ValueEnum)]
enum Duplicates {
    /// It is refused.
    Refuse,
    /// It takes the place of the first, which is closed.
    Takeover,
    /// Both stay.
    Share,
}

impl DefinitionArgs {
    /// The definition, with the members of the file.
    pub(super) fn read(self) -> anyhow::Result<SessionDefinition> {
        Ok(SessionDefinition {
            end_at: self.end_at.0,
            leader_id: self.leader,
            members: members(self.members, self.members_file.as_deref())?,
            duplicates: match self.duplicates {
                Duplicates::Refuse => definition::Duplicates::Refuse,
                Duplicates::Takeover => definition::Duplicates::Takeover,
                Duplicates::Share => definition::Duplicates::Share,
            },
            capacity: self.capacity,
        })
    }
}

fn members(mut listed: Vec<UserId>, file: Option<&str>) -> anyhow::Result<Option<Vec<UserId>>> {
    if let Some(file) = file {
        let text = if file == "-" { io::read_to_string(io::stdin()) } else { fs::read_to_string(file) };
        let text = text.with_context(|| format!("cannot read {file}"))?;
        listed.extend(parse_lines(&text).with_context(|| format!("{file} does not list members"))?);
    } else if listed.is_empty() {
        return Ok(None);
    }
    Ok(Some(listed))
}

fn parse_lines(text: &str) -> anyhow::Result<Vec<UserId>> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    lines
        .filter(|(_, line)| !line.is_empty())
        .map(|(number, line)| UserId::new(line).with_context(|| format!("line {number}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{
        Cli, Command, Tool,
        room::{RoomArgs, RoomCommand},
    };

    fn definition(flags: &[&str]) -> anyhow::Result<SessionDefinition> {
        let needed = ["rollcall", "room", "put", "algebra", "--end-at", "1900000000000", "--leader", "lea"];
        let command = Cli::try_parse_from(needed.iter().chain(flags))?.command;
        let Command::Tool(Tool::Room(RoomArgs { command: RoomCommand::Put { definition, .. }, .. })) =
            command
        else {
            panic!("not a definition")
        };
        definition.read()
    }

    fn ids(ids: &[&str]) -> Vec<UserId> {
        ids.iter().map(|id| UserId::new(*id).unwrap()).collect()
    }

    #[test]
    fn without_a_list_everybody_may_enter() {
        let json = serde_json::to_string(&definition(&[]).unwrap()).unwrap();
        assert_eq!(json, r#"{"endAt":1900000000000,"leaderId":"lea","duplicates":"refuse"}"#);
    }

    #[test]
    fn members_come_from_flags_and_from_a_file() {
        let file = std::env::temp_dir().join(format!("rollcall-members-{}", std::process::id()));
        let path = file.to_str().unwrap();
        fs::write(&file, "kim\r\n\n  ben \n").unwrap();
        let flags = ["--member", "ada", "--members-file", path, "--capacity", "9", "--duplicates", "share"];
        let both = definition(&flags).unwrap();
        fs::write(&file, "").unwrap();
        let nobody = definition(&["--members-file", path]).unwrap();
        fs::remove_file(&file).unwrap();
        assert_eq!(both.members, Some(ids(&["ada", "kim", "ben"])));
        assert_eq!((both.capacity, both.duplicates), (Some(9), definition::Duplicates::Share));
        assert_eq!(nobody.members, Some(vec![]));
        assert!(definition(&["--members-file", path]).is_err());
    }

    #[test]
    fn a_line_that_is_no_id_is_named() {
        let error = format!("{:#}", parse_lines(&format!("kim\n{}", "x".repeat(200))).unwrap_err());
        assert!(error.starts_with("line 2: "), "{error}");
    }

    #[test]
    fn mistakes_are_found_before_the_app_is_asked() {
        for flags in [["--capacity", "0"], ["--duplicates", "both"], ["--member", ""]] {
            assert!(definition(&flags).is_err(), "{flags:?}");
        }
    }
}
