//! Events that the rules do not allow.

use super::{
    History, Rule, broken,
    history_builder::{
        BEN_BACK, BEN_LOST, END, ENDED, EPOCH, GRACE_UNTIL, KIM_AGAIN, KIM_LEFT, LEA_ENTERED, LEA_EXPIRED,
        LEA_HOST, NEXT_EPOCH, REMINDED, changed, drop_event, event_at, insert, lost, roster,
    },
};
use crate::event::{Change, Event, EventKind};

#[test]
fn numbers_rise_by_one() {
    let seqs_rise = Some(Rule::SeqsRiseByOne);
    assert_eq!(broken(|history| event_at(history, BEN_LOST).seq = 4), seqs_rise);
    assert_eq!(broken(|history| event_at(history, BEN_LOST).seq = 6), seqs_rise);
    assert_eq!(broken(|history| drop(history.events.remove(1))), seqs_rise);
    assert_eq!(broken(|history| event_at(history, 1).seq = 0), seqs_rise);
}

#[test]
fn an_event_published_twice_is_rejected() {
    let twice = |history: &mut History| {
        let again = event_at(history, BEN_LOST).clone();
        history.events.insert(BEN_LOST as usize, again);
    };
    assert_eq!(broken(twice), Some(Rule::SeqsRiseByOne));
}

#[test]
fn epochs_rise() {
    assert_eq!(broken(|history| event_at(history, BEN_LOST).epoch = EPOCH - 1), Some(Rule::EpochsRise));
    let back =
        |event: &mut Event| event.epoch = if event.epoch == NEXT_EPOCH { EPOCH - 1 } else { event.epoch };
    assert_eq!(broken(|history| history.events.iter_mut().for_each(back)), Some(Rule::EpochsRise));
}

#[test]
fn a_session_begins_with_its_start_and_has_no_other() {
    let begins = Some(Rule::SessionsBeginWithStarted);
    assert_eq!(broken(|history| drop_event(history, 1)), begins);
    let again = |history: &mut History| {
        let kind = event_at(history, 1).kind.clone();
        insert(history, KIM_AGAIN, kind);
    };
    assert_eq!(broken(again), begins);
}

#[test]
fn a_session_ends_before_the_next_begins_and_after_all_else() {
    let ends = Some(Rule::SessionsEndWithEnded);
    assert_eq!(broken(|history| drop_event(history, ENDED)), ends);
    assert_eq!(broken(|history| drop(history.events.pop())), ends);
    let late = |history: &mut History| {
        insert(history, ENDED, EventKind::Ended { in_time: true });
        event_at(history, ENDED).closes = true;
    };
    assert_eq!(broken(late), ends);
}

#[test]
fn nothing_of_an_old_session_comes_after_the_next_began() {
    let late = |history: &mut History| {
        let old = event_at(history, BEN_LOST).clone();
        let last = history.events.len() - 1;
        history.events.insert(last, old);
    };
    assert_eq!(broken(late), Some(Rule::EpochsRise));
}

#[test]
fn only_users_outside_the_room_enter() {
    let entered = changed(Change::Entered, "kim", "kim ben lea kim");
    assert_eq!(broken(|history| insert(history, BEN_LOST, entered)), Some(Rule::OnlyOthersEnter));
}

#[test]
fn a_full_room_lets_only_the_leader_in() {
    assert_eq!(broken(|history| history.capacity = Some(2)), None, "the third is the leader");
    let full = Some(Rule::FullRoomsLetOnlyTheLeaderIn);
    assert_eq!(broken(|history| history.capacity = Some(1)), full);
}

#[test]
fn only_members_leave() {
    let members_leave = Some(Rule::OnlyMembersLeave);
    let left = changed(Change::Left, "zoe", "kim ben lea");
    assert_eq!(broken(|history| insert(history, BEN_LOST, left)), members_leave);
    let removed = changed(Change::Removed, "zoe", "kim ben lea");
    assert_eq!(broken(|history| insert(history, BEN_LOST, removed)), members_leave);
}

#[test]
fn a_member_who_is_reconnecting_does_not_leave() {
    let left = changed(Change::Left, "ben", "kim lea");
    assert_eq!(broken(|history| insert(history, BEN_BACK, left)), Some(Rule::OnlyMembersLeave));
}

#[test]
fn counts_and_lists_are_exact_and_in_order() {
    for members in ["kim", "ben kim lea", "kim ben~ lea", "kim ben lea lea"] {
        let kind = changed(Change::Entered, "lea", members);
        let corrupt = |history: &mut History| event_at(history, LEA_ENTERED).kind = kind;
        assert_eq!(broken(corrupt), Some(Rule::RostersAreExact), "{members}");
    }
    let miscount = |history: &mut History| {
        if let EventKind::Changed { roster, .. } = &mut event_at(history, LEA_ENTERED).kind {
            roster.count = 4;
        }
    };
    assert_eq!(broken(miscount), Some(Rule::RostersAreExact));
}

#[test]
fn only_present_members_are_lost() {
    let present = Some(Rule::OnlyThePresentAreLost);
    assert_eq!(broken(|history| insert(history, BEN_BACK, lost("ben"))), present);
    assert_eq!(broken(|history| insert(history, BEN_BACK, lost("zoe"))), present);
}

#[test]
fn only_lost_members_come_back() {
    assert_eq!(broken(|history| drop_event(history, BEN_LOST)), Some(Rule::OnlyTheLostComeBack));
    let again = EventKind::Reconnected { user: "ben".to_owned(), roster: roster("kim ben lea") };
    assert_eq!(broken(|history| insert(history, KIM_LEFT, again)), Some(Rule::OnlyTheLostComeBack));
}

#[test]
fn no_member_is_removed_before_the_grace_period_is_over() {
    let early = |history: &mut History| event_at(history, LEA_EXPIRED).received_at = GRACE_UNTIL - 100;
    assert_eq!(broken(early), Some(Rule::GraceIsKept));
    let unlost = changed(Change::GraceExpired, "kim", "ben lea");
    assert_eq!(broken(|history| event_at(history, KIM_LEFT).kind = unlost), Some(Rule::GraceIsKept));
}

#[test]
fn an_end_is_announced_once_and_reminded_of_once() {
    let once = Some(Rule::OneReminderForEachEnd);
    let again = EventKind::Reminder { end_at: END };
    assert_eq!(broken(|history| insert(history, REMINDED + 1, again)), once);
    let wrong = EventKind::Reminder { end_at: END - 1 };
    assert_eq!(broken(|history| event_at(history, REMINDED).kind = wrong), once);
    let same = EventKind::Rescheduled { end_at: END };
    assert_eq!(broken(|history| insert(history, REMINDED, same)), Some(Rule::EndsAreRescheduled));
}

#[test]
fn a_new_leader_is_another_user() {
    let same = EventKind::LeaderChanged { leader: "lea".to_owned() };
    assert_eq!(broken(|history| insert(history, BEN_LOST, same)), Some(Rule::LeadersChange));
}

#[test]
fn the_host_is_a_member_and_the_right_one() {
    let elected = Some(Rule::HostIsElected);
    assert_eq!(broken(|history| drop_event(history, LEA_HOST)), elected);
    let change = |host: &str| EventKind::HostChanged { host: host.to_owned() };
    assert_eq!(broken(|history| event_at(history, LEA_HOST).kind = change("ben")), elected);
    assert_eq!(broken(|history| insert(history, BEN_LOST, change("lea"))), elected);
    assert_eq!(broken(|history| insert(history, BEN_LOST, change("zoe"))), elected);
}

#[test]
fn only_ends_and_close_notices_close_and_only_close_notices_are_for_one_entry() {
    let ends_close = Some(Rule::OnlyEndsClose);
    assert_eq!(broken(|history| event_at(history, BEN_LOST).closes = true), ends_close);
    assert_eq!(broken(|history| event_at(history, ENDED).closes = false), ends_close);
    assert_eq!(broken(|history| event_at(history, BEN_LOST).only = Some("kim/1".to_owned())), ends_close);
}

fn close_notice(history: &mut History) -> usize {
    history.events.iter().position(|event| matches!(event.kind, EventKind::Replaced)).unwrap()
}

#[test]
fn an_entry_is_closed_once_and_by_name() {
    let once = Some(Rule::EntriesAreClosedOnce);
    let twice = |history: &mut History| {
        let index = close_notice(history);
        history.events.insert(index, history.events[index].clone());
    };
    assert_eq!(broken(twice), once);
    let corrupt = |corrupt: fn(&mut Event)| {
        broken(|history| {
            let index = close_notice(history);
            corrupt(&mut history.events[index]);
        })
    };
    assert_eq!(corrupt(|event| event.only = None), once);
    assert_eq!(corrupt(|event| event.closes = false), once);
    assert_eq!(corrupt(|event| event.seq += 1), once);
    assert_eq!(corrupt(|event| event.epoch += 1), once);
}

#[test]
fn a_closed_entry_has_an_ack_and_its_member_is_present() {
    let stranger = |history: &mut History| {
        let index = close_notice(history);
        history.events[index].only = Some("zoe/1".to_owned());
    };
    assert_eq!(broken(stranger), Some(Rule::EntriesHaveAcks));
    let gone = |history: &mut History| {
        let index = close_notice(history);
        history.events[index].only = Some("kim/1".to_owned());
    };
    assert_eq!(broken(gone), Some(Rule::EntriesHaveAcks));
}
