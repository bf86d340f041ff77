//! A valid history, and changes that break rules.

use super::at;
use crate::{
    call::{Ack, Call, Outcome, View},
    checker::{History, Stay},
    event::{Change, Event, EventKind, Member, Roster},
};

pub const EPOCH: u64 = 100;
pub const NEXT_EPOCH: u64 = 200;
pub const END: u64 = 10_000;
pub const GRACE_UNTIL: u64 = 1_150;
const RECEIVED: u64 = 2_000;

pub const LEA_ENTERED: u64 = 3;
pub const LEA_HOST: u64 = 4;
pub const BEN_LOST: u64 = 5;
pub const BEN_BACK: u64 = 6;
pub const KIM_LEFT: u64 = 7;
pub const REMINDED: u64 = 8;
pub const LEA_EXPIRED: u64 = 12;
pub const KIM_AGAIN: u64 = 16;
pub const ENDED: u64 = 17;

struct HistoryBuilder {
    history: History,
    epoch: u64,
    seq: u64,
    clock: u64,
}

/// Two sessions in which everything happens. Kim, Ben and the leader, Lea; `ben~` is Ben while reconnecting.
pub fn valid_history() -> History {
    let mut builder = HistoryBuilder { history: History::default(), epoch: EPOCH, seq: 0, clock: 0 };
    builder.begin("kim", "lea");
    builder.enter("ben", "ben/1", "kim ben");
    builder.ack("ben", "ben/1", false, builder.view(END, "lea", "kim", "kim ben"));
    builder.enter("lea", "lea/1", "kim ben lea");
    builder.ack("lea", "lea/1", false, builder.view(END, "lea", "lea", "kim ben lea"));
    builder.publish(EventKind::HostChanged { host: "lea".to_owned() });
    builder.publish(lost("ben"));
    builder.read(&["ben/1"], &["ben/1"], Some(builder.view(END, "lea", "lea", "kim ben~ lea")));
    builder
        .publish(EventKind::Reconnected { user: "ben".to_owned(), roster: roster("kim ben lea") })
        .except = Some("ben/2".to_owned());
    builder.ack("ben", "ben/2", true, builder.view(END, "lea", "lea", "kim ben lea"));
    builder.publish(changed(Change::Left, "kim", "ben lea"));
    builder.close("kim/1");
    builder.close_socket("ben/2", EventKind::Replaced);
    builder.ack("ben", "ben/3", true, builder.view(END, "lea", "lea", "ben lea"));
    builder.publish(EventKind::Reminder { end_at: END });
    builder.publish(EventKind::Rescheduled { end_at: END + 1 });
    builder.publish(EventKind::Reminder { end_at: END + 1 });
    builder.publish(lost("lea"));
    builder.publish(changed(Change::GraceExpired, "lea", "ben"));
    builder.publish(EventKind::HostChanged { host: "ben".to_owned() });
    builder.publish(EventKind::LeaderChanged { leader: "gus".to_owned() });
    builder.close_socket("ben/3", EventKind::Removed);
    builder.publish(changed(Change::Removed, "ben", ""));
    builder.read(&["kim/1"], &["kim/1"], Some(builder.view_of_nobody(END + 1, "gus")));
    builder.enter("kim", "kim/2", "kim");
    builder.ack("kim", "kim/2", false, builder.view(END + 1, "gus", "kim", "kim"));
    builder.end();
    builder.read(&["kim/2"], &["kim/2"], None);
    (builder.epoch, builder.seq) = (NEXT_EPOCH, 0);
    builder.begin("ben", "gus");
    builder.end();
    builder.attend(EPOCH, "kim", 0, "Left");
    builder.attend(EPOCH, "kim", 0, "Ended");
    builder.attend(EPOCH, "lea", 1, "GraceExpired");
    builder.attend(EPOCH, "ben", 1, "Removed");
    builder.attend(NEXT_EPOCH, "ben", 0, "Ended");
    builder.history
}

impl HistoryBuilder {
    fn publish(&mut self, kind: EventKind) -> &mut Event {
        self.seq += 1;
        let closes = matches!(kind, EventKind::Ended { .. });
        self.push(Event { closes, ..event(self.epoch, self.seq, kind) })
    }

    fn push(&mut self, event: Event) -> &mut Event {
        self.history.events.push(event);
        self.history.events.last_mut().unwrap()
    }

    fn begin(&mut self, user: &str, leader: &str) {
        let view = self.view(END, leader, user, user);
        let (leader, host, roster) = (leader.to_owned(), user.to_owned(), roster(user));
        self.publish(EventKind::Started { end_at: END, leader, host, roster });
        let entry = format!("{user}/{}", if self.epoch == EPOCH { 1 } else { 9 });
        let ack = Ack { view, first: true, recovered: false };
        self.call(Outcome::Joined { user: user.to_owned(), entry, ack });
    }

    fn enter(&mut self, user: &str, entry: &str, members: &str) {
        self.publish(changed(Change::Entered, user, members)).except = Some(entry.to_owned());
    }

    fn end(&mut self) {
        self.publish(EventKind::Ended { in_time: true });
    }

    fn close_socket(&mut self, entry: &str, kind: EventKind) {
        let event = event(self.epoch, self.seq, kind);
        self.push(Event { only: Some(entry.to_owned()), closes: true, ..event });
    }

    fn ack(&mut self, user: &str, entry: &str, recovered: bool, view: View) {
        let ack = Ack { view, first: false, recovered };
        self.call(Outcome::Joined { user: user.to_owned(), entry: entry.to_owned(), ack });
    }

    fn close(&mut self, entry: &str) {
        self.call(Outcome::Closed { entry: entry.to_owned() });
    }

    fn read(&mut self, entries: &[&str], gone: &[&str], view: Option<View>) {
        let owned = |entries: &[&str]| entries.iter().map(|&entry| entry.to_owned()).collect();
        self.call(Outcome::Read { entries: owned(entries), gone: owned(gone), view });
    }

    fn attend(&mut self, epoch: u64, user: &str, drops: u32, ending: &str) {
        let (user, ending) = (user.to_owned(), Some(ending.to_owned()));
        self.history.stays.push(Stay { epoch, user, drops, ending });
    }

    /// Adds a call after the last one.
    fn call(&mut self, outcome: Outcome) {
        self.clock += 10;
        self.history.calls.push(Call { began: at(self.clock), finished: at(self.clock + 5), outcome });
    }

    fn view(&self, end_at: u64, leader: &str, host: &str, members: &str) -> View {
        let host = Some(host.to_owned());
        View { host, roster: roster(members), ..self.view_of_nobody(end_at, leader) }
    }

    fn view_of_nobody(&self, end_at: u64, leader: &str) -> View {
        let (epoch, seq, leader) = (self.epoch, self.seq, leader.to_owned());
        View { epoch, seq, end_at, leader, host: None, roster: roster("") }
    }
}

fn event(epoch: u64, seq: u64, kind: EventKind) -> Event {
    Event { received_at: RECEIVED, epoch, seq, except: None, only: None, closes: false, kind }
}

pub fn roster(members: &str) -> Roster {
    let members: Vec<_> = members.split_whitespace().map(member).collect();
    Roster { count: members.len(), members: Some(members) }
}

fn member(text: &str) -> Member {
    let user = text.trim_end_matches('~');
    Member { user: user.to_owned(), grace_until: (user != text).then_some(GRACE_UNTIL) }
}

pub fn changed(change: Change, user: &str, members: &str) -> EventKind {
    EventKind::Changed { change, users: vec![user.to_owned()], roster: roster(members) }
}

pub fn lost(user: &str) -> EventKind {
    EventKind::Reconnecting { user: user.to_owned(), grace_until: GRACE_UNTIL }
}

/// An event of the first session.
pub fn event_at(history: &mut History, seq: u64) -> &mut Event {
    let index = index(history, seq);
    &mut history.events[index]
}

fn index(history: &History, seq: u64) -> usize {
    let is_it = |event: &Event| event.epoch == EPOCH && event.seq == seq && event.only.is_none();
    history.events.iter().position(is_it).unwrap()
}

pub fn ack_of<'a>(history: &'a mut History, entry: &str) -> &'a mut Ack {
    let acks = history.calls.iter_mut().filter_map(|call| match &mut call.outcome {
        Outcome::Joined { entry: own, ack, .. } if own == entry => Some(ack),
        _ => None,
    });
    acks.last().unwrap()
}

pub fn call_of<'a>(history: &'a mut History, entry: &str) -> &'a mut Call {
    let is_it =
        |call: &&mut Call| matches!(&call.outcome, Outcome::Joined { entry: own, .. } if own == entry);
    history.calls.iter_mut().find(is_it).unwrap()
}

/// Removes an event, and closes the gap in the sequence numbers.
pub fn drop_event(history: &mut History, seq: u64) {
    let index = index(history, seq);
    history.events.remove(index);
    renumber(history, seq, |seq| seq - 1);
}

/// Inserts an event before another.
pub fn insert(history: &mut History, seq: u64, kind: EventKind) {
    let index = index(history, seq);
    renumber(history, seq - 1, |seq| seq + 1);
    history.events.insert(index, event(EPOCH, seq, kind));
}

fn renumber(history: &mut History, after: u64, by: fn(u64) -> u64) {
    let events = history.events.iter_mut().map(|event| (event.epoch, &mut event.seq));
    let views = history.calls.iter_mut().filter_map(|call| match &mut call.outcome {
        Outcome::Joined { ack, .. } => Some(&mut ack.view),
        Outcome::Read { view, .. } => view.as_mut(),
        _ => None,
    });
    let views = views.map(|view| (view.epoch, &mut view.seq));
    for (_, seq) in events.chain(views).filter(|(epoch, seq)| *epoch == EPOCH && **seq > after) {
        *seq = by(*seq);
    }
}
