//! The reference: a service as it is, and as it would be if nobody ever swept.

use crate::{
    event::Event,
    generate::Mood,
    ids::{MEMORY, ROOMS, START, Time},
    room::Join,
    service::{Action, Answer, Service},
};

/// One thing that happens, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub at: Time,
    pub action: Action,
}

#[derive(Debug, Clone)]
pub struct World {
    pub mood: Mood,
    pub now: Time,
    pub service: Service,
    unswept: Service,
    /// All joins so far, with when they were sent.
    pub sent: Vec<(Time, Join)>,
    /// What came of the last step.
    pub answer: Answer,
}

impl World {
    pub fn new(mood: Mood) -> Self {
        Self {
            mood,
            now: START,
            service: Service::default(),
            unswept: Service::default(),
            sent: Vec::new(),
            answer: Answer::Done,
        }
    }

    pub fn take(&mut self, step: &Step) {
        self.now = step.at;
        for room in &mut self.service.shard.rooms {
            room.past.events.clear();
        }
        self.answer = self.service.act(&step.action, step.at);
        if step.action != Action::Sweep {
            self.unswept.act(&step.action, step.at);
        }
        self.remember(&step.action);
    }

    fn remember(&mut self, action: &Action) {
        match action {
            Action::Join { join, .. } | Action::GiveUp(join) => self.sent.push((self.now, *join)),
            // No copy comes so late. If one does, it matters who looked when, so the comparison starts anew.
            Action::JoinAgain(join) if !self.is_fresh(join) => self.unswept = self.service.clone(),
            _ => {}
        }
    }

    /// Whether a join was sent so recently that its entry is remembered in any case.
    fn is_fresh(&self, join: &Join) -> bool {
        self.sent.iter().any(|(at, sent)| sent.entry == join.entry && at + MEMORY > self.now)
    }

    /// What the last step told each room.
    pub fn events(&self) -> [&[Event]; ROOMS.len()] {
        self.service.shard.rooms.each_ref().map(|room| room.past.events.as_slice())
    }

    /// Whether sweeping has changed nothing but when things were told.
    pub fn is_as_if_unswept(&self) -> bool {
        self.service.shard.at(self.now) == self.unswept.shard.at(self.now)
    }
}
