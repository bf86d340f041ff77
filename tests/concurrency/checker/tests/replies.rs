//! Replies that contradict the events, or each other.

use super::{
    History, Rule, at, broken,
    history_builder::{NEXT_EPOCH, ack_of, call_of, roster},
};
use crate::{
    call::{Ack, Outcome},
    checker::check,
};

#[test]
fn one_member_is_first() {
    let two = |history: &mut History| {
        let again = call_of(history, "kim/1").clone();
        history.calls.push(again);
        let Outcome::Joined { entry, .. } = &mut history.calls.last_mut().unwrap().outcome else { return };
        *entry = "kim/8".to_owned();
    };
    assert_eq!(broken(two), Some(Rule::OneMemberIsFirst));
    let is_kims = |outcome: &Outcome| matches!(outcome, Outcome::Joined { entry, .. } if entry == "kim/1");
    let none = |history: &mut History| history.calls.retain(|call| !is_kims(&call.outcome));
    assert_eq!(broken(none), Some(Rule::OneMemberIsFirst));
}

#[test]
fn a_member_who_entered_later_is_not_first() {
    assert_eq!(broken(|history| ack_of(history, "ben/1").first = true), Some(Rule::AcksFitEvents));
    assert_eq!(broken(|history| ack_of(history, "kim/1").first = false), Some(Rule::AcksFitEvents));
}

#[test]
fn a_member_who_comes_back_was_in_the_room() {
    assert_eq!(broken(|history| ack_of(history, "ben/1").recovered = true), Some(Rule::AcksFitEvents));
    assert_eq!(broken(|history| ack_of(history, "ben/2").recovered = false), Some(Rule::AcksFitEvents));
    let stranger = |history: &mut History| {
        let Outcome::Joined { user, .. } = &mut call_of(history, "ben/3").outcome else { return };
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
fn a_member_whose_entering_was_published_has_an_ack() {
    let is_kims = |outcome: &Outcome| matches!(outcome, Outcome::Joined { entry, .. } if entry == "kim/2");
    let unknown = |history: &mut History| history.calls.retain(|call| !is_kims(&call.outcome));
    assert_eq!(broken(unknown), Some(Rule::EntriesHaveAcks));
}

#[test]
fn acks_show_the_room_as_it_was() {
    let corrupt = |corrupt: fn(&mut Ack)| broken(|history| corrupt(ack_of(history, "lea/1")));
    let exact = Some(Rule::RepliesAreExact);
    assert_eq!(corrupt(|ack| ack.view.roster = roster("kim lea ben")), exact);
    assert_eq!(corrupt(|ack| ack.view.roster.count = 2), exact);
    assert_eq!(corrupt(|ack| ack.view.host = Some("kim".to_owned())), exact);
    assert_eq!(corrupt(|ack| ack.view.leader = "kim".to_owned()), exact);
    assert_eq!(corrupt(|ack| ack.view.end_at += 1), exact);
}

#[test]
fn reads_show_the_room_as_it_was() {
    let corrupt = |history: &mut History| {
        for call in &mut history.calls {
            if let Outcome::Read { view: Some(view), .. } = &mut call.outcome {
                view.seq += 1;
            }
        }
    };
    assert_eq!(broken(corrupt), Some(Rule::RepliesAreExact));
}

/// Adds a copy of a join right after another join, with the same room in its ack.
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
fn the_ack_of_a_copy_has_the_same_facts_and_the_room_by_then() {
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
    assert_eq!(broken(mixes_times), Some(Rule::RepliesAreExact));
    let as_before = |history: &mut History| {
        let view = ack_of(history, "ben/1").view.clone();
        add_copy_of_bens(history).view = view;
    };
    assert_eq!(broken(as_before), Some(Rule::RepliesGoForward));
}

#[test]
fn replies_go_forward() {
    let late = |history: &mut History| {
        let call = call_of(history, "ben/1");
        (call.began, call.finished) = (at(500), at(505));
    };
    assert_eq!(broken(late), Some(Rule::RepliesGoForward));
}

#[test]
fn calls_that_overlap_may_come_in_any_order() {
    let mut history = super::history_builder::valid_history();
    let call = call_of(&mut history, "ben/1");
    call.finished = at(500);
    assert!(check(&history).is_ok());
}

#[test]
fn closed_entries_stay_closed() {
    let stays = Some(Rule::ClosedEntriesStayClosed);
    let revive = |history: &mut History| {
        add_copy(history, "kim/1", "ben/3");
    };
    assert_eq!(broken(revive), stays);
    let still_current = |history: &mut History| {
        for call in &mut history.calls {
            if let Outcome::Read { gone, .. } = &mut call.outcome {
                gone.clear();
            }
        }
    };
    assert_eq!(broken(still_current), stays);
}

#[test]
fn calls_succeed() {
    let fail = |history: &mut History| {
        call_of(history, "ben/1").outcome = Outcome::Failed("a script broke".to_owned());
    };
    assert_eq!(broken(fail), Some(Rule::CallsSucceed));
}

#[test]
fn attendance_is_complete_and_has_nothing_else() {
    let complete = Some(Rule::AttendanceIsComplete);
    assert_eq!(broken(|history| drop(history.stays.pop())), complete);
    assert_eq!(broken(|history| history.stays.push(history.stays[0].clone())), complete);
    assert_eq!(broken(|history| history.stays[0].drops = 1), complete);
    assert_eq!(broken(|history| history.stays[0].ending = None), complete);
    assert_eq!(broken(|history| history.stays[0].ending = Some("Removed".to_owned())), complete);
}

#[test]
fn stays_of_one_session_may_be_merged_with_a_drop_for_each_gap() {
    let merge = |at: usize, drops: u32| {
        move |history: &mut History| {
            let user = history.stays.remove(at).user;
            let later = history.stays.iter_mut().filter(|stay| stay.user == user);
            later.for_each(|stay| stay.drops = drops);
        }
    };
    let (kim, ben_removed) = (0, 3);
    assert_eq!(broken(merge(kim, 1)), None);
    assert_eq!(broken(merge(kim, 2)), Some(Rule::AttendanceIsComplete));
    assert_eq!(broken(merge(ben_removed, 2)), Some(Rule::AttendanceIsComplete), "of two sessions");
}
