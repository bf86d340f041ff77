//! The command line of `rollcall`: the bridge, and the commands for people.

use clap::{Parser, Subcommand};
use rollcall_cli::Tool;

use crate::config::{BridgeArgs, DetectionTime};

/// Live presence for study rooms.
///
/// `rollcall bridge` holds clients' sockets, and runs until it is stopped. The other commands are for people: they mint
/// tokens for development, define sessions, and inspect rooms.
#[derive(Parser)]
#[command(version, about)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Holds clients' sockets: Socket.IO under /socket.io/, plain WebSockets under /ws.
    ///
    /// Calls to the app are signed with the first secret in ROLLCALL_BRIDGE_SECRET ("whsec_...").
    /// With the app in this process, its variables are read from SPIN_VARIABLE_<NAME>.
    #[command(after_help = DetectionTime::from_env().explain(), after_long_help = DetectionTime::from_env().explain())]
    Bridge(Box<BridgeArgs>),

    /// The commands for people.
    #[command(flatten)]
    Tool(Tool),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_shows_no_url_of_the_environment_because_urls_may_hold_passwords() {
        let takes_url = |flag: &&clap::Arg| {
            let names = flag.get_value_names().unwrap_or_default();
            flag.get_env().is_some() && names.iter().any(|name| name.contains("URL"))
        };
        let program = Cli::command();
        let commands = program
            .get_subcommands()
            .flat_map(|command| [command].into_iter().chain(command.get_subcommands()));
        let flags: Vec<_> = commands.flat_map(clap::Command::get_arguments).filter(takes_url).collect();
        assert!(flags.len() >= 3, "{flags:?}");
        for flag in flags {
            assert!(flag.is_hide_env_values_set(), "{}", flag.get_id());
        }
    }

    #[test]
    fn the_bridge_and_the_tools_are_commands_of_one_program() {
        let program = Cli::command();
        let names: Vec<_> = program.get_subcommands().map(clap::Command::get_name).collect();
        assert_eq!(names, ["bridge", "token", "room", "completions"]);
    }
}
