//! The timer that the members of a room share.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{
    command::{Action, MemberCommand},
    event::EventKind,
};

const MINUTE_MS: u64 = 60 * 1000;

/// The shortest phase, in milliseconds.
pub const MIN_PHASE_MS: u64 = 1000;

/// The longest phase, in milliseconds.
pub const MAX_PHASE_MS: u64 = 24 * 60 * MINUTE_MS;

/// The most cycles of a plan.
pub const MAX_CYCLES: u32 = 24;

/// What a timer counts.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "camelCase")]
pub enum TimerPlan {
    /// Phases of focus with breaks in between. After the last cycle comes a long break, and then the first cycle again.
    #[serde(rename_all = "camelCase")]
    Pomodoro {
        /// The length of a phase of focus, in milliseconds; 25 minutes by default.
        #[serde(default = "default_focus_ms")]
        #[cfg_attr(feature = "openapi", schema(minimum = 1000, maximum = 86_400_000))]
        focus_ms: u64,
        /// The length of a break between two phases of focus, in milliseconds; 5 minutes by default.
        #[serde(default = "default_short_break_ms")]
        #[cfg_attr(feature = "openapi", schema(minimum = 1000, maximum = 86_400_000))]
        short_break_ms: u64,
        /// The length of the break after the last cycle, in milliseconds; 15 minutes by default.
        #[serde(default = "default_long_break_ms")]
        #[cfg_attr(feature = "openapi", schema(minimum = 1000, maximum = 86_400_000))]
        long_break_ms: u64,
        /// The phases of focus before the long break; 4 by default.
        #[serde(default = "default_cycles")]
        #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 24))]
        cycles: u32,
    },
    /// A time that runs down once.
    #[serde(rename_all = "camelCase")]
    Countdown {
        /// The time, in milliseconds.
        #[cfg_attr(feature = "openapi", schema(minimum = 1000, maximum = 86_400_000))]
        duration_ms: u64,
    },
    /// The time since the start.
    Stopwatch {},
}

fn default_focus_ms() -> u64 {
    25 * MINUTE_MS
}

fn default_short_break_ms() -> u64 {
    5 * MINUTE_MS
}

fn default_long_break_ms() -> u64 {
    15 * MINUTE_MS
}

fn default_cycles() -> u32 {
    4
}

/// A plan breaks a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPlan {
    /// A length is out of range.
    #[error("{0} must be from {MIN_PHASE_MS} to {MAX_PHASE_MS} milliseconds")]
    Length(&'static str),
    /// The number of cycles is out of range.
    #[error("cycles must be from 1 to {MAX_CYCLES}")]
    Cycles,
}

impl TimerPlan {
    /// Checks the rules that the types do not express.
    pub fn validate(&self) -> Result<(), InvalidPlan> {
        let check = |name, length| {
            let is_valid = (MIN_PHASE_MS..=MAX_PHASE_MS).contains(length);
            is_valid.then_some(()).ok_or(InvalidPlan::Length(name))
        };
        match self {
            Self::Pomodoro { focus_ms, short_break_ms, long_break_ms, cycles } => {
                check("focusMs", focus_ms)?;
                check("shortBreakMs", short_break_ms)?;
                check("longBreakMs", long_break_ms)?;
                (1..=MAX_CYCLES).contains(cycles).then_some(()).ok_or(InvalidPlan::Cycles)
            }
            Self::Countdown { duration_ms } => check("durationMs", duration_ms),
            Self::Stopwatch {} => Ok(()),
        }
    }
}

/// A timer, as clients see it. All times are milliseconds since 1970.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timer {
    /// What the timer counts.
    pub plan: TimerPlan,
    /// Whether it runs.
    pub state: TimerState,
    /// What it counts at the moment.
    pub phase: TimerPhase,
    /// The number of the phase of focus, which the break after it shares; only with phases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cycle: Option<u32>,
    /// Since when the phase counts, without pauses; only while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<u64>,
    /// When the phase ends; only while it runs, and not of a stopwatch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<u64>,
    /// How many milliseconds of the phase have passed; only while it is paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_ms: Option<u64>,
}

/// Whether a timer runs.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TimerState {
    /// The first phase has not begun.
    Idle,
    /// A phase runs.
    Running,
    /// The phase waits for `timer:resume`.
    Paused,
    /// A countdown has run down.
    Finished,
}

/// What a timer counts at the moment.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TimerPhase {
    /// Work.
    Focus,
    /// The break between two phases of focus.
    ShortBreak,
    /// The break after the last cycle.
    LongBreak,
    /// The time of a countdown.
    Countdown,
    /// The time of a stopwatch.
    Stopwatch,
}

/// The data of the ack of a command to the timer.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerAck {
    /// The timer after the command.
    pub timer: Timer,
    /// The session.
    pub epoch: u64,
    /// The last event that the timer includes.
    pub seq: u64,
    /// The time of Redis, in milliseconds since 1970.
    pub now: u64,
}

/// What to do with the timer of a room. The names are those of the events that clients send.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", content = "data")]
pub enum TimerAction {
    /// Replace the timer by one with this plan, which does not run yet.
    #[serde(rename = "timer:set")]
    Set(#[serde(deserialize_with = "deserialize_plan")] TimerPlan),
    /// Begin with the first phase.
    #[serde(rename = "timer:start")]
    Start {},
    /// Stop until `timer:resume`.
    #[serde(rename = "timer:pause")]
    Pause {},
    /// Go on after `timer:pause`.
    #[serde(rename = "timer:resume")]
    Resume {},
    /// Go on with the next phase.
    #[serde(rename = "timer:skip")]
    Skip {},
    /// Go back to before the first phase.
    #[serde(rename = "timer:reset")]
    Reset {},
}

fn deserialize_plan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TimerPlan, D::Error> {
    let plan = TimerPlan::deserialize(deserializer)?;
    plan.validate().map_err(D::Error::custom)?;
    Ok(plan)
}

/// A member's command to the timer of the room.
pub type TimerCommand = MemberCommand<TimerAction>;

impl Action for TimerAction {
    const KIND: EventKind = EventKind::Timer;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(json: &str) -> Result<TimerAction, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn a_plan_has_the_usual_lengths_unless_it_says_otherwise() {
        let usual = TimerPlan::Pomodoro {
            focus_ms: 1_500_000,
            short_break_ms: 300_000,
            long_break_ms: 900_000,
            cycles: 4,
        };
        let set = r#"{"command":"timer:set","data":{"mode":"pomodoro","id":"command-1"}}"#;
        assert_eq!(action(set), Ok(TimerAction::Set(usual)));
        let set = r#"{"command":"timer:set","data":{"mode":"countdown","durationMs":90000}}"#;
        assert_eq!(action(set), Ok(TimerAction::Set(TimerPlan::Countdown { duration_ms: 90_000 })));
        assert_eq!(action(r#"{"command":"timer:pause","data":{}}"#), Ok(TimerAction::Pause {}));
    }

    #[test]
    fn what_no_timer_can_count_is_refused_by_name() {
        for (data, reason) in [
            (r#"{"mode":"pomodoro","cycles":0}"#, "cycles"),
            (r#"{"mode":"pomodoro","cycles":25}"#, "cycles"),
            (r#"{"mode":"pomodoro","focusMs":999}"#, "focusMs"),
            (r#"{"mode":"pomodoro","longBreakMs":86400001}"#, "longBreakMs"),
            (r#"{"mode":"pomodoro","shortBreakMs":-1}"#, "u64"),
            (r#"{"mode":"countdown"}"#, "durationMs"),
            (r#"{"mode":"countdown","durationMs":1.5}"#, "u64"),
            (r#"{"mode":"hourglass"}"#, "stopwatch"),
            ("{}", "mode"),
            ("[]", "mode"),
            ("null", ""),
        ] {
            let error = action(&format!(r#"{{"command":"timer:set","data":{data}}}"#)).unwrap_err();
            assert!(error.contains(reason), "{data}: {error}");
        }
    }

    #[test]
    fn a_command_reads_back() {
        let json = r#"{"roomId":"r","userId":"7","entryId":"e","commandId":"c","command":"timer:set","data":{"mode":"stopwatch"}}"#;
        let command: TimerCommand = serde_json::from_str(json).unwrap();
        assert_eq!(command.action, TimerAction::Set(TimerPlan::Stopwatch {}));
        assert_eq!(serde_json::to_string(&command).unwrap(), json);
    }
}
