//! The commands that ask the operators' API.

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use rollcall_protocol::{RoomId, UserId, api::Notice};
use serde::de::DeserializeOwned;
use serde_json::{json, value::RawValue};

use super::{
    answer::RoomsPage,
    api::{self, Api, encode},
    definition::DefinitionArgs,
    show,
    time::{self, Time},
};

/// How many rooms are asked for at once.
const PAGE: u32 = 500;

pub(super) const EXAMPLES: &str = "\
Examples:
  rollcall room put algebra --end-at +90m --leader ada
  rollcall room ls --app https://app.example --json";

/// The flags of all `rollcall room` commands.
#[derive(Args)]
pub(crate) struct RoomArgs {
    /// The URL where the app is served.
    #[arg(
        long,
        global = true,
        env = "ROLLCALL_APP_URL",
        default_value = "http://127.0.0.1:3000",
        value_name = "URL",
        value_parser = api::parse_base,
        // The URL may hold a password.
        hide_env_values = true
    )]
    app: String,

    /// Prints the API's JSON, for programs; nothing where the API answers nothing.
    #[arg(long, global = true)]
    json: bool,

    /// What to do.
    #[command(subcommand)]
    pub(super) command: RoomCommand,
}

/// What can be done with rooms.
#[derive(Subcommand)]
pub(crate) enum RoomCommand {
    /// Defines a session, or replaces its definition.
    ///
    /// All of it counts at once, also while the session is live: the end moves, the new leader becomes host if
    /// there, and who is not listed any more is put out.
    #[command(after_long_help = "\
Examples:
  rollcall room put algebra --end-at +90m --leader ada
  rollcall room put algebra --end-at 2026-11-23T18:00:00Z --leader ada --members-file class.txt")]
    Put {
        /// The room.
        #[arg(value_name = "ROOM")]
        id: RoomId,

        #[command(flatten)]
        definition: DefinitionArgs,
    },

    /// Shows the definition of a session.
    ///
    /// It is what was put, whether the session is live or not; `who` tells who is in the room.
    #[command(after_long_help = "\
Examples:
  rollcall room get algebra
  rollcall room get algebra --json | jq .members")]
    Get {
        /// The room.
        #[arg(value_name = "ROOM")]
        id: RoomId,
    },

    /// Lists the rooms whose session is live.
    ///
    /// A session is live from its first member's entering until its end. All pages are read; rooms that come or
    /// go meanwhile may be missing or there.
    #[command(after_long_help = "\
Examples:
  rollcall room ls
  rollcall room ls --json | jq -r .rooms[].id")]
    Ls,

    /// Shows who is in a room.
    ///
    /// A member whose connection is lost is still there, reconnecting, until the grace period is over. Of a very
    /// large room only the number is told.
    #[command(after_long_help = "\
Examples:
  rollcall room who algebra
  rollcall room who algebra --json | jq .count")]
    Who {
        /// The room.
        #[arg(value_name = "ROOM")]
        id: RoomId,
    },

    /// Ends a session now.
    ///
    /// Everybody is told and sent out, and the room is cleared. The definition stays, and ends now; with `move` or
    /// `put` to a later end, members may enter again.
    #[command(after_long_help = "\
Examples:
  rollcall room end algebra")]
    End {
        /// The room.
        #[arg(value_name = "ROOM")]
        id: RoomId,
    },

    /// Moves the end of a session.
    ///
    /// Members of a live session are told at once, and the reminder moves too. An end in the past ends the
    /// session now.
    #[command(after_long_help = "\
Examples:
  rollcall room move algebra --end-at +30m
  rollcall room move algebra --end-at 2026-11-23T18:00:00+01:00")]
    Move {
        /// The room.
        #[arg(value_name = "ROOM")]
        id: RoomId,

        /// The new end: as in "2026-11-23T18:00:00Z", "+90m" from now, or milliseconds since 1970.
        #[arg(long, value_name = "TIME", value_parser = time::parse)]
        end_at: Time,
    },

    /// Puts a user out of a live room.
    ///
    /// The user may come back as long as the session admits them: put the definition without them to keep them
    /// out.
    #[command(after_long_help = "\
Examples:
  rollcall room kick algebra linus")]
    Kick {
        /// The room.
        #[arg(value_name = "ROOM")]
        id: RoomId,

        /// Who is put out.
        user: UserId,
    },

    /// Says something to everybody in a room.
    ///
    /// Clients get it as an event and show it as plain text.
    #[command(after_long_help = "\
Examples:
  rollcall room notice algebra 'The lecture begins in five minutes.'")]
    Notice {
        /// The room.
        #[arg(value_name = "ROOM")]
        id: RoomId,

        /// What is said.
        text: String,
    },

    /// Shows who was in a room, and for how long.
    ///
    /// The time counts without what was missed while the connection was lost. Each single stay is in the JSON.
    #[command(after_long_help = "\
Examples:
  rollcall room attendance algebra
  rollcall room attendance algebra --json | jq .attendees[].stays")]
    Attendance {
        /// The room.
        #[arg(value_name = "ROOM")]
        id: RoomId,
    },

    /// Forgets the definition of a session, and ends it if it is live.
    ///
    /// Nobody can enter the room until it is defined again.
    #[command(after_long_help = "\
Examples:
  rollcall room delete algebra")]
    Delete {
        /// The room.
        #[arg(value_name = "ROOM")]
        id: RoomId,
    },
}

/// What the API answered, and how people are told of it.
struct Outcome {
    json: String,
    /// An answer that this version does not understand may still be passed on as JSON.
    text: anyhow::Result<String>,
}

impl Outcome {
    fn new(json: String, text: String) -> Self {
        Self { json, text: Ok(text) }
    }

    fn told<T: DeserializeOwned>(json: String, tell: impl FnOnce(T) -> String) -> Self {
        let text = parse(&json).map(tell);
        Self { json, text }
    }
}

/// Asks the API.
pub(super) fn run(args: RoomArgs) -> anyhow::Result<String> {
    let outcome = ask(&Api::from_env(args.app)?, args.command)?;
    if args.json { Ok(outcome.json) } else { outcome.text }
}

fn ask(api: &Api, command: RoomCommand) -> anyhow::Result<Outcome> {
    match command {
        RoomCommand::Put { id, definition } => {
            let definition = definition.read()?;
            let (is_new, json) = api.put(&path(&id, ""), &definition)?;
            Ok(Outcome::new(json, show::defined(&id, definition.end_at, is_new)))
        }
        RoomCommand::Get { id } => {
            Ok(Outcome::told(api.get(&path(&id, ""))?, |definition| show::definition(&id, definition)))
        }
        RoomCommand::Ls => list(api),
        RoomCommand::Who { id } => Ok(Outcome::told(api.get(&path(&id, "/members"))?, show::roster)),
        RoomCommand::End { id } => {
            let json = api.post(&path(&id, "/end"), None::<&()>)?;
            Ok(Outcome::new(json, format!("The session of {id} has ended.")))
        }
        RoomCommand::Move { id, end_at: Time(end_at) } => {
            let json = api.patch(&path(&id, ""), &json!({"endAt": end_at}))?;
            Ok(Outcome::new(json, show::moved(&id, end_at)))
        }
        RoomCommand::Kick { id, user } => {
            let json = api.delete(&path(&id, &format!("/members/{}", encode(user.as_str()))))?;
            Ok(Outcome::new(json, format!("{user} is out of {id}.")))
        }
        RoomCommand::Notice { id, text } => {
            let json = api.post(&path(&id, "/notices"), Some(&Notice { text }))?;
            Ok(Outcome::new(json, format!("Everybody in {id} is told.")))
        }
        RoomCommand::Attendance { id } => {
            Ok(Outcome::told(api.get(&path(&id, "/attendance"))?, show::attendance))
        }
        RoomCommand::Delete { id } => {
            let json = api.delete(&path(&id, ""))?;
            Ok(Outcome::new(json, format!("The definition of {id} is forgotten.")))
        }
    }
}

fn path(room: &RoomId, rest: &str) -> String {
    format!("/rooms/{}{rest}", encode(room.as_str()))
}

fn parse<T: DeserializeOwned>(json: &str) -> anyhow::Result<T> {
    serde_json::from_str(json).context("the app's answer is not what this version of rollcall understands")
}

fn list(api: &Api) -> anyhow::Result<Outcome> {
    let rooms = pages(|path| api.get(path))?;
    let json = serde_json::to_string(&json!({"rooms": rooms}))?;
    let rooms: anyhow::Result<_> = rooms.iter().map(|room| parse(room.get())).collect();
    Ok(Outcome { json, text: rooms.map(show::rooms) })
}

/// Reads page after page until there is no more.
fn pages(get: impl Fn(&str) -> anyhow::Result<String>) -> anyhow::Result<Vec<Box<RawValue>>> {
    let mut rooms = Vec::new();
    let mut after = None;
    loop {
        let from = after.as_deref().map(|cursor| format!("&after={}", encode(cursor))).unwrap_or_default();
        let page: RoomsPage = parse(&get(&format!("/rooms?limit={PAGE}{from}"))?)?;
        rooms.extend(page.rooms);
        match page.next {
            None => return Ok(rooms),
            next if next == after => bail!("the app answers the same page of rooms again and again"),
            next => after = next,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn paths_name_the_room_whatever_its_id() {
        let room = RoomId::new("a/b é").unwrap();
        assert_eq!(path(&room, "/members"), "/rooms/a%2Fb%20%C3%A9/members");
    }

    #[test]
    fn all_pages_are_read() {
        let asked = RefCell::new(Vec::new());
        let rooms = pages(|path| {
            asked.borrow_mut().push(path.to_owned());
            Ok(match asked.borrow().len() {
                1 => r#"{"rooms":[{"id":"a"}],"next":"0:a&b"}"#,
                2 => r#"{"rooms":[],"next":"1:0"}"#,
                _ => r#"{"rooms":[{"id":"b"}]}"#,
            }
            .to_owned())
        });
        let rooms: Vec<_> = rooms.unwrap().iter().map(|room| room.get().to_owned()).collect();
        assert_eq!(rooms, [r#"{"id":"a"}"#, r#"{"id":"b"}"#]);
        let asked = asked.into_inner();
        assert_eq!(asked[0], "/rooms?limit=500");
        assert_eq!(asked[1], "/rooms?limit=500&after=0%3Aa%26b");
        assert_eq!(asked[2], "/rooms?limit=500&after=1%3A0");
    }

    #[test]
    fn an_app_that_turns_in_a_circle_is_left() {
        assert!(pages(|_| Ok(r#"{"rooms":[],"next":"x"}"#.to_owned())).is_err());
    }

    #[test]
    fn an_answer_that_is_not_understood_is_an_error_for_people_alone() {
        let outcome = Outcome::told("{}".to_owned(), show::roster);
        assert!(outcome.text.is_err());
        assert_eq!(outcome.json, "{}");
    }
}
