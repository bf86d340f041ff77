//! The rules of joins.

use rollcall_protocol::{ErrorCode, definition::Duplicates};

use crate::{
    event::{Change, EventKind, Person, Recipients},
    history::History,
    ids::{EntryId, MAX_SHARED, Node, PublicId, ROOMS, RoomNo, Time, User},
    live::{Entry, Live, Member, Terms},
    room::{Context, Room, State},
};

/// A call to join.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Join {
    pub room: RoomNo,
    /// Whether the client sends the room's id as a number.
    pub is_room_number: bool,
    pub person: Person,
    pub node: Node,
    pub entry: EntryId,
    /// The entry whose token the client presents.
    pub resumes: Option<EntryId>,
    /// The earlier entry of the same socket.
    pub replaces: Option<EntryId>,
    /// How many tokens the client has presented since the join of the entry.
    pub refreshes: u32,
}

/// The reply to a join.
#[derive(Debug, Clone, PartialEq)]
pub struct Ack {
    pub state: State,
    /// The last event that the ack includes. Further events of the same join come after the ack.
    pub seq: u64,
    pub first: bool,
    pub recovered: bool,
    pub kind: JoinKind,
}

/// The effect of a join.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum JoinKind {
    Started,
    Entered { makes_host: bool },
    Recovered,
    Replaced,
    Added,
    Repeated,
}

/// Why a join fails.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Refusal {
    Code(ErrorCode),
    /// The caller has to read the definition.
    DefinitionNeeded(DefinitionNeeded),
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct DefinitionNeeded {
    /// The last announced change, or 0.
    pub revision: u64,
    pub is_live: bool,
}

/// A definition that the caller of a join has read: the terms, and the list of members.
pub type Given<'a> = Option<(Terms, Option<&'a [User]>)>;

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self::Code(code)
    }
}

impl Room {
    /// `known` is the last change that the caller knew of when it read the definition.
    pub fn join(
        &mut self,
        context: &mut Context,
        join: &Join,
        given: Given<'_>,
        known: u64,
    ) -> Result<Ack, Refusal> {
        self.settle(context.leases, context.clock.paused, context.now);
        let (kind, entry) = self.admit(context, join, given, known)?;
        let state = self.state(context.now).expect("the join made the room live");
        let is_followed_by_event = match kind {
            JoinKind::Started => true,
            JoinKind::Entered { makes_host } => makes_host,
            JoinKind::Repeated => entry.first && state.seq == 1,
            JoinKind::Recovered | JoinKind::Replaced | JoinKind::Added => false,
        };
        let seq = state.seq - u64::from(is_followed_by_event);
        Ok(Ack { state, seq, first: entry.first, recovered: entry.recovered, kind })
    }

    fn admit(
        &mut self,
        context: &mut Context,
        join: &Join,
        given: Given<'_>,
        known: u64,
    ) -> Result<(JoinKind, Entry), Refusal> {
        let is_admitted = given.is_some_and(|(terms, _)| terms.revision == 0);
        if !is_admitted {
            self.demand_definition(given, known)?;
            let live = self.live.as_ref();
            let user = join.person.user;
            if live.is_some_and(|live| live.member(user).is_none() && !live.is_listed(user)) {
                return Err(ErrorCode::NotAMember.into());
            }
        }
        if self.history.closed.contains_key(&join.entry) {
            return Err(ErrorCode::EntryClosed.into());
        }
        let Some(live) = &mut self.live else {
            return self.start(context, join, given.expect("a room that is not live demands it"));
        };
        let index = live.index_of(join.person.user);
        if let Some((index, entry)) =
            index.and_then(|at| Some((at, live.members[at].find_entry(join.entry)?)))
        {
            return live.repeat_join(&mut self.history, join, index, entry, context.now);
        }
        match index {
            None => live.enter(&mut self.history, context, join),
            Some(index) if live.members[index].entries.is_empty() => {
                Ok(live.recover(&mut self.history, context, join, index))
            }
            Some(index) => live.add_connection(&mut self.history, context, join, index),
        }
    }

    /// A live room knows its definition, unless a change may have reached only the store.
    fn demand_definition(&self, given: Given<'_>, known: u64) -> Result<(), Refusal> {
        let (is_needed, revision) = match &self.live {
            Some(live) => (live.admits.is_none() || live.announced > known, live.announced),
            None => {
                let read = given.map(|(terms, _)| terms.revision.max(known));
                (read.is_none_or(|revision| self.announced > revision), self.announced)
            }
        };
        let needed = DefinitionNeeded { revision, is_live: self.live.is_some() };
        if is_needed { Err(Refusal::DefinitionNeeded(needed)) } else { Ok(()) }
    }

    fn start(
        &mut self,
        context: &mut Context,
        join: &Join,
        definition: (Terms, Option<&[User]>),
    ) -> Result<(JoinKind, Entry), Refusal> {
        let (terms, _) = definition;
        if terms.end_at <= context.now {
            return Err(ErrorCode::SessionEnded.into());
        }
        let room = PublicId { text: ROOMS[join.room], is_number: join.is_room_number };
        let epoch = context.epochs.next(context.now);
        let live = self.live.insert(Live::start(room, epoch, definition, context.clock.paused, context.now));
        if self.announced > terms.revision {
            live.announced = self.announced;
        }
        live.count(join, context.now);
        let index = live.add_member(join, context.now);
        live.elect_host();
        let entry = live.add_entry(context, join, index, true, false);
        let kind = EventKind::Started {
            at: context.now,
            end_at: terms.end_at,
            leader: live.terms.leader,
            host: join.person.id(),
            roster: live.roster(),
        };
        live.publish(&mut self.history, Recipients::Everybody, kind);
        Ok((JoinKind::Started, entry))
    }
}

impl Live {
    /// Counts a join of a new entry. A bridge that enters its members again is not limited.
    fn count(&mut self, join: &Join, now: Time) {
        if join.replaces.is_none() {
            self.count_entry(join.person.user, now);
        }
    }

    /// Counts a join of a new entry, unless the user joins too often.
    fn admit_entry(&mut self, join: &Join, now: Time) -> Result<(), Refusal> {
        if join.replaces.is_none() && self.enters_too_often(join.person.user, now) {
            return Err(ErrorCode::RateLimited.into());
        }
        self.count(join, now);
        Ok(())
    }

    fn add_member(&mut self, join: &Join, now: Time) -> usize {
        self.members.push(Member {
            person: join.person,
            joined_at: now,
            entries: Vec::new(),
            lost_at: None,
            grace_until: None,
            drops: 0,
            absences: Vec::new(),
            said: Vec::new(),
        });
        self.keep_leader_id();
        self.members.len() - 1
    }

    fn add_entry(
        &mut self,
        context: &mut Context,
        join: &Join,
        index: usize,
        first: bool,
        recovered: bool,
    ) -> Entry {
        context.leases.ensure(join.node, context.epochs, context.now);
        context.clock.start(context.now);
        let entry = Entry {
            id: join.entry,
            node: join.node,
            tokens: [join.entry].into_iter().chain(join.resumes).collect(),
            first,
            recovered,
            refreshes: join.refreshes,
        };
        self.members[index].entries.push(entry.clone());
        entry
    }

    fn enter(
        &mut self,
        history: &mut History,
        context: &mut Context,
        join: &Join,
    ) -> Result<(JoinKind, Entry), Refusal> {
        let is_full = self.terms.capacity.is_some_and(|capacity| self.members.len() >= capacity as usize);
        if is_full && Some(join.person.user) != self.leader() {
            return Err(ErrorCode::RoomFull.into());
        }
        self.admit_entry(join, context.now)?;
        let was_empty = self.members.is_empty();
        let index = self.add_member(join, context.now);
        let host = self.elect_host();
        self.publish_change(history, Recipients::AllBut(join.entry), Change::Entered, vec![join.person]);
        let entry = self.add_entry(context, join, index, false, false);
        let new_host = host.filter(|_| !was_empty);
        if let Some(host) = new_host {
            self.publish(history, Recipients::Everybody, EventKind::HostChanged { host });
        }
        Ok((JoinKind::Entered { makes_host: new_host.is_some() }, entry))
    }

    /// A repeated join brings another name only with a newer token.
    fn repeat_join(
        &mut self,
        history: &mut History,
        join: &Join,
        index: usize,
        entry: usize,
        now: Time,
    ) -> Result<(JoinKind, Entry), Refusal> {
        if join.refreshes > self.members[index].entries[entry].refreshes {
            if self.members[index].person != join.person {
                self.admit_entry(join, now)?;
            }
            self.members[index].entries[entry].refreshes = join.refreshes;
            let earlier = self.set_person(index, join.person);
            self.publish_update(history, Recipients::Everybody, earlier, join.person);
        }
        Ok((JoinKind::Repeated, self.members[index].entries[entry].clone()))
    }

    fn publish_update(&mut self, history: &mut History, to: Recipients, earlier: Person, person: Person) {
        if earlier != person {
            self.publish_change(history, to, Change::Updated, vec![person]);
        }
    }

    fn recover(
        &mut self,
        history: &mut History,
        context: &mut Context,
        join: &Join,
        index: usize,
    ) -> (JoinKind, Entry) {
        let earlier = self.set_person(index, join.person);
        let member = &mut self.members[index];
        member.grace_until = None;
        let lost_at = member.lost_at.take().expect("a member without entries has lost the last one");
        member.absences.push((lost_at, context.now));
        let (roster, count) = (self.roster(), self.members.len());
        let kind = EventKind::Reconnected { person: join.person, roster, count };
        self.publish(history, Recipients::AllBut(join.entry), kind);
        self.publish_update(history, Recipients::AllBut(join.entry), earlier, join.person);
        (JoinKind::Recovered, self.add_entry(context, join, index, false, true))
    }

    fn add_connection(
        &mut self,
        history: &mut History,
        context: &mut Context,
        join: &Join,
        index: usize,
    ) -> Result<(JoinKind, Entry), Refusal> {
        if let Some(entry) = self.find_earlier(join, index) {
            return Ok(self.take_over(history, context, join, index, entry));
        }
        let is_takeover = self.terms.duplicates == Duplicates::Takeover && join.replaces.is_none();
        if !is_takeover && self.terms.duplicates != Duplicates::Share {
            return Err(ErrorCode::AlreadyJoined.into());
        }
        if !is_takeover && self.members[index].entries.len() >= MAX_SHARED {
            return Err(ErrorCode::TooManyConnections.into());
        }
        if is_takeover || self.members[index].person != join.person {
            self.admit_entry(join, context.now)?;
        }
        if is_takeover {
            return Ok(self.take_over(history, context, join, index, 0));
        }
        let earlier = self.set_person(index, join.person);
        self.publish_update(history, Recipients::AllBut(join.entry), earlier, join.person);
        Ok((JoinKind::Added, self.add_entry(context, join, index, false, false)))
    }

    fn take_over(
        &mut self,
        history: &mut History,
        context: &mut Context,
        join: &Join,
        index: usize,
        entry: usize,
    ) -> (JoinKind, Entry) {
        let replaced = self.members[index].entries.remove(entry);
        history.close(replaced.id, context.now);
        self.publish_close(history, replaced.id, EventKind::Replaced);
        let earlier = self.set_person(index, join.person);
        self.publish_update(history, Recipients::AllBut(join.entry), earlier, join.person);
        (JoinKind::Replaced, self.add_entry(context, join, index, false, true))
    }

    /// Finds the entry that the bridge names or the token belongs to.
    fn find_earlier(&self, join: &Join, index: usize) -> Option<usize> {
        let member = &self.members[index];
        if let Some(named) = join.replaces {
            return member.find_entry(named);
        }
        let token = join.resumes?;
        member.entries.iter().position(|entry| entry.tokens.contains(&token))
    }
}
