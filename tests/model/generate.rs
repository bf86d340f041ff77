//! Picks what happens next. Most of it is of interest only where it hits: an entry that is or was current, a time at
//! which something is due.

use fastrand::Rng;
use rollcall_protocol::definition::Duplicates;

use crate::{
    event::Person,
    ids::{Entry, LEASE, MEMORY, MINUTE, NODES, Node, ROOMS, RoomNo, SECOND, Time, USERS, User},
    live::Member,
    room::{Join, Membership},
    service::{Action, Definition},
    world::{Step, World},
};

/// What an interleaving has most of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mood {
    /// Nodes are heard of in time, mostly.
    Steady,
    /// Time passes quickly, and nodes come and go.
    Stormy,
    /// Many connections of few users.
    Crowded,
}

const NAMES: [(User, &str); 4] = [("ben", "Ben"), ("kim", "Kim"), ("lea", "Lea"), ("zoe", "Zoe")];

pub fn step(world: &World, rng: &mut Rng) -> Step {
    let at = moment(world, rng);
    if let Some((node, until)) = beat_due(world, at, rng) {
        // A lease that ends now has ended.
        return Step { at: at.min(until - 1).max(world.now), action: Action::Heartbeat(node) };
    }
    Step { at, action: action(world, at, rng) }
}

/// The node that would lose its lease soon, if it is heard of in time.
fn beat_due(world: &World, at: Time, rng: &mut Rng) -> Option<(Node, Time)> {
    let diligence = if world.mood == Mood::Stormy { 0.4 } else { 0.95 };
    let leases = world.service.shard.leases.iter();
    let soon = leases.map(|(node, lease)| (node, lease.until));
    let soon = soon.filter(|(_, until)| (world.now + 1..at + LEASE / 4).contains(until));
    soon.min_by_key(|(_, until)| *until).filter(|_| rng.f64() < diligence)
}

/// When it happens: soon, or exactly when something is due, or just before or after it.
fn moment(world: &World, rng: &mut Rng) -> Time {
    let onto_deadline = rng.u32(..100) < if world.mood == Mood::Crowded { 5 } else { 25 };
    if onto_deadline && let Some(deadline) = deadline(world, rng) {
        return (deadline + rng.u64(..3)).saturating_sub(1).max(world.now);
    }
    let longest = match (rng.u32(..100), world.mood) {
        (..15, _) => 1,
        (15..97, Mood::Crowded) => SECOND / 2,
        (15..94, Mood::Steady) => 4 * SECOND,
        (15..97, _) => 40 * SECOND,
        (97..99, _) => 5 * MINUTE,
        _ => 120 * MINUTE,
    };
    world.now + rng.u64(..longest)
}

/// Something that is due some time, most often what is due next.
fn deadline(world: &World, rng: &mut Rng) -> Option<Time> {
    let shard = &world.service.shard;
    let mut deadlines: Vec<Time> = shard.leases.iter().map(|(_, lease)| lease.until).collect();
    for live in shard.rooms.iter().filter_map(|room| room.live.as_ref()) {
        deadlines.push(live.terms.end_at);
        deadlines.extend(live.reminder_at);
        deadlines.extend(live.members.iter().filter_map(Member::grace_until));
    }
    let closed = shard.rooms.iter().filter_map(|room| room.past.closed.values().min());
    deadlines.extend(closed.map(|at| at + MEMORY).filter(|_| rng.u32(..8) == 0));
    deadlines.retain(|deadline| *deadline >= world.now);
    deadlines.sort_unstable();
    let next = deadlines.first().copied();
    if rng.u32(..8) == 0 { rng.choice(deadlines) } else { next }
}

fn action(world: &World, at: Time, rng: &mut Rng) -> Action {
    let room = room(world, rng);
    let definition_now = &world.service.stores[room].current;
    let is_over = definition_now.as_ref().is_none_or(|session| session.definition.end_at <= at);
    if is_over && rng.u32(..3) > 0 {
        return Action::Define { room, definition: definition(world, room, at, rng), dies: false };
    }
    let entering = if world.mood == Mood::Crowded { 220 } else { 40 };
    match rng.u32(..63 + entering) {
        0..9 => Action::Leave(membership(world, room, rng)),
        9..23 => Action::Disconnect(membership(world, room, rng)),
        23..26 => Action::Heartbeat(node(rng)),
        26..28 => Action::Goodbye(node(rng)),
        28..37 => Action::Sweep,
        37..46 => {
            Action::Define { room, definition: definition(world, room, at, rng), dies: rng.u32(..4) == 0 }
        }
        46..47 => Action::DefineElsewhere { room, definition: definition(world, room, at, rng) },
        47..48 => Action::Undefine(room),
        48..51 => Action::Read { room, seats: (0..3).map(|_| seat(world, room, rng)).collect() },
        51..53 => Action::Attendance(room),
        53..55 => Action::GiveUp(join(world, room, rng)),
        55..63 => again(world, room, rng).unwrap_or(Action::Sweep),
        _ => Action::Join { join: join(world, room, rng), reads_old: rng.u32(..12) == 0 },
    }
}

/// A copy of an earlier join: one whose entry is current, or one of the last, or any.
fn again(world: &World, room: RoomNo, rng: &mut Rng) -> Option<Action> {
    let (_, entry) = seat(world, room, rng);
    let last = world.sent.len().saturating_sub(8);
    let sent = match rng.u32(..4) {
        0..2 => world.sent.iter().find(|(_, join)| join.entry == entry),
        _ => rng.choice(&world.sent[last..]),
    };
    sent.map(|(_, join)| Action::JoinAgain(*join))
}

fn room(world: &World, rng: &mut Rng) -> RoomNo {
    if world.mood == Mood::Crowded && rng.u32(..10) > 0 { 0 } else { rng.usize(..ROOMS.len()) }
}

fn node(rng: &mut Rng) -> Node {
    NODES[rng.usize(..NODES.len())]
}

fn user(world: &World, rng: &mut Rng) -> User {
    if world.mood == Mood::Crowded && rng.u32(..10) < 7 { "kim" } else { USERS[rng.usize(..USERS.len())] }
}

fn join(world: &World, room: RoomNo, rng: &mut Rng) -> Join {
    let user = user(world, rng);
    let mut one_in = |often: u32| {
        let often = if world.mood == Mood::Crowded { often * 4 } else { often };
        if rng.u32(..often) == 0 { earlier(world, room, user, rng) } else { None }
    };
    let (resumes, replaces) = (one_in(3), one_in(8));
    let node = node(rng);
    let entry = Entry(world.sent.last().map_or(0, |(_, join)| join.entry.0) + 1);
    Join { room, person: person(user, rng), node, entry, resumes, replaces }
}

fn person(user: User, rng: &mut Rng) -> Person {
    let usual = NAMES.iter().find(|(id, _)| *id == user).map_or(user, |(_, name)| name);
    Person { user, name: if rng.u32(..10) == 0 { "Somebody" } else { usual } }
}

/// An earlier entry of the user in the room, or now and then of anybody anywhere.
fn earlier(world: &World, room: RoomNo, user: User, rng: &mut Rng) -> Option<Entry> {
    let is_anybodys = rng.u32(..20) == 0;
    let of_user: Vec<Entry> = world
        .sent
        .iter()
        .map(|(_, join)| join)
        .filter(|join| is_anybodys || (join.room == room && join.person.user == user))
        .map(|join| join.entry)
        .collect();
    if rng.bool() { of_user.last().copied() } else { rng.choice(of_user) }
}

/// One that is current, or that of any earlier join.
fn membership(world: &World, room: RoomNo, rng: &mut Rng) -> Membership {
    let (user, entry) = seat(world, room, rng);
    let sent = world.sent.iter().find(|(_, join)| join.entry == entry);
    Membership { room: sent.map_or(room, |(_, join)| join.room), user, entry }
}

fn seat(world: &World, room: RoomNo, rng: &mut Rng) -> (User, Entry) {
    let live = world.service.shard.rooms[room].live.iter();
    let current = live.flat_map(|live| live.seats()).map(|(user, seat)| (user, seat.entry));
    let sent = world.sent.iter().map(|(_, join)| (join.person.user, join.entry));
    let current = if rng.u32(..10) < 6 { rng.choice(current.collect::<Vec<_>>()) } else { None };
    current.or_else(|| rng.choice(sent.collect::<Vec<_>>())).unwrap_or(("kim", Entry(0)))
}

/// The definition that the room has, changed in one respect; a first one where it has none.
fn definition(world: &World, room: RoomNo, at: Time, rng: &mut Rng) -> Definition {
    let first = || Definition {
        end_at: at + 60 * MINUTE,
        leader: "lea",
        members: None,
        duplicates: Duplicates::Refuse,
        capacity: None,
    };
    let store = &world.service.stores[room];
    let mut definition = store.current.as_ref().map_or_else(first, |session| session.definition.clone());
    match rng.u32(..10) {
        _ if definition.end_at <= at => definition.end_at = end(at, rng),
        0..2 => definition.end_at = end(at, rng),
        2..4 => definition.leader = USERS[rng.usize(..USERS.len())],
        4..6 => definition.members = members(rng),
        6..8 => definition.capacity = rng.bool().then(|| rng.u32(1..=3)),
        _ => definition.duplicates = policy(world, rng),
    }
    if world.mood == Mood::Crowded && store.current.is_none() {
        definition.duplicates = Duplicates::Share;
    }
    definition
}

/// Later or earlier, but seldom past.
fn end(at: Time, rng: &mut Rng) -> Time {
    match rng.u32(..20) {
        0 => at - rng.u64(..MINUTE),
        1..4 => at + 1 + rng.u64(..10 * MINUTE),
        4..7 => at + 10 * MINUTE + rng.u64(..MINUTE),
        _ => at + rng.u64(15..90) * MINUTE,
    }
}

fn members(rng: &mut Rng) -> Option<Vec<User>> {
    rng.bool().then(|| USERS.into_iter().filter(|_| rng.u32(..4) > 0).collect())
}

fn policy(world: &World, rng: &mut Rng) -> Duplicates {
    match rng.u32(..3) {
        0 => Duplicates::Refuse,
        1 if world.mood != Mood::Crowded => Duplicates::Takeover,
        _ => Duplicates::Share,
    }
}
