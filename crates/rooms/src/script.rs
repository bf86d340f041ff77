//! The Lua scripts. Each is one file under `scripts/`, after what all share and its own includes.

use std::sync::OnceLock;

/// A script that Redis runs as one atomic step.
pub struct Script {
    name: &'static str,
    text: &'static str,
    sha1: OnceLock<String>,
}

impl Script {
    const fn new(name: &'static str, text: &'static str) -> Self {
        Self { name, text, sha1: OnceLock::new() }
    }

    /// The file's name without its ending.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The whole text, includes first.
    pub fn text(&self) -> &'static str {
        self.text
    }

    /// The hash that Redis knows it by.
    pub fn sha1(&self) -> &str {
        self.sha1.get_or_init(|| sha1_smol::Sha1::from(self.text).digest().to_string())
    }
}

macro_rules! script {
    ($(#[$doc:meta])* $name:ident = $file:literal with $($include:literal)*) => {
        $(#[$doc])*
        pub static $name: Script = Script::new(
            $file,
            concat!(
                include_str!("scripts/include/call.lua"),
                include_str!("scripts/include/room.lua"),
                include_str!("scripts/include/epoch.lua"),
                include_str!("scripts/include/publish.lua"),
                include_str!("scripts/include/host.lua"),
                include_str!("scripts/include/attendance.lua"),
                include_str!("scripts/include/lease.lua"),
                include_str!("scripts/include/entry.lua"),
                include_str!("scripts/include/grace.lua"),
                include_str!("scripts/include/settle.lua"),
                $(include_str!(concat!("scripts/include/", $include, ".lua")),)*
                include_str!(concat!("scripts/", $file, ".lua")),
            ),
        );
    };
}

script! {
    /// Enters a user, or brings them back.
    JOIN = "join" with "lapse" "terms"
}
script! {
    /// Takes a member out for good.
    LEAVE = "leave" with
}
script! {
    /// Starts a member's grace period.
    DISCONNECT = "disconnect" with
}
script! {
    /// Prolongs or ends a node's lease in a shard.
    HEARTBEAT = "heartbeat" with "lapse"
}
script! {
    /// Settles what is due in a shard.
    SWEEP = "sweep" with "lapse"
}
script! {
    /// Begins a change of a definition.
    REVISE = "revise" with
}
script! {
    /// Applies a changed definition to a live room.
    DEFINE = "define" with "terms"
}
script! {
    /// Ends a session.
    END = "end" with
}
script! {
    /// Reads a room's state.
    READ = "read" with
}
script! {
    /// Lists live rooms.
    LIST = "list" with
}
script! {
    /// Puts a member out.
    KICK = "kick" with
}
script! {
    /// Says something to everybody in a room.
    NOTICE = "notice" with
}
script! {
    /// Reads who was in a room.
    ATTENDANCE = "attendance" with
}
