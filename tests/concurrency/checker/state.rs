//! A room's state by its events, and the events that may come next.

use super::Rule;
use crate::{
    call::View,
    event::{Change, Event, EventKind, Member, Roster},
};

/// Most by which this machine's clock may be set back during the run.
const CLOCK_SLACK_MS: u64 = 20;

#[derive(Debug, Clone)]
pub struct State {
    members: Vec<Member>,
    leader: String,
    capacity: Option<u32>,
    /// The host that the events have named.
    host: Option<String>,
    end_at: u64,
    is_reminded: bool,
    /// Whether the event before was room:leaderChanged.
    is_leader_new: bool,
}

impl State {
    pub fn started(event: &Event, capacity: Option<u32>) -> Result<Self, Rule> {
        let EventKind::Started { end_at, leader, host, roster } = &event.kind else {
            return Err(Rule::SessionsBeginWithStarted);
        };
        let state = Self {
            members: vec![Member { user: host.clone(), grace_until: None }],
            leader: leader.clone(),
            capacity,
            host: Some(host.clone()),
            end_at: *end_at,
            is_reminded: false,
            is_leader_new: false,
        };
        state.compare(roster)?;
        Ok(state)
    }

    pub fn apply(&mut self, event: &Event) -> Result<(), Rule> {
        self.expect_host(&event.kind)?;
        self.is_leader_new = false;
        match &event.kind {
            EventKind::Changed { change, users, .. } => self.change(*change, users, event.received_at)?,
            EventKind::Reconnecting { user, grace_until } => self.lose(user, *grace_until)?,
            EventKind::Reconnected { user, .. } => self.recover(user)?,
            EventKind::HostChanged { host } => self.host = Some(host.clone()),
            EventKind::LeaderChanged { leader } => self.follow(leader)?,
            EventKind::Rescheduled { end_at } => self.reschedule(*end_at)?,
            EventKind::Reminder { end_at } => self.remind(*end_at)?,
            EventKind::Started { .. } => return Err(Rule::SessionsBeginWithStarted),
            EventKind::Message(_) | EventKind::Ended { .. } | EventKind::Replaced | EventKind::Removed => {}
        }
        event.kind.roster().map_or(Ok(()), |roster| self.compare(roster))
    }

    /// The leader while in the room, else the member who entered first.
    fn elected(&self) -> Option<&str> {
        let leader = self.member(&self.leader);
        leader.or(self.members.first()).map(|member| member.user.as_str())
    }

    /// A wrong host is corrected by the next event. Only a change of the definition removes members first.
    fn expect_host(&self, kind: &EventKind) -> Result<(), Rule> {
        let is_right = match kind {
            EventKind::HostChanged { host } => {
                self.host.as_deref() != Some(host) && self.elected() == Some(host.as_str())
            }
            EventKind::Changed { change: Change::Removed, .. } if self.is_leader_new => true,
            _ => self.host.as_deref() == self.elected(),
        };
        is_right.then_some(()).ok_or(Rule::HostIsElected)
    }

    fn change(&mut self, change: Change, users: &[String], received_at: u64) -> Result<(), Rule> {
        for user in users {
            match change {
                Change::Entered => self.enter(user)?,
                _ => self.leave(change, user, received_at)?,
            }
        }
        if self.members.is_empty() {
            self.host = None;
        } else if self.host.is_none() {
            // The first member of an empty room learns the host from the ack.
            self.host = self.elected().map(str::to_owned);
        }
        Ok(())
    }

    fn enter(&mut self, user: &str) -> Result<(), Rule> {
        if self.member(user).is_some() {
            return Err(Rule::OnlyOthersEnter);
        }
        let is_full = self.capacity.is_some_and(|capacity| self.members.len() >= capacity as usize);
        if is_full && user != self.leader {
            return Err(Rule::FullRoomsLetOnlyTheLeaderIn);
        }
        self.members.push(Member { user: user.to_owned(), grace_until: None });
        Ok(())
    }

    fn leave(&mut self, change: Change, user: &str, received_at: u64) -> Result<(), Rule> {
        let grace_until = self.member(user).ok_or(Rule::OnlyMembersLeave)?.grace_until;
        match (change, grace_until) {
            (Change::Left, Some(_)) => return Err(Rule::OnlyMembersLeave),
            (Change::GraceExpired, None) => return Err(Rule::GraceIsKept),
            (Change::GraceExpired, Some(until)) if received_at + CLOCK_SLACK_MS < until => {
                return Err(Rule::GraceIsKept);
            }
            _ => self.members.retain(|member| member.user != user),
        }
        Ok(())
    }

    fn lose(&mut self, user: &str, grace_until: u64) -> Result<(), Rule> {
        // A later end of the grace period follows a pause of the shard.
        let member =
            self.find(user).filter(|member| member.grace_until.is_none_or(|until| until < grace_until));
        member.ok_or(Rule::OnlyThePresentAreLost)?.grace_until = Some(grace_until);
        Ok(())
    }

    fn recover(&mut self, user: &str) -> Result<(), Rule> {
        let member = self.find(user).filter(|member| member.grace_until.is_some());
        member.ok_or(Rule::OnlyTheLostComeBack)?.grace_until = None;
        Ok(())
    }

    fn follow(&mut self, leader: &str) -> Result<(), Rule> {
        self.is_leader_new = true;
        let before = std::mem::replace(&mut self.leader, leader.to_owned());
        (before != leader).then_some(()).ok_or(Rule::LeadersChange)
    }

    fn reschedule(&mut self, end_at: u64) -> Result<(), Rule> {
        self.is_reminded = false;
        let before = std::mem::replace(&mut self.end_at, end_at);
        (before != end_at).then_some(()).ok_or(Rule::EndsAreRescheduled)
    }

    fn remind(&mut self, end_at: u64) -> Result<(), Rule> {
        let is_again = std::mem::replace(&mut self.is_reminded, true);
        (!is_again && self.end_at == end_at).then_some(()).ok_or(Rule::OneReminderForEachEnd)
    }

    fn find(&mut self, user: &str) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.user == user)
    }

    pub fn member(&self, user: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.user == user)
    }

    pub fn is_present(&self, user: &str) -> bool {
        self.member(user).is_some_and(|member| member.grace_until.is_none())
    }

    fn compare(&self, roster: &Roster) -> Result<(), Rule> {
        self.equals(roster).then_some(()).ok_or(Rule::RostersAreExact)
    }

    fn equals(&self, roster: &Roster) -> bool {
        roster.count == self.members.len()
            && roster.members.as_ref().is_none_or(|members| *members == self.members)
    }

    /// Whether a reply shows this state. Replies come between scripts, so they show the right host.
    pub fn shows(&self, view: &View) -> bool {
        view.end_at == self.end_at
            && view.leader == self.leader
            && view.host.as_deref() == self.elected()
            && self.equals(&view.roster)
    }
}
