//! The rules of the timer that the members of a room share. Phases follow each other one by one here, however many.

use rollcall_protocol::{
    ErrorCode,
    command::Feature,
    definition::TimerBy,
    timer::{Timer, TimerAction, TimerPhase, TimerPlan, TimerState},
};

use crate::{
    event::{EventKind, Recipients},
    history::History,
    ids::{EntryId, RoomNo, TIMER_BURST, TIMER_INTERVAL, Time, User},
    live::{CommandId, Limited, Live},
};

/// A command to the timer of a room.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimerCommand {
    pub room: RoomNo,
    /// The member who sends it, and the connection; none for an operator.
    pub by: Option<(User, EntryId)>,
    pub id: CommandId,
    pub action: TimerAction,
}

/// The ack of a command.
#[derive(Debug, Clone, PartialEq)]
pub struct TimerAck {
    pub timer: Option<Timer>,
    pub epoch: u64,
    pub seq: u64,
    pub now: Time,
    /// Whether the command had been applied before.
    pub is_repeated: bool,
}

fn new_timer(plan: TimerPlan) -> Timer {
    let (phase, cycle) = match plan {
        TimerPlan::Pomodoro { .. } => (TimerPhase::Focus, Some(1)),
        TimerPlan::Countdown { .. } => (TimerPhase::Countdown, None),
        TimerPlan::Stopwatch {} => (TimerPhase::Stopwatch, None),
    };
    Timer { plan, state: TimerState::Idle, phase, cycle, started_at: None, ends_at: None, elapsed_ms: None }
}

fn length_of(timer: &Timer) -> Option<Time> {
    match (timer.plan, timer.phase) {
        (TimerPlan::Pomodoro { focus_ms, .. }, TimerPhase::Focus) => Some(focus_ms),
        (TimerPlan::Pomodoro { short_break_ms, .. }, TimerPhase::ShortBreak) => Some(short_break_ms),
        (TimerPlan::Pomodoro { long_break_ms, .. }, _) => Some(long_break_ms),
        (TimerPlan::Countdown { duration_ms }, _) => Some(duration_ms),
        (TimerPlan::Stopwatch {}, _) => None,
    }
}

fn run(timer: &mut Timer, started_at: Time) {
    timer.state = TimerState::Running;
    timer.started_at = Some(started_at);
    timer.ends_at = length_of(timer).map(|length| started_at + length);
    timer.elapsed_ms = None;
}

fn stop(timer: &mut Timer, state: TimerState, elapsed_ms: Option<Time>) {
    timer.state = state;
    (timer.started_at, timer.ends_at, timer.elapsed_ms) = (None, None, elapsed_ms);
}

fn next_phase(timer: &mut Timer) {
    let TimerPlan::Pomodoro { cycles, .. } = timer.plan else { return };
    let cycle = timer.cycle.unwrap_or_default();
    (timer.phase, timer.cycle) = match timer.phase {
        TimerPhase::Focus if cycle < cycles => (TimerPhase::ShortBreak, Some(cycle)),
        TimerPhase::Focus => (TimerPhase::LongBreak, Some(cycle)),
        TimerPhase::ShortBreak => (TimerPhase::Focus, Some(cycle + 1)),
        _ => (TimerPhase::Focus, Some(1)),
    };
}

/// Applies a command to a timer. Returns whether the timer has changed.
fn apply(timer: &mut Timer, action: TimerAction, now: Time) -> Result<bool, ErrorCode> {
    use TimerState::{Finished, Idle, Paused, Running};
    match (action, timer.state) {
        (TimerAction::Set(plan), _) => *timer = new_timer(plan),
        (TimerAction::Start {}, Idle | Finished) => run(timer, now),
        (TimerAction::Pause {}, Running) => {
            let elapsed = timer.started_at.map(|started_at| now - started_at);
            stop(timer, Paused, elapsed);
        }
        (TimerAction::Resume {}, Paused) => {
            let elapsed = timer.elapsed_ms.unwrap_or_default();
            run(timer, now - elapsed);
        }
        (TimerAction::Skip {}, Running | Paused) if timer.cycle.is_some() => {
            next_phase(timer);
            if timer.state == Running {
                run(timer, now);
            } else {
                stop(timer, Paused, Some(0));
            }
        }
        (TimerAction::Reset {}, Running | Paused | Finished) => *timer = new_timer(timer.plan),
        (TimerAction::Start {} | TimerAction::Resume {}, Running)
        | (TimerAction::Pause {}, Paused)
        | (TimerAction::Reset {}, Idle) => return Ok(false),
        _ => return Err(ErrorCode::TimerState),
    }
    Ok(true)
}

impl Live {
    /// Ends the phases that are over. Members get one event for all of them.
    pub fn change_phase(&mut self, history: &mut History, now: Time) {
        let Some(timer) = &mut self.timer else { return };
        let mut phases = 0;
        while let Some(ends_at) = timer.ends_at.filter(|&at| at <= now) {
            if timer.phase == TimerPhase::Countdown {
                stop(timer, TimerState::Finished, None);
            } else {
                next_phase(timer);
                run(timer, ends_at);
            }
            phases += 1;
        }
        if phases > 0 {
            let timer = timer.clone();
            self.publish(history, Recipients::Everybody, EventKind::PhaseChanged { timer, phases, now });
        }
    }

    /// Applies a command of a member or an operator.
    pub fn command_timer(
        &mut self,
        history: &mut History,
        command: &TimerCommand,
        now: Time,
    ) -> Result<TimerAck, ErrorCode> {
        let member = command.by.map(|(user, entry)| {
            let member = self.member(user).filter(|member| member.find_entry(entry).is_some());
            member.map(|member| member.person).ok_or(ErrorCode::NotInRoom)
        });
        let by = member.transpose()?;
        if !self.terms.features.contains(&Feature::Timer) {
            return Err(ErrorCode::FeatureOff);
        }
        let user = by.map(|by| by.user);
        if self.has_applied(user, command.id) {
            return Ok(self.timer_ack(now, true));
        }
        let is_allowed = by.is_none_or(|by| match self.terms.timer_by {
            TimerBy::Anyone => true,
            TimerBy::Host => self.host == Some(by.user),
            TimerBy::Leader => self.leader() == Some(by.user),
        });
        if !is_allowed {
            return Err(ErrorCode::NotAllowed);
        }
        let mut timer = match (command.action, &self.timer) {
            (TimerAction::Set(plan), None) => new_timer(plan),
            (_, None) => return Err(ErrorCode::NoTimer),
            (_, Some(timer)) => timer.clone(),
        };
        if !apply(&mut timer, command.action, now)? {
            return Ok(self.timer_ack(now, false));
        }
        if let Some(user) = user {
            self.limit(Limited::Timer(user), now, TIMER_BURST, TIMER_INTERVAL)?;
        }
        self.remember(user, command.id, now);
        self.timer = Some(timer.clone());
        self.publish(history, Recipients::Everybody, EventKind::TimerChanged { timer, by, now });
        Ok(self.timer_ack(now, false))
    }

    fn timer_ack(&self, now: Time, is_repeated: bool) -> TimerAck {
        TimerAck { timer: self.timer.clone(), epoch: self.epoch, seq: self.seq, now, is_repeated }
    }
}
