//! A session that is live: who is in it, and what they are told.

use rollcall_protocol::definition::Duplicates;

use crate::{
    event::{Change, Event, Listed, News, Person, Reason, Roster, To},
    ids::{Entry, GRACE, LEAD, Node, ROSTER_LIMIT, Time, User},
    lease::Leases,
    past::{Ending, Past},
};

#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    pub epoch: u64,
    pub started_at: Time,
    pub seq: u64,
    pub terms: Terms,
    pub reminder_at: Option<Time>,
    pub host: Option<User>,
    /// In the order in which they came.
    pub members: Vec<Member>,
}

/// What a definition says of the room itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// Zero where its source has none.
    pub revision: u64,
    pub end_at: Time,
    pub leader: User,
    pub duplicates: Duplicates,
    pub capacity: Option<u32>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    pub person: Person,
    pub joined_at: Time,
    /// Without any, the member is within the grace period.
    pub seats: Vec<Seat>,
    pub lost_at: Option<Time>,
    pub drops: u32,
    pub away: Time,
}

/// A current entry of a member, and how it came in.
#[derive(Debug, Clone, PartialEq)]
pub struct Seat {
    pub entry: Entry,
    pub node: Node,
    /// What it can be resumed with: its own token, and the one that it came with.
    pub tokens: Vec<Entry>,
    pub first: bool,
    pub recovered: bool,
}

impl Member {
    pub fn grace_until(&self) -> Option<Time> {
        self.lost_at.map(|lost_at| lost_at + GRACE)
    }

    pub fn seat(&self, entry: Entry) -> Option<usize> {
        self.seats.iter().position(|seat| seat.entry == entry)
    }
}

impl Live {
    pub fn begin(epoch: u64, terms: Terms, now: Time) -> Self {
        let mut live = Self {
            epoch,
            started_at: now,
            seq: 0,
            terms,
            reminder_at: None,
            host: None,
            members: Vec::new(),
        };
        live.plan_reminder(now);
        live
    }

    /// Within the lead there is none.
    fn plan_reminder(&mut self, now: Time) {
        self.reminder_at = Some(self.terms.end_at - LEAD).filter(|&at| at > now);
    }

    pub fn place_of(&self, user: User) -> Option<usize> {
        self.members.iter().position(|member| member.person.user == user)
    }

    pub fn member(&self, user: User) -> Option<&Member> {
        self.members.iter().find(|member| member.person.user == user)
    }

    pub fn seats(&self) -> impl Iterator<Item = (User, &Seat)> {
        self.members.iter().flat_map(|member| member.seats.iter().map(|seat| (member.person.user, seat)))
    }

    pub fn roster(&self) -> Roster {
        let listed = self.members.iter().map(|member| Listed {
            person: member.person,
            joined_at: member.joined_at,
            grace_until: member.grace_until(),
        });
        (self.members.len() <= ROSTER_LIMIT).then(|| listed.collect())
    }

    /// When something in it is next due, as far as it is known without looking at leases.
    pub fn due(&self) -> Time {
        let graces = self.members.iter().filter_map(Member::grace_until);
        graces.chain(self.reminder_at).fold(self.terms.end_at, Time::min)
    }

    pub fn tell(&mut self, past: &mut Past, to: To, news: News) {
        self.seq += 1;
        past.events.push(Event { epoch: self.epoch, seq: self.seq, to, news });
    }

    /// Tells one connection why it is closed, which takes no number.
    pub fn tell_one(&self, past: &mut Past, entry: Entry, news: News) {
        past.events.push(Event { epoch: self.epoch, seq: self.seq, to: To::Only(entry), news });
    }

    pub fn tell_change(&mut self, past: &mut Past, to: To, change: Change, users: Vec<Person>) {
        let (roster, count) = (self.roster(), self.members.len());
        self.tell(past, to, News::Changed { change, users, roster, count });
    }

    /// The leader is host while in the room, else whoever has been there longest. Returns a host that is new.
    pub fn elect(&mut self) -> Option<Person> {
        let leader = self.member(self.terms.leader);
        let host = leader.or(self.members.first()).map(|member| member.person);
        let before = std::mem::replace(&mut self.host, host.map(|host| host.user));
        host.filter(|host| Some(host.user) != before)
    }

    pub fn tell_new_host(&mut self, past: &mut Past) {
        if let Some(host) = self.elect() {
            self.tell(past, To::Everybody, News::HostChanged { host });
        }
    }

    /// The connections of nodes that are gone are lost, as of when their leases ended.
    pub fn lose_connections(&mut self, past: &mut Past, leases: &Leases, until: Time, now: Time) {
        for place in 0..self.members.len() {
            let member = &mut self.members[place];
            let is_over = |seat: &Seat| leases.end_of(seat.node) <= until;
            let (over, current) = std::mem::take(&mut member.seats).into_iter().partition(is_over);
            member.seats = current;
            let over: Vec<Seat> = over;
            over.iter().for_each(|seat| past.close(seat.entry, now));
            if let Some(lost_at) = over.iter().map(|seat| leases.end_of(seat.node)).max() {
                self.after_loss(past, place, lost_at);
            }
        }
    }

    /// A member has lost a connection. The grace period starts if it was the last.
    pub fn after_loss(&mut self, past: &mut Past, place: usize, lost_at: Time) {
        let member = &mut self.members[place];
        if !member.seats.is_empty() {
            return;
        }
        member.lost_at = Some(lost_at);
        member.drops += 1;
        let news = News::Reconnecting { person: member.person, grace_until: lost_at + GRACE };
        self.tell(past, To::Everybody, news);
    }

    /// Members whose grace period is over are out, those first whose was over first.
    pub fn lapse_grace(&mut self, past: &mut Past, until: Time, now: Time) {
        let mut gone: Vec<_> = self
            .members
            .iter()
            .filter_map(|member| Some((member.grace_until().filter(|&at| at <= until)?, member.person.user)))
            .collect();
        gone.sort();
        let users: Vec<User> = gone.into_iter().map(|(_, user)| user).collect();
        if !users.is_empty() {
            self.remove(past, &users, Change::GraceExpired, now);
        }
    }

    pub fn remind(&mut self, past: &mut Past, now: Time) {
        if self.reminder_at.is_some_and(|at| at <= now) {
            self.reminder_at = None;
            let end_at = self.terms.end_at;
            self.tell(past, To::Everybody, News::Reminder { end_at, remain: end_at - now });
        }
    }

    /// Takes members out of the room.
    pub fn remove(&mut self, past: &mut Past, users: &[User], change: Change, now: Time) {
        let ending = match change {
            Change::GraceExpired => Ending::GraceExpired,
            Change::Removed => Ending::Removed,
            Change::Entered | Change::Left => Ending::Left,
        };
        let mut gone = Vec::new();
        for user in users {
            let place = self.place_of(user).expect("they are in the room");
            let member = self.members.remove(place);
            member.seats.iter().for_each(|seat| past.close(seat.entry, now));
            past.attended(self.epoch, &member, ending, now);
            gone.push(member.person);
        }
        let host = self.elect();
        self.tell_change(past, To::Everybody, change, gone);
        if let Some(host) = host {
            self.tell(past, To::Everybody, News::HostChanged { host });
        }
    }

    /// Puts everybody out. Nothing of the session is left but what is past.
    pub fn finish(mut self, past: &mut Past, reason: Reason, now: Time) {
        self.tell(past, To::Everybody, News::Ended(reason));
        for member in &self.members {
            member.seats.iter().for_each(|seat| past.close(seat.entry, now));
            past.attended(self.epoch, member, Ending::Ended, now.min(self.terms.end_at));
        }
    }

    /// Goes on under other terms, with only those members who are in the new list.
    pub fn change_terms(&mut self, past: &mut Past, terms: Terms, members: Option<&[User]>, now: Time) {
        let had = std::mem::replace(&mut self.terms, terms);
        if terms.end_at != had.end_at {
            self.plan_reminder(now);
        }
        if terms.leader != had.leader {
            self.tell(past, To::Everybody, News::LeaderChanged { leader: terms.leader });
        }
        if let Some(listed) = members {
            self.put_out_unlisted(past, listed, now);
        }
        self.tell_new_host(past);
        if terms.end_at != had.end_at {
            let remain = terms.end_at - now;
            self.tell(past, To::Everybody, News::Rescheduled { end_at: terms.end_at, remain });
        }
    }

    fn put_out_unlisted(&mut self, past: &mut Past, listed: &[User], now: Time) {
        let leader = self.terms.leader;
        let is_unlisted = |user: &User| *user != leader && !listed.contains(user);
        let out: Vec<User> =
            self.members.iter().map(|member| member.person.user).filter(is_unlisted).collect();
        for (_, seat) in self.seats().filter(|(user, _)| out.contains(user)) {
            self.tell_one(past, seat.entry, News::Removed);
        }
        if !out.is_empty() {
            self.remove(past, &out, Change::Removed, now);
        }
    }
}
