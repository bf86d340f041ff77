//! The commands that call the operators' API.

mod command;
mod definition;
mod list;
mod members;
mod output;

use clap::Args;
use rollcall_protocol::{RoomId, api::Notice, chat::MAX_HISTORY};
use serde_json::json;

use self::{command::RoomCommand, output::Output};
use crate::{
    api::{
        Api,
        url::{self, encode},
    },
    display,
    time::Time,
};

pub(crate) const EXAMPLES: &str = "\
Examples:
  rollcall room put algebra --end-at +90m --leader ada
  rollcall room ls --app https://app.example --json";

/// The flags of all `rollcall room` commands.
#[derive(Args)]
pub struct RoomArgs {
    /// The URL where the app is served.
    #[arg(
        long,
        global = true,
        env = "ROLLCALL_APP_URL",
        default_value = "http://127.0.0.1:3000",
        value_name = "URL",
        value_parser = url::BaseParser,
        // The URL may hold a password.
        hide_env_values = true
    )]
    app: String,

    /// Prints the API's JSON, for programs; prints nothing where the API returns nothing.
    #[arg(long, global = true)]
    json: bool,

    /// What to do.
    #[command(subcommand)]
    command: RoomCommand,
}

/// Runs a command. Returns what to print.
pub(crate) fn run(args: RoomArgs) -> anyhow::Result<String> {
    let output = call(&Api::from_env(args.app)?, args.command)?;
    if args.json { Ok(display::printable_json(&output.json)) } else { output.text }
}

fn call(api: &Api, command: RoomCommand) -> anyhow::Result<Output> {
    match command {
        RoomCommand::Put { id, definition } => {
            let definition = definition.read()?;
            let (is_new, json) = api.put(&path(&id, ""), &definition)?;
            Ok(Output::new(json, display::definition_saved(&id, definition.end_at, is_new)))
        }
        RoomCommand::Get { id } => {
            let json = api.get(&path(&id, ""))?;
            Ok(Output::parse(json, |definition| display::definition(&id, definition)))
        }
        RoomCommand::Ls => list::run(api),
        RoomCommand::Who { id } => members::run(api, &path(&id, "/members")),
        RoomCommand::End { id } => {
            let json = api.post(&path(&id, "/end"), None::<&()>)?;
            Ok(Output::new(json, format!("The session of {id} has ended.")))
        }
        RoomCommand::Move { id, end_at: Time(end_at) } => {
            let json = api.patch(&path(&id, ""), &json!({"endAt": end_at}))?;
            Ok(Output::new(json, display::end_moved(&id, end_at)))
        }
        RoomCommand::Kick { id, user } => {
            let json = api.delete(&path(&id, &format!("/members/{}", encode(user.as_str()))))?;
            Ok(Output::new(json, format!("{user} is out of {id}.")))
        }
        RoomCommand::Notice { id, text } => {
            let json = api.post(&path(&id, "/notices"), Some(&Notice { text }))?;
            Ok(Output::new(json, format!("Everybody in {id} is told.")))
        }
        RoomCommand::Chat { id } => {
            let json = api.get(&path(&id, &format!("/messages?limit={MAX_HISTORY}")))?;
            Ok(Output::parse(json, display::messages))
        }
        RoomCommand::Code { id, number: None } => {
            Ok(Output::parse(api.get(&path(&id, "/snippets"))?, display::snippets))
        }
        RoomCommand::Code { id, number: Some(number) } => {
            let json = api.get(&path(&id, &format!("/snippets/{number}")))?;
            Ok(Output::parse(json, display::snippet))
        }
        RoomCommand::Attendance { id } => {
            Ok(Output::parse(api.get(&path(&id, "/attendance"))?, display::attendance))
        }
        RoomCommand::Delete { id } => {
            let json = api.delete(&path(&id, ""))?;
            Ok(Output::new(json, format!("The definition of {id} is forgotten.")))
        }
    }
}

fn path(room: &RoomId, rest: &str) -> String {
    format!("/rooms/{}{rest}", encode(room.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_cli;

    #[test]
    fn no_error_shows_the_password_of_the_url() {
        for url in ["http://kim:hunter2@app.example/?a", "kim:hunter2@app.example", "http://kim:hunter2@a b"]
        {
            let error = test_cli::parse(["room", "ls", "--app", url]).err().unwrap();
            let text = error.render().to_string();
            assert!(text.contains("--app") && !text.contains("hunter2"), "{text}");
            assert_eq!(error.exit_code(), 2);
        }
    }

    #[test]
    fn paths_encode_the_id_of_the_room() {
        let room = RoomId::new("a/b é").unwrap();
        assert_eq!(path(&room, "/members"), "/rooms/a%2Fb%20%C3%A9/members");
    }
}
