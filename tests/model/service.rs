//! Calls of the service: a shard, and the definitions of its rooms.

use rollcall_protocol::{
    ErrorCode,
    command::Feature,
    definition::{Duplicates, TimerBy},
};

use crate::{
    chat::{ChatCommand, ChatReply},
    code::{CodeCommand, CodeReply},
    history::Attendee,
    ids::{EntryId, Node, PublicId, ROOMS, RoomNo, Time, User},
    join::{Ack, DefinitionNeeded, Join, Refusal},
    live::Terms,
    room::{Membership, State},
    shard::{Held, Page, Shard, Swept},
    status::{StatusAck, StatusCommand},
    timer::{TimerAck, TimerCommand},
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
    Define {
        room: RoomNo,
        definition: Definition,
        crash: Option<Crash>,
    },
    /// A change in a source that has no revisions and does not call the service.
    DefineExternally {
        room: RoomNo,
        definition: Definition,
    },
    Undefine {
        room: RoomNo,
        crash: Option<Crash>,
    },
    /// A write of a caller that has crashed reaches the store.
    Arrive(RoomNo),
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
    Timer(TimerCommand),
    Status(StatusCommand),
    Chat(ChatCommand),
    Code(CodeCommand),
    /// Lists live rooms, from the one after the given room.
    List {
        after: Option<RoomNo>,
        limit: u32,
    },
}

/// Where the caller of a change crashes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Crash {
    /// After it took the lock.
    Locked,
    /// While it changes the store, which its write may reach later.
    Announced,
    /// After it changed the store, and before it changes the room.
    Stored,
}

/// The result of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    Done,
    Ack(Ack),
    Refused(ErrorCode),
    Held(Held),
    Stopped,
    Swept(Swept),
    State(Option<State>, Vec<EntryId>),
    Attendance(Vec<Attendee>),
    Listed(Page),
    Timer(TimerAck),
    Status(StatusAck),
    Chat(ChatReply),
    Code(CodeReply),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    pub end_at: Time,
    pub leader: Option<PublicId>,
    /// Users who may enter, beside the leader; everybody without it.
    pub members: Option<Vec<User>>,
    pub duplicates: Duplicates,
    pub capacity: Option<u32>,
    pub timer_by: TimerBy,
    pub features: &'static [Feature],
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
    /// How often the last call read a store.
    pub reads: usize,
    /// Whether the last call was a join that completed a change of another caller.
    pub has_completed: bool,
}

/// The store of a room's definition.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Store {
    pub current: Option<Session>,
    pub previous: Option<Session>,
    pub changed_at: Time,
    /// What a write of a caller that has crashed would store.
    pub lost: Option<Lost>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Lost {
    pub revision: u64,
    pub session: Option<Session>,
}

impl Store {
    fn put(&mut self, session: Option<Session>, now: Time) {
        self.changed_at = now;
        self.previous = std::mem::replace(&mut self.current, session);
    }

    /// Whether the source of the room has revisions.
    pub fn has_revisions(&self) -> bool {
        self.current.as_ref().is_none_or(|session| session.revision > 0)
    }

    /// The definition before the last change, if the source is still of the same kind, else the current one.
    fn stale(&self) -> Option<&Session> {
        let is_alike = |session: &&Session| (session.revision > 0) == self.has_revisions();
        self.previous.as_ref().filter(is_alike).or(self.current.as_ref())
    }
}

impl Session {
    fn terms(&self) -> Terms {
        let Definition { end_at, leader, duplicates, capacity, timer_by, features, .. } = self.definition;
        Terms { revision: self.revision, end_at, leader, duplicates, capacity, timer_by, features }
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
        self.reads = 0;
        self.has_completed = false;
        match action {
            Action::Join { join, reads_stale } => self.join(join, *reads_stale, now),
            Action::RepeatJoin(join) => self.join(join, false, now),
            Action::AbandonJoin(Join { room, person, entry, .. }) => {
                self.disconnect(&Membership { room: *room, user: person.user, entry: *entry }, now)
            }
            Action::Leave(who) => self.leave(who, now),
            Action::Disconnect(who) => self.disconnect(who, now),
            Action::Heartbeat(node) => Reply::Held(self.shard.heartbeat(node, now)),
            Action::Stop(node) => {
                self.shard.stop(node, now);
                Reply::Stopped
            }
            Action::Sweep => Reply::Swept(self.shard.sweep(now)),
            Action::Define { room, definition, crash } => self.change(*room, Some(definition), *crash, now),
            Action::DefineExternally { room, definition } => {
                self.stores[*room].put(Some(Session { revision: 0, definition: definition.clone() }), now);
                Reply::Done
            }
            Action::Undefine { room, crash } => self.change(*room, None, *crash, now),
            Action::Arrive(room) => {
                if let Some(lost) = self.stores[*room].lost.take() {
                    self.stores[*room].put(lost.session, now);
                }
                Reply::Done
            }
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
            Action::Timer(command) => {
                let (room, context) = self.shard.context(command.room, now);
                room.command_timer(&context, command).map_or_else(Reply::Refused, Reply::Timer)
            }
            Action::Status(command) => {
                let (room, context) = self.shard.context(command.room, now);
                room.update_status(&context, command).map_or_else(Reply::Refused, Reply::Status)
            }
            Action::Chat(command) => {
                let (room, context) = self.shard.context(command.room, now);
                room.command_chat(&context, command).map_or_else(Reply::Refused, Reply::Chat)
            }
            Action::Code(command) => {
                let (room, context) = self.shard.context(command.room, now);
                room.command_code(&context, command).map_or_else(Reply::Refused, Reply::Code)
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

    /// A join reads the store only if the room does not know the definition, and then completes a change that broke off.
    fn join(&mut self, join: &Join, reads_stale: bool, now: Time) -> Reply {
        let mut needed = DefinitionNeeded::default();
        if self.stores[join.room].has_revisions() {
            match self.enter(join, None, needed, now) {
                Ok(reply) => return reply,
                Err(reply) => needed = reply,
            }
        }
        loop {
            let store = &self.stores[join.room];
            let is_stale = reads_stale && self.reads == 0;
            let found = if is_stale { store.stale() } else { store.current.as_ref() }.cloned();
            self.reads += 1;
            if needed.is_live {
                let before = self.revision(join.room);
                self.complete_change(join.room, found.as_ref(), needed.revision, now);
                self.has_completed |= self.revision(join.room) != before;
            }
            let Some(session) = found else { return Reply::Refused(ErrorCode::NoSuchRoom) };
            if !session.admits(join.person.user) {
                return Reply::Refused(ErrorCode::NotAMember);
            }
            match self.enter(join, Some(&session), needed, now) {
                Ok(reply) => return reply,
                Err(reply) => needed = reply,
            }
        }
    }

    fn enter(
        &mut self,
        join: &Join,
        read: Option<&Session>,
        needed: DefinitionNeeded,
        now: Time,
    ) -> Result<Reply, DefinitionNeeded> {
        self.shard.expire_if_ended(join.node, now);
        let (room, mut context) = self.shard.context(join.room, now);
        let given = read.map(|session| (session.terms(), session.definition.members.as_deref()));
        match room.join(&mut context, join, given, needed.revision) {
            Ok(ack) => Ok(Reply::Ack(ack)),
            Err(Refusal::Code(code)) => Ok(Reply::Refused(code)),
            Err(Refusal::DefinitionNeeded(needed)) => Err(needed),
        }
    }

    fn complete_change(&mut self, room: RoomNo, found: Option<&Session>, announced: u64, now: Time) {
        let (room, context) = self.shard.context(room, now);
        match found {
            Some(session) => room.define(&context, session.terms(), session.definition.members.as_deref()),
            None => room.end(&context, announced),
        }
    }

    fn revision(&self, room: RoomNo) -> Option<u64> {
        self.shard.rooms[room].live.as_ref().map(|live| live.terms.revision)
    }

    /// Changes or deletes a definition. A later change makes sure that the write of an earlier one arrives no more.
    fn change(
        &mut self,
        room: RoomNo,
        definition: Option<&Definition>,
        crash: Option<Crash>,
        now: Time,
    ) -> Reply {
        let revision = self.shard.epochs.next(now);
        if crash == Some(Crash::Locked) {
            return Reply::Done;
        }
        let session = definition.map(|definition| Session { revision, definition: definition.clone() });
        self.shard.rooms[room].announce(revision);
        if crash == Some(Crash::Announced) {
            self.stores[room].lost = Some(Lost { revision, session });
            return Reply::Done;
        }
        self.stores[room].lost = None;
        self.stores[room].put(session.clone(), now);
        if crash.is_none() {
            self.complete_change(room, session.as_ref(), revision, now);
        }
        Reply::Done
    }

    /// Whether a room goes by the definition in the store, or knows that it has to look.
    pub fn is_up_to_date(&self, room: RoomNo) -> bool {
        let live = self.shard.rooms[room].live.as_ref();
        self.goes_by_the_store(room) || live.is_none_or(|live| live.announced > 0 || live.admits.is_none())
    }

    /// Whether a live room goes by the definition in the store or a newer one, or by a source without revisions.
    pub fn goes_by_the_store(&self, room: RoomNo) -> bool {
        let live = self.shard.rooms[room].live.as_ref();
        let stored = self.stores[room].current.as_ref();
        live.zip(stored).is_some_and(|(live, stored)| stored.revision <= live.terms.revision)
    }
}
