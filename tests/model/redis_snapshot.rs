//! The content of Redis that the model expects, in the lines that redis_snapshot.lua returns.

use rollcall_protocol::{code::Editors, command::Feature, definition::Duplicates, status::Status};
use serde_json::json;

use crate::{
    code::Snippet,
    document::Document,
    ids::{NODES, PublicId, RETENTION, ROOMS, Time, User},
    live::{Admits, Entry, Live, Member},
    room::Room,
    shard::Shard,
    status::About,
    wire,
};

pub fn of(shard: &Shard) -> Vec<String> {
    let mut lines = vec![format!("epoch {}", shard.epochs.last)];
    lines.push(format!("clock {} {}", or_none(shard.clock.ran_at), shard.clock.paused));
    let live = |room: &Room| room.live.as_ref().map(Live::due);
    let due = ROOMS.iter().zip(&shard.rooms).filter_map(|(id, room)| Some((live(room)?, id.to_string())));
    lines.extend(scores("due", due));
    lines.extend(scores("lease", shard.leases.iter().map(|(node, lease)| (lease.until, node.to_owned()))));
    lines.extend(nodes(shard));
    for (id, room) in ROOMS.iter().zip(&shard.rooms) {
        snapshot_room(&mut lines, id, room);
    }
    lines.push(format!("keys {}", keys(shard)));
    // All other keys expire, even if no script runs any more.
    let lasting = [(shard.clock.ran_at.is_some(), "clock"), (shard.epochs.last > 0, "epoch")];
    let lasting = lasting.iter().filter(|(is_there, _)| *is_there);
    let lasting: Vec<String> = lasting.map(|(_, kind)| format!("rollcall:{{0}}:{kind}")).collect();
    lines.push(format!("lasting {}", lasting.join(",")));
    lines
}

/// Ordered by time, then by name.
fn scores(label: &str, scores: impl Iterator<Item = (Time, String)>) -> Vec<String> {
    let mut scores: Vec<_> = scores.collect();
    scores.sort();
    scores.into_iter().map(|(at, name)| format!("{label} {name} {at}")).collect()
}

fn nodes(shard: &Shard) -> impl Iterator<Item = String> {
    NODES.iter().filter_map(|node| {
        let held = ROOMS.iter().zip(&shard.rooms).filter(|(_, room)| room.has_entries_of(node));
        let held: Vec<&str> = held.map(|(id, _)| *id).collect();
        let since = shard.leases.of(node)?.since;
        Some(format!("node {node} {since} {}", held.join(",")))
    })
}

fn snapshot_room(lines: &mut Vec<String>, id: &str, room: &Room) {
    let members = room.live.iter().flat_map(|live| &live.members);
    if let Some(live) = &room.live {
        lines.push(terms(id, live));
        lines.push(format!("expires {id} {}", live.terms.end_at + RETENTION));
    }
    lines.push(format!("announced {id} {}", or_none((room.announced > 0).then_some(room.announced))));
    lines.push(format!("listed {id} {}", listed(room).join(",")));
    let count = members.clone().count();
    lines.push(format!("count {id} {count} {count}"));
    for member in members.clone() {
        lines.push(snapshot_member(id, member));
        lines.extend(member.entries.iter().map(|entry| snapshot_entry(id, member, entry)));
    }
    let graces = members.filter_map(|member| Some((member.grace_until?, member.person.user.to_owned())));
    lines.extend(scores(&format!("grace {id}"), graces));
    let rate = room.live.iter().flat_map(|live| &live.rate);
    lines.extend(scores(&format!("rate {id}"), rate.map(|(user, until)| (*until, user.to_string()))));
    let commands = room.live.iter().flat_map(|live| &live.commands);
    let commands = commands.map(|((by, command), at)| {
        (*at, format!("{}\t{}", by.unwrap_or_default(), wire::command_id(*command)))
    });
    lines.extend(scores(&format!("command {id}"), commands));
    let muted = room.live.iter().flat_map(|live| &live.muted);
    let muted: Vec<(Option<Time>, &str)> = muted.map(|(user, until)| (*until, *user)).collect();
    lines.extend(muted_lines(id, muted));
    let (count, slow, kept) =
        room.live.as_ref().map_or((0, None, 0), |live| (live.chat_count, live.slow, live.chat.len()));
    lines.push(format!("chat {id} {count} {} {kept}", or_none(slow)));
    lines.push(format!("code {id} {}", room.live.as_ref().map_or(0, |live| live.snippet_count)));
    let documents = room.live.as_ref().map(|live| &live.documents);
    lines.extend(room.live.iter().flat_map(|live| &live.snippets).map(|snippet| {
        let Snippet { number, version, text, editors, .. } = snippet;
        let editors = json!(editors);
        let editors = editors.as_str().unwrap_or_default();
        let document = documents.and_then(|documents| documents.get(number));
        let text = document.map_or_else(
            || (*text).to_owned(),
            |Document { edit, merged, log_bytes, .. }| format!("{edit} {merged} {log_bytes}"),
        );
        format!("snippet {id} {number} {number} {version} {editors} {text}")
    }));
    // How many updates a document has, its state, and the updates that are not merged.
    let parts = documents.iter().flat_map(|documents| documents.values());
    let parts: u64 = parts.map(|document| 2 + document.edit - document.merged).sum();
    lines.push(format!("documents {id} {parts}"));
    let closed = room.history.closed.iter().map(|(entry, at)| (*at, entry.to_string()));
    lines.extend(scores(&format!("closed {id}"), closed));
    let attended = room.history.attendees.iter();
    let attended =
        attended.filter_map(|(user, attendee)| Some((attendee.stays.last()?.left_at, user.to_string())));
    lines.extend(scores(&format!("attended {id}"), attended));
    lines.extend(NODES.iter().filter_map(|node| {
        let entries =
            room.live.iter().flat_map(Live::entries).filter(|(_, entry)| entry.node == *node).count();
        (entries > 0).then(|| format!("node-entries {id} {node} {entries}"))
    }));
}

/// Users who may send nothing, those without a time last.
fn muted_lines(id: &str, mut muted: Vec<(Option<Time>, &str)>) -> impl Iterator<Item = String> {
    muted.sort_by_key(|(until, user)| (until.unwrap_or(Time::MAX), *user));
    let until = |until: Option<Time>| until.map_or("inf".to_owned(), |until| until.to_string());
    muted.into_iter().map(move |(time, user)| format!("muted {id} {user} {}", until(time)))
}

/// The users whom a live room lists.
fn listed(room: &Room) -> Vec<User> {
    let Some(Admits::Listed(listed)) = room.live.as_ref().and_then(|live| live.admits.as_ref()) else {
        return Vec::new();
    };
    let mut listed = listed.clone();
    listed.sort_unstable();
    listed
}

fn or_none(value: Option<impl ToString>) -> String {
    value.map_or("-".to_owned(), |value| value.to_string())
}

fn terms(id: &str, live: &Live) -> String {
    let Live { epoch, started_at, seq, terms, reminder_at, host, .. } = live;
    let (reminder, capacity, host) = (or_none(*reminder_at), or_none(terms.capacity), or_none(*host));
    let policy = match terms.duplicates {
        Duplicates::Refuse => "refuse",
        Duplicates::Takeover => "takeover",
        Duplicates::Share => "share",
    };
    let (end, revision, leader) = (terms.end_at, terms.revision, or_none(live.leader()));
    let is_number = |id: Option<PublicId>| or_none(id.filter(|id| id.is_number).map(|_| 1));
    let (is_room_number, is_leader_number) = (is_number(Some(live.room)), is_number(terms.leader));
    let admits = match live.admits {
        None => "-",
        Some(Admits::All) => "all",
        Some(Admits::Listed(_)) => "listed",
    };
    let announced = or_none((live.announced > 0).then_some(live.announced));
    let timer = live.timer.as_ref();
    let phase_end = or_none(timer.and_then(|timer| timer.ends_at));
    let timer_by = json!(terms.timer_by);
    let timer_by = timer_by.as_str().unwrap_or_default();
    let names: Vec<&str> = terms.features.iter().map(|feature| feature.as_str()).collect();
    let features = if terms.features == Feature::ALL { "*".to_owned() } else { names.join(" ") };
    format!(
        "room {id} {epoch} {started_at} {seq} {end} {reminder} {revision} {capacity} {leader} {host} {policy} \
         {is_room_number} {is_leader_number} {admits} {announced} {timer_by} {phase_end} [{features}]"
    )
}

fn snapshot_member(id: &str, member: &Member) -> String {
    let Member { person, joined_at, lost_at, drops, absences, .. } = member;
    let away: Time = absences.iter().map(|(lost, back)| back - lost).sum();
    let About { status, goal } = member.about();
    let (status, goal) = (or_none(status.map(Status::as_str)), or_none(goal));
    let state = if lost_at.is_some() { "reconnecting" } else { "present" };
    let (user, name, grace, lost_at) =
        (person.user, person.name, or_none(member.grace_until), or_none(*lost_at));
    let public_id = json!(person.id());
    format!(
        "member {id} {user} {public_id} {name} {joined_at} {joined_at} {state} {grace} {lost_at} {drops} {away} {status} {goal}"
    )
}

fn snapshot_entry(id: &str, member: &Member, entry: &Entry) -> String {
    let Entry { id: entry_id, node, tokens, first, recovered, refreshes } = entry;
    let tokens: Vec<String> = tokens.iter().map(|token| format!("token-{}", token.0)).collect();
    let (user, tokens) = (member.person.user, tokens.join(","));
    format!("entry {id} {user} {entry_id} {node} {tokens} {first} {recovered} {refreshes}")
}

/// All keys: none of a session that ended, and none of a node without a lease.
fn keys(shard: &Shard) -> String {
    let mut kinds = Vec::new();
    let mut add = |is_there: bool, kind: String| kinds.extend(is_there.then_some(kind));
    add(shard.epochs.last > 0, "epoch".to_owned());
    add(shard.clock.ran_at.is_some(), "clock".to_owned());
    for kind in ["deadlines", "rooms"] {
        add(shard.rooms.iter().any(|room| room.live.is_some()), kind.to_owned());
    }
    add(shard.leases.first_end().is_some(), "leases".to_owned());
    add(shard.leases.first_end().is_some(), "leased".to_owned());
    for node in NODES {
        add(shard.rooms.iter().any(|room| room.has_entries_of(node)), format!("node:{node}"));
    }
    for (id, room) in ROOMS.iter().zip(&shard.rooms) {
        let has =
            |test: fn(&Member) -> bool| room.live.as_ref().is_some_and(|live| live.members.iter().any(test));
        add(room.live.is_some(), format!("room:{id}"));
        add(room.announced > 0, format!("announced:{id}"));
        add(!listed(room).is_empty(), format!("listed:{id}"));
        for kind in ["members", "entries", "order"] {
            add(has(|_| true), format!("{kind}:{id}"));
        }
        add(has(|member| !member.entries.is_empty()), format!("nodes:{id}"));
        add(has(|member| member.lost_at.is_some()), format!("grace:{id}"));
        add(!room.history.closed.is_empty(), format!("closed:{id}"));
        add(room.live.as_ref().is_some_and(|live| !live.rate.is_empty()), format!("rate:{id}"));
        add(room.live.as_ref().is_some_and(|live| !live.commands.is_empty()), format!("commands:{id}"));
        add(room.live.as_ref().is_some_and(|live| !live.chat.is_empty()), format!("chat:{id}"));
        let has_snippet = |test: fn(&Snippet) -> bool| {
            room.live.as_ref().is_some_and(|live| live.snippets.iter().any(test))
        };
        add(has_snippet(|_| true), format!("snippets:{id}"));
        add(has_snippet(|snippet| snippet.editors != Editors::Together), format!("code:{id}"));
        add(has_snippet(|snippet| snippet.editors == Editors::Together), format!("documents:{id}"));
        add(room.live.as_ref().is_some_and(|live| !live.muted.is_empty()), format!("muted:{id}"));
        for kind in ["attendees", "stays"] {
            add(!room.history.attendees.is_empty(), format!("{kind}:{id}"));
        }
    }
    let mut keys: Vec<String> = kinds.into_iter().map(|kind| format!("rollcall:{{0}}:{kind}")).collect();
    keys.sort();
    keys.join(",")
}
