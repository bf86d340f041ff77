//! Merges changes that follow each other into fewer events.

use std::{collections::BTreeMap, sync::Arc};

use rollcall_protocol::fanout::Envelope;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::CHANGED;
use crate::fanout::encoded::EncodedEvent;

/// An event's payload by field.
type Fields<'a> = BTreeMap<&'a str, &'a RawValue>;

/// The fields of a member who dropped or returned that say something about the room and not about the member.
const ROOM_FIELDS: [&str; 4] = ["epoch", "seq", "count", "members"];

/// The users of a change, and what happened to them.
#[derive(Deserialize, Serialize)]
struct Change<'a> {
    #[serde(borrow)]
    r#type: &'a str,
    #[serde(borrow)]
    users: Vec<&'a RawValue>,
}

/// Whom neighbouring events are about.
enum Members<'a> {
    /// Members who came or went: the field `change` names them.
    Changed(Change<'a>),
    /// Members who dropped or returned: a single event names its member in fields of its own.
    Dropped(Vec<Fields<'a>>),
}

/// Neighbouring changes of one type, merged.
struct Run<'a> {
    first: &'a EncodedEvent,
    last: &'a EncodedEvent,
    fields: Fields<'a>,
    members: Members<'a>,
}

/// Merges neighbours of one type. The events must follow each other without a gap.
pub(super) fn merge(events: &[Arc<EncodedEvent>]) -> serde_json::Result<Vec<EncodedEvent>> {
    let mut runs: Vec<Run<'_>> = Vec::new();
    for event in events {
        let next = Run::of(event)?;
        match runs.last_mut() {
            Some(run) if run.is_continued_by(&next) => run.extend(next),
            _ => runs.push(next),
        }
    }
    // The latest list of members makes earlier ones redundant.
    let latest = runs.iter().rposition(|run| run.fields.contains_key("members"));
    let encode = |(position, mut run): (usize, Run<'_>)| {
        if Some(position) != latest {
            run.fields.remove("members");
        }
        run.into_event()
    };
    runs.into_iter().enumerate().map(encode).collect()
}

impl<'a> Run<'a> {
    fn of(event: &'a EncodedEvent) -> serde_json::Result<Self> {
        let fields: Fields<'_> = serde_json::from_str(event.envelope.data.get())?;
        let members = match fields.get("change") {
            Some(change) if event.envelope.event == CHANGED => {
                Members::Changed(serde_json::from_str(change.get())?)
            }
            _ => Members::Dropped(vec![about_member(&fields)]),
        };
        Ok(Self { first: event, last: event, fields, members })
    }

    fn is_continued_by(&self, next: &Self) -> bool {
        self.last.envelope.event == next.last.envelope.event
            && match (&self.members, &next.members) {
                (Members::Changed(change), Members::Changed(next)) => change.r#type == next.r#type,
                (Members::Dropped(_), Members::Dropped(_)) => true,
                _ => false,
            }
    }

    fn extend(&mut self, next: Self) {
        (self.last, self.fields) = (next.last, next.fields);
        match (&mut self.members, next.members) {
            (Members::Changed(change), Members::Changed(next)) => change.users.extend(next.users),
            (Members::Dropped(members), Members::Dropped(next)) => members.extend(next),
            _ => {}
        }
    }

    fn into_event(self) -> serde_json::Result<EncodedEvent> {
        let Self { first, last, fields, members } = self;
        let is_merged = first.envelope.seq != last.envelope.seq;
        let first_seq = to_raw_value(&first.envelope.seq)?;
        let (name, users) = match &members {
            Members::Changed(change) => ("change", to_raw_value(change)?),
            Members::Dropped(users) => ("users", to_raw_value(users)?),
        };
        let mut fields: Fields<'_> = fields;
        if is_merged {
            if matches!(members, Members::Dropped(_)) {
                fields.retain(|field, _| ROOM_FIELDS.contains(field));
            }
            fields.insert(name, &users);
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
