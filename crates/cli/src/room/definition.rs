//! The flags that define a session.

use std::{fs, io};

use anyhow::Context;
use clap::{Args, ValueEnum};
use rollcall_protocol::{
    UserId,
    command::{Feature, UnknownFeature},
    definition::{self, SessionDefinition},
};

use crate::time::{self, Time};

/// The definition of a session.
#[derive(Args)]
pub(super) struct DefinitionArgs {
    /// When the session ends: as in "2026-11-23T18:00:00Z", "+90m" from now, or milliseconds since 1970.
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    end_at: Time,

    /// The leader of the session, who may always enter, even a full room. Without this flag, the room has no leader.
    #[arg(long, value_name = "USER")]
    leader: Option<UserId>,

    /// A user who may enter; may be repeated. Without this flag and --members-file, everybody with a valid token may
    /// enter.
    #[arg(long = "member", value_name = "USER")]
    members: Vec<UserId>,

    /// File of further users who may enter, one id a line; "-" reads standard input. With an empty file, only the
    /// leader and each --member may enter.
    #[arg(long, value_name = "FILE")]
    members_file: Option<String>,

    /// How many members the room holds; unlimited without this flag.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    capacity: Option<u32>,

    /// What happens when a user connects a second time.
    #[arg(long, value_enum, default_value_t = Duplicates::Refuse)]
    duplicates: Duplicates,

    /// Who may set the timer of the room, beside operators.
    #[arg(long, value_enum, default_value_t = TimerBy::Host)]
    timer_by: TimerBy,

    /// The features that the session uses, separated by spaces, as in "timer status"; all without this flag.
    #[arg(long, value_name = "NAMES", value_parser = parse_features)]
    features: Option<Features>,
}

type Features = Vec<Feature>;

fn parse_features(names: &str) -> Result<Features, UnknownFeature> {
    Feature::parse_list(names)
}

/// Who may set the timer.
#[derive(Clone, Copy, ValueEnum)]
enum TimerBy {
    /// Only the leader.
    Leader,
    /// The current host.
    Host,
    /// Every member.
    Anyone,
}

/// What happens when a user connects a second time.
#[derive(Clone, Copy, ValueEnum)]
enum Duplicates {
    /// The second connection is refused.
    Refuse,
    /// The second connection replaces the first, which is closed.
    Takeover,
    /// Both connections stay.
    Share,
}

impl DefinitionArgs {
    /// Builds the definition, and reads the file of members.
    pub(super) fn read(self) -> anyhow::Result<SessionDefinition> {
        Ok(SessionDefinition {
            end_at: self.end_at.0,
            leader_id: self.leader,
            members: read_members(self.members, self.members_file.as_deref())?,
            duplicates: match self.duplicates {
                Duplicates::Refuse => definition::Duplicates::Refuse,
                Duplicates::Takeover => definition::Duplicates::Takeover,
                Duplicates::Share => definition::Duplicates::Share,
            },
            capacity: self.capacity,
            timer_by: match self.timer_by {
                TimerBy::Leader => definition::TimerBy::Leader,
                TimerBy::Host => definition::TimerBy::Host,
                TimerBy::Anyone => definition::TimerBy::Anyone,
            },
            features: self.features,
        })
    }
}

/// Adds the members in the file to those from flags. Returns none if neither names any: everybody may enter then.
fn read_members(mut members: Vec<UserId>, file: Option<&str>) -> anyhow::Result<Option<Vec<UserId>>> {
    if let Some(file) = file {
        let text = if file == "-" { io::read_to_string(io::stdin()) } else { fs::read_to_string(file) };
        let text = text.with_context(|| format!("cannot read {file}"))?;
        members.extend(parse_lines(&text).with_context(|| format!("{file} does not list members"))?);
    } else if members.is_empty() {
        return Ok(None);
    }
    Ok(Some(members))
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
    use super::{
        super::{RoomArgs, RoomCommand},
        *,
    };
    use crate::{Tool, test_cli};

    fn definition(flags: &[&str]) -> anyhow::Result<SessionDefinition> {
        let required = ["room", "put", "algebra", "--end-at", "1900000000000"];
        let tool = test_cli::parse(required.iter().chain(flags).copied())?;
        let Tool::Room(RoomArgs { command: RoomCommand::Put { definition, .. }, .. }) = tool else {
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
        assert_eq!(json, r#"{"endAt":1900000000000,"duplicates":"refuse"}"#);
    }

    #[test]
    fn a_room_may_have_a_leader_or_none() {
        assert_eq!(definition(&[]).unwrap().leader_id, None);
        assert_eq!(definition(&["--leader", "lea"]).unwrap().leader_id, Some(UserId::new("lea").unwrap()));
    }

    #[test]
    fn flags_and_a_file_list_members() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        fs::write(path, "kim\r\n\n  ben \n").unwrap();
        let flags = ["--member", "ada", "--members-file", path, "--capacity", "9", "--duplicates", "share"];
        let both = definition(&flags).unwrap();
        assert_eq!(both.members, Some(ids(&["ada", "kim", "ben"])));
        assert_eq!((both.capacity, both.duplicates), (Some(9), definition::Duplicates::Share));
    }

    #[test]
    fn an_empty_file_lists_nobody_and_a_missing_file_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap().to_owned();
        assert_eq!(definition(&["--members-file", &path]).unwrap().members, Some(vec![]));
        file.close().unwrap();
        assert!(definition(&["--members-file", &path]).is_err());
    }

    #[test]
    fn the_error_names_the_line_of_an_invalid_id() {
        let error = format!("{:#}", parse_lines(&format!("kim\n{}", "x".repeat(200))).unwrap_err());
        assert!(error.starts_with("line 2: "), "{error}");
    }

    #[test]
    fn invalid_flags_are_refused() {
        for flags in [
            ["--features", "timers"],
            ["--timer-by", "kim"],
            ["--capacity", "0"],
            ["--duplicates", "both"],
            ["--member", ""],
        ] {
            assert!(definition(&flags).is_err(), "{flags:?}");
        }
    }
}
