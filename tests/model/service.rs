//! A shard together with the definitions of its rooms: what one call of the service does.

use rollcall_protocol::{ErrorCode, definition::Duplicates};

use crate::{
    ids::{Entry, Node, ROOMS, RoomNo, Time, User},
    live::Terms,
    past::Stay,
    room::{Join, Membership, Refusal, State, Welcome},
    shard::{Shard, Swept},
};

/// What can happen.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// The definition may be read just before it is changed.
    Join {
        join: Join,
        reads_old: bool,
    },
    /// The same join, delivered once more.
    JoinAgain(Join),
    /// The bridge gave a join up, and says so before the join arrives.
    GiveUp(Join),
    Leave(Membership),
    Disconnect(Membership),
    Heartbeat(Node),
    Goodbye(Node),
    Sweep,
    /// Whoever changes it may die between the store and the room.
    Define {
        room: RoomNo,
        definition: Definition,
        dies: bool,
    },
    /// Changed in a source that has no revisions and tells nobody.
    DefineElsewhere {
        room: RoomNo,
        definition: Definition,
    },
    Undefine(RoomNo),
    Read {
        room: RoomNo,
        seats: Vec<(User, Entry)>,
    },
    Attendance(RoomNo),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Done,
    Welcome(Welcome),
    Refused(ErrorCode),
    /// Since when the node has its lease.
    Lease(u64),
    Swept(Swept),
    Revision(u64),
    State(Option<State>, Vec<Entry>),
    Stays(Vec<Stay>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    pub end_at: Time,
    pub leader: User,
    /// Who may enter beside the leader; without it, everybody.
    pub members: Option<Vec<User>>,
    pub duplicates: Duplicates,
    pub capacity: Option<u32>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    pub revision: u64,
    pub definition: Definition,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Service {
    pub shard: Shard,
    pub stores: [Store; ROOMS.len()],
}

/// Where a room's definition is kept.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Store {
    pub current: Option<Session>,
    pub before: Option<Session>,
}

impl Store {
    fn put(&mut self, session: Option<Session>) {
        self.before = std::mem::replace(&mut self.current, session);
    }
}

impl Session {
    fn terms(&self) -> Terms {
        let Definition { end_at, leader, duplicates, capacity, .. } = self.definition;
        Terms { revision: self.revision, end_at, leader, duplicates, capacity }
    }

    fn admits(&self, user: User) -> bool {
        let Definition { leader, members, .. } = &self.definition;
        user == *leader || members.as_ref().is_none_or(|members| members.contains(&user))
    }
}

impl Service {
    pub fn act(&mut self, action: &Action, now: Time) -> Answer {
        match action {
            Action::Join { join, reads_old } => self.join(join, *reads_old, now),
            Action::JoinAgain(join) => self.join(join, false, now),
            Action::GiveUp(Join { room, person, entry, .. }) => {
                self.disconnect(&Membership { room: *room, user: person.user, entry: *entry }, now)
            }
            Action::Leave(who) => self.leave(who, now),
            Action::Disconnect(who) => self.disconnect(who, now),
            Action::Heartbeat(node) => Answer::Lease(self.shard.heartbeat(node, now)),
            Action::Goodbye(node) => {
                self.shard.goodbye(node, now);
                Answer::Lease(0)
            }
            Action::Sweep => Answer::Swept(self.shard.sweep(now)),
            Action::Define { room, definition, dies } => self.define(*room, definition, *dies, now),
            Action::DefineElsewhere { room, definition } => {
                self.stores[*room].put(Some(Session { revision: 0, definition: definition.clone() }));
                Answer::Done
            }
            Action::Undefine(room) => self.undefine(*room, now),
            Action::Read { room, seats } => {
                let (room, turn) = self.shard.turn(*room, now);
                let (state, gone) = room.read(turn.leases, seats, now);
                Answer::State(state, gone)
            }
            Action::Attendance(room) => {
                let (room, turn) = self.shard.turn(*room, now);
                Answer::Stays(room.attendance(turn.leases, now))
            }
        }
    }

    fn leave(&mut self, who: &Membership, now: Time) -> Answer {
        let (room, turn) = self.shard.turn(who.room, now);
        room.leave(turn.leases, who, now);
        Answer::Done
    }

    fn disconnect(&mut self, who: &Membership, now: Time) -> Answer {
        let (room, turn) = self.shard.turn(who.room, now);
        room.disconnect(turn.leases, who, now);
        Answer::Done
    }

    /// A join that read another revision than the room goes by brings the room up to it, or reads again.
    fn join(&mut self, join: &Join, reads_old: bool, now: Time) -> Answer {
        let store = &self.stores[join.room];
        let mut reading = if reads_old { store.before.clone() } else { store.current.clone() };
        loop {
            let Some(session) = reading else { return Answer::Refused(ErrorCode::NoSuchRoom) };
            if !session.admits(join.person.user) {
                return Answer::Refused(ErrorCode::NotAMember);
            }
            self.shard.lapse_if_ended(join.node, now);
            let (room, mut turn) = self.shard.turn(join.room, now);
            match room.join(&mut turn, join, session.terms()) {
                Ok(welcome) => return Answer::Welcome(welcome),
                Err(Refusal::Code(code)) => return Answer::Refused(code),
                Err(Refusal::Revision(_)) => {
                    room.define(turn.leases, session.terms(), session.definition.members.as_deref(), now);
                }
            }
            reading = self.stores[join.room].current.clone();
        }
    }

    fn define(&mut self, room: RoomNo, definition: &Definition, dies: bool, now: Time) -> Answer {
        let revision = self.shard.names.next(now);
        let session = Session { revision, definition: definition.clone() };
        let terms = session.terms();
        self.stores[room].put(Some(session));
        if !dies {
            let (room, turn) = self.shard.turn(room, now);
            room.define(turn.leases, terms, definition.members.as_deref(), now);
        }
        Answer::Revision(revision)
    }

    fn undefine(&mut self, room: RoomNo, now: Time) -> Answer {
        self.shard.names.next(now);
        self.stores[room].put(None);
        let (room, turn) = self.shard.turn(room, now);
        room.end(turn.leases, now);
        Answer::Done
    }
}
