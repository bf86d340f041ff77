//! Answers that do not go with the events, or with each other.

use super::{
    History, Rule, at, broken,
    forge::{NEXT_EPOCH, ack_of, call_of, roster},
};
use crate::{
    call::{Ack, What},
    checker::check,
};

#[test]
fn one_is_first() {
    let two = |history: &mut History| {
        let again = call_of(history, "kim/1").clone();
        history.calls.push(again);
        let What::Joined { entry, .. } = &mut history.calls.last_mut().unwrap().what else { return };
        *entry = "kim/8".to_owned();
    };
    assert_eq!(broken(two), Some(Rule::OneIsFirst));
    let is_kims = |what: &What| matches!(what, What::Joined { entry, .. } if entry == "kim/1");
    let none = |history: &mut History| history.calls.retain(|call| !is_kims(&call.what));
    assert_eq!(broken(none), Some(Rule::OneIsFirst));
}

#[test]
fn who_entered_later_is_not_first() {
    assert_eq!(broken(|history| ack_of(history, "ben/1").first = true), Some(Rule::AcksFitEvents));
    assert_eq!(broken(|history| ack_of(history, "kim/1").first = false), Some(Rule::AcksFitEvents));
}

#[test]
fn who_comes_back_was_there() {
    assert_eq!(broken(|history| ack_of(history, "ben/1").recovered = true), Some(Rule::AcksFitEvents));
    assert_eq!(broken(|history| ack_of(history, "ben/2").recovered = false), Some(Rule::AcksFitEvents));
    let stranger = |history: &mut History| {
        let What::Joined { user, .. } = &mut call_of(history, "ben/3").what else { return };
        *user = "zoe".to_owned();
    };
    assert_eq!(broken(stranger), Some(Rule::AcksFitEvents));
}

#[test]
fn an_ack_names_an_event_of_its_session() {
    assert_eq!(broken(|history| ack_of(history, "ben/3").view.seq = 99), Some(Rule::AcksFitEvents));
    assert_eq!(broken(|history| ack_of(history, "ben/3").view.epoch = 150), Some(Rule::AcksFitEvents));
    assert_eq!(broken(|history| ack_of(history, "ben/3").view.epoch = NEXT_EPOCH), Some(Rule::AcksFitEvents));
    assert_eq!(broken(|history| ack_of(history, "ben/1").view.seq = 0), Some(Rule::AcksFitEvents));
}

#[test]
fn who_is_told_to_have_entered_was_let_in() {
    let is_kims = |what: &What| matches!(what, What::Joined { entry, .. } if entry == "kim/2");
    let unknown = |history: &mut History| history.calls.retain(|call| !is_kims(&call.what));
    assert_eq!(broken(unknown), Some(Rule::EntriesHaveAcks));
}

#[test]
fn answers_show_the_room_as_it_was() {
    let spoil = |spoil: fn(&mut Ack)| broken(|history| spoil(ack_of(history, "lea/1")));
    let exact = Some(Rule::AnswersAreExact);
    assert_eq!(spoil(|ack| ack.view.roster = roster("kim lea ben")), exact);
    assert_eq!(spoil(|ack| ack.view.roster.count = 2), exact);
    assert_eq!(spoil(|ack| ack.view.host = Some("kim".to_owned())), exact);
    assert_eq!(spoil(|ack| ack.view.leader = "kim".to_owned()), exact);
    assert_eq!(spoil(|ack| ack.view.end_at += 1), exact);
}

#[test]
fn reads_show_the_room_as_it_was() {
    let spoil = |history: &mut History| {
        for call in &mut history.calls {
            if let What::Read { view: Some(view), .. } = &mut call.what {
                view.seq += 1;
            }
        }
    };
    assert_eq!(broken(spoil), Some(Rule::AnswersAreExact));
}

/// A copy of a join that comes right after another one, and is told of the same room.
fn add_copy<'a>(history: &'a mut History, entry: &str, after: &str) -> &'a mut Ack {
    let view = ack_of(history, after).view.clone();
    let after = call_of(history, after).finished;
    let mut copy = call_of(history, entry).clone();
    (copy.began, copy.finished) = (after + at(1), after + at(2));
    history.calls.push(copy);
    let ack = ack_of(history, entry);
    ack.view = view;
    ack
}

fn add_copy_of_bens(history: &mut History) -> &mut Ack {
    add_copy(history, "ben/1", "lea/1")
}

#[test]
fn a_copy_is_told_of_the_same_coming_in_and_of_the_room_as_it_is_by_then() {
    let faithful = |history: &mut History| {
        add_copy_of_bens(history);
    };
    assert_eq!(broken(faithful), None);
    let alike = Some(Rule::AcksAreAlike);
    assert_eq!(broken(|history| add_copy_of_bens(history).recovered = true), alike);
    assert_eq!(broken(|history| add_copy_of_bens(history).first = true), alike);
    let mixes_times = |history: &mut History| {
        let seq = ack_of(history, "ben/1").view.seq;
        add_copy_of_bens(history).view.seq = seq;
    };
    assert_eq!(broken(mixes_times), Some(Rule::AnswersAreExact));
    let as_before = |history: &mut History| {
        let view = ack_of(history, "ben/1").view.clone();
        add_copy_of_bens(history).view = view;
    };
    assert_eq!(broken(as_before), Some(Rule::AnswersGoForward));
}

#[test]
fn answers_go_forward() {
    let late = |history: &mut History| {
        let call = call_of(history, "ben/1");
        (call.began, call.finished) = (at(500), at(505));
    };
    assert_eq!(broken(late), Some(Rule::AnswersGoForward));
}

#[test]
fn calls_that_overlap_may_come_in_any_order() {
    let mut history = super::forge::good();
    let call = call_of(&mut history, "ben/1");
    call.finished = at(500);
    assert!(check(&history).is_ok());
}

#[test]
fn what_is_closed_stays_closed() {
    let stays = Some(Rule::ClosedEntriesStayClosed);
    let revive = |history: &mut History| {
        add_copy(history, "kim/1", "ben/3");
    };
    assert_eq!(broken(revive), stays);
    let seated = |history: &mut History| {
        for call in &mut history.calls {
            if let What::Read { gone, .. } = &mut call.what {
                gone.clear();
            }
        }
    };
    assert_eq!(broken(seated), stays);
}

#[test]
fn calls_are_answered() {
    let fail = |history: &mut History| {
        call_of(history, "ben/1").what = What::Failed("a script broke".to_owned());
    };
    assert_eq!(broken(fail), Some(Rule::CallsAreAnswered));
}

#[test]
fn attendance_is_complete_and_says_no_more() {
    let complete = Some(Rule::AttendanceIsComplete);
    assert_eq!(broken(|history| drop(history.stays.pop())), complete);
    assert_eq!(broken(|history| history.stays.push(history.stays[0].clone())), complete);
    assert_eq!(broken(|history| history.stays[0].drops = 1), complete);
    assert_eq!(broken(|history| history.stays[0].ending = None), complete);
    assert_eq!(broken(|history| history.stays[0].ending = Some("Removed".to_owned())), complete);
}
