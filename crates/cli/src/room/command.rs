//! The subcommands of `rollcall room`, and their help.

use clap::Subcommand;
use rollcall_protocol::{RoomId, UserId};

use super::definition::DefinitionArgs;
use crate::time::{self, Time};

/// What a command does with a room.
#[derive(Subcommand)]
pub(super) enum RoomCommand {
    /// Defines a session, or replaces its definition.
    ///
    /// The new definition applies at once, also to a live session: the end moves, the new leader becomes host if
    /// present, and members who are no longer listed are removed.
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
    /// The definition is what `put` stored, whether the session is live or not; `who` shows who is in the room.
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
    /// A session is live from its first member's join until its end. The command reads all pages; it may list or
    /// omit rooms that start or end meanwhile.
    #[command(after_long_help = "\
Examples:
  rollcall room ls
  rollcall room ls --json | jq -r .rooms[].id")]
    Ls,

    /// Shows who is in a room.
    ///
    /// A member whose connection is lost stays in the room as reconnecting until the grace period ends. The
    /// command reads all pages; it may list or omit members who come or go meanwhile.
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
    /// The app notifies and removes all members, and clears the room. The definition stays, with its end set to
    /// now; after `move` or `put` with a later end, members may enter again.
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
    /// Members of a live session are notified at once, and the reminder moves too. An end in the past ends the
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

    /// Removes a user from a live room.
    ///
    /// The user may come back as long as the session admits them: to keep them out, put a definition that does not
    /// list them.
    #[command(after_long_help = "\
Examples:
  rollcall room kick algebra linus")]
    Kick {
        /// The room.
        #[arg(value_name = "ROOM")]
        id: RoomId,

        /// The user to remove.
        user: UserId,
    },

    /// Sends a notice to everybody in a room.
    ///
    /// Clients get the notice as an event and show it as plain text.
    #[command(after_long_help = "\
Examples:
  rollcall room notice algebra 'The lecture begins in five minutes.'")]
    Notice {
        /// The room.
        #[arg(value_name = "ROOM")]
        id: RoomId,

        /// The text of the notice.
        text: String,
    },

    /// Shows the latest messages in the chat of a room.
    ///
    /// The room has to be live, or to keep its messages. The JSON has the numbers with which further pages begin.
    #[command(after_long_help = "\
Examples:
  rollcall room chat algebra
  rollcall room chat algebra --json | jq -r .messages[].text")]
    Chat {
        /// The room.
        #[arg(value_name = "ROOM")]
        id: RoomId,
    },

    /// Lists the code that the members of a room share, or prints the text of a snippet.
    ///
    /// The room has to be live, or to keep its snippets.
    #[command(after_long_help = "\
Examples:
  rollcall room code algebra
  rollcall room code algebra 1795456800001 > sort.py")]
    Code {
        /// The room.
        #[arg(value_name = "ROOM")]
        id: RoomId,

        /// The number of a snippet.
        number: Option<u64>,
    },

    /// Shows who was in a room, and for how long.
    ///
    /// The time does not include what a user missed while the connection was lost. The JSON lists each stay.
    #[command(after_long_help = "\
Examples:
  rollcall room attendance algebra
  rollcall room attendance algebra --json | jq .attendees[].stays")]
    Attendance {
        /// The room.
        #[arg(value_name = "ROOM")]
        id: RoomId,
    },

    /// Deletes the definition of a session, and ends the session if it is live.
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
