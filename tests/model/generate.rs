//! Picks the next step. Most steps are of interest only with an entry that is or was current, or at a time when
//! something is due.

use fastrand::Rng;
use rollcall_protocol::{
    code::Editors,
    command::Feature,
    definition::{Duplicates, TimerBy},
    status::Status,
    timer::{TimerAction, TimerPlan, TimerState},
};

use crate::{
    chat::{ChatAction, ChatCommand, Page},
    code::{CodeAction, CodeCommand, Update},
    document::Word,
    event::Person,
    ids::{
        CLOSED_ENTRY_TTL, ENTRY_BURST, ENTRY_INTERVAL, EntryId, LEASE, LONGEST_CALL, MINUTE, NODES, Node,
        PublicId, ROOMS, RoomNo, SECOND, Time, USERS, User,
    },
    join::Join,
    live::{CommandId, Live},
    room::Membership,
    service::{Action, Crash, Definition},
    status::StatusCommand,
    timer::TimerCommand,
    world::{Step, World},
};

/// The kind of steps that an interleaving has most of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Workload {
    /// Most heartbeats come in time.
    Steady,
    /// Time passes quickly, and nodes start and stop.
    Stormy,
    /// Many connections of few users.
    Crowded,
}

const NAMES: [(User, &str); 4] = [("7", "Ben"), ("9007199254740991", "Zoe"), ("kim", "Kim"), ("lea", "Lea")];

pub fn pick_step(world: &World, rng: &mut Rng) -> Step {
    let at = pick_time(world, rng);
    if let Some((node, until)) = find_ending_lease(world, at, rng) {
        // At its end, a lease has ended.
        return Step { at: at.min(until - 1).max(world.now), action: Action::Heartbeat(node) };
    }
    Step { at, action: pick_action(world, at, rng) }
}

/// The node whose lease would end soon, if its heartbeat comes in time.
fn find_ending_lease(world: &World, at: Time, rng: &mut Rng) -> Option<(Node, Time)> {
    let chance = if world.workload == Workload::Stormy { 0.4 } else { 0.95 };
    let leases = world.service.shard.leases.iter();
    let soon = leases.map(|(node, lease)| (node, lease.until));
    let soon = soon.filter(|(_, until)| (world.now + 1..at + LEASE / 4).contains(until));
    soon.min_by_key(|(_, until)| *until).filter(|_| rng.f64() < chance)
}

/// Picks a time: soon, or exactly at a deadline, or just before or after one.
fn pick_time(world: &World, rng: &mut Rng) -> Time {
    let onto_deadline = rng.u32(..100) < if world.workload == Workload::Crowded { 5 } else { 25 };
    if onto_deadline && let Some(deadline) = pick_deadline(world, rng) {
        return (deadline + rng.u64(..3)).saturating_sub(1).max(world.now);
    }
    let longest = match (rng.u32(..100), world.workload) {
        (..15, _) => 1,
        (15..97, Workload::Crowded) => SECOND / 2,
        (15..94, Workload::Steady) => 4 * SECOND,
        (15..97, _) => 40 * SECOND,
        (97..99, _) => 5 * MINUTE,
        _ => 120 * MINUTE,
    };
    world.now + rng.u64(..longest)
}

/// Picks a deadline, most often the next one.
fn pick_deadline(world: &World, rng: &mut Rng) -> Option<Time> {
    let shard = &world.service.shard;
    let mut deadlines: Vec<Time> = shard.leases.iter().map(|(_, lease)| lease.until).collect();
    for live in shard.rooms.iter().filter_map(|room| room.live.as_ref()) {
        deadlines.push(live.terms.end_at);
        deadlines.extend(live.reminder_at);
        deadlines.extend(live.timer.as_ref().and_then(|timer| timer.ends_at));
        deadlines.extend(live.commands.values().min().map(|at| at + CLOSED_ENTRY_TTL));
        deadlines.extend(live.members.iter().filter_map(|member| member.grace_until));
        deadlines.extend(live.rate.values().map(|until| until - (ENTRY_BURST - 1) * ENTRY_INTERVAL));
    }
    let closed = shard.rooms.iter().filter_map(|room| room.history.closed.values().min());
    deadlines.extend(closed.map(|at| at + CLOSED_ENTRY_TTL).filter(|_| rng.u32(..8) == 0));
    deadlines.retain(|deadline| *deadline >= world.now);
    deadlines.sort_unstable();
    let next = deadlines.first().copied();
    if rng.u32(..8) == 0 { rng.choice(deadlines) } else { next }
}

fn pick_action(world: &World, at: Time, rng: &mut Rng) -> Action {
    let room = pick_room(world, rng);
    let definition_now = &world.service.stores[room].current;
    let is_over = definition_now.as_ref().is_none_or(|session| session.definition.end_at <= at);
    if is_over && rng.u32(..3) > 0 {
        return Action::Define { room, definition: pick_definition(world, room, at, rng), crash: None };
    }
    if let Some(room) = find_late_write(world, at, rng) {
        return Action::Arrive(room);
    }
    let entering = if world.workload == Workload::Crowded { 220 } else { 40 };
    match rng.u32(..112 + entering) {
        0..9 => Action::Leave(pick_membership(world, room, rng)),
        9..23 => Action::Disconnect(pick_membership(world, room, rng)),
        23..26 => Action::Heartbeat(pick_node(rng)),
        26..28 => Action::Stop(pick_node(rng)),
        28..37 => Action::Sweep,
        37..46 => {
            Action::Define { room, definition: pick_definition(world, room, at, rng), crash: pick_crash(rng) }
        }
        46..47 => Action::DefineExternally { room, definition: pick_definition(world, room, at, rng) },
        47..48 => Action::Undefine { room, crash: pick_crash(rng) },
        48..51 => Action::Read { room, entries: (0..3).map(|_| pick_entry(world, room, rng)).collect() },
        51..53 => Action::Attendance(room),
        53..55 => Action::AbandonJoin(pick_join(world, room, rng)),
        55..61 => pick_repeated_join(world, room, rng).unwrap_or(Action::Sweep),
        61..63 => pick_refresh(world, room, rng).unwrap_or(Action::Sweep),
        63..65 => Action::Kick { room, user: USERS[rng.usize(..USERS.len())] },
        65..66 => Action::Notify(room),
        66..68 => Action::List { after: rng.bool().then_some(room), limit: rng.u32(1..=3) },
        68..112 => pick_command(world, room, rng),
        _ => {
            let may_be_stale = at < world.service.stores[room].changed_at + LONGEST_CALL;
            let reads_stale = rng.u32(..12) == 0 && may_be_stale;
            Action::Join { join: pick_join(world, room, rng), reads_stale }
        }
    }
}

fn pick_crash(rng: &mut Rng) -> Option<Crash> {
    let crashes = [Crash::Locked, Crash::Announced, Crash::Stored];
    rng.choice(crashes).filter(|_| rng.u32(..3) == 0)
}

/// Finds a write of a caller that has crashed, which may still arrive.
fn find_late_write(world: &World, at: Time, rng: &mut Rng) -> Option<RoomNo> {
    let may_arrive = |room: &RoomNo| {
        let lost = world.service.stores[*room].lost.as_ref();
        lost.is_some_and(|lost| at < lost.revision + LONGEST_CALL)
    };
    (0..ROOMS.len()).find(may_arrive).filter(|_| rng.u32(..16) == 0)
}

/// Picks an earlier join to repeat: one with a current entry, one of the last, or any.
fn pick_repeated_join(world: &World, room: RoomNo, rng: &mut Rng) -> Option<Action> {
    let (_, entry) = pick_entry(world, room, rng);
    let last = world.sent.len().saturating_sub(8);
    let sent = match rng.u32(..4) {
        0..2 => world.sent.iter().find(|(_, join)| join.entry == entry),
        _ => rng.choice(&world.sent[last..]),
    };
    sent.map(|(_, join)| Action::RepeatJoin(*join))
}

/// Picks an entry whose client presents another token. The number may be that of an earlier token.
fn pick_refresh(world: &World, room: RoomNo, rng: &mut Rng) -> Option<Action> {
    let (user, entry) = pick_entry(world, room, rng);
    let (_, join) = world.sent.iter().find(|(_, join)| join.entry == entry)?;
    Some(Action::RepeatJoin(Join { refreshes: rng.u32(1..4), person: pick_person(user, rng), ..*join }))
}

fn pick_room(world: &World, rng: &mut Rng) -> RoomNo {
    if world.workload == Workload::Crowded && rng.u32(..10) > 0 { 0 } else { rng.usize(..ROOMS.len()) }
}

fn pick_node(rng: &mut Rng) -> Node {
    NODES[rng.usize(..NODES.len())]
}

fn pick_user(world: &World, rng: &mut Rng) -> User {
    if world.workload == Workload::Crowded && rng.u32(..10) < 7 {
        "kim"
    } else {
        USERS[rng.usize(..USERS.len())]
    }
}

fn pick_join(world: &World, room: RoomNo, rng: &mut Rng) -> Join {
    let user = pick_user(world, rng);
    let mut one_in = |often: u32| {
        let often = if world.workload == Workload::Crowded { often * 4 } else { often };
        if rng.u32(..often) == 0 { pick_earlier(world, room, user, rng) } else { None }
    };
    let (resumes, replaces) = (one_in(3), one_in(8));
    let node = pick_node(rng);
    let entry = EntryId(world.sent.last().map_or(0, |(_, join)| join.entry.0) + 1);
    let is_room_number = pick_type(ROOMS[room], rng);
    Join {
        room,
        is_room_number,
        person: pick_person(user, rng),
        node,
        entry,
        resumes,
        replaces,
        refreshes: 0,
    }
}

fn pick_person(user: User, rng: &mut Rng) -> Person {
    let usual = NAMES.iter().find(|(id, _)| *id == user).map_or(user, |(_, name)| name);
    Person {
        user,
        is_number: pick_type(user, rng),
        name: if rng.u32(..10) == 0 { "Somebody" } else { usual },
    }
}

/// Picks whether an id is a number in JSON. Most clients agree.
fn pick_type(id: &str, rng: &mut Rng) -> bool {
    id.parse::<i64>().is_ok() && rng.u32(..4) > 0
}

/// Picks an earlier entry of the user in the room, or sometimes any entry.
fn pick_earlier(world: &World, room: RoomNo, user: User, rng: &mut Rng) -> Option<EntryId> {
    let is_anybodys = rng.u32(..20) == 0;
    let of_user: Vec<EntryId> = world
        .sent
        .iter()
        .map(|(_, join)| join)
        .filter(|join| is_anybodys || (join.room == room && join.person.user == user))
        .map(|join| join.entry)
        .collect();
    if rng.bool() { of_user.last().copied() } else { rng.choice(of_user) }
}

/// Picks a membership with a current entry, or with that of any earlier join.
fn pick_membership(world: &World, room: RoomNo, rng: &mut Rng) -> Membership {
    let (user, entry) = pick_entry(world, room, rng);
    let sent = world.sent.iter().find(|(_, join)| join.entry == entry);
    Membership { room: sent.map_or(room, |(_, join)| join.room), user, entry }
}

fn pick_entry(world: &World, room: RoomNo, rng: &mut Rng) -> (User, EntryId) {
    let live = world.service.shard.rooms[room].live.iter();
    let current = live.flat_map(|live| live.entries()).map(|(user, entry)| (user, entry.id));
    let sent = world.sent.iter().map(|(_, join)| (join.person.user, join.entry));
    let current = if rng.u32(..10) < 6 { rng.choice(current.collect::<Vec<_>>()) } else { None };
    current.or_else(|| rng.choice(sent.collect::<Vec<_>>())).unwrap_or(("kim", EntryId(0)))
}

/// Changes the room's definition in one respect, or defines the room.
fn pick_definition(world: &World, room: RoomNo, at: Time, rng: &mut Rng) -> Definition {
    let first = || Definition {
        end_at: at + 60 * MINUTE,
        leader: Some(PublicId { text: "lea", is_number: false }),
        members: None,
        duplicates: Duplicates::Refuse,
        capacity: None,
        timer_by: TimerBy::Anyone,
        features: Feature::ALL,
    };
    let store = &world.service.stores[room];
    let mut definition = store.current.as_ref().map_or_else(first, |session| session.definition.clone());
    match rng.u32(..12) {
        _ if definition.end_at <= at => definition.end_at = pick_end(at, rng),
        0..2 => definition.end_at = pick_end(at, rng),
        2..4 => definition.leader = pick_leader(rng),
        4..6 => definition.members = pick_members(rng),
        10 => definition.timer_by = rng.choice(TIMER_BY).unwrap_or_default(),
        11 => definition.features = rng.choice(FEATURES).unwrap_or_default(),
        6..8 => definition.capacity = rng.bool().then(|| rng.u32(1..=3)),
        _ => definition.duplicates = pick_duplicates(world, rng),
    }
    if world.workload == Workload::Crowded && store.current.is_none() {
        definition.duplicates = Duplicates::Share;
    }
    definition
}

/// Picks an end, which is seldom in the past.
fn pick_end(at: Time, rng: &mut Rng) -> Time {
    match rng.u32(..20) {
        0 => at - rng.u64(..MINUTE),
        1..4 => at + 1 + rng.u64(..10 * MINUTE),
        4..7 => at + 10 * MINUTE + rng.u64(..MINUTE),
        _ => at + rng.u64(15..90) * MINUTE,
    }
}

fn pick_leader(rng: &mut Rng) -> Option<PublicId> {
    let text = USERS[rng.usize(..USERS.len())];
    let leader = PublicId { text, is_number: pick_type(text, rng) };
    (rng.u32(..4) > 0).then_some(leader)
}

fn pick_members(rng: &mut Rng) -> Option<Vec<User>> {
    rng.bool().then(|| USERS.into_iter().filter(|_| rng.u32(..4) > 0).collect())
}

const TIMER_BY: [TimerBy; 3] = [TimerBy::Anyone, TimerBy::Host, TimerBy::Leader];

const FEATURES: [&[Feature]; 5] =
    [Feature::ALL, Feature::ALL, &[Feature::Timer, Feature::Chat], &[Feature::Status], &[]];

const GOALS: [&str; 2] = ["Chapter-3", "수학의-\"정석\""];

/// Picks a command: most often a new one, or else an earlier one again.
fn pick_command(world: &World, room: RoomNo, rng: &mut Rng) -> Action {
    let last = world.commanded.len().saturating_sub(4);
    if let Some(earlier) = rng.choice(&world.commanded[last..]).filter(|_| rng.u32(..6) == 0) {
        return earlier.clone();
    }
    let id = CommandId(world.commanded.len() as u32);
    let live = world.service.shard.rooms[room].live.as_ref();
    let current: Vec<_> =
        live.iter().flat_map(|live| live.entries()).map(|(user, entry)| (user, entry.id)).collect();
    let current = rng.choice(current).filter(|_| rng.u32(..10) > 0);
    let kind = rng.u32(..6);
    if kind == 0 {
        let by = current.unwrap_or_else(|| pick_entry(world, room, rng));
        return Action::Status(pick_status_command(room, by, id, rng));
    }
    let by = current.or_else(|| rng.bool().then(|| pick_entry(world, room, rng)));
    if kind < 3 {
        return Action::Chat(pick_chat_command(room, by, id, live, rng));
    }
    if kind < 5 {
        return Action::Code(pick_code_command(room, by, id, live, rng));
    }
    let state = live.and_then(|live| live.timer.as_ref()).map(|timer| timer.state);
    Action::Timer(TimerCommand { room, by, id, action: pick_timer_action(state, rng) })
}

const TEXTS: [&str; 3] = ["안녕하세요", "a \"quoted\"\nline", "deletes"];

/// Picks a command to the chat. Operators send no messages.
fn pick_chat_command(
    room: RoomNo,
    by: Option<(User, EntryId)>,
    id: CommandId,
    live: Option<&Live>,
    rng: &mut Rng,
) -> ChatCommand {
    let user = USERS[rng.usize(..USERS.len())];
    let count = live.map_or(0, |live| live.chat_count);
    let position = rng.u64(count.saturating_sub(7)..count + 2);
    let limit = rng.usize(1..=3);
    let is_slow = by.is_some() && live.is_some_and(|live| live.slow.is_some());
    let action = match rng.u32(..20) {
        _ if is_slow && rng.bool() => ChatAction::Send(TEXTS[0]),
        0..9 if by.is_some() => ChatAction::Send(TEXTS[rng.usize(..TEXTS.len())]),
        0..11 => ChatAction::Delete(position),
        11 => ChatAction::Mute(user, None),
        12 => ChatAction::Mute(user, Some(rng.u64(1..MINUTE))),
        13..15 => {
            let muted = live.iter().flat_map(|live| live.muted.keys().copied());
            ChatAction::Unmute(rng.choice(muted.collect::<Vec<_>>()).unwrap_or(user))
        }
        15 => ChatAction::Slow(if rng.u32(..4) == 0 { 0 } else { 5 * MINUTE }),
        16..18 => ChatAction::Read(Page::After(position, limit)),
        _ => ChatAction::Read(Page::Before(Some(position).filter(|_| rng.bool()), limit)),
    };
    // Most members may not moderate.
    let moderates = matches!(action, ChatAction::Mute(..) | ChatAction::Unmute(_) | ChatAction::Slow(_));
    ChatCommand { room, by: by.filter(|_| !moderates || rng.u32(..3) == 0), id, action }
}

/// Picks what an editor of a document does. Sometimes the same word is typed again.
fn pick_edit(position: u64, live: Option<&Live>, CommandId(id): CommandId, rng: &mut Rng) -> CodeAction {
    let document = live.and_then(|live| live.documents.get(&(live.epoch + position)));
    let words = || document.into_iter().flat_map(|document| document.words.iter().copied());
    // With more of them, the document would be full.
    let has_space = words().filter(|word| word.is_long()).count() < 2;
    let earlier = rng.choice(words().collect::<Vec<_>>()).filter(|_| rng.u32(..6) == 0);
    match rng.u32(..10) {
        0 => CodeAction::Show(position),
        1..3 => CodeAction::Open(position),
        _ => CodeAction::Edit(
            position,
            earlier.unwrap_or_else(|| Word::new(id.into(), has_space && rng.u32(..4) == 0)),
        ),
    }
}

fn pick_editors(rng: &mut Rng) -> Editors {
    match rng.u32(..6) {
        0..2 => Editors::Author,
        2..4 => Editors::Everybody,
        _ => Editors::Together,
    }
}

const CODE: [&str; 3] = ["", "if a {\n\tb()\n}\n", "\"수학/\\\""];

const TITLES: [&str; 2] = ["Sort", "정렬"];

/// Picks a command to the shared code. Operators only close and read it.
fn pick_code_command(
    room: RoomNo,
    by: Option<(User, EntryId)>,
    id: CommandId,
    live: Option<&Live>,
    rng: &mut Rng,
) -> CodeCommand {
    let count = live.map_or(0, |live| live.snippet_count);
    let snippets = live.map_or(&[][..], |live| &live.snippets);
    let snippet = rng.choice(snippets).filter(|_| rng.u32(..8) > 0);
    let position = match (snippet, live) {
        (Some(snippet), Some(live)) => snippet.number - live.epoch,
        _ => rng.u64(..count + 2),
    };
    let text = CODE[rng.usize(..CODE.len())];
    let title = TITLES[rng.usize(..TITLES.len())];
    let editors = pick_editors(rng);
    let share = CodeAction::Share { text, title: rng.bool().then_some(title), editors };
    let is_edited = snippet.is_some_and(|snippet| snippet.editors == Editors::Together);
    let action = match rng.u32(..10) {
        0..5 if by.is_some() && is_edited => pick_edit(position, live, id, rng),
        0..8 if by.is_some() && snippet.is_none() => share,
        0 if by.is_some() => pick_edit(position, live, id, rng),
        1 if by.is_some() => share,
        0..7 if by.is_some() => CodeAction::Update(Update {
            position,
            version: snippet.map_or(1, |snippet| snippet.version - u64::from(rng.u32(..4) == 0)),
            text: rng.bool().then_some(text),
            title: rng.bool().then(|| rng.bool().then_some(title)),
            editors: (rng.u32(..6) == 0).then_some(editors),
        }),
        0..8 => CodeAction::Close(position),
        8 => CodeAction::Get(position),
        _ => CodeAction::List,
    };
    CodeCommand { room, by, id, action }
}

fn pick_status_command(room: RoomNo, by: (User, EntryId), id: CommandId, rng: &mut Rng) -> StatusCommand {
    let status = rng.choice([None, Some(Status::Focusing), Some(Status::Break), Some(Status::Away)]);
    let goal = rng.choice([None, Some(GOALS[0]), Some(GOALS[1])]);
    StatusCommand {
        room,
        by,
        id,
        status: status.filter(|_| rng.u32(..4) > 0),
        goal: goal.filter(|_| rng.u32(..4) == 0),
    }
}

/// Picks most often what the timer can do in its state.
fn pick_timer_action(state: Option<TimerState>, rng: &mut Rng) -> TimerAction {
    match rng.u32(..12) {
        _ if state.is_none() && rng.u32(..4) > 0 => TimerAction::Set(pick_plan(rng)),
        _ if state == Some(TimerState::Idle) && rng.u32(..4) > 0 => TimerAction::Start {},
        0..3 => TimerAction::Set(pick_plan(rng)),
        3..6 => TimerAction::Start {},
        6..8 => TimerAction::Pause {},
        8..10 => TimerAction::Resume {},
        10 => TimerAction::Skip {},
        _ => TimerAction::Reset {},
    }
}

fn pick_plan(rng: &mut Rng) -> TimerPlan {
    let mut length = || rng.choice([SECOND, 20 * SECOND, 3 * MINUTE, 25 * MINUTE]).unwrap_or(SECOND);
    let (focus_ms, short_break_ms, long_break_ms) = (length(), length(), length());
    match rng.u32(..6) {
        0 => TimerPlan::Stopwatch {},
        1..3 => TimerPlan::Countdown { duration_ms: focus_ms },
        _ => TimerPlan::Pomodoro { focus_ms, short_break_ms, long_break_ms, cycles: rng.u32(1..=3) },
    }
}

fn pick_duplicates(world: &World, rng: &mut Rng) -> Duplicates {
    match rng.u32(..3) {
        0 => Duplicates::Refuse,
        1 if world.workload != Workload::Crowded || rng.bool() => Duplicates::Takeover,
        _ => Duplicates::Share,
    }
}
