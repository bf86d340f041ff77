//! Commands: events of members that change something in their room, beside who is in it. A bridge knows no command by
//! name, apart from the one that opens a document. The table says which events are commands, and which component handles each.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{
    CommandId,
    event::{AppEvent, EventKind, Membership},
};

/// A part of Rollcall that a deployment or a session may do without.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Feature {
    /// The timer that the members of a room share.
    Timer,
    /// What members say about themselves.
    Status,
    /// Messages of members.
    Chat,
    /// Code that members share.
    Code,
    /// How many are in which room, for those who are outside.
    Lobby,
}

impl Feature {
    /// All features.
    pub const ALL: &[Self] = &[Self::Timer, Self::Status, Self::Chat, Self::Code, Self::Lobby];

    /// The name, as in definitions and in the variable `features`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timer => "timer",
            Self::Status => "status",
            Self::Chat => "chat",
            Self::Code => "code",
            Self::Lobby => "lobby",
        }
    }

    /// Reads names separated by white space.
    pub fn parse_list(names: &str) -> Result<Vec<Self>, UnknownFeature> {
        let parse = |name: &str| {
            let known = Self::ALL.iter().copied().find(|feature| feature.as_str() == name);
            known.ok_or_else(|| UnknownFeature(name.to_owned()))
        };
        names.split_whitespace().map(parse).collect()
    }
}

/// There is no feature of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no feature {0:?}")]
pub struct UnknownFeature(String);

/// The name of a command, and the kind of the event that brings it to the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CommandName {
    name: &'static str,
    kind: EventKind,
}

const fn timer(name: &'static str) -> CommandName {
    CommandName { name, kind: EventKind::Timer }
}

const fn chat(name: &'static str) -> CommandName {
    CommandName { name, kind: EventKind::Chat }
}

const fn code(name: &'static str) -> CommandName {
    CommandName { name, kind: EventKind::Code }
}

/// The command after which a connection gets what happens in a document.
pub const DOCUMENT_OPEN: CommandName = code("document:open");

impl CommandName {
    /// All commands.
    pub const ALL: &[Self] = &[
        timer("timer:set"),
        timer("timer:start"),
        timer("timer:pause"),
        timer("timer:resume"),
        timer("timer:skip"),
        timer("timer:reset"),
        Self { name: "member:update", kind: EventKind::Status },
        chat("chat:send"),
        chat("chat:delete"),
        chat("chat:mute"),
        chat("chat:unmute"),
        chat("chat:slow"),
        chat("chat:history"),
        code("code:share"),
        code("code:update"),
        code("code:close"),
        code("code:get"),
        code("code:list"),
        DOCUMENT_OPEN,
        code("document:update"),
        code("document:awareness"),
    ];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        self.name
    }

    /// The payload, the data of the ack, and what the command does.
    #[cfg(feature = "openapi")]
    pub fn describe(self) -> crate::schema::DescribedEvent {
        crate::schema::describe_command(self)
    }

    /// The kind of the event that brings the command to the app.
    pub fn kind(self) -> EventKind {
        self.kind
    }
}

/// What every command takes, beside its own data. A bridge reads no more of a command's payload.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Deserialize)]
pub struct CommandPayload {
    /// The client's name for the command. A command that arrives again with the same id has no second effect.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = String, min_length = 1, max_length = 128))]
    pub id: Option<CommandId>,
}

/// A member's command on the way to the app. The component of its kind knows what the data mean.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Command<'a> {
    /// The member.
    #[serde(flatten)]
    pub membership: &'a Membership,
    /// Names the command, however often it arrives.
    pub command_id: &'a CommandId,
    /// The name of the client's event.
    pub command: &'static str,
    /// The client's payload, which is an object.
    pub data: &'a RawValue,
}

/// What to do, with its data. The name is that of the event that clients send.
pub trait Action {
    /// The kind of the events that carry such actions.
    const KIND: EventKind;
}

/// A member's command, as the component of its kind reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberCommand<A> {
    /// The member.
    #[serde(flatten)]
    pub membership: Membership,
    /// Names the command, however often it arrives.
    pub command_id: CommandId,
    /// What to do.
    #[serde(flatten)]
    pub action: A,
}

impl<A: Action + Serialize + DeserializeOwned> AppEvent for MemberCommand<A> {
    const KIND: EventKind = A::KIND;
    /// The JSON is the script's own.
    type Response = Box<RawValue>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_each_belongs_to_a_feature() {
        let mut seen = std::collections::HashSet::new();
        for command in CommandName::ALL {
            assert!(command.kind().feature().is_some(), "{}", command.as_str());
            assert!(seen.insert(command.as_str()));
        }
    }

    #[test]
    fn names_of_features_are_what_serde_writes() {
        for &feature in Feature::ALL {
            assert_eq!(serde_json::to_value(feature).unwrap(), feature.as_str());
        }
    }

    #[test]
    fn a_list_of_features_names_each() {
        assert_eq!(Feature::parse_list(" timer status\n"), Ok(vec![Feature::Timer, Feature::Status]));
        assert_eq!(Feature::parse_list(""), Ok(vec![]));
        assert_eq!(Feature::parse_list("timer,").unwrap_err().to_string(), r#"there is no feature "timer,""#);
    }
}
