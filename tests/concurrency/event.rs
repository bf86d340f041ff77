//! Events of rooms, as received.

use rollcall_protocol::fanout::Envelope;
use serde_json::Value;

#[derive(Debug, Clone)]
pub struct Event {
    /// Milliseconds since 1970, never before the event was published.
    pub received_at: u64,
    pub epoch: u64,
    pub seq: u64,
    pub except: Option<String>,
    pub only: Option<String>,
    pub closes: bool,
    pub kind: EventKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    Started { end_at: u64, leader: String, host: String, roster: Roster },
    Changed { change: Change, users: Vec<String>, roster: Roster },
    Reconnecting { user: String, grace_until: u64 },
    Reconnected { user: String, roster: Roster },
    HostChanged { host: String },
    LeaderChanged { leader: String },
    Rescheduled { end_at: u64 },
    Reminder { end_at: u64 },
    Ended { in_time: bool },
    Message(Message),
    Replaced,
    Removed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub number: u64,
    pub user: String,
    pub id: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Entered,
    Left,
    GraceExpired,
    Removed,
}

/// The members of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    pub count: usize,
    pub members: Option<Vec<Member>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub user: String,
    /// Set while the member is reconnecting.
    pub grace_until: Option<u64>,
}

impl Event {
    pub fn read(payload: &str, received_at: u64) -> Self {
        let Envelope { event, epoch, seq, except, only, document: _, closes, data } =
            serde_json::from_str(payload).expect("an envelope");
        let data: Value = serde_json::from_str(data.get()).expect("JSON");
        if only.is_none() {
            assert_eq!((&data["epoch"], &data["seq"]), (&epoch.into(), &seq.into()), "{payload}");
        }
        Self {
            received_at,
            epoch,
            seq,
            except: except.map(|entry| entry.to_string()),
            only: only.map(|entry| entry.to_string()),
            closes,
            kind: EventKind::read(&event, &data),
        }
    }
}

impl EventKind {
    fn read(event: &str, data: &Value) -> Self {
        match event {
            "room:started" => Self::Started {
                end_at: number(&data["endAt"]),
                leader: text(&data["leaderId"]),
                host: text(&data["hostId"]),
                roster: Roster::read(data),
            },
            "room:participantsChanged" => Self::Changed {
                change: Change::read(&data["change"]["type"]),
                users: list(&data["change"]["users"]).iter().map(|user| text(&user["userId"])).collect(),
                roster: Roster::read(data),
            },
            "room:participantReconnecting" => {
                Self::Reconnecting { user: text(&data["userId"]), grace_until: number(&data["graceUntil"]) }
            }
            "room:participantReconnected" => {
                Self::Reconnected { user: text(&data["userId"]), roster: Roster::read(data) }
            }
            "room:hostChanged" => Self::HostChanged { host: text(&data["hostId"]) },
            "room:leaderChanged" => Self::LeaderChanged { leader: text(&data["leaderId"]) },
            "room:rescheduled" => Self::Rescheduled { end_at: number(&data["endAt"]) },
            "room:reminder" => Self::Reminder { end_at: number(&data["endAt"]) },
            "room:ended" => Self::Ended { in_time: data["reason"] == "time" },
            "chat:message" => Self::Message(Message::read(&data["message"])),
            "room:replaced" => Self::Replaced,
            "room:removed" => Self::Removed,
            _ => panic!("unknown event {event}"),
        }
    }

    /// Whether the event tells one entry why its socket is closed.
    pub fn is_close_notice(&self) -> bool {
        matches!(self, Self::Replaced | Self::Removed)
    }

    pub fn roster(&self) -> Option<&Roster> {
        match self {
            Self::Started { roster, .. }
            | Self::Changed { roster, .. }
            | Self::Reconnected { roster, .. } => Some(roster),
            _ => None,
        }
    }
}

impl Message {
    fn read(message: &Value) -> Self {
        Self { number: number(&message["number"]), user: text(&message["userId"]), id: text(&message["id"]) }
    }
}

impl Change {
    fn read(kind: &Value) -> Self {
        match text(kind).as_str() {
            "entered" => Self::Entered,
            "left" => Self::Left,
            "graceExpired" => Self::GraceExpired,
            "removed" => Self::Removed,
            kind => panic!("unknown change {kind}"),
        }
    }
}

impl Roster {
    pub fn read(data: &Value) -> Self {
        let members = data.get("members").map(|members| list(members).iter().map(Member::read).collect());
        Self { count: number(&data["count"]) as usize, members }
    }
}

impl Member {
    fn read(member: &Value) -> Self {
        let is_reconnecting = member["state"] == "reconnecting";
        Self {
            user: text(&member["userId"]),
            grace_until: is_reconnecting.then(|| number(&member["graceUntil"])),
        }
    }
}

pub fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("not a whole number: {value}"))
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("not a list: {value}"))
}
