//! The sessions of a room, one after another.

use std::collections::BTreeMap;

use super::{Rule, Violation, state::State};
use crate::event::{Event, News};

/// How many events before the wrong one are shown.
const EXCERPT: usize = 6;

/// What became of a room, event by event.
#[derive(Default)]
pub struct Past<'a> {
    /// Of each session, in order.
    pub sessions: BTreeMap<u64, Vec<Step<'a>>>,
    pub dismissals: BTreeMap<&'a str, &'a Event>,
    live: Option<State>,
    capacity: Option<u32>,
}

/// An event and the state after it.
pub struct Step<'a> {
    pub event: &'a Event,
    pub state: State,
}

pub fn replay(events: &[Event], capacity: Option<u32>) -> Result<Past<'_>, Violation> {
    let mut past = Past { capacity, ..Past::default() };
    for (index, event) in events.iter().enumerate() {
        past.take(event)
            .map_err(|rule| Violation::new(rule, &&events[index.saturating_sub(EXCERPT)..=index]))?;
    }
    match past.live {
        Some(_) => Err(Violation::new(Rule::SessionsEndWithEnded, &events.last())),
        None => Ok(past),
    }
}

impl<'a> Past<'a> {
    /// The state after an event, and the event; an answer from before the first one came just before it.
    pub fn at(&self, epoch: u64, seq: u64) -> Option<&Step<'a>> {
        self.sessions.get(&epoch)?.get(seq.saturating_sub(1) as usize)
    }

    fn take(&mut self, event: &'a Event) -> Result<(), Rule> {
        if event.news.is_dismissal() {
            return self.dismiss(event);
        }
        if event.only.is_some() || event.closes != matches!(event.news, News::Ended { .. }) {
            return Err(Rule::OnlyEndsClose);
        }
        let state = match self.live.take() {
            Some(state) => self.go_on(event, state)?,
            None => self.begin(event)?,
        };
        self.live = (!event.closes).then(|| state.clone());
        self.sessions.entry(event.epoch).or_default().push(Step { event, state });
        Ok(())
    }

    fn begin(&self, event: &Event) -> Result<State, Rule> {
        let before = self.sessions.keys().next_back().copied().unwrap_or_default();
        if event.epoch == before {
            return Err(Rule::SessionsEndWithEnded);
        }
        if event.epoch < before {
            return Err(Rule::EpochsRise);
        }
        let state = State::started(event, self.capacity)?;
        (event.seq == 1).then_some(state).ok_or(Rule::SeqsRiseByOne)
    }

    fn go_on(&self, event: &Event, mut state: State) -> Result<State, Rule> {
        let (epoch, seq) = self.place();
        if event.epoch < epoch {
            return Err(Rule::EpochsRise);
        }
        if event.epoch > epoch {
            return Err(Rule::SessionsEndWithEnded);
        }
        if event.seq != seq + 1 {
            return Err(Rule::SeqsRiseByOne);
        }
        state.apply(event)?;
        Ok(state)
    }

    fn place(&self) -> (u64, u64) {
        let session = self.sessions.last_key_value();
        session.map_or((0, 0), |(epoch, steps)| (*epoch, steps.len() as u64))
    }

    /// It stands outside the numbering, at the place where it came.
    fn dismiss(&mut self, event: &'a Event) -> Result<(), Rule> {
        let entry = event.only.as_deref().filter(|_| event.closes && self.live.is_some());
        let entry = entry.filter(|_| self.place() == (event.epoch, event.seq));
        let is_new = entry.is_some_and(|entry| self.dismissals.insert(entry, event).is_none());
        is_new.then_some(()).ok_or(Rule::EntriesAreDismissedOnce)
    }
}
