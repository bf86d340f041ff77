//! The rules of one room. Whatever is overdue in it happens before anything else does.

use rollcall_protocol::{ErrorCode, definition::Duplicates};

use crate::{
    event::{Change, News, Person, Reason, Roster, To},
    ids::{Entry, MAX_SHARED, Node, RoomNo, Time, User},
    lease::{Leases, Names},
    live::{Live, Member, Seat, Terms},
    past::{Past, Stay},
};

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Room {
    /// None while no session is live.
    pub live: Option<Live>,
    pub past: Past,
}

/// A user wants to enter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Join {
    pub room: RoomNo,
    pub person: Person,
    pub node: Node,
    pub entry: Entry,
    /// The entry whose token is presented.
    pub resumes: Option<Entry>,
    /// The entry that the same socket had before.
    pub replaces: Option<Entry>,
}

/// Names a membership exactly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Membership {
    pub room: RoomNo,
    pub user: User,
    pub entry: Entry,
}

/// What a member learns on entering.
#[derive(Debug, Clone, PartialEq)]
pub struct Welcome {
    pub state: State,
    /// The last event that this stands for: what the member's own coming in has changed beside comes after it.
    pub seq: u64,
    pub first: bool,
    pub recovered: bool,
    pub way: Way,
}

/// How a user came in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Way {
    Began,
    Entered { makes_host: bool },
    Recovered,
    Replaced,
    CameBeside,
    WasThere,
}

/// How things are in a room.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    pub roster: Roster,
    pub count: usize,
    pub end_at: Time,
    pub remain: Time,
    pub leader: User,
    pub host: Option<User>,
    pub epoch: u64,
    pub seq: u64,
}

/// Why a user does not come in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Refusal {
    Code(ErrorCode),
    /// The room goes by this revision of its definition.
    Revision(u64),
}

/// What a change of a room has at hand beside the room.
pub struct Turn<'a> {
    pub now: Time,
    pub leases: &'a mut Leases,
    pub names: &'a mut Names,
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self::Code(code)
    }
}

impl Room {
    /// Brings the room up to now. It makes no difference to its state how often that is done.
    pub fn settle(&mut self, leases: &Leases, now: Time) {
        let Some(live) = &mut self.live else { return };
        let until = now.min(live.terms.end_at);
        live.lose_connections(&mut self.past, leases, until, now);
        live.lapse_grace(&mut self.past, until, now);
        if now >= live.terms.end_at {
            self.finish(Reason::Time, now);
        } else {
            live.remind(&mut self.past, now);
        }
    }

    fn finish(&mut self, reason: Reason, now: Time) {
        if let Some(live) = self.live.take() {
            live.finish(&mut self.past, reason, now);
        }
    }

    pub fn state(&self, now: Time) -> Option<State> {
        let live = self.live.as_ref()?;
        Some(State {
            roster: live.roster(),
            count: live.members.len(),
            end_at: live.terms.end_at,
            remain: live.terms.end_at - now,
            leader: live.terms.leader,
            host: live.host,
            epoch: live.epoch,
            seq: live.seq,
        })
    }

    pub fn holds(&self, node: Node) -> bool {
        self.live.as_ref().is_some_and(|live| live.seats().any(|(_, seat)| seat.node == node))
    }

    pub fn join(&mut self, turn: &mut Turn, join: &Join, terms: Terms) -> Result<Welcome, Refusal> {
        self.settle(turn.leases, turn.now);
        let (way, seat) = self.take_seat(turn, join, terms)?;
        let state = self.state(turn.now).expect("somebody has just come in");
        let is_last_to_come = match way {
            Way::Began => true,
            Way::Entered { makes_host } => makes_host,
            Way::WasThere => seat.first && state.seq == 1,
            Way::Recovered | Way::Replaced | Way::CameBeside => false,
        };
        let seq = state.seq - u64::from(is_last_to_come);
        Ok(Welcome { state, seq, first: seat.first, recovered: seat.recovered, way })
    }

    fn take_seat(&mut self, turn: &mut Turn, join: &Join, terms: Terms) -> Result<(Way, Seat), Refusal> {
        if self.past.closed.contains_key(&join.entry) {
            return Err(ErrorCode::EntryClosed.into());
        }
        let Some(live) = &mut self.live else { return self.begin(turn, join, terms) };
        let place = live.place_of(join.person.user);
        if let Some(seat) = place.and_then(|place| seat_of(&live.members[place], join.entry)) {
            return Ok((Way::WasThere, seat.clone()));
        }
        if terms.revision > 0 && terms.revision != live.terms.revision {
            return Err(Refusal::Revision(live.terms.revision));
        }
        match place {
            None => live.enter(&mut self.past, turn, join),
            Some(place) if live.members[place].seats.is_empty() => {
                Ok(live.recover(&mut self.past, turn, join, place))
            }
            Some(place) => live.come_beside(&mut self.past, turn, join, place),
        }
    }

    fn begin(&mut self, turn: &mut Turn, join: &Join, terms: Terms) -> Result<(Way, Seat), Refusal> {
        if terms.end_at <= turn.now {
            return Err(ErrorCode::SessionEnded.into());
        }
        let live = self.live.insert(Live::begin(turn.names.next(turn.now), terms, turn.now));
        let place = live.take_place(join, turn.now);
        live.elect();
        let seat = live.seat(turn, join, place, true, false);
        let news = News::Started {
            at: turn.now,
            end_at: terms.end_at,
            leader: terms.leader,
            host: join.person.user,
            roster: live.roster(),
        };
        live.tell(&mut self.past, To::Everybody, news);
        Ok((Way::Began, seat))
    }

    pub fn leave(&mut self, leases: &Leases, who: &Membership, now: Time) {
        self.settle(leases, now);
        if let Some((live, place, seat)) = current(&mut self.live, who) {
            if live.members[place].seats.len() > 1 {
                live.members[place].seats.remove(seat);
            } else {
                live.remove(&mut self.past, &[who.user], Change::Left, now);
            }
        }
        self.past.close(who.entry, now);
    }

    pub fn disconnect(&mut self, leases: &Leases, who: &Membership, now: Time) {
        self.settle(leases, now);
        if let Some((live, place, seat)) = current(&mut self.live, who) {
            live.members[place].seats.remove(seat);
            live.after_loss(&mut self.past, place, now);
        }
        // Should its join still come, it comes too late.
        self.past.close(who.entry, now);
    }

    /// Applies a definition, unless the room goes by the same or a newer one.
    pub fn define(&mut self, leases: &Leases, terms: Terms, members: Option<&[User]>, now: Time) {
        self.settle(leases, now);
        let Some(live) = self.live.as_mut().filter(|live| live.terms.revision < terms.revision) else {
            return;
        };
        if terms.end_at <= now {
            self.finish(Reason::Ended, now);
        } else {
            live.change_terms(&mut self.past, terms, members, now);
        }
    }

    pub fn end(&mut self, leases: &Leases, now: Time) {
        self.settle(leases, now);
        self.finish(Reason::Ended, now);
    }

    /// How things are, and which of the seats are not current.
    pub fn read(
        &mut self,
        leases: &Leases,
        seats: &[(User, Entry)],
        now: Time,
    ) -> (Option<State>, Vec<Entry>) {
        self.settle(leases, now);
        let is_gone = |user: User, entry: Entry| {
            let member = self.live.as_ref().and_then(|live| live.member(user));
            member.is_none_or(|member| member.seat(entry).is_none())
        };
        let gone = seats.iter().filter(|(user, entry)| is_gone(user, *entry)).map(|(_, entry)| *entry);
        (self.state(now), gone.collect())
    }

    /// Stays that are over, then those that are not.
    pub fn attendance(&mut self, leases: &Leases, now: Time) -> Vec<Stay> {
        self.settle(leases, now);
        let mut stays = self.past.stays.clone();
        if let Some(live) = &self.live {
            stays.extend(live.members.iter().map(|member| Stay::of(live.epoch, member, now)));
        }
        stays
    }
}

fn seat_of(member: &Member, entry: Entry) -> Option<&Seat> {
    member.seat(entry).map(|seat| &member.seats[seat])
}

/// Where an entry sits, if it is current.
fn current<'a>(live: &'a mut Option<Live>, who: &Membership) -> Option<(&'a mut Live, usize, usize)> {
    let live = live.as_mut()?;
    let place = live.place_of(who.user)?;
    let seat = live.members[place].seat(who.entry)?;
    Some((live, place, seat))
}

impl Live {
    fn take_place(&mut self, join: &Join, now: Time) -> usize {
        self.members.push(Member {
            person: join.person,
            joined_at: now,
            seats: Vec::new(),
            lost_at: None,
            drops: 0,
            away: 0,
        });
        self.members.len() - 1
    }

    fn seat(&mut self, turn: &mut Turn, join: &Join, place: usize, first: bool, recovered: bool) -> Seat {
        turn.leases.ensure(join.node, turn.names, turn.now);
        let seat = Seat {
            entry: join.entry,
            node: join.node,
            tokens: [join.entry].into_iter().chain(join.resumes).collect(),
            first,
            recovered,
        };
        self.members[place].seats.push(seat.clone());
        seat
    }

    fn enter(&mut self, past: &mut Past, turn: &mut Turn, join: &Join) -> Result<(Way, Seat), Refusal> {
        let is_full = self.terms.capacity.is_some_and(|capacity| self.members.len() >= capacity as usize);
        if is_full && join.person.user != self.terms.leader {
            return Err(ErrorCode::RoomFull.into());
        }
        let was_empty = self.members.is_empty();
        let place = self.take_place(join, turn.now);
        let host = self.elect();
        self.tell_change(past, To::AllBut(join.entry), Change::Entered, vec![join.person]);
        let seat = self.seat(turn, join, place, false, false);
        let new_host = host.filter(|_| !was_empty);
        if let Some(host) = new_host {
            self.tell(past, To::Everybody, News::HostChanged { host });
        }
        Ok((Way::Entered { makes_host: new_host.is_some() }, seat))
    }

    fn recover(&mut self, past: &mut Past, turn: &mut Turn, join: &Join, place: usize) -> (Way, Seat) {
        let member = &mut self.members[place];
        member.person = join.person;
        member.away += turn.now - member.lost_at.take().expect("a member without seats has lost them");
        let (roster, count) = (self.roster(), self.members.len());
        let news = News::Reconnected { person: join.person, roster, count };
        self.tell(past, To::AllBut(join.entry), news);
        (Way::Recovered, self.seat(turn, join, place, false, true))
    }

    fn come_beside(
        &mut self,
        past: &mut Past,
        turn: &mut Turn,
        join: &Join,
        place: usize,
    ) -> Result<(Way, Seat), Refusal> {
        if let Some(seat) = self.replaceable(join, place) {
            let replaced = self.members[place].seats.remove(seat);
            past.close(replaced.entry, turn.now);
            self.tell_one(past, replaced.entry, News::Replaced);
            self.members[place].person = join.person;
            return Ok((Way::Replaced, self.seat(turn, join, place, false, true)));
        }
        if self.terms.duplicates != Duplicates::Share {
            return Err(ErrorCode::AlreadyJoined.into());
        }
        if self.members[place].seats.len() >= MAX_SHARED {
            return Err(ErrorCode::TooManyConnections.into());
        }
        Ok((Way::CameBeside, self.seat(turn, join, place, false, false)))
    }

    /// Which seat makes way: the one that is named, else the one whose token is presented, else any if that is the
    /// policy.
    fn replaceable(&self, join: &Join, place: usize) -> Option<usize> {
        let member = &self.members[place];
        if let Some(named) = join.replaces {
            return member.seat(named);
        }
        let resumed =
            join.resumes.and_then(|token| member.seats.iter().position(|seat| seat.tokens.contains(&token)));
        resumed.or((self.terms.duplicates == Duplicates::Takeover).then_some(0))
    }
}
