//! Merges changes that follow each other into fewer events.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use rollcall_protocol::{fanout::Envelope, server::ServerEvent};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::encoded::EncodedEvent;

pub(super) const CHANGED: &str = ServerEvent::ParticipantsChanged.as_str();
pub(super) const RECONNECTING: &str = ServerEvent::ParticipantReconnecting.as_str();
pub(super) const RECONNECTED: &str = ServerEvent::ParticipantReconnected.as_str();
pub(super) const HOST_CHANGED: &str = ServerEvent::HostChanged.as_str();
pub(super) const TIMER_CHANGED: &str = ServerEvent::TimerChanged.as_str();
pub(super) const MEMBER_UPDATED: &str = ServerEvent::MemberUpdated.as_str();
pub(super) const CODE_UPDATED: &str = ServerEvent::CodeUpdated.as_str();

/// What members write, in the order in which it goes out. Nothing of it is merged. It waits with the changes before it,
/// because otherwise each message would send the list of members.
const WRITTEN: [&str; 4] = [
    ServerEvent::ChatMessage.as_str(),
    ServerEvent::ChatDeleted.as_str(),
    ServerEvent::CodeShared.as_str(),
    ServerEvent::CodeClosed.as_str(),
];

/// An event's payload by field.
type Fields<'a> = BTreeMap<&'a str, &'a RawValue>;

/// The list of members.
const LIST: &str = "members";

/// The fields of an event about a member that say something about the room and not about the member.
const ROOM_FIELDS: [&str; 5] = ["epoch", "seq", "count", "now", LIST];

/// The users of a change, and what happened to them.
#[derive(Deserialize, Serialize)]
struct Change<'a> {
    #[serde(borrow)]
    r#type: &'a str,
    #[serde(borrow)]
    users: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct User<'a> {
    #[serde(borrow)]
    user_id: &'a RawValue,
}

#[derive(Deserialize)]
struct Snippet<'a> {
    #[serde(borrow)]
    number: &'a RawValue,
}

/// Whom neighbouring events are about.
enum Members<'a> {
    /// Members who came or went: the field `change` names them.
    Changed(Change<'a>),
    /// Members who dropped, returned or updated themselves: a single event names its member in fields of its own.
    Named(Vec<Fields<'a>>),
    /// Nobody: each event goes out as it is.
    Alone,
    /// Nobody in particular: only the latest event about this subject counts, with the host, the timer or the snippet as it
    /// is then. The subject is the number of a snippet, or empty.
    Latest { subject: &'a str, is_latest: bool },
}

/// Neighbouring changes of one type, merged.
struct Run<'a> {
    first: &'a EncodedEvent,
    last: &'a EncodedEvent,
    fields: Fields<'a>,
    members: Members<'a>,
}

/// Whether an event only says that members came, went, dropped, returned, updated themselves or wrote, who is host after
/// that, or how the timer or a snippet is.
pub(super) fn is_change(envelope: &Envelope) -> bool {
    let names =
        [CHANGED, RECONNECTING, RECONNECTED, HOST_CHANGED, TIMER_CHANGED, MEMBER_UPDATED, CODE_UPDATED];
    let name = envelope.event.as_str();
    envelope.only.is_none()
        && envelope.document.is_none()
        && !envelope.closes
        && (names.contains(&name) || WRITTEN.contains(&name))
}

/// Whether an event has a list of members.
pub(super) fn has_list(event: &EncodedEvent) -> serde_json::Result<bool> {
    Ok(read_fields(event)?.contains_key(LIST))
}

/// The event without the list of members.
pub(super) fn without_list(event: &EncodedEvent) -> serde_json::Result<EncodedEvent> {
    let mut fields = read_fields(event)?;
    fields.remove(LIST);
    let Envelope { event: name, epoch, seq, except, only, document, closes, .. } = &event.envelope;
    let envelope = Envelope {
        event: name.clone(),
        epoch: *epoch,
        seq: *seq,
        except: except.clone(),
        only: only.clone(),
        document: *document,
        closes: *closes,
        data: to_raw_value(&fields)?,
    };
    Ok(EncodedEvent::received_at(envelope, event.received_at))
}

/// Merges neighbours of one type. The events must follow each other without a gap. A user to whom the same happens
/// several times is named at the last time only, so what goes out is bounded by the number of users.
pub(super) fn merge(events: &[Arc<EncodedEvent>]) -> serde_json::Result<Vec<EncodedEvent>> {
    let mut changes = events.iter().map(|event| Run::of(event)).collect::<serde_json::Result<Vec<_>>>()?;
    drop_repeated(&mut changes);
    let mut runs: Vec<Run<'_>> = Vec::new();
    let mut skipped_from = None;
    for mut change in changes {
        change.first = skipped_from.take().unwrap_or(change.first);
        if change.is_empty() {
            skipped_from = Some(change.first);
            continue;
        }
        match runs.last_mut() {
            Some(run) if run.is_continued_by(&change) => run.extend(change),
            _ => runs.push(change),
        }
    }
    // The latest list of members makes earlier ones redundant.
    let latest = runs.iter().rposition(|run| run.fields.contains_key(LIST));
    let encode = |(position, mut run): (usize, Run<'_>)| {
        if Some(position) != latest {
            run.fields.remove(LIST);
        }
        run.into_event()
    };
    runs.into_iter().enumerate().map(encode).collect()
}

/// Leaves each user only in the last change of each type.
fn drop_repeated<'a>(changes: &mut [Run<'a>]) {
    let mut seen: HashSet<(&'a str, &'a str)> = HashSet::new();
    for Run { last, members, .. } in changes.iter_mut().rev() {
        let event: &'a str = last.envelope.event.as_str();
        match members {
            Members::Changed(Change { r#type, users }) => {
                users.retain(|user| seen.insert((*r#type, id_of(user))));
            }
            Members::Named(named) => {
                named.retain(|fields| seen.insert((event, fields.get("userId").map_or("", |id| id.get()))));
            }
            Members::Latest { subject, is_latest } => *is_latest = seen.insert((event, subject)),
            Members::Alone => {}
        }
    }
}

fn id_of<'a>(user: &'a RawValue) -> &'a str {
    serde_json::from_str(user.get()).map_or(user.get(), |User { user_id }: User<'a>| user_id.get())
}

fn number_of_snippet<'a>(fields: &Fields<'a>) -> serde_json::Result<&'a str> {
    let Snippet { number }: Snippet<'a> =
        serde_json::from_str(fields.get("snippet").map_or("", |json| json.get()))?;
    Ok(number.get())
}

fn read_fields(event: &EncodedEvent) -> serde_json::Result<Fields<'_>> {
    serde_json::from_str(event.envelope.data.get())
}

impl<'a> Run<'a> {
    fn of(event: &'a EncodedEvent) -> serde_json::Result<Self> {
        let fields = read_fields(event)?;
        let members = match (event.envelope.event.as_str(), fields.get("change")) {
            (CHANGED, Some(change)) => Members::Changed(serde_json::from_str(change.get())?),
            (HOST_CHANGED | TIMER_CHANGED, _) => Members::Latest { subject: "", is_latest: true },
            (CODE_UPDATED, _) => Members::Latest { subject: number_of_snippet(&fields)?, is_latest: true },
            (name, _) if WRITTEN.contains(&name) => Members::Alone,
            _ => Members::Named(vec![about_member(&fields)]),
        };
        Ok(Self { first: event, last: event, fields, members })
    }

    fn is_empty(&self) -> bool {
        match &self.members {
            Members::Changed(change) => change.users.is_empty(),
            Members::Named(named) => named.is_empty(),
            Members::Latest { is_latest, .. } => !is_latest,
            Members::Alone => false,
        }
    }

    fn is_continued_by(&self, next: &Self) -> bool {
        self.last.envelope.event == next.last.envelope.event
            && match (&self.members, &next.members) {
                (Members::Changed(change), Members::Changed(next)) => change.r#type == next.r#type,
                (Members::Named(_), Members::Named(_)) => true,
                _ => false,
            }
    }

    fn extend(&mut self, next: Self) {
        (self.last, self.fields) = (next.last, next.fields);
        match (&mut self.members, next.members) {
            (Members::Changed(change), Members::Changed(next)) => change.users.extend(next.users),
            (Members::Named(members), Members::Named(next)) => members.extend(next),
            _ => {}
        }
    }

    fn into_event(self) -> serde_json::Result<EncodedEvent> {
        let Self { first, last, fields, members } = self;
        let is_merged = first.envelope.seq != last.envelope.seq;
        let first_seq = to_raw_value(&first.envelope.seq)?;
        let (name, users) = match &members {
            Members::Changed(change) => ("change", Some(to_raw_value(change)?)),
            Members::Named(users) => ("users", Some(to_raw_value(users)?)),
            Members::Latest { .. } | Members::Alone => ("", None),
        };
        let mut fields: Fields<'_> = fields;
        if is_merged {
            if matches!(members, Members::Named(_)) {
                fields.retain(|field, _| ROOM_FIELDS.contains(field));
            }
            fields.extend(users.as_deref().map(|users| (name, users)));
            fields.insert("firstSeq", &first_seq);
        }
        let data = to_raw_value(&fields)?;
        let Envelope { event, epoch, seq, .. } = &last.envelope;
        let envelope = Envelope {
            event: event.clone(),
            epoch: *epoch,
            seq: *seq,
            except: None,
            only: None,
            document: None,
            closes: false,
            data,
        };
        Ok(EncodedEvent::received_at(envelope, first.received_at))
    }
}

fn about_member<'a>(fields: &Fields<'a>) -> Fields<'a> {
    fields
        .iter()
        .filter(|(field, _)| !ROOM_FIELDS.contains(field))
        .map(|(field, value)| (*field, *value))
        .collect()
}
