//! Calls of the service: a shard, and the definitions of its rooms.

use rollcall_protocol::{ErrorCode, definition::Duplicates};

use crate::{
    history::Attendee,
    ids::{EntryId, Node, PublicId, ROOMS, RoomNo, Time, User},
    live::Terms,
    room::{Ack, Join, Membership, Refusal, State},
    shard::{Page, Shard, Swept},
};

/// A call, or a failure of a caller.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// May read the definition that the last change replaced.
    Join {
        join: Join,
        reads_stale: bool,
    },
    /// A copy of an earlier join.
    RepeatJoin(Join),
    /// The bridge abandons a join, and its disconnect arrives before the join.
    AbandonJoin(Join),
    Leave(Membership),
    Disconnect(Membership),
    Heartbeat(Node),
    Stop(Node),
    Sweep,
    /// The caller may crash after it changed the store and before it changes the room.
    Define {
        room: RoomNo,
        definition: Definition,
        crashes: bool,
    },
    /// A change in a source that has no revisions and does not call the service.
    DefineExternally {
        room: RoomNo,
        definition: Definition,
    },
    Undefine(RoomNo),
    Read {
        room: RoomNo,
        entries: Vec<(User, EntryId)>,
    },
    Attendance(RoomNo),
    Kick {
        room: RoomNo,
        user: User,
    },
    Notify(RoomNo),
    /// Lists live rooms, from the one after the given room.
    List {
        after: Option<RoomNo>,
        limit: u32,
    },
}

/// The result of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    Done,
    Ack(Ack),
    Refused(ErrorCode),
    /// Start of the node's lease.
    Lease(u64),
    Swept(Swept),
    Revision(u64),
    State(Option<State>, Vec<EntryId>),
    Attendance(Vec<Attendee>),
    Listed(Page),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    pub end_at: Time,
    pub leader: Option<PublicId>,
    /// Users who may enter, beside the leader; everybody without it.
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

/// The store of a room's definition.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Store {
    pub current: Option<Session>,
    pub previous: Option<Session>,
}

impl Store {
    fn put(&mut self, session: Option<Session>) {
        self.previous = std::mem::replace(&mut self.current, session);
    }
}

impl Session {
    fn terms(&self) -> Terms {
        let Definition { end_at, leader, duplicates, capacity, .. } = self.definition;
        Terms { revision: self.revision, end_at, leader, duplicates, capacity }
    }

    fn admits(&self, user: User) -> bool {
        let Definition { leader, members, .. } = &self.definition;
        leader.is_some_and(|leader| leader.text == user)
            || members.as_ref().is_none_or(|members| members.contains(&user))
    }
}

fn done_or_refused(result: Result<(), ErrorCode>) -> Reply {
    result.map_or_else(Reply::Refused, |()| Reply::Done)
}

impl Service {
    pub fn act(&mut self, action: &Action, now: Time) -> Reply {
        match action {
            Action::Join { join, reads_stale } => self.join(join, *reads_stale, now),
            Action::RepeatJoin(join) => self.join(join, false, now),
            Action::AbandonJoin(Join { room, person, entry, .. }) => {
                self.disconnect(&Membership { room: *room, user: person.user, entry: *entry }, now)
            }
            Action::Leave(who) => self.leave(who, now),
            Action::Disconnect(who) => self.disconnect(who, now),
            Action::Heartbeat(node) => Reply::Lease(self.shard.heartbeat(node, now)),
            Action::Stop(node) => {
                self.shard.stop(node, now);
                Reply::Lease(0)
            }
            Action::Sweep => Reply::Swept(self.shard.sweep(now)),
            Action::Define { room, definition, crashes } => self.define(*room, definition, *crashes, now),
            Action::DefineExternally { room, definition } => {
                self.stores[*room].put(Some(Session { revision: 0, definition: definition.clone() }));
                Reply::Done
            }
            Action::Undefine(room) => self.undefine(*room, now),
            Action::Read { room, entries } => {
                let (room, context) = self.shard.context(*room, now);
                let (state, gone) = room.read(&context, entries);
                Reply::State(state, gone)
            }
            Action::Attendance(room) => {
                let (room, context) = self.shard.context(*room, now);
                Reply::Attendance(room.attendance(&context))
            }
            Action::Kick { room, user } => {
                let (room, context) = self.shard.context(*room, now);
                done_or_refused(room.kick(&context, user))
            }
            Action::Notify(room) => {
                let (room, context) = self.shard.context(*room, now);
                done_or_refused(room.notify(&context))
            }
            Action::List { after, limit } => Reply::Listed(self.shard.list(*after, *limit, now)),
        }
    }

    fn leave(&mut self, who: &Membership, now: Time) -> Reply {
        let (room, context) = self.shard.context(who.room, now);
        room.leave(&context, who);
        Reply::Done
    }

    fn disconnect(&mut self, who: &Membership, now: Time) -> Reply {
        let (room, context) = self.shard.context(who.room, now);
        room.disconnect(&context, who);
        Reply::Done
    }

    /// A join with another revision than the room's applies a newer one, or reads the definition again.
    fn join(&mut self, join: &Join, reads_stale: bool, now: Time) -> Reply {
        let store = &self.stores[join.room];
        let mut stored = if reads_stale { store.previous.clone() } else { store.current.clone() };
        loop {
            let Some(session) = stored else { return Reply::Refused(ErrorCode::NoSuchRoom) };
            if !session.admits(join.person.user) {
                return Reply::Refused(ErrorCode::NotAMember);
            }
            self.shard.expire_if_ended(join.node, now);
            let (room, mut context) = self.shard.context(join.room, now);
            match room.join(&mut context, join, session.terms()) {
                Ok(ack) => return Reply::Ack(ack),
                Err(Refusal::Code(code)) => return Reply::Refused(code),
                Err(Refusal::Revision(_)) => {
                    room.define(&context, session.terms(), session.definition.members.as_deref());
                }
            }
            stored = self.stores[join.room].current.clone();
        }
    }

    fn define(&mut self, room: RoomNo, definition: &Definition, crashes: bool, now: Time) -> Reply {
        let revision = self.shard.epochs.next(now);
        let session = Session { revision, definition: definition.clone() };
        let terms = session.terms();
        self.stores[room].put(Some(session));
        if !crashes {
            let (room, context) = self.shard.context(room, now);
            room.define(&context, terms, definition.members.as_deref());
        }
        Reply::Revision(revision)
    }

    fn undefine(&mut self, room: RoomNo, now: Time) -> Reply {
        self.shard.epochs.next(now);
        self.stores[room].put(None);
        let (room, context) = self.shard.context(room, now);
        room.end(&context);
        Reply::Done
    }
}
