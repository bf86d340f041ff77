//! A live session: its members, and the events that they get.

use std::{cmp::Reverse, collections::BTreeMap};

use rollcall_protocol::{
    ErrorCode,
    command::Feature,
    definition::{Duplicates, TimerBy},
    timer::Timer,
};

use crate::{
    chat::Item,
    code::Snippet,
    document::Document,
    event::{Change, Event, EventKind, Listed, Person, Reason, Recipients, Roster},
    history::{Ending, History},
    ids::{
        CLOSED_ENTRY_TTL, ENTRY_BURST, ENTRY_INTERVAL, EntryId, GRACE, Node, PublicId, REMINDER_LEAD,
        ROSTER_LIMIT, SLICE, Time, User,
    },
    lease::Leases,
    status::About,
};

#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    /// The room's id as the first member's client knows it.
    pub room: PublicId,
    pub epoch: u64,
    pub started_at: Time,
    pub seq: u64,
    pub terms: Terms,
    /// Whom the definition admits; none where the source has no revisions.
    pub admits: Option<Admits>,
    /// The revision of the last change that may have reached the store and has not reached the room, or 0.
    pub announced: u64,
    pub reminder_at: Option<Time>,
    pub host: Option<User>,
    /// The part of the shard's pauses that grace periods include.
    pub paused: Time,
    /// In order of entering.
    pub members: Vec<Member>,
    /// Until when entries of a user count. Counting another entry removes old ones.
    pub rate: BTreeMap<Limited, Time>,
    pub timer: Option<Timer>,
    pub chat: Vec<Item>,
    /// How many numbers of the chat have been given out.
    pub chat_count: u64,
    /// In the order of numbers.
    pub snippets: Vec<Snippet>,
    /// How many numbers of snippets have been given out.
    pub snippet_count: u64,
    /// Those of the snippets that members edit together, by number.
    pub documents: BTreeMap<u64, Document>,
    /// Until when users may send nothing; none until the end. Muting another user removes old ones.
    pub muted: BTreeMap<User, Option<Time>>,
    /// The interval of slow mode.
    pub slow: Option<Time>,
    /// Commands that have been applied: by whom, with which id, and when. Another one removes old ones.
    pub commands: BTreeMap<(Option<User>, CommandId), Time>,
}

/// A client's name for a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CommandId(pub u32);

/// What a user may do only so often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limited {
    Entry(User),
    Timer(User),
    Status(User),
    Chat(User),
    /// Messages in slow mode.
    Slow(User),
    Code(User),
    CodeRead(User),
    Document(User),
}

impl std::fmt::Display for Limited {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Entry(user) => f.write_str(user),
            Self::Timer(user) => write!(f, "timer\t{user}"),
            Self::Status(user) => write!(f, "status\t{user}"),
            Self::Chat(user) => write!(f, "chat\t{user}"),
            Self::Slow(user) => write!(f, "slow\t{user}"),
            Self::Code(user) => write!(f, "code\t{user}"),
            Self::CodeRead(user) => write!(f, "code reads\t{user}"),
            Self::Document(user) => write!(f, "document\t{user}"),
        }
    }
}

/// The part of the session definition that the room stores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// Zero if the source has no revisions.
    pub revision: u64,
    pub end_at: Time,
    pub leader: Option<PublicId>,
    pub duplicates: Duplicates,
    pub capacity: Option<u32>,
    pub timer_by: TimerBy,
    pub features: &'static [Feature],
}

/// Whom a definition admits, beside the leader.
#[derive(Debug, Clone, PartialEq)]
pub enum Admits {
    All,
    Listed(Vec<User>),
}

impl Admits {
    fn of(terms: Terms, members: Option<&[User]>) -> Option<Self> {
        let admits = members.map_or(Self::All, |members| Self::Listed(members.to_vec()));
        (terms.revision > 0).then_some(admits)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    pub person: Person,
    pub joined_at: Time,
    /// A member without entries is within the grace period.
    pub entries: Vec<Entry>,
    pub lost_at: Option<Time>,
    /// End of the grace period.
    pub grace_until: Option<Time>,
    pub drops: u32,
    /// The times without a connection that are over.
    pub absences: Vec<(Time, Time)>,
    /// What the member has said, and since when it holds.
    pub said: Vec<(Time, About)>,
}

/// A current entry of a member.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub id: EntryId,
    pub node: Node,
    /// Tokens that can resume the entry: its own, and the one that its join presented.
    pub tokens: Vec<EntryId>,
    pub first: bool,
    pub recovered: bool,
    pub refreshes: u32,
}

impl Member {
    pub fn find_entry(&self, id: EntryId) -> Option<usize> {
        self.entries.iter().position(|entry| entry.id == id)
    }
}

impl Live {
    pub fn start(
        room: PublicId,
        epoch: u64,
        (terms, members): (Terms, Option<&[User]>),
        paused: Time,
        now: Time,
    ) -> Self {
        let mut live = Self {
            room,
            epoch,
            started_at: now,
            seq: 0,
            terms,
            admits: Admits::of(terms, members),
            announced: 0,
            reminder_at: None,
            host: None,
            paused,
            members: Vec::new(),
            rate: BTreeMap::new(),
            timer: None,
            chat: Vec::new(),
            chat_count: 0,
            snippets: Vec::new(),
            snippet_count: 0,
            documents: BTreeMap::new(),
            muted: BTreeMap::new(),
            slow: None,
            commands: BTreeMap::new(),
        };
        live.schedule_reminder(now);
        live
    }

    /// An end within the reminder's lead gets no reminder.
    fn schedule_reminder(&mut self, now: Time) {
        self.reminder_at = Some(self.terms.end_at - REMINDER_LEAD).filter(|&at| at > now);
    }

    fn free_at(&self, what: Limited, now: Time) -> Time {
        self.rate.get(&what).map_or(now, |&until| until.max(now))
    }

    /// Whether a user does something too often.
    pub fn is_rate_limited(&self, what: Limited, now: Time, burst: u64, interval: Time) -> bool {
        self.free_at(what, now) > now + (burst - 1) * interval
    }

    pub fn count_against(&mut self, what: Limited, now: Time, interval: Time) {
        self.rate.retain(|_, until| *until > now);
        self.rate.insert(what, self.free_at(what, now) + interval);
    }

    /// Counts what a user does, unless the user does it too often.
    pub fn limit(&mut self, what: Limited, now: Time, burst: u64, interval: Time) -> Result<(), ErrorCode> {
        if self.is_rate_limited(what, now, burst, interval) {
            return Err(ErrorCode::RateLimited);
        }
        self.count_against(what, now, interval);
        Ok(())
    }

    /// Counts a message in slow mode. A time that is left from a longer interval counts no longer.
    pub fn limit_slowly(&mut self, user: User, now: Time, interval: Time) -> Result<(), ErrorCode> {
        let limited = Limited::Slow(user);
        if self.rate.get(&limited).is_some_and(|&until| until > now + interval) {
            self.rate.remove(&limited);
        }
        self.limit(limited, now, 1, interval)
    }

    /// Whether a command has been applied before.
    pub fn has_applied(&self, by: Option<User>, id: CommandId) -> bool {
        self.commands.contains_key(&(by, id))
    }

    pub fn remember(&mut self, by: Option<User>, id: CommandId, now: Time) {
        self.commands.retain(|_, at| *at + CLOSED_ENTRY_TTL > now);
        self.commands.insert((by, id), now);
    }

    /// Whether the user enters too often.
    pub fn enters_too_often(&self, user: User, now: Time) -> bool {
        self.is_rate_limited(Limited::Entry(user), now, ENTRY_BURST, ENTRY_INTERVAL)
    }

    pub fn count_entry(&mut self, user: User, now: Time) {
        self.count_against(Limited::Entry(user), now, ENTRY_INTERVAL);
    }

    pub fn is_listed(&self, user: User) -> bool {
        let Some(Admits::Listed(listed)) = &self.admits else { return true };
        self.leader() == Some(user) || listed.contains(&user)
    }

    pub fn index_of(&self, user: User) -> Option<usize> {
        self.members.iter().position(|member| member.person.user == user)
    }

    pub fn member(&self, user: User) -> Option<&Member> {
        self.members.iter().find(|member| member.person.user == user)
    }

    pub fn entries(&self) -> impl Iterator<Item = (User, &Entry)> {
        self.members.iter().flat_map(|member| member.entries.iter().map(|entry| (member.person.user, entry)))
    }

    pub fn leader(&self) -> Option<User> {
        self.terms.leader.map(|leader| leader.text)
    }

    /// Gives the leader's id the form of the member's, as clients know the leader from then on.
    pub fn keep_leader_id(&mut self) {
        let member = self.leader().and_then(|leader| self.member(leader));
        self.terms.leader = member.map(|member| member.person.id()).or(self.terms.leader);
    }

    /// Gives a member the name and form of id of the latest token. Returns the former ones.
    pub fn set_person(&mut self, index: usize, person: Person) -> Person {
        let earlier = std::mem::replace(&mut self.members[index].person, person);
        self.keep_leader_id();
        earlier
    }

    /// A user's id as clients see it: the member's, else as the caller writes it.
    pub fn public_id(&self, user: User) -> PublicId {
        let known = self.member(user).map(|member| member.person.id());
        known.unwrap_or(PublicId { text: user, is_number: false })
    }

    pub fn public_host(&self) -> Option<PublicId> {
        self.host.and_then(|host| self.member(host)).map(|member| member.person.id())
    }

    pub fn roster(&self) -> Roster {
        let listed = self.members.iter().map(|member| Listed {
            person: member.person,
            joined_at: member.joined_at,
            grace_until: member.grace_until,
            about: member.about(),
        });
        (self.members.len() <= ROSTER_LIMIT).then(|| listed.collect())
    }

    /// The next deadline, apart from ends of leases.
    pub fn due(&self) -> Time {
        let graces = self.members.iter().filter_map(|member| member.grace_until);
        let phase_end = self.timer.as_ref().and_then(|timer| timer.ends_at);
        graces.chain(self.reminder_at).chain(phase_end).fold(self.terms.end_at, Time::min)
    }

    pub fn publish(&mut self, history: &mut History, to: Recipients, kind: EventKind) {
        self.seq += 1;
        history.events.push(Event { epoch: self.epoch, seq: self.seq, room: self.room, to, kind });
    }

    /// Tells one entry why its socket is closed. The event takes no sequence number.
    pub fn publish_close(&self, history: &mut History, entry: EntryId, kind: EventKind) {
        let to = Recipients::Only(entry);
        history.events.push(Event { epoch: self.epoch, seq: self.seq, room: self.room, to, kind });
    }

    pub fn publish_change(
        &mut self,
        history: &mut History,
        to: Recipients,
        change: Change,
        users: Vec<Person>,
    ) {
        let (roster, count) = (self.roster(), self.members.len());
        self.publish(history, to, EventKind::Changed { change, users, roster, count });
    }

    /// Elects the leader if in the room, else the member who entered first. Returns a new host.
    pub fn elect_host(&mut self) -> Option<Person> {
        let leader = self.leader().and_then(|leader| self.member(leader));
        let host = leader.or(self.members.first()).map(|member| member.person);
        let before = std::mem::replace(&mut self.host, host.map(|host| host.user));
        host.filter(|host| Some(host.user) != before)
    }

    pub fn publish_new_host(&mut self, history: &mut History) {
        if let Some(host) = self.elect_host() {
            self.publish(history, Recipients::Everybody, EventKind::HostChanged { host });
        }
    }

    /// Prolongs the grace periods that pauses have cut short, the last one first.
    pub fn prolong_grace_periods(&mut self, history: &mut History, paused: Time) {
        let pause = paused - std::mem::replace(&mut self.paused, paused);
        if pause == 0 {
            return;
        }
        let mut lost: Vec<&mut Member> =
            self.members.iter_mut().filter(|member| member.grace_until.is_some()).collect();
        lost.sort_by_key(|member| Reverse((member.grace_until, member.person.user)));
        let prolonged: Vec<EventKind> = lost
            .into_iter()
            .filter_map(|member| {
                let grace_until = member.grace_until.as_mut()?;
                *grace_until += pause;
                Some(EventKind::Reconnecting { person: member.person, grace_until: *grace_until })
            })
            .collect();
        for kind in prolonged {
            self.publish(history, Recipients::Everybody, kind);
        }
    }

    /// Drops entries of nodes whose lease ended. They count as lost when the lease ended.
    pub fn drop_expired_entries(&mut self, history: &mut History, leases: &Leases, until: Time, now: Time) {
        for index in 0..self.members.len() {
            let member = &mut self.members[index];
            let is_over = |entry: &Entry| leases.end_of(entry.node) <= until;
            let (over, current) = std::mem::take(&mut member.entries).into_iter().partition(is_over);
            member.entries = current;
            let over: Vec<Entry> = over;
            over.iter().for_each(|entry| history.close(entry.id, now));
            if let Some(lost_at) = over.iter().map(|entry| leases.end_of(entry.node)).max() {
                self.handle_disconnect(history, index, lost_at);
            }
        }
    }

    /// Starts the grace period of a member whose last entry was lost.
    pub fn handle_disconnect(&mut self, history: &mut History, index: usize, lost_at: Time) {
        let member = &mut self.members[index];
        if !member.entries.is_empty() {
            return;
        }
        member.lost_at = Some(lost_at);
        member.grace_until = Some(lost_at + GRACE);
        member.drops += 1;
        let kind = EventKind::Reconnecting { person: member.person, grace_until: lost_at + GRACE };
        self.publish(history, Recipients::Everybody, kind);
    }

    /// Removes members whose grace period is over, ordered by its end and in slices.
    pub fn expire_grace_periods(&mut self, history: &mut History, until: Time, now: Time) {
        let mut gone: Vec<_> = self
            .members
            .iter()
            .filter_map(|member| Some((member.grace_until.filter(|&at| at <= until)?, member.person.user)))
            .collect();
        gone.sort();
        let users: Vec<User> = gone.into_iter().map(|(_, user)| user).collect();
        for slice in users.chunks(SLICE) {
            self.remove(history, slice, Change::GraceExpired, now);
        }
    }

    pub fn publish_reminder(&mut self, history: &mut History, now: Time) {
        if self.reminder_at.is_some_and(|at| at <= now) {
            self.reminder_at = None;
            let end_at = self.terms.end_at;
            self.publish(
                history,
                Recipients::Everybody,
                EventKind::Reminder { end_at, remain: end_at - now },
            );
        }
    }

    /// Removes members from the room.
    pub fn remove(&mut self, history: &mut History, users: &[User], change: Change, now: Time) {
        let ending = match change {
            Change::GraceExpired => Ending::GraceExpired,
            Change::Removed => Ending::Removed,
            Change::Entered | Change::Left | Change::Updated => Ending::Left,
        };
        let mut gone = Vec::new();
        for user in users {
            let index = self.index_of(user).expect("the user is in the room");
            let member = self.members.remove(index);
            member.entries.iter().for_each(|entry| history.close(entry.id, now));
            history.record_stay(self.epoch, &member, ending, now);
            gone.push(member.person);
        }
        let host = self.elect_host();
        self.publish_change(history, Recipients::Everybody, change, gone);
        if let Some(host) = host {
            self.publish(history, Recipients::Everybody, EventKind::HostChanged { host });
        }
    }

    /// Ends the session. Only the history remains.
    pub fn end(mut self, history: &mut History, reason: Reason, now: Time) {
        self.publish(history, Recipients::Everybody, EventKind::Ended(reason));
        for member in &self.members {
            member.entries.iter().for_each(|entry| history.close(entry.id, now));
            history.record_stay(self.epoch, member, Ending::Ended, now.min(self.terms.end_at));
        }
    }

    /// Changes the terms, and removes members who are not in the new list.
    pub fn change_terms(&mut self, history: &mut History, terms: Terms, members: Option<&[User]>, now: Time) {
        let old = std::mem::replace(&mut self.terms, terms);
        self.keep_leader_id();
        self.admits = Admits::of(terms, members);
        if terms.end_at != old.end_at {
            self.schedule_reminder(now);
        }
        if self.leader() != old.leader.map(|leader| leader.text) {
            let leader = self.terms.leader;
            self.publish(history, Recipients::Everybody, EventKind::LeaderChanged { leader });
        }
        if let Some(listed) = members {
            self.remove_unlisted(history, listed, now);
        }
        self.publish_new_host(history);
        if terms.end_at != old.end_at {
            let remain = terms.end_at - now;
            self.publish(
                history,
                Recipients::Everybody,
                EventKind::Rescheduled { end_at: terms.end_at, remain },
            );
        }
    }

    fn remove_unlisted(&mut self, history: &mut History, listed: &[User], now: Time) {
        let leader = self.leader();
        let is_unlisted = |user: &User| Some(*user) != leader && !listed.contains(user);
        let out: Vec<User> =
            self.members.iter().map(|member| member.person.user).filter(is_unlisted).collect();
        for slice in out.chunks(SLICE) {
            self.kick(history, slice, now);
        }
    }

    /// Removes members against their will. Their sockets are closed.
    pub fn kick(&mut self, history: &mut History, users: &[User], now: Time) {
        for (_, entry) in self.entries().filter(|(user, _)| users.contains(user)) {
            self.publish_close(history, entry.id, EventKind::Removed);
        }
        self.remove(history, users, Change::Removed, now);
    }
}
