//! JSON Schemas of payloads and acks, for the descriptions of the protocol.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Ref, RefOr,
        schema::{AllOfBuilder, Object, Schema},
    },
};

use crate::{
    chat::{ChatAck, ChatAction, History},
    code::{CodeAck, CodeAction, SnippetContent, Snippets},
    command::{CommandName, CommandPayload},
    document::{EditAck, OpenedDocument},
    event::EventKind,
    status::{StatusAck, StatusAction},
    timer::{TimerAck, TimerAction},
};

/// The schema of a type, with those that it refers to.
#[derive(Clone)]
pub struct Described {
    /// The name of the type.
    pub name: String,
    /// Schemas by name, this type's included.
    pub schemas: Vec<(String, RefOr<Schema>)>,
}

impl Described {
    /// Describes a type.
    pub fn of<T: ToSchema>() -> Self {
        Self::with::<T>(T::name().into_owned(), T::schema())
    }

    /// Describes a type that consists of types in `T`.
    fn with<T: ToSchema>(name: String, schema: RefOr<Schema>) -> Self {
        let mut schemas = vec![(name.clone(), schema)];
        T::schemas(&mut schemas);
        Self { name, schemas }
    }
}

/// An event that clients send.
pub struct DescribedEvent {
    /// The payload.
    pub payload: Described,
    /// The data of the ack.
    pub ack: Described,
    /// What the event does.
    pub description: String,
}

/// Describes a command. The types of commands of a kind are the variants of one enum.
pub(crate) fn describe_command(command: CommandName) -> DescribedEvent {
    let (payload, description) = match command.kind() {
        EventKind::Timer => describe_action::<TimerAction>(command),
        EventKind::Status => describe_action::<StatusAction>(command),
        EventKind::Chat => describe_action::<ChatAction>(command),
        EventKind::Code => describe_action::<CodeAction>(command),
        kind => unreachable!("{} is no kind of commands", kind.name()),
    };
    DescribedEvent { payload, ack: describe_ack(command), description }
}

fn describe_ack(command: CommandName) -> Described {
    match (command.kind(), command.as_str()) {
        (EventKind::Timer, _) => Described::of::<TimerAck>(),
        (EventKind::Status, _) => Described::of::<StatusAck>(),
        (_, "chat:history") => Described::of::<History>(),
        (EventKind::Chat, _) => Described::of::<ChatAck>(),
        (_, "code:get") => Described::of::<SnippetContent>(),
        (_, "code:list") => Described::of::<Snippets>(),
        (_, "document:open") => Described::of::<OpenedDocument>(),
        (_, "document:update" | "document:awareness") => Described::of::<EditAck>(),
        _ => Described::of::<CodeAck>(),
    }
}

/// Finds the data of a command among the variants of an enum of actions, and adds what every command takes. The name of
/// the type is that of the event: `ChatSend` of `chat:send`.
fn describe_action<A: ToSchema>(command: CommandName) -> (Described, String) {
    let RefOr::T(Schema::OneOf(variants)) = A::schema() else { unreachable!("actions are an enum") };
    let variant = variants.items.into_iter().find_map(|variant| match variant {
        RefOr::T(Schema::Object(variant)) if is_of(&variant, command) => Some(variant),
        _ => None,
    });
    let variant = variant.unwrap_or_else(|| unreachable!("no action is named {}", command.as_str()));
    let description = variant.description.unwrap_or_default();
    let data = variant.properties.get("data").cloned();
    let mut payload = AllOfBuilder::new().item(Ref::from_schema_name(CommandPayload::name()));
    payload = payload.description(Some(format!("The payload of `{}`.", command.as_str())));
    if let Some(data) = data {
        payload = payload.item(data);
    }
    let mut described =
        Described::with::<A>(type_name(command.as_str()), RefOr::T(Schema::AllOf(payload.build())));
    described.schemas.push((CommandPayload::name().into_owned(), CommandPayload::schema()));
    (described, description)
}

fn is_of(variant: &Object, command: CommandName) -> bool {
    let Some(RefOr::T(Schema::Object(name))) = variant.properties.get("command") else { return false };
    name.enum_values.iter().flatten().any(|value| value == command.as_str())
}

/// `ChatSend` of `chat:send`.
fn type_name(event: &str) -> String {
    let capitalize = |word: &str| word[..1].to_uppercase() + &word[1..];
    event.split(':').map(capitalize).collect()
}
