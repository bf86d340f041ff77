//! The whole model: a service, and the same service without sweeps.

use crate::{
    event::Event,
    generate::Workload,
    ids::{CLOSED_ENTRY_TTL, MAX_SILENCE, ROOMS, START, Time},
    join::Join,
    service::{Action, Reply, Service},
};

/// A call and its time.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub at: Time,
    pub action: Action,
}

#[derive(Debug, Clone)]
pub struct World {
    pub workload: Workload,
    pub now: Time,
    pub service: Service,
    unswept: Service,
    /// All joins so far, and when they were sent.
    pub sent: Vec<(Time, Join)>,
    /// All commands so far.
    pub commanded: Vec<Action>,
    /// The reply to the last step.
    pub reply: Reply,
    /// Deadlines that the last step has set, and that are so near that bridges have to hear of them at once.
    pub near_deadlines: Vec<Time>,
}

impl World {
    pub fn new(workload: Workload) -> Self {
        Self {
            workload,
            now: START,
            service: Service::default(),
            unswept: Service::default(),
            sent: Vec::new(),
            commanded: Vec::new(),
            reply: Reply::Done,
            near_deadlines: Vec::new(),
        }
    }

    pub fn run(&mut self, step: &Step) {
        self.now = step.at;
        for room in &mut self.service.shard.rooms {
            room.history.events.clear();
        }
        let pauses = self.pauses();
        let deadlines = self.service.shard.room_deadlines();
        self.reply = self.service.act(&step.action, step.at);
        if step.action != Action::Sweep {
            self.unswept.act(&step.action, step.at);
        }
        if self.pauses() != pauses {
            // Without sweeps, a shard pauses at other times, so the comparison starts again.
            self.unswept = self.service.clone();
        }
        self.near_deadlines = self.find_near(deadlines);
        self.record_join(&step.action);
    }

    fn find_near(&self, earlier: [Option<Time>; ROOMS.len()]) -> Vec<Time> {
        let changed = self.service.shard.room_deadlines().into_iter().zip(earlier);
        let set = changed.filter(|(now, before)| now != before).filter_map(|(now, _)| now);
        set.filter(|deadline| (self.now + 1..self.now + MAX_SILENCE).contains(deadline)).collect()
    }

    fn pauses(&self) -> [Time; 2] {
        [&self.service, &self.unswept].map(|service| service.shard.clock.paused)
    }

    fn record_join(&mut self, action: &Action) {
        match action {
            Action::Join { join, .. } | Action::AbandonJoin(join) => self.sent.push((self.now, *join)),
            // A copy that late would depend on when entries were closed, so the comparison starts again.
            Action::RepeatJoin(join) if !self.is_fresh(join) => self.unswept = self.service.clone(),
            Action::Timer(_) | Action::Status(_) | Action::Chat(_) | Action::Code(_) => {
                self.commanded.push(action.clone());
            }
            _ => {}
        }
    }

    /// Whether a join is so recent that Redis still has its entry if closed.
    fn is_fresh(&self, join: &Join) -> bool {
        self.sent.iter().any(|(at, sent)| sent.entry == join.entry && at + CLOSED_ENTRY_TTL > self.now)
    }

    /// Events of the last step, room by room.
    pub fn events(&self) -> [&[Event]; ROOMS.len()] {
        self.service.shard.rooms.each_ref().map(|room| room.history.events.as_slice())
    }

    /// Whether each live room goes by the definition in the store, or knows that it has to look; and whether the last step
    /// has looked, if it was a join of a user who has entered.
    pub fn is_up_to_date(&self, step: &Step) -> bool {
        let has_looked = match &step.action {
            Action::Join { join, reads_stale: false } | Action::RepeatJoin(join) => {
                !matches!(self.reply, Reply::Ack(_)) || self.service.goes_by_the_store(join.room)
            }
            _ => true,
        };
        has_looked && (0..ROOMS.len()).all(|room| self.service.is_up_to_date(room))
    }

    /// Whether sweeps changed nothing but the time of events.
    pub fn is_unaffected_by_sweeps(&self) -> bool {
        self.service.shard.at(self.now) == self.unswept.shard.at(self.now)
    }
}
