//! The rules of one room. Each call settles the room first.

use rollcall_protocol::{ErrorCode, timer::Timer};

use crate::{
    chat::{ChatCommand, ChatReply},
    clock::Clock,
    code::{CodeCommand, CodeReply},
    event::{Change, EventKind, Reason, Recipients, Roster},
    history::{Attendee, History, Stay},
    ids::{EntryId, LONGEST_CALL, Node, PublicId, RoomNo, Time, User},
    lease::{Epochs, Leases},
    live::{Live, Terms},
    status::{StatusAck, StatusCommand},
    timer::{TimerAck, TimerCommand},
};

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Room {
    /// None while no session is live.
    pub live: Option<Live>,
    /// The revision of the last announced change of the definition, or 0.
    pub announced: u64,
    pub history: History,
}

/// A user's entry in a room.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Membership {
    pub room: RoomNo,
    pub user: User,
    pub entry: EntryId,
}

/// A room as replies show it.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    pub room: PublicId,
    pub roster: Roster,
    pub count: usize,
    pub end_at: Time,
    pub remain: Time,
    pub leader: Option<PublicId>,
    pub host: Option<PublicId>,
    pub epoch: u64,
    pub seq: u64,
    pub now: Time,
    pub timer: Option<Timer>,
}

/// The part of the shard that changes of a room use.
pub struct Context<'a> {
    pub now: Time,
    pub leases: &'a mut Leases,
    pub epochs: &'a mut Epochs,
    pub clock: &'a mut Clock,
}

impl Room {
    /// Applies everything that is overdue. The room's state does not depend on how often that happens.
    pub fn settle(&mut self, leases: &Leases, paused: Time, now: Time) {
        let Some(live) = &mut self.live else { return };
        live.prolong_grace_periods(&mut self.history, paused);
        let until = now.min(live.terms.end_at);
        live.drop_expired_entries(&mut self.history, leases, until, now);
        live.expire_grace_periods(&mut self.history, until, now);
        if now >= live.terms.end_at {
            self.end_session(Reason::Time, now);
        } else {
            live.publish_reminder(&mut self.history, now);
            live.change_phase(&mut self.history, now);
        }
    }

    fn end_session(&mut self, reason: Reason, now: Time) {
        if let Some(live) = self.live.take() {
            live.end(&mut self.history, reason, now);
        }
    }

    pub fn state(&self, now: Time) -> Option<State> {
        let live = self.live.as_ref()?;
        Some(State {
            room: live.room,
            roster: live.roster(),
            count: live.members.len(),
            end_at: live.terms.end_at,
            remain: live.terms.end_at - now,
            leader: live.terms.leader,
            host: live.public_host(),
            epoch: live.epoch,
            seq: live.seq,
            now,
            timer: live.timer.clone(),
        })
    }

    pub fn has_entries_of(&self, node: Node) -> bool {
        self.live.as_ref().is_some_and(|live| live.entries().any(|(_, entry)| entry.node == node))
    }

    pub fn leave(&mut self, context: &Context, who: &Membership) {
        let now = context.now;
        self.settle(context.leases, context.clock.paused, now);
        if let Some((live, index, entry)) = current(&mut self.live, who) {
            if live.members[index].entries.len() > 1 {
                live.members[index].entries.remove(entry);
            } else {
                live.remove(&mut self.history, &[who.user], Change::Left, now);
            }
        }
        self.history.close(who.entry, now);
    }

    pub fn disconnect(&mut self, context: &Context, who: &Membership) {
        let now = context.now;
        self.settle(context.leases, context.clock.paused, now);
        if let Some((live, index, entry)) = current(&mut self.live, who) {
            live.members[index].entries.remove(entry);
            live.handle_disconnect(&mut self.history, index, now);
        }
        // The entry's join may still arrive and must not enter then.
        self.history.close(who.entry, now);
    }

    /// Remembers a change that reaches the store from now on. Settles nothing.
    pub fn announce(&mut self, revision: u64) {
        self.announced = revision;
        if let Some(live) = &mut self.live {
            live.announced = revision;
        }
    }

    /// Applies a definition, unless the room has the same or a newer revision. Forgets the announced change, if it has
    /// arrived or can arrive no longer.
    pub fn define(&mut self, context: &Context, terms: Terms, members: Option<&[User]>) {
        let now = context.now;
        self.settle(context.leases, context.clock.paused, now);
        let Some(live) = &mut self.live else { return };
        let is_unknown = live.admits.is_none() && live.terms.revision == terms.revision;
        if live.terms.revision < terms.revision || is_unknown {
            if terms.end_at <= now {
                return self.end_session(Reason::Ended, now);
            }
            live.change_terms(&mut self.history, terms, members, now);
        }
        if live.announced <= terms.revision || live.announced + 2 * LONGEST_CALL <= now {
            live.announced = 0;
        }
    }

    /// Ends the session after the deletion of the definition, unless the room has a newer revision.
    pub fn end(&mut self, context: &Context, revision: u64) {
        self.settle(context.leases, context.clock.paused, context.now);
        if self.live.as_ref().is_some_and(|live| live.terms.revision < revision) {
            self.end_session(Reason::Ended, context.now);
        }
    }

    /// Removes a member against the member's will.
    pub fn kick(&mut self, context: &Context, user: User) -> Result<(), ErrorCode> {
        self.settle(context.leases, context.clock.paused, context.now);
        let live = self.live.as_mut().ok_or(ErrorCode::NotLive)?;
        live.member(user).ok_or(ErrorCode::NoSuchMember)?;
        live.kick(&mut self.history, &[user], context.now);
        Ok(())
    }

    /// Applies a command to the timer.
    pub fn command_timer(
        &mut self,
        context: &Context,
        command: &TimerCommand,
    ) -> Result<TimerAck, ErrorCode> {
        self.settle(context.leases, context.clock.paused, context.now);
        let not_live = if command.by.is_some() { ErrorCode::NotInRoom } else { ErrorCode::NotLive };
        let live = self.live.as_mut().ok_or(not_live)?;
        live.command_timer(&mut self.history, command, context.now)
    }

    /// Changes the status and the goal of a member.
    pub fn update_status(
        &mut self,
        context: &Context,
        command: &StatusCommand,
    ) -> Result<StatusAck, ErrorCode> {
        self.settle(context.leases, context.clock.paused, context.now);
        let live = self.live.as_mut().ok_or(ErrorCode::NotInRoom)?;
        live.update_status(&mut self.history, command, context.now)
    }

    /// Applies a command to the chat, or reads it.
    pub fn command_chat(&mut self, context: &Context, command: &ChatCommand) -> Result<ChatReply, ErrorCode> {
        self.settle(context.leases, context.clock.paused, context.now);
        let not_live = if command.by.is_some() { ErrorCode::NotInRoom } else { ErrorCode::NotLive };
        let live = self.live.as_mut().ok_or(not_live)?;
        live.command_chat(&mut self.history, command, context.now)
    }

    /// Applies a command to the shared code, or reads it.
    pub fn command_code(&mut self, context: &Context, command: &CodeCommand) -> Result<CodeReply, ErrorCode> {
        self.settle(context.leases, context.clock.paused, context.now);
        let not_live = if command.by.is_some() { ErrorCode::NotInRoom } else { ErrorCode::NotLive };
        let live = self.live.as_mut().ok_or(not_live)?;
        live.command_code(&mut self.history, command, context.now)
    }

    /// Publishes an operator's text.
    pub fn notify(&mut self, context: &Context) -> Result<(), ErrorCode> {
        self.settle(context.leases, context.clock.paused, context.now);
        let live = self.live.as_mut().ok_or(ErrorCode::NotLive)?;
        live.publish(&mut self.history, Recipients::Everybody, EventKind::Notice);
        Ok(())
    }

    /// Returns the room's state and the entries that are not current.
    pub fn read(&mut self, context: &Context, entries: &[(User, EntryId)]) -> (Option<State>, Vec<EntryId>) {
        self.settle(context.leases, context.clock.paused, context.now);
        let is_gone = |user: User, entry: EntryId| {
            let member = self.live.as_ref().and_then(|live| live.member(user));
            member.is_none_or(|member| member.find_entry(entry).is_none())
        };
        let gone = entries.iter().filter(|(user, entry)| is_gone(user, *entry)).map(|(_, entry)| *entry);
        (self.state(context.now), gone.collect())
    }

    /// Returns all users with stays that are over or go on.
    pub fn attendance(&mut self, context: &Context) -> Vec<Attendee> {
        self.settle(context.leases, context.clock.paused, context.now);
        let mut attendees = self.history.attendees.clone();
        if let Some(live) = &self.live {
            for member in &live.members {
                let attendee = self.history.attendee(member, Stay::of(live.epoch, member, context.now));
                attendees.insert(member.person.user, attendee);
            }
        }
        attendees.into_values().collect()
    }
}

/// Finds a current entry: the indexes of its member and of the entry.
fn current<'a>(live: &'a mut Option<Live>, who: &Membership) -> Option<(&'a mut Live, usize, usize)> {
    let live = live.as_mut()?;
    let index = live.index_of(who.user)?;
    let entry = live.members[index].find_entry(who.entry)?;
    Some((live, index, entry))
}
