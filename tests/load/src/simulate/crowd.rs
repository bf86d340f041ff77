//! The members of all rooms: where they are, and what they do next.

use std::collections::HashMap;

use anyhow::{Context, Result};
use fastrand::Rng;
use rollcall_protocol::event::{Join, Membership};

use super::{
    calendar::{Calendar, Second},
    call::{Call, Goodbye, Reply},
    counts::Counts,
    names,
    timetable::{self, RoomNo, Session},
};

/// The number of a member.
pub type MemberNo = u32;

/// The number of a bridge.
pub type BridgeNo = u16;

/// Something that happens at a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A member comes, or comes back.
    Arrive(MemberNo),
    /// A member leaves, unless this entry has ended.
    Leave(MemberNo, EntryNo),
    /// The connection of a member breaks, unless this entry has ended.
    Lose(MemberNo, EntryNo),
    /// A bridge reports that it is alive.
    Heartbeat(BridgeNo),
    /// Something may be due in a shard.
    Sweep(u64),
    /// The study service reads the attendance of a session that has ended.
    ReadAttendance(RoomNo),
}

/// Counts the entries of a member.
type EntryNo = u32;

struct Member {
    room: RoomNo,
    bridge: BridgeNo,
    entry: EntryNo,
    is_connected: bool,
    leaves_at: Option<Second>,
}

/// All members, and the bridges that hold their connections.
pub struct Crowd {
    /// The sessions, by the numbers of their rooms.
    pub sessions: Vec<Session>,
    /// What has happened.
    pub counts: Counts,
    members: Vec<Member>,
    is_alive: Vec<bool>,
    /// How many members are connected in each room.
    connected: Vec<u32>,
    /// How many connections each bridge has in each room.
    connections: HashMap<(BridgeNo, RoomNo), u32>,
    rng: Rng,
}

impl Crowd {
    /// Plans sessions for so many members, and when the members come.
    pub fn plan(members: u32, bridges: BridgeNo, calendar: &mut Calendar<Event>, mut rng: Rng) -> Self {
        let sessions = timetable::plan_sessions(members, &mut rng);
        let mut all = Vec::new();
        for (room, session) in (0..).zip(&sessions) {
            for _ in 0..session.size {
                calendar.schedule(timetable::pick_arrival(session, &mut rng), Event::Arrive(count(&all)));
                all.push(Member { room, bridge: 0, entry: 0, is_connected: false, leaves_at: None });
            }
            calendar.schedule(timetable::pick_reading(session, &mut rng), Event::ReadAttendance(room));
        }
        Self {
            connected: vec![0; sessions.len()],
            sessions,
            counts: Counts::default(),
            members: all,
            is_alive: vec![true; bridges.into()],
            connections: HashMap::new(),
            rng,
        }
    }

    /// When the last attendance is read.
    pub fn ends_at(&self) -> Second {
        self.sessions.iter().map(|session| session.ends_at).max().unwrap_or_default() + timetable::READING
    }

    /// How many bridges there are, with those that were killed.
    pub fn count_bridges(&self) -> BridgeNo {
        BridgeNo::try_from(self.is_alive.len()).unwrap_or(BridgeNo::MAX)
    }

    /// How many members are connected.
    pub fn count_connected(&self) -> usize {
        self.members.iter().filter(|member| member.is_connected).count()
    }

    /// Whether a bridge runs.
    pub fn is_alive(&self, bridge: BridgeNo) -> bool {
        self.is_alive[usize::from(bridge)]
    }

    /// Kills a bridge: nobody reports the lost connections. The members come back through others.
    pub fn kill(&mut self, bridge: BridgeNo, now: Second, calendar: &mut Calendar<Event>) {
        self.is_alive[usize::from(bridge)] = false;
        self.connections.retain(|(holder, _), _| *holder != bridge);
        for number in 0..count(&self.members) {
            let member = &mut self.members[number as usize];
            if member.is_connected && member.bridge == bridge {
                member.is_connected = false;
                self.connected[member.room as usize] -= 1;
                self.counts.lost_with_bridge += 1;
                self.schedule_return(number, now, calendar);
            }
        }
    }

    /// The call that an event causes, if any.
    pub fn begin(&mut self, event: Event, now: Second) -> Result<Option<Call>> {
        Ok(match event {
            Event::Arrive(member) => self.begin_join(member, now)?,
            Event::Leave(member, entry) if self.is_current(member, entry) => {
                Some(Call::Leave(self.disconnect(member)?))
            }
            Event::Lose(member, entry) if self.is_current(member, entry) => {
                Some(Call::Disconnect(member, self.disconnect(member)?))
            }
            Event::Leave(..) | Event::Lose(..) => None,
            Event::Heartbeat(bridge) => self.is_alive(bridge).then_some(Call::Heartbeat(bridge)),
            Event::Sweep(shard) => Some(Call::Sweep(shard)),
            Event::ReadAttendance(room) => {
                Some(Call::ReadAttendance { room, holders: self.forget_connections(room) })
            }
        })
    }

    /// What follows from the reply to a call.
    pub fn finish(&mut self, reply: &Reply, now: Second, calendar: &mut Calendar<Event>) {
        self.counts.add(reply);
        match *reply {
            Reply::Joined { member, .. } => self.schedule_next(member, now, calendar),
            Reply::Disconnected(member) => self.schedule_return(member, now, calendar),
            Reply::Heartbeat(bridge) => {
                calendar.schedule(now + timetable::HEARTBEAT_INTERVAL, Event::Heartbeat(bridge));
            }
            Reply::Swept { shard, due_in_ms: Some(due_in_ms), .. } => {
                let seconds = Second::try_from(due_in_ms.div_ceil(1000)).unwrap_or(Second::MAX);
                calendar.schedule(now + seconds.max(1), Event::Sweep(shard));
            }
            Reply::Left | Reply::Swept { .. } | Reply::Attendance(_) => {}
        }
    }

    fn is_current(&self, member: MemberNo, entry: EntryNo) -> bool {
        let member = &self.members[member as usize];
        member.is_connected && member.entry == entry
    }

    fn begin_join(&mut self, number: MemberNo, now: Second) -> Result<Option<Call>> {
        let bridge = self.pick_bridge();
        let member = &mut self.members[number as usize];
        let room = member.room;
        let session = &self.sessions[room as usize];
        if now >= session.ends_at {
            return Ok(None);
        }
        if member.entry == 0 {
            member.leaves_at = timetable::pick_departure(session, now, &mut self.rng);
        }
        let resumes = (member.entry > 0).then(|| names::resume_hash(number, member.entry)).transpose()?;
        member.entry += 1;
        member.bridge = bridge;
        member.is_connected = true;
        self.counts.told += u64::from(self.connected[room as usize]);
        self.connected[room as usize] += 1;
        let join = Join {
            room_id: names::room(room)?,
            profile: names::profile(number)?,
            entry_id: names::entry(number, member.entry)?,
            grant: None,
            node_id: names::node(bridge)?,
            resume_hash: names::resume_hash(number, member.entry)?,
            resumes,
            replaces: None,
            refreshes: 0,
        };
        let connections = self.connections.entry((bridge, room)).or_default();
        *connections += 1;
        let subscribes = (*connections == 1).then_some((bridge, room));
        Ok(Some(Call::Join { member: number, join: Box::new(join), subscribes }))
    }

    /// Ends the connection of a member.
    fn disconnect(&mut self, number: MemberNo) -> Result<Goodbye> {
        let member = &mut self.members[number as usize];
        member.is_connected = false;
        self.connected[member.room as usize] -= 1;
        self.counts.told += u64::from(self.connected[member.room as usize]);
        let key = (member.bridge, member.room);
        let connections = self.connections.get_mut(&key).context("the bridge has the connection")?;
        *connections -= 1;
        let unsubscribes = (*connections == 0).then_some(key);
        if unsubscribes.is_some() {
            self.connections.remove(&key);
        }
        let membership = Membership {
            room_id: names::room(member.room)?,
            user_id: names::user(number)?,
            entry_id: names::entry(number, member.entry)?,
        };
        Ok(Goodbye { membership, unsubscribes })
    }

    /// Forgets the connections in a room that has ended. Returns the bridges that had some.
    fn forget_connections(&mut self, room: RoomNo) -> Vec<BridgeNo> {
        let bridges = (0..).zip(&self.is_alive).map(|(bridge, _)| bridge);
        bridges.filter(|bridge| self.connections.remove(&(*bridge, room)).is_some()).collect()
    }

    fn pick_bridge(&mut self) -> BridgeNo {
        loop {
            let bridge = self.rng.usize(..self.is_alive.len());
            if self.is_alive[bridge] {
                return BridgeNo::try_from(bridge).unwrap_or_default();
            }
        }
    }

    /// Schedules what a connected member does next, unless the session ends first.
    fn schedule_next(&mut self, number: MemberNo, now: Second, calendar: &mut Calendar<Event>) {
        let Member { room, entry, leaves_at, .. } = self.members[number as usize];
        let loses_at = now + timetable::pick_connection_length(&mut self.rng);
        let (at, event) = match leaves_at {
            // A member who was away at the time leaves as soon as possible.
            Some(leaves_at) if leaves_at <= loses_at => (leaves_at.max(now + 1), Event::Leave(number, entry)),
            _ => (loses_at, Event::Lose(number, entry)),
        };
        if at < self.sessions[room as usize].ends_at {
            calendar.schedule(at, event);
        }
    }

    fn schedule_return(&mut self, member: MemberNo, now: Second, calendar: &mut Calendar<Event>) {
        if let Some(absence) = timetable::pick_absence(&mut self.rng) {
            calendar.schedule(now + absence, Event::Arrive(member));
        }
    }
}

/// The number of members, which are counted in 32 bits.
fn count(members: &[Member]) -> MemberNo {
    MemberNo::try_from(members.len()).unwrap_or(MemberNo::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixture {
        crowd: Crowd,
        calendar: Calendar<Event>,
    }

    impl Fixture {
        fn new(members: u32) -> Self {
            let mut calendar = Calendar::new();
            let crowd = Crowd::plan(members, 3, &mut calendar, Rng::with_seed(7));
            Self { crowd, calendar }
        }

        /// Lets a member join, and returns what the member does next.
        fn join(&mut self, member: MemberNo, now: Second) -> Option<Call> {
            let call = self.crowd.begin(Event::Arrive(member), now).unwrap();
            if call.is_some() {
                let reply = Reply::Joined { member, is_recovered: false };
                self.crowd.finish(&reply, now, &mut self.calendar);
            }
            call
        }
    }

    fn resumes(call: Option<Call>) -> bool {
        matches!(call, Some(Call::Join { join, .. }) if join.resumes.is_some())
    }

    #[test]
    fn everybody_comes_once_and_every_attendance_is_read_after_the_end() {
        let mut fixture = Fixture::new(500);
        let (mut arrivals, mut readings) = (0, 0);
        while let Some((at, events)) = fixture.calendar.take_next() {
            for event in events {
                match event {
                    Event::Arrive(_) => arrivals += 1,
                    Event::ReadAttendance(room) => {
                        readings += 1;
                        assert!(at > fixture.crowd.sessions[room as usize].ends_at);
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        assert_eq!((arrivals, readings), (500, fixture.crowd.sessions.len()));
    }

    #[test]
    fn a_member_who_comes_back_resumes_and_nobody_comes_after_the_end() {
        let mut fixture = Fixture::new(2);
        assert!(!resumes(fixture.join(0, 500)));
        assert!(matches!(fixture.crowd.begin(Event::Lose(0, 1), 600), Ok(Some(Call::Disconnect(0, _)))));
        assert!(resumes(fixture.join(0, 610)));
        let ends_at = fixture.crowd.sessions[0].ends_at;
        assert!(fixture.join(1, ends_at).is_none());
    }

    #[test]
    fn an_entry_that_has_ended_neither_leaves_nor_is_lost() {
        let mut fixture = Fixture::new(2);
        fixture.join(0, 500);
        assert!(matches!(fixture.crowd.begin(Event::Leave(0, 1), 600), Ok(Some(Call::Leave(_)))));
        for event in [Event::Leave(0, 1), Event::Lose(0, 1)] {
            assert!(matches!(fixture.crowd.begin(event, 601), Ok(None)));
        }
    }

    #[test]
    fn a_killed_bridge_reports_nothing_and_gets_nobody() {
        let mut fixture = Fixture::new(300);
        for member in 0..300 {
            fixture.join(member, 500);
        }
        fixture.crowd.kill(0, 600, &mut fixture.calendar);
        let connected = fixture.crowd.count_connected();
        assert_eq!(connected as u64 + fixture.crowd.counts.lost_with_bridge, 300);
        assert!((150..250).contains(&connected), "{connected}");
        assert!(matches!(fixture.crowd.begin(Event::Heartbeat(0), 601), Ok(None)));
        assert!((0..100).all(|_| fixture.crowd.pick_bridge() != 0));
    }

    #[test]
    fn a_bridge_subscribes_with_its_first_connection_in_a_room_and_unsubscribes_with_the_last() {
        let mut fixture = Fixture::new(60);
        let mut listening = std::collections::HashSet::new();
        let mut goodbyes = Vec::new();
        for member in 0..60 {
            let Some(Call::Join { subscribes, .. }) = fixture.join(member, 500) else { panic!() };
            assert!(subscribes.is_none_or(|key| listening.insert(key)), "{subscribes:?}");
        }
        for member in 0..60 {
            let Ok(Some(Call::Leave(goodbye))) = fixture.crowd.begin(Event::Leave(member, 1), 600) else {
                panic!()
            };
            goodbyes.extend(goodbye.unsubscribes);
        }
        let told: u64 =
            fixture.crowd.sessions.iter().map(|session| u64::from(session.size)).map(|n| n * (n - 1)).sum();
        assert_eq!(
            fixture.crowd.counts.told, told,
            "each of those who are there hears of each of the others twice"
        );
        assert_eq!(goodbyes.len(), listening.len());
        assert!(goodbyes.iter().all(|key| listening.remove(key)));
    }
}
