//! The sessions of a room, one after another.

use std::collections::BTreeMap;

use super::{Rule, Violation, state::State};
use crate::event::{Event, EventKind};

/// Number of events before the wrong one in a violation.
const EXCERPT: usize = 6;

/// The states of a room, event by event.
#[derive(Default)]
pub struct Replay<'a> {
    /// The steps of each session, by epoch.
    pub sessions: BTreeMap<u64, Vec<Step<'a>>>,
    pub close_notices: BTreeMap<&'a str, &'a Event>,
    live: Option<State>,
    capacity: Option<u32>,
}

/// An event and the state after it.
pub struct Step<'a> {
    pub event: &'a Event,
    pub state: State,
}

pub fn replay(events: &[Event], capacity: Option<u32>) -> Result<Replay<'_>, Violation> {
    let mut replay = Replay { capacity, ..Replay::default() };
    for (index, event) in events.iter().enumerate() {
        replay
            .add(event)
            .map_err(|rule| Violation::new(rule, &&events[index.saturating_sub(EXCERPT)..=index]))?;
    }
    match replay.live {
        Some(_) => Err(Violation::new(Rule::SessionsEndWithEnded, &events.last())),
        None => Ok(replay),
    }
}

impl<'a> Replay<'a> {
    /// Finds an event and the state after it. Sequence number 0 stands for the first event as well.
    pub fn at(&self, epoch: u64, seq: u64) -> Option<&Step<'a>> {
        self.sessions.get(&epoch)?.get(seq.saturating_sub(1) as usize)
    }

    fn add(&mut self, event: &'a Event) -> Result<(), Rule> {
        if event.kind.is_close_notice() {
            return self.add_close_notice(event);
        }
        if event.only.is_some() || event.closes != matches!(event.kind, EventKind::Ended { .. }) {
            return Err(Rule::OnlyEndsClose);
        }
        let state = match self.live.take() {
            Some(state) => self.continue_session(event, state)?,
            None => self.start_session(event)?,
        };
        self.live = (!event.closes).then(|| state.clone());
        self.sessions.entry(event.epoch).or_default().push(Step { event, state });
        Ok(())
    }

    fn start_session(&self, event: &Event) -> Result<State, Rule> {
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

    fn continue_session(&self, event: &Event, mut state: State) -> Result<State, Rule> {
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

    /// A close notice takes no sequence number, and has that of the event before.
    fn add_close_notice(&mut self, event: &'a Event) -> Result<(), Rule> {
        let entry = event.only.as_deref().filter(|_| event.closes && self.live.is_some());
        let entry = entry.filter(|_| self.place() == (event.epoch, event.seq));
        let is_new = entry.is_some_and(|entry| self.close_notices.insert(entry, event).is_none());
        is_new.then_some(()).ok_or(Rule::EntriesAreClosedOnce)
    }
}
