//! What members say about themselves.

use std::collections::BTreeMap;

use rollcall_protocol::{
    ErrorCode,
    attendance::Attendee,
    command::Feature,
    definition::{Duplicates, SessionDefinition},
    status::{Goal, Status, StatusAck, StatusAction, StatusCommand, StatusUpdate},
};
use serde_json::{Value, json};

use crate::fixture::{Fixture, MINUTE, START, definition, expect_refusal};

impl Fixture {
    /// Sends a member's change. The id of the command is what follows `#` in `kim/1#2`.
    pub async fn update(&self, who: &str, update: StatusUpdate) -> Result<StatusAck, ErrorCode> {
        let (entry, id) = who.split_once('#').unwrap();
        let command = StatusCommand {
            membership: self.membership(entry),
            command_id: id.parse().unwrap(),
            action: StatusAction::Update(update),
        };
        let ack = self.rooms().update_status(&command).await.map_err(expect_refusal)?;
        Ok(serde_json::from_str(ack.get()).unwrap())
    }

    /// Sends a member's change of the status. Returns the ack.
    pub async fn say(&self, who: &str, status: Status) -> Result<StatusAck, ErrorCode> {
        self.update(who, StatusUpdate { status: Some(Some(status)), goal: None }).await
    }

    async fn member(&self, user: &str) -> Value {
        let snapshot: Value = serde_json::from_str(self.read(&[]).await.room.unwrap().get()).unwrap();
        let members = snapshot["members"].as_array().unwrap();
        members.iter().find(|member| member["userId"] == user).unwrap().clone()
    }

    async fn attendee(&self, user: &str) -> Attendee {
        let attendees = self.attendance().await.attendees;
        attendees.into_iter().find(|attendee| attendee.user_id.as_str() == user).unwrap()
    }
}

fn goal(text: &str) -> StatusUpdate {
    StatusUpdate { status: None, goal: Some(Goal::clean(text).unwrap()) }
}

fn times<const N: usize>(times: [(Status, u64); N]) -> BTreeMap<Status, u64> {
    times.into()
}

/// A room with Lea and Kim since the start.
async fn room() -> Fixture {
    let mut room = Fixture::start().await;
    room.join("lea/1").await.unwrap();
    room.join("kim/1").await.unwrap();
    room.events().await;
    room
}

#[tokio::test]
async fn everybody_learns_what_a_member_says_and_who_comes_later_finds_it_in_the_list() {
    let mut room = room().await;
    let said = room.at(1000).say("kim/1#1", Status::Break).await.unwrap();
    assert_eq!((said.status, said.goal.as_deref(), said.now), (Some(Status::Break), None, START + 1000));
    let said = room.at(2000).update("kim/1#2", goal("Chapter 3")).await.unwrap();
    assert_eq!((said.status, said.goal.as_deref()), (Some(Status::Break), Some("Chapter 3")));
    let events = room.events().await;
    let names: Vec<_> = events.iter().map(|event| (event.name.as_str(), event.except.as_deref())).collect();
    assert_eq!(names, [("room:memberUpdated", None); 2]);
    let expected = json!({
        "userId": "kim", "userName": "KIM", "status": "break", "goal": "Chapter 3",
        "epoch": said.epoch, "seq": said.seq, "now": START + 2000,
    });
    assert_eq!(events[1].data, expected);

    let joined = room.join("ali/1").await.unwrap();
    let members: Value = serde_json::from_str(joined.members.unwrap().get()).unwrap();
    assert_eq!((&members[1]["status"], &members[1]["goal"]), (&json!("break"), &json!("Chapter 3")));
    assert_eq!((members[0].get("status"), members[2].get("goal")), (None, None));
}

#[tokio::test]
async fn what_a_member_takes_back_is_gone() {
    let room = room().await;
    room.update("kim/1#1", StatusUpdate { status: Some(Some(Status::Away)), ..goal("Chapter 3") })
        .await
        .unwrap();
    let said = room.update("kim/1#2", goal("")).await.unwrap();
    assert_eq!((said.status, said.goal), (Some(Status::Away), None));
    let said = room.update("kim/1#3", StatusUpdate { status: Some(None), goal: None }).await.unwrap();
    assert_eq!(said.status, None);
    let kim = room.member("kim").await;
    assert_eq!((kim.get("status"), kim.get("goal")), (None, None));
}

#[tokio::test]
async fn a_change_has_one_effect_however_often_it_arrives_and_none_if_nothing_changes() {
    let mut room = room().await;
    let said = room.say("kim/1#1", Status::Away).await.unwrap();
    room.say("kim/1#2", Status::Focusing).await.unwrap();
    assert_eq!(room.events().await.len(), 2);
    let repeated = room.say("kim/1#1", Status::Away).await.unwrap();
    assert_eq!(
        (repeated.status, repeated.seq),
        (Some(Status::Focusing), said.seq + 1),
        "the member as it is"
    );
    for (id, update) in [
        ("kim/1#3", StatusUpdate::default()),
        ("kim/1#4", StatusUpdate { status: Some(Some(Status::Focusing)), goal: Some(None) }),
    ] {
        assert_eq!(room.update(id, update).await.unwrap().seq, said.seq + 1);
    }
    assert!(room.events().await.is_empty());
    room.say("lea/1#1", Status::Away).await.unwrap();
    assert_eq!(room.events().await.len(), 1, "another member's command of the same id is another one");
}

#[tokio::test]
async fn only_a_current_connection_changes_its_own_member() {
    let mut room = room().await;
    let refused = async |room: &Fixture, who| room.say(who, Status::Away).await.unwrap_err();
    assert_eq!(refused(&room, "kim/2#1").await, ErrorCode::NotInRoom);
    assert_eq!(refused(&room, "ben/1#1").await, ErrorCode::NotInRoom);
    room.disconnect("kim/1").await;
    assert_eq!(refused(&room, "kim/1#1").await, ErrorCode::NotInRoom, "within the grace period");
    room.at(61 * MINUTE);
    assert_eq!(refused(&room, "lea/1#1").await, ErrorCode::NotInRoom, "after the end");
    assert_eq!(refused(&room, "lea/1#2").await, ErrorCode::NotInRoom, "in a room that is not live");
}

#[tokio::test]
async fn a_session_without_the_feature_refuses() {
    let room = room().await;
    room.define(SessionDefinition { features: Some(vec![Feature::Timer]), ..definition() }).await;
    assert_eq!(room.say("kim/1#1", Status::Away).await, Err(ErrorCode::FeatureOff));
    room.define(SessionDefinition { features: Some(vec![Feature::Status]), ..definition() }).await;
    assert!(room.say("kim/1#1", Status::Away).await.is_ok(), "a command that was refused may come again");
}

#[tokio::test]
async fn a_member_who_changes_too_often_is_refused_and_others_are_not() {
    let mut room = room().await;
    let (burst, interval) = (room.settings.status_burst, room.settings.status_interval_ms);
    let status = |number: u64| if number.is_multiple_of(2) { Status::Break } else { Status::Focusing };
    for number in 0..burst {
        room.say(&format!("kim/1#{number}"), status(number)).await.unwrap();
    }
    let refused = room.say("kim/1#next", status(burst)).await;
    assert_eq!(refused, Err(ErrorCode::RateLimited));
    let last = room.say("kim/1#again", status(burst - 1)).await.unwrap();
    assert_eq!(last.status, Some(status(burst - 1)), "what changes nothing does not count");
    room.say("lea/1#1", Status::Away).await.unwrap();
    assert_eq!(room.at(interval - 1).say("kim/1#next", status(burst)).await, Err(ErrorCode::RateLimited));
    room.at(interval).say("kim/1#next", status(burst)).await.unwrap();
}

#[tokio::test]
async fn a_status_survives_a_lost_connection_a_takeover_and_another_name() {
    let mut room = room().await;
    room.define(SessionDefinition { duplicates: Duplicates::Takeover, ..definition() }).await;
    room.update("kim/1#1", StatusUpdate { status: Some(Some(Status::Break)), ..goal("Chapter 3") })
        .await
        .unwrap();
    let has_status = async |room: &Fixture| {
        let kim = room.member("kim").await;
        assert_eq!((&kim["status"], &kim["goal"]), (&json!("break"), &json!("Chapter 3")), "{kim}");
        kim["state"].as_str().unwrap().to_owned()
    };
    room.disconnect("kim/1").await;
    assert_eq!(has_status(&room).await, "reconnecting");
    room.at(1000).join("kim/2").await.unwrap();
    assert_eq!(has_status(&room).await, "present");
    room.join("kim/3").await.unwrap();
    assert_eq!(has_status(&room).await, "present");
    room.leave("kim/3").await;
    room.join("kim/4").await.unwrap();
    let kim = room.member("kim").await;
    assert_eq!((kim.get("status"), kim.get("goal")), (None, None), "who has left begins anew");
}

#[tokio::test]
async fn attendance_has_the_time_of_each_status_without_times_of_a_lost_connection() {
    let mut room = room().await;
    room.at(10_000).say("kim/1#1", Status::Break).await.unwrap();
    room.at(15_000).say("kim/1#2", Status::Focusing).await.unwrap();
    room.at(22_000).say("kim/1#3", Status::Away).await.unwrap();
    room.at(23_000).disconnect("kim/1").await;
    let away = |ms| times([(Status::Break, 5000), (Status::Focusing, 7000), (Status::Away, ms)]);
    assert_eq!(room.at(30_000).attendee("kim").await.stays[0].status_ms, away(1000));
    room.at(33_000).join("kim/2").await.unwrap();
    let kim = room.at(37_000).attendee("kim").await;
    assert_eq!(kim.stays[0].status_ms, away(5000));
    assert_eq!((kim.present_ms, kim.study_ms), (27_000, 17_000));
    room.at(40_000).leave("kim/2").await;
    let kim = room.at(99_000).attendee("kim").await;
    assert_eq!((&kim.stays[0].status_ms, kim.present_ms, kim.study_ms), (&away(8000), 30_000, 17_000));
    let lea = room.attendee("lea").await;
    assert_eq!(
        (&lea.stays[0].status_ms, lea.study_ms),
        (&times([]), lea.present_ms),
        "who said nothing studied"
    );
}

#[tokio::test]
async fn the_time_of_a_status_ends_with_the_session_and_is_kept_when_stays_are_merged() {
    let mut room = room().await;
    room.at(1000).say("kim/1#1", Status::Break).await.unwrap();
    room.at(3000).leave("kim/1").await;
    room.at(4000).join("kim/2").await.unwrap();
    assert_eq!(
        room.attendee("kim").await.stays[0].status_ms,
        times([(Status::Break, 2000)]),
        "from the first one"
    );
    room.at(5000).say("kim/2#2", Status::Away).await.unwrap();
    room.at(6000).say("kim/2#3", Status::Break).await.unwrap();
    let end = 60 * MINUTE;
    room.at(end + 5000).sweep().await;
    let kim = room.attendee("kim").await;
    let expected = times([(Status::Break, 2000 + end - 6000), (Status::Away, 1000)]);
    assert_eq!((kim.stays.len(), &kim.stays[0].status_ms), (1, &expected));
    assert_eq!(kim.study_ms, kim.present_ms - expected.values().sum::<u64>());
}

#[tokio::test]
async fn stays_with_different_statuses_or_with_none_are_merged_with_the_times_of_both() {
    let mut room = room().await;
    room.at(1000).leave("kim/1").await;
    room.at(2000).join("kim/2").await.unwrap();
    room.at(3000).say("kim/2#1", Status::Break).await.unwrap();
    room.at(5000).leave("kim/2").await;
    assert_eq!(room.attendee("kim").await.stays[0].status_ms, times([(Status::Break, 2000)]));
    room.at(6000).join("kim/3").await.unwrap();
    room.at(6000).say("kim/3#2", Status::Away).await.unwrap();
    room.at(9000).leave("kim/3").await;
    let both = times([(Status::Break, 2000), (Status::Away, 3000)]);
    let kim = room.attendee("kim").await;
    assert_eq!((kim.stays.len(), &kim.stays[0].status_ms), (1, &both));
    room.at(10_000).join("kim/4").await.unwrap();
    room.at(11_000).leave("kim/4").await;
    assert_eq!(room.attendee("kim").await.stays[0].status_ms, both);
}

#[tokio::test]
async fn a_status_whose_clock_steps_back_has_no_negative_time() {
    let mut room = room().await;
    room.at(9000).say("kim/1#1", Status::Break).await.unwrap();
    room.at(8000).say("kim/1#2", Status::Away).await.unwrap();
    let kim = room.at(7000).attendee("kim").await;
    assert_eq!(kim.stays[0].status_ms, times([(Status::Break, 0), (Status::Away, 0)]));
}
