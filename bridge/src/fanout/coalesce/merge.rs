//! Merges changes that follow each other into fewer events.

use std::{collections::BTreeMap, sync::Arc};

use rollcall_protocol::fanout::Envelope;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::fanout::encoded::EncodedEvent;

/// An event's payload by field.
type Fields<'a> = BTreeMap<&'a str, &'a RawValue>;

/// The users of a change, and what happened to them.
#[derive(Deserialize, Serialize)]
struct Change<'a> {
    #[serde(borrow)]
    r#type: &'a str,
    #[serde(borrow)]
    users: Vec<&'a RawValue>,
}

/// Neighbouring changes of one type, merged.
struct Run<'a> {
    first: &'a EncodedEvent,
    last: &'a EncodedEvent,
    fields: Fields<'a>,
    change: Option<Change<'a>>,
}

/// Merges neighbours of one type. The events must follow each other without a gap.
pub(super) fn merge(events: &[Arc<EncodedEvent>]) -> serde_json::Result<Vec<EncodedEvent>> {
    let mut runs: Vec<Run<'_>> = Vec::new();
    for event in events {
        let fields: Fields<'_> = serde_json::from_str(event.envelope.data.get())?;
        let change = fields.get("change").map(|change| serde_json::from_str::<Change<'_>>(change.get()));
        let change = change.transpose()?;
        match (runs.last_mut(), change) {
            (Some(Run { last, fields: known, change: Some(known_change), .. }), Some(change))
                if known_change.r#type == change.r#type =>
            {
                known_change.users.extend(change.users);
                (*last, *known) = (event, fields);
            }
            (_, change) => runs.push(Run { first: event, last: event, fields, change }),
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

impl Run<'_> {
    fn into_event(self) -> serde_json::Result<EncodedEvent> {
        let Self { first, last, fields, change } = self;
        let change = to_raw_value(&change)?;
        let first_seq = to_raw_value(&first.envelope.seq)?;
        let mut fields: Fields<'_> = fields;
        if first.envelope.seq != last.envelope.seq {
            fields.insert("change", &change);
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
