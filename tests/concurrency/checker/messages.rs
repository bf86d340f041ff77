//! Messages: each is published once, and replies show what is published.

use std::collections::{BTreeMap, BTreeSet};

use super::{Rule, Violation, replay::Replay};
use crate::{
    call::{Call, Outcome},
    event::{EventKind, Message},
};

/// A published message.
#[derive(Debug, Clone)]
struct Published<'a> {
    epoch: u64,
    message: &'a Message,
    /// Whether the author was in the room, with a connection.
    is_present: bool,
}

pub fn check(calls: &[Call], replay: &Replay) -> Result<(), Violation> {
    let mut published = Vec::new();
    for (epoch, steps) in &replay.sessions {
        for step in steps {
            if let EventKind::Message(message) = &step.event.kind {
                let is_present = step.state.is_present(&message.user);
                published.push(Published { epoch: *epoch, message, is_present });
            }
        }
    }
    check_published(&published)?;
    check_calls(calls, &published)
}

/// Numbers rise by one from the epoch of the session, and no command is published twice.
fn check_published(published: &[Published]) -> Result<(), Violation> {
    let mut commands = BTreeSet::new();
    let mut last = BTreeMap::new();
    for found in published {
        let number = last.entry(found.epoch).or_insert(found.epoch);
        *number += 1;
        let is_new = commands.insert((&found.message.user, &found.message.id));
        if !is_new || found.message.number != *number || !found.is_present {
            return Err(Violation::new(Rule::MessagesArePublishedOnce, found));
        }
    }
    Ok(())
}

fn check_calls(calls: &[Call], published: &[Published]) -> Result<(), Violation> {
    let by_number: BTreeMap<u64, &Published> =
        published.iter().map(|found| (found.message.number, found)).collect();
    for call in calls {
        let is_shown = match &call.outcome {
            Outcome::Sent { user, id, number: Some(number) } => {
                let found = by_number.get(number);
                found.is_some_and(|found| (&found.message.user, &found.message.id) == (user, id))
            }
            Outcome::Sent { user, id, number: None } => {
                published.iter().any(|found| (&found.message.user, &found.message.id) == (user, id))
            }
            Outcome::Messages { after, messages, .. } => is_exact(*after, messages, &by_number),
            _ => true,
        };
        if !is_shown {
            return Err(Violation::new(Rule::MessagesAreShownAsPublished, call));
        }
    }
    check_freshness(calls, &by_number)
}

/// Whether a page holds all messages from the number after which it begins to its last one.
fn is_exact(after: u64, messages: &[Message], by_number: &BTreeMap<u64, &Published>) -> bool {
    let Some(last) = messages.last() else { return true };
    let range = by_number.range(after + 1..=last.number).map(|(_, found)| found.message);
    let epoch = |message: &Message| by_number.get(&message.number).map(|found| found.epoch);
    // The page shows one session only.
    messages.iter().eq(range.filter(|message| epoch(message) == epoch(last)))
}

/// A page that begins after a message was acknowledged shows the message.
fn check_freshness(calls: &[Call], by_number: &BTreeMap<u64, &Published>) -> Result<(), Violation> {
    let epoch = |number: &u64| by_number.get(number).map(|found| found.epoch);
    for call in calls {
        let Outcome::Messages { messages, more: false, .. } = &call.outcome else { continue };
        let Some(last) = messages.last() else { continue };
        let is_missing = |earlier: &&Call| match &earlier.outcome {
            Outcome::Sent { number: Some(number), .. } => {
                earlier.finished < call.began && *number > last.number && epoch(number) == epoch(&last.number)
            }
            _ => false,
        };
        if let Some(earlier) = calls.iter().find(is_missing) {
            return Err(Violation::new(Rule::MessagesAreShownAsPublished, &(earlier, call)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn message(number: u64, id: &str) -> Message {
        Message { number, user: "kim".to_owned(), id: id.to_owned() }
    }

    /// Three messages of the session 100, and one of the session 200.
    fn written() -> Vec<Message> {
        vec![message(101, "a"), message(102, "b"), message(103, "c"), message(201, "d")]
    }

    fn publish(messages: &[Message]) -> Vec<Published<'_>> {
        let published = messages.iter().map(|message| Published {
            epoch: message.number / 100 * 100,
            message,
            is_present: true,
        });
        published.collect()
    }

    fn call(began: u64, outcome: Outcome) -> Call {
        let at = Duration::from_millis;
        Call { began: at(began), finished: at(began + 1), outcome }
    }

    fn sent(id: &str, number: Option<u64>) -> Outcome {
        Outcome::Sent { user: "kim".to_owned(), id: id.to_owned(), number }
    }

    fn page(after: u64, messages: &[Message]) -> Outcome {
        Outcome::Messages { after, messages: messages.to_vec(), more: false }
    }

    fn broken(published: &[Published], calls: &[Call]) -> Option<Rule> {
        let checked = check_published(published).and_then(|()| check_calls(calls, published));
        checked.err().map(|violation| violation.rule)
    }

    #[test]
    fn a_history_that_is_right_passes() {
        let written = written();
        let calls = [
            call(1, sent("b", Some(102))),
            call(2, sent("c", None)),
            call(3, page(0, &written[..3])),
            call(5, page(101, &written[1..3])),
            call(7, page(103, &[])),
            call(9, page(0, &written[3..])),
        ];
        assert_eq!(broken(&publish(&written), &calls), None);
    }

    #[test]
    fn a_message_that_is_doubled_left_out_or_written_by_somebody_who_is_away_is_found() {
        let mut written = written();
        written[2] = message(103, "b");
        assert_eq!(broken(&publish(&written), &[]), Some(Rule::MessagesArePublishedOnce));
        written[2] = message(104, "c");
        assert_eq!(broken(&publish(&written), &[]), Some(Rule::MessagesArePublishedOnce));
        written[2] = message(103, "c");
        let mut published = publish(&written);
        published[1].is_present = false;
        assert_eq!(broken(&published, &[]), Some(Rule::MessagesArePublishedOnce));
    }

    #[test]
    fn a_reply_that_shows_something_else_is_found() {
        let written = written();
        let published = publish(&written);
        for wrong in [
            sent("a", Some(102)),
            sent("lost", None),
            sent("lost", Some(104)),
            page(0, &[message(101, "a"), message(103, "c")]),
            page(0, &written[1..3]),
            page(0, &[message(101, "x")]),
            page(0, &written),
        ] {
            let rule = broken(&published, &[call(1, wrong.clone())]);
            assert_eq!(rule, Some(Rule::MessagesAreShownAsPublished), "{wrong:?}");
        }
        let late = [call(1, sent("c", Some(103))), call(3, page(0, &written[..2]))];
        assert_eq!(broken(&published, &late), Some(Rule::MessagesAreShownAsPublished));
        let at_once = [call(1, sent("c", Some(103))), call(2, page(0, &written[..2]))];
        assert_eq!(broken(&published, &at_once), None);
    }
}
