//! The timer that the members of a room share.

use rollcall_protocol::{
    ErrorCode,
    command::Feature,
    definition::{SessionDefinition, TimerBy},
    timer::{TimerAck, TimerAction, TimerCommand, TimerPhase, TimerPlan, TimerState},
};

use crate::fixture::{END, Fixture, MINUTE, START, definition, expect_refusal};

const POMODORO: TimerPlan = TimerPlan::Pomodoro {
    focus_ms: 25 * MINUTE,
    short_break_ms: 5 * MINUTE,
    long_break_ms: 15 * MINUTE,
    cycles: 2,
};

const SHORT: TimerPlan =
    TimerPlan::Pomodoro { focus_ms: 3000, short_break_ms: 1000, long_break_ms: 2000, cycles: 2 };

impl Fixture {
    /// Sends a member's command. The id of the command is what follows `#` in `kim/1#2`.
    pub async fn command(&self, who: &str, action: TimerAction) -> Result<TimerAck, ErrorCode> {
        let (entry, id) = who.split_once('#').unwrap();
        let command =
            TimerCommand { membership: self.membership(entry), command_id: id.parse().unwrap(), action };
        let ack = self.rooms().command_timer(&command).await.map_err(expect_refusal)?;
        Ok(serde_json::from_str(ack.get()).unwrap())
    }

    async fn operate(&self, id: &str, action: TimerAction) -> Result<TimerAck, ErrorCode> {
        let ack = self.rooms().operate_timer(&self.home, &id.parse().unwrap(), &action).await;
        Ok(serde_json::from_str(ack.map_err(expect_refusal)?.get()).unwrap())
    }
}

/// The commands of a sweep that ends a phase.
const END_OF_PHASE: u64 = 21;

/// The commands of a reminder.
const REMINDER: u64 = 3;

/// A room with Lea and Kim in which a timer runs since the start.
async fn room_with_timer(plan: TimerPlan) -> Fixture {
    let mut room = Fixture::start().await;
    room.join("lea/1").await.unwrap();
    room.join("kim/1").await.unwrap();
    room.command("lea/1#set", TimerAction::Set(plan)).await.unwrap();
    room.command("lea/1#start", TimerAction::Start {}).await.unwrap();
    room.events().await;
    room
}

#[tokio::test]
async fn a_timer_starts_pauses_resumes_and_everybody_learns_of_it_from_redis() {
    let mut room = Fixture::start().await;
    room.join("lea/1").await.unwrap();
    room.join("kim/1").await.unwrap();
    room.events().await;
    let set = room.command("lea/1#1", TimerAction::Set(POMODORO)).await.unwrap();
    assert_eq!(
        (set.timer.state, set.timer.phase, set.timer.cycle),
        (TimerState::Idle, TimerPhase::Focus, Some(1))
    );
    let started = room.at(1000).command("lea/1#2", TimerAction::Start {}).await.unwrap();
    assert_eq!(started.timer.ends_at, Some(START + 1000 + 25 * MINUTE));
    let paused = room.at(1000 + MINUTE).command("lea/1#3", TimerAction::Pause {}).await.unwrap();
    assert_eq!((paused.timer.elapsed_ms, paused.timer.ends_at), (Some(MINUTE), None));
    let resumed = room.at(1000 + 3 * MINUTE).command("lea/1#4", TimerAction::Resume {}).await.unwrap();
    assert_eq!(resumed.timer.started_at, Some(START + 1000 + 2 * MINUTE));
    assert_eq!(resumed.now, START + 1000 + 3 * MINUTE);

    let events = room.events().await;
    assert!(events.iter().all(|event| event.name == "timer:changed" && event.except.is_none()));
    assert_eq!(events.len(), 4);
    let last = &events[3].data;
    assert_eq!(last["timer"], serde_json::to_value(&resumed.timer).unwrap());
    assert_eq!((&last["by"]["userId"], &last["now"]), (&"lea".into(), &resumed.now.into()));
    assert_eq!((events[3].epoch, events[3].seq), (resumed.epoch, resumed.seq));
}

#[tokio::test]
async fn who_enters_later_or_reads_the_room_gets_the_timer_and_the_time() {
    let mut room = room_with_timer(POMODORO).await;
    let joined = room.at(MINUTE).join("ali/1").await.unwrap();
    let timer: serde_json::Value = serde_json::from_str(joined.timer.unwrap().get()).unwrap();
    assert_eq!((&timer["startedAt"], joined.now), (&START.into(), START + MINUTE));
    let snapshot: serde_json::Value = serde_json::from_str(room.read(&[]).await.room.unwrap().get()).unwrap();
    assert_eq!((&snapshot["timer"], &snapshot["now"]), (&timer, &(START + MINUTE).into()));
    let page = room.rooms().members(&room.home, None, 1).await.unwrap();
    let page: serde_json::Value = serde_json::from_str(page.get()).unwrap();
    assert_eq!(page["timer"], timer, "operators see it, too");
}

#[tokio::test]
async fn phases_follow_each_other_on_time_however_late_the_sweep_is() {
    let mut room = room_with_timer(SHORT).await;
    for (late, at, phases, phase, cycle, ends_at) in [
        (0, 3000, 1, "shortBreak", 1, 4000),
        (700, 4700, 1, "focus", 2, 7000),
        (0, 7000, 1, "longBreak", 2, 9000),
        (0, 9000, 1, "focus", 1, 12_000),
        // Two phases, then all four of the plan and one more, then exactly one plan.
        (500, 13_500, 2, "focus", 2, 16_000),
        (0, 25_000, 5, "longBreak", 2, 27_000),
        (0, 34_000 + 2000, 5, "focus", 1, 39_000),
    ] {
        room.at(at).sweep().await;
        let events = room.events().await;
        assert_eq!(events.len(), 1, "at {at}, {late} late");
        let data = &events[0].data;
        assert_eq!(events[0].name, "timer:phaseChanged");
        let timer = &data["timer"];
        assert_eq!((&data["phases"], &timer["phase"]), (&phases.into(), &phase.into()), "at {at}");
        assert_eq!(
            (&timer["cycle"], &timer["endsAt"]),
            (&cycle.into(), &(START + ends_at).into()),
            "at {at}"
        );
    }
}

#[tokio::test]
async fn a_plan_that_nobody_watched_for_an_hour_costs_as_much_as_one_phase() {
    let mut room = room_with_timer(SHORT).await;
    room.at(3000).sweep().await;
    let before = room.count_commands().await;
    room.at(4000).sweep().await;
    let one_phase = room.count_commands().await - before;
    assert_eq!(one_phase, END_OF_PHASE);
    room.at(59 * MINUTE).sweep().await;
    assert_eq!(room.count_commands().await - before, 2 * one_phase + REMINDER);
    let phases: Vec<_> =
        room.events().await.into_iter().filter(|event| event.name != "room:reminder").collect();
    assert_eq!(phases.len(), 3);
    // Four phases end in each of 393 plans of nine seconds, and one more; the two before have been told.
    assert_eq!(phases[2].data["phases"], 4 * 393 + 1 - 2);
}

#[tokio::test]
async fn the_change_of_a_phase_is_a_deadline() {
    let mut room = room_with_timer(SHORT).await;
    let mut deadlines = room.listen_for_deadlines().await;
    assert_eq!(room.sweep().await.next_due.due_at, Some(START + 3000));
    room.at(3000).sweep().await;
    let announced = deadlines.next(&room).await;
    assert!(announced.iter().any(|due| due.due_at == Some(START + 4000)), "{announced:?}");
    room.command("lea/1#pause", TimerAction::Pause {}).await.unwrap();
    assert!(room.sweep().await.next_due.due_at > Some(START + 10 * MINUTE));
}

#[tokio::test]
async fn at_its_end_a_phase_has_ended_for_everybody() {
    let mut room = room_with_timer(SHORT).await;
    let joined = room.at(3000).join("ali/1").await.unwrap();
    let timer: serde_json::Value = serde_json::from_str(joined.timer.unwrap().get()).unwrap();
    assert_eq!(timer["phase"], "shortBreak");
    assert_eq!(room.event_names().await, ["timer:phaseChanged", "room:participantsChanged"]);
}

#[tokio::test]
async fn a_command_settles_the_phase_first() {
    let mut room = room_with_timer(SHORT).await;
    let paused = room.at(3500).command("lea/1#p", TimerAction::Pause {}).await.unwrap();
    assert_eq!((paused.timer.phase, paused.timer.elapsed_ms), (TimerPhase::ShortBreak, Some(500)));
    assert_eq!(room.event_names().await, ["timer:phaseChanged", "timer:changed"]);
    let skipped = room.command("lea/1#s", TimerAction::Skip {}).await.unwrap();
    assert_eq!((skipped.timer.phase, skipped.timer.elapsed_ms), (TimerPhase::Focus, Some(0)));
    let resumed = room.command("lea/1#r", TimerAction::Resume {}).await.unwrap();
    assert_eq!(resumed.timer.ends_at, Some(START + 3500 + 3000));
    let skipped = room.at(4000).command("lea/1#s2", TimerAction::Skip {}).await.unwrap();
    assert_eq!((skipped.timer.phase, skipped.timer.ends_at), (TimerPhase::LongBreak, Some(START + 6000)));
    let reset = room.command("lea/1#z", TimerAction::Reset {}).await.unwrap();
    assert_eq!(
        (reset.timer.state, reset.timer.cycle, reset.timer.ends_at),
        (TimerState::Idle, Some(1), None)
    );
}

#[tokio::test]
async fn a_countdown_runs_down_once_and_a_stopwatch_never() {
    let mut room = room_with_timer(TimerPlan::Countdown { duration_ms: 5000 }).await;
    room.at(5000).sweep().await;
    let finished = room.events().await.remove(0);
    assert_eq!(
        (finished.name.as_str(), &finished.data["timer"]["state"]),
        ("timer:phaseChanged", &"finished".into())
    );
    room.at(20_000).sweep().await;
    assert_eq!(room.event_names().await, [""; 0]);
    assert_eq!(room.command("lea/1#1", TimerAction::Pause {}).await, Err(ErrorCode::TimerState));
    assert_eq!(room.command("lea/1#2", TimerAction::Skip {}).await, Err(ErrorCode::TimerState));
    let again = room.command("lea/1#3", TimerAction::Start {}).await.unwrap();
    assert_eq!(again.timer.ends_at, Some(START + 25_000));
    room.at(25_000);
    let reset = room.command("lea/1#reset", TimerAction::Reset {}).await.unwrap();
    assert_eq!((reset.timer.state, reset.timer.cycle), (TimerState::Idle, None));
    room.at(20_000);

    room.command("lea/1#4", TimerAction::Set(TimerPlan::Stopwatch {})).await.unwrap();
    let running = room.command("lea/1#5", TimerAction::Start {}).await.unwrap();
    assert_eq!((running.timer.started_at, running.timer.ends_at), (Some(START + 20_000), None));
    assert_eq!(room.command("lea/1#6", TimerAction::Skip {}).await, Err(ErrorCode::TimerState));
}

#[tokio::test]
async fn what_the_timer_is_already_changes_nothing_and_what_it_cannot_do_is_refused() {
    let mut room = room_with_timer(SHORT).await;
    let started = room.command("lea/1#1", TimerAction::Start {}).await.unwrap();
    assert_eq!(started.timer.started_at, Some(START));
    room.command("lea/1#2", TimerAction::Resume {}).await.unwrap();
    assert_eq!(room.event_names().await, [""; 0]);
    let paused = room.command("lea/1#3", TimerAction::Pause {}).await.unwrap();
    assert_eq!(paused.timer.elapsed_ms, Some(0));
    room.command("lea/1#4", TimerAction::Pause {}).await.unwrap();
    assert_eq!(room.command("lea/1#5", TimerAction::Start {}).await, Err(ErrorCode::TimerState));
    room.command("lea/1#6", TimerAction::Reset {}).await.unwrap();
    room.command("lea/1#7", TimerAction::Reset {}).await.unwrap();
    for action in [TimerAction::Pause {}, TimerAction::Resume {}, TimerAction::Skip {}] {
        assert_eq!(room.command("lea/1#8", action).await, Err(ErrorCode::TimerState), "{action:?}");
    }
    assert_eq!(room.event_names().await, ["timer:changed", "timer:changed"]);
}

#[tokio::test]
async fn a_command_that_arrives_twice_is_applied_once_for_as_long_as_a_copy_may_be_under_way() {
    let mut room = room_with_timer(SHORT).await;
    let first = room.command("lea/1#skip", TimerAction::Skip {}).await.unwrap();
    let again = room.command("lea/1#skip", TimerAction::Skip {}).await.unwrap();
    assert_eq!(again, first);
    room.command("lea/1#reset", TimerAction::Reset {}).await.unwrap();
    let late = room.command("lea/1#skip", TimerAction::Skip {}).await.unwrap();
    assert_eq!(late.timer.state, TimerState::Idle, "the ack shows the timer as it is");
    // Another user's id is another command.
    room.define(SessionDefinition { timer_by: TimerBy::Anyone, ..definition() }).await;
    room.command("kim/1#reset", TimerAction::Start {}).await.unwrap();
    room.command("lea/1#pause", TimerAction::Pause {}).await.unwrap();
    room.at(10 * MINUTE - 1);
    room.command("lea/1#more", TimerAction::Resume {}).await.unwrap();
    let paused = room.command("lea/1#pause", TimerAction::Pause {}).await.unwrap();
    assert_eq!(paused.timer.state, TimerState::Running);
    // Commands that are so old are forgotten.
    room.at(10 * MINUTE);
    room.command("lea/1#evenmore", TimerAction::Skip {}).await.unwrap();
    let paused = room.command("lea/1#pause", TimerAction::Pause {}).await.unwrap();
    assert_eq!(paused.timer.state, TimerState::Paused);
}

#[tokio::test]
async fn the_definition_says_who_may_set_the_timer_and_an_operator_always_may() {
    let set = TimerAction::Set(SHORT);
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.join("ben/1").await.unwrap();
    room.command("kim/1#1", set).await.unwrap();
    assert_eq!(room.command("ben/1#1", set).await, Err(ErrorCode::NotAllowed), "Kim is host");
    room.leave("kim/1").await;
    room.command("ben/1#2", set).await.unwrap();
    room.join("lea/1").await.unwrap();
    assert_eq!(room.command("ben/1#3", set).await, Err(ErrorCode::NotAllowed), "the leader is host now");
    room.define(SessionDefinition { timer_by: TimerBy::Leader, ..definition() }).await;
    room.command("lea/1#1", set).await.unwrap();
    room.leave("lea/1").await;
    assert_eq!(room.command("ben/1#4", set).await, Err(ErrorCode::NotAllowed), "Ben is host and no leader");
    room.define(SessionDefinition { timer_by: TimerBy::Anyone, ..definition() }).await;
    room.command("ben/1#5", set).await.unwrap();
    room.define(SessionDefinition { leader_id: None, timer_by: TimerBy::Leader, ..definition() }).await;
    assert_eq!(room.command("ben/1#6", set).await, Err(ErrorCode::NotAllowed), "there is no leader");
    room.events().await;
    room.operate("1", set).await.unwrap();
    let event = room.events().await.remove(0);
    assert!(event.data.get("by").is_none(), "{event:?}");
}

#[tokio::test]
async fn a_member_who_lost_the_right_still_gets_the_ack_of_a_command_that_was_applied() {
    let room = room_with_timer(SHORT).await;
    let first = room.command("lea/1#p", TimerAction::Pause {}).await.unwrap();
    room.define(SessionDefinition { leader_id: Some("kim".parse().unwrap()), ..definition() }).await;
    assert_eq!(room.command("lea/1#p", TimerAction::Pause {}).await.unwrap().timer, first.timer);
    assert_eq!(room.command("lea/1#q", TimerAction::Reset {}).await, Err(ErrorCode::NotAllowed));
}

#[tokio::test]
async fn only_a_connection_in_the_room_may_command_and_only_a_live_room_has_a_timer() {
    let room = Fixture::start().await;
    let set = TimerAction::Set(SHORT);
    assert_eq!(room.command("kim/1#1", set).await, Err(ErrorCode::NotInRoom), "the room is not live");
    assert_eq!(room.operate("1", set).await, Err(ErrorCode::NotLive));
    room.join("kim/1").await.unwrap();
    assert_eq!(room.command("kim/1#1", TimerAction::Start {}).await, Err(ErrorCode::NoTimer));
    assert_eq!(room.operate("2", TimerAction::Start {}).await, Err(ErrorCode::NoTimer));
    assert_eq!(room.command("kim/2#1", set).await, Err(ErrorCode::NotInRoom), "another entry");
    assert_eq!(room.command("ben/1#1", set).await, Err(ErrorCode::NotInRoom), "another user");
    room.disconnect("kim/1").await;
    assert_eq!(room.command("kim/1#1", set).await, Err(ErrorCode::NotInRoom), "the connection is lost");
}

#[tokio::test]
async fn a_session_may_do_without_a_timer() {
    let room = room_with_timer(SHORT).await;
    room.define(SessionDefinition { features: Some(vec![]), ..definition() }).await;
    assert_eq!(room.command("lea/1#1", TimerAction::Pause {}).await, Err(ErrorCode::FeatureOff));
    assert_eq!(room.operate("1", TimerAction::Pause {}).await, Err(ErrorCode::FeatureOff));
    room.define(SessionDefinition { features: Some(vec![Feature::Timer]), ..definition() }).await;
    room.command("lea/1#1", TimerAction::Pause {}).await.unwrap();
}

#[tokio::test]
async fn a_session_of_an_earlier_version_has_a_timer_that_the_host_sets() {
    let mut room = Fixture::start().await;
    room.join("kim/1").await.unwrap();
    room.join("ben/1").await.unwrap();
    let key = room.shard_key("room:algebra");
    let () =
        redis::cmd("HDEL").arg(key).arg(&["features", "timerBy"]).query_async(&mut room.redis).await.unwrap();
    room.command("kim/1#1", TimerAction::Set(SHORT)).await.unwrap();
    assert_eq!(room.command("ben/1#1", TimerAction::Start {}).await, Err(ErrorCode::NotAllowed));
}

#[tokio::test]
async fn a_user_changes_the_timer_ten_times_at_once_and_then_once_a_second() {
    let mut room = room_with_timer(TimerPlan::Stopwatch {}).await;
    let toggle = async |room: &Fixture, number: u64| {
        let action = if number.is_multiple_of(2) { TimerAction::Pause {} } else { TimerAction::Resume {} };
        room.command(&format!("lea/1#{number}"), action).await.map(drop)
    };
    // Two commands have set and started the timer.
    for number in 0..8 {
        toggle(&room, number).await.unwrap();
    }
    assert_eq!(toggle(&room, 8).await, Err(ErrorCode::RateLimited));
    room.command("lea/1#7", TimerAction::Resume {}).await.unwrap();
    room.command("lea/1#x", TimerAction::Resume {}).await.unwrap();
    room.operate("1", TimerAction::Pause {}).await.unwrap();
    room.operate("2", TimerAction::Resume {}).await.unwrap();
    assert_eq!(toggle(room.at(999), 8).await, Err(ErrorCode::RateLimited));
    toggle(room.at(1000), 8).await.unwrap();
    assert_eq!(toggle(&room, 9).await, Err(ErrorCode::RateLimited));
    // The limit of entries is another one.
    room.leave("lea/1").await;
    room.join("lea/2").await.unwrap();
}

#[tokio::test]
async fn the_end_of_the_session_ends_the_timer() {
    let mut room = room_with_timer(POMODORO).await;
    room.at(60 * MINUTE).sweep().await;
    assert_eq!(room.event_names().await, ["room:ended"], "no phase ends after the session");
    room.define(SessionDefinition { end_at: END + 60 * MINUTE, ..definition() }).await;
    let joined = room.join("lea/2").await.unwrap();
    assert!(joined.timer.is_none());
    // Ids of commands are those of the session.
    room.command("lea/2#set", TimerAction::Set(SHORT)).await.unwrap();
    room.command("lea/2#start", TimerAction::Start {}).await.unwrap();
}
