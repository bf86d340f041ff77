//! Calls, replies and events of the model in the form of the protocol.

use rollcall_protocol::{
    ErrorCode,
    attendance::{self, Attendance},
    chat::{self, HistoryRequest, MessageText},
    client::Profile,
    code::{self, Editors, Language, SnippetText, SnippetUpdate, Title},
    command::Feature,
    definition::{self, SessionDefinition},
    document::{AwarenessUpdate, DocumentUpdate},
    event,
    status::{self, Goal, Status, StatusAction, StatusUpdate},
};
use rollcall_rooms::attendance::{AttendeeRecord, summarize};
use serde_json::{Value, json};

use crate::{
    chat::{self as chat_model, ChatAction, ChatReply, Item, Message},
    code::{CodeAction, CodeReply, Snippet, Update},
    document::Word,
    event::{Change, Event, EventKind, Listed, Person, Reason, Recipients, Roster},
    history::{Attendee, Ending, Stay},
    ids::{EntryId, NOTICE, PublicId, ROOMS, RoomNo, User},
    join::{Ack, Join},
    live::CommandId,
    room::{Membership, State},
    service::{Definition, Reply},
    shard::{Held, LiveRoom, NextDue, Page, Swept},
    status::{About, StatusAck, StatusCommand},
    timer::TimerAck,
};

pub fn id<T: std::str::FromStr>(text: impl ToString) -> T {
    text.to_string().parse().ok().expect("an id that is well formed")
}

impl std::fmt::Display for EntryId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "entry-{}", self.0)
    }
}

fn token(entry: EntryId) -> String {
    format!("token-{}", entry.0)
}

pub fn join(join: &Join) -> event::Join {
    let room = PublicId { text: ROOMS[join.room], is_number: join.is_room_number };
    let (user_id, user_name) = (join.person.id().parse(), join.person.name.to_owned());
    event::Join {
        room_id: room.parse(),
        profile: Profile { user_id, user_name, user_role: None },
        entry_id: id(join.entry),
        grant: None,
        node_id: id(join.node),
        resume_hash: id(token(join.entry)),
        resumes: join.resumes.map(|entry| id(token(entry))),
        replaces: join.replaces.map(id),
        refreshes: join.refreshes,
    }
}

pub fn membership(who: &Membership) -> event::Membership {
    event::Membership { room_id: id(ROOMS[who.room]), user_id: id(who.user), entry_id: id(who.entry) }
}

pub fn command_id(CommandId(number): CommandId) -> rollcall_protocol::CommandId {
    id(format!("command-{number}"))
}

pub fn status_command(command: &StatusCommand) -> status::StatusCommand {
    let StatusCommand { room, by: (user, entry), id, status, goal } = *command;
    let goal = goal.map(|goal| goal.and_then(|text| Goal::clean(text).expect("a short goal")));
    status::StatusCommand {
        membership: membership(&Membership { room, user, entry }),
        command_id: command_id(id),
        action: StatusAction::Update(StatusUpdate { status, goal }),
    }
}

/// An action, with the numbers that the model counts from the start of the session.
pub fn chat_action(action: ChatAction, epoch: u64) -> chat::ChatAction {
    match action {
        ChatAction::Send(text) => {
            chat::ChatAction::Send { text: MessageText::clean(text).expect("a short text") }
        }
        ChatAction::Delete(position) => chat::ChatAction::Delete { number: epoch + position },
        ChatAction::Mute(user, for_ms) => chat::ChatAction::Mute { user_id: id(user), for_ms },
        ChatAction::Unmute(user) => chat::ChatAction::Unmute { user_id: id(user) },
        ChatAction::Slow(interval_ms) => chat::ChatAction::Slow { interval_ms },
        ChatAction::Read(page) => chat::ChatAction::History(history_request(page, epoch)),
    }
}

pub fn history_request(page: chat_model::Page, epoch: u64) -> HistoryRequest {
    match page {
        chat_model::Page::After(position, limit) => {
            HistoryRequest { after: Some(epoch + position), before: None, limit: limit as u32 }
        }
        chat_model::Page::Before(position, limit) => HistoryRequest {
            after: None,
            before: position.map(|position| epoch + position),
            limit: limit as u32,
        },
    }
}

fn message(Message { number, id, author, text, sent_at }: &Message) -> Value {
    let mut json = person(author);
    json["number"] = json!(number);
    json["id"] = json!(command_id(*id));
    json["text"] = json!(text);
    json["sentAt"] = json!(sent_at);
    json
}

fn chat_reply(reply: &ChatReply) -> Value {
    match reply {
        ChatReply::Done { message: sent, epoch, seq, now, .. } => {
            let mut json = json!({ "epoch": epoch, "seq": seq, "now": now });
            if let Some(sent) = sent {
                json["message"] = message(sent);
            }
            json
        }
        ChatReply::Read { items, more, slow, muted_until, mutes, now } => {
            let (mut messages, mut deleted) = (Vec::new(), Vec::new());
            for item in items {
                match item {
                    Item::Message(item) => messages.push(message(item)),
                    Item::Deletion { deletes, .. } => deleted.push(*deletes),
                }
            }
            let mut json = json!({ "messages": messages, "deleted": deleted, "more": more, "now": now });
            if let (Some(first), Some(last)) = (items.first(), items.last()) {
                json["first"] = json!(first.number());
                json["last"] = json!(last.number());
            }
            if let Some(slow) = slow {
                json["slowMs"] = json!(slow);
            }
            if let Some(until) = muted_until {
                json["mutedUntil"] = json!(until);
            }
            if !mutes.is_empty() {
                let mute = |(user, until): &(_, _)| json!({ "userId": user, "mutedUntil": until });
                json["mutes"] = mutes.iter().map(mute).collect();
            }
            json
        }
    }
}

/// An action, with the numbers that the model counts from the start of the session.
pub fn code_action(action: CodeAction, epoch: u64) -> code::CodeAction {
    let clean = |text| SnippetText::clean(text).expect("a short text");
    let title = |text| Title::clean(text).expect("a short title");
    match action {
        CodeAction::Share { text, title: named, editors } => code::CodeAction::Share {
            text: clean(text),
            title: named.and_then(title),
            language: None::<Language>,
            editors,
        },
        CodeAction::Update(Update { position, version, text, title: named, editors }) => {
            code::CodeAction::Update(SnippetUpdate {
                number: epoch + position,
                version,
                text: text.map(clean),
                title: named.map(|named| named.and_then(title)),
                language: None,
                editors,
            })
        }
        CodeAction::Close(position) => code::CodeAction::Close { number: epoch + position },
        CodeAction::Get(position) => code::CodeAction::Get { number: epoch + position },
        CodeAction::List => code::CodeAction::List {},
        CodeAction::Open(position) => code::CodeAction::Open { number: epoch + position },
        CodeAction::Edit(position, word) => {
            code::CodeAction::Edit { number: epoch + position, update: edit(word) }
        }
        CodeAction::Show(position) => {
            code::CodeAction::Awareness { number: epoch + position, update: awareness() }
        }
    }
}

fn edit(word: Word) -> DocumentUpdate {
    DocumentUpdate::new(word.update()).expect("a short update")
}

/// What an editor shows who has no cursor.
fn awareness() -> AwarenessUpdate {
    AwarenessUpdate::new([&[1, 11, 1, 4], &b"null"[..]].concat()).expect("a short update")
}

fn snippet(snippet: &Snippet) -> Value {
    let mut json = person(&snippet.author);
    json["number"] = json!(snippet.number);
    json["id"] = json!(command_id(snippet.id));
    json["editors"] = json!(snippet.editors);
    json["version"] = json!(snippet.version);
    json["bytes"] = json!(snippet.bytes);
    json["sharedAt"] = json!(snippet.shared_at);
    json["updatedBy"] = person(&snippet.updated_by);
    json["updatedAt"] = json!(snippet.updated_at);
    if let Some(title) = snippet.title {
        json["title"] = json!(title);
    }
    json
}

/// A snippet with its text. That of a document is shown only to those who ask for it.
fn content(content: &Snippet, text: Option<&str>, now: u64) -> Value {
    let mut json = json!({ "snippet": snippet(content), "now": now });
    if let Some(text) = text {
        json["text"] = json!(text);
    }
    json
}

/// A snippet as events show it.
fn shown(shown: &Snippet, now: u64) -> Value {
    content(shown, (shown.editors != Editors::Together).then_some(shown.text), now)
}

fn code_reply(reply: &CodeReply) -> Value {
    match reply {
        CodeReply::Done { snippet: shown, epoch, seq, now, .. } => {
            let mut json = json!({ "epoch": epoch, "seq": seq, "now": now });
            if let Some(shown) = shown {
                json["snippet"] = snippet(shown);
            }
            json
        }
        CodeReply::ClosedByOperator => json!({}),
        CodeReply::Conflict { current, text, now } => {
            let current = content(current, text.as_deref(), *now);
            json!({ "code": ErrorCode::VersionConflict, "current": current })
        }
        CodeReply::Content { snippet, text, now } => content(snippet, Some(text), *now),
        CodeReply::Opened { snippet: opened, text, edit, now } => {
            json!({ "snippet": snippet(opened), "document": text, "edit": edit, "now": now })
        }
        CodeReply::Edited { edit, now } => json!({ "edit": edit, "now": now }),
        CodeReply::Listed { snippets, now } => {
            let snippets: Vec<Value> = snippets.iter().map(snippet).collect();
            json!({ "snippets": snippets, "now": now })
        }
    }
}

fn with_by(mut json: Value, by: &Option<Person>) -> Value {
    if let Some(by) = by {
        json["by"] = person(by);
    }
    json
}

pub fn read(room: RoomNo, entries: &[(User, EntryId)]) -> event::Read {
    let entries =
        entries.iter().map(|(user, entry)| event::EntryRef { user_id: id(user), entry_id: id(entry) });
    event::Read { room_id: id(ROOMS[room]), entries: entries.collect() }
}

pub fn definition(definition: &Definition) -> SessionDefinition {
    definition::SessionDefinition {
        end_at: definition.end_at,
        leader_id: definition.leader.map(PublicId::parse),
        members: definition.members.as_ref().map(|members| members.iter().map(id).collect()),
        duplicates: definition.duplicates,
        capacity: definition.capacity,
        timer_by: definition.timer_by,
        features: (definition.features != Feature::ALL).then(|| definition.features.to_vec()),
    }
}

pub fn reply(reply: &Reply) -> Value {
    match reply {
        Reply::Done => json!({}),
        Reply::Ack(joined) => ack(joined),
        Reply::Refused(code) => refused(*code),
        Reply::Held(Held { since, next, rank }) => {
            json!({ "since": since, "nextDue": next_due(next), "rank": rank })
        }
        Reply::Stopped => json!({ "since": 0 }),
        Reply::Swept(Swept { settled, late, more, next, due_in }) => {
            swept(*settled, *late, *more, next_due(next), *due_in)
        }
        Reply::State(state, gone) => {
            let gone: Vec<String> = gone.iter().map(EntryId::to_string).collect();
            let mut snapshot = json!({ "gone": gone });
            if let Some(state) = state {
                snapshot["room"] = self::state(state);
                snapshot["room"]["groupId"] = json!(state.room);
            }
            snapshot
        }
        Reply::Attendance(attendees) => {
            attendance(&summarize(attendees.iter().map(attendee).collect(), Status::ALL))
        }
        Reply::Listed(page) => self::page(page),
        Reply::Timer(TimerAck { timer, epoch, seq, now, .. }) => {
            json!({ "timer": timer, "epoch": epoch, "seq": seq, "now": now })
        }
        Reply::Chat(reply) => chat_reply(reply),
        Reply::Code(reply) => code_reply(reply),
        Reply::Status(StatusAck { member, epoch, seq, now, .. }) => {
            let mut json = with_about(person(&member.person), member.about());
            json["epoch"] = json!(epoch);
            json["seq"] = json!(seq);
            json["now"] = json!(now);
            json
        }
    }
}

pub fn refused(code: ErrorCode) -> Value {
    json!({ "code": code })
}

pub fn swept(settled: u32, late_ms: u64, more: bool, next: event::NextDue, due_in_ms: Option<u64>) -> Value {
    json!({ "settled": settled, "lateMs": late_ms, "more": more, "nextDue": next, "dueInMs": due_in_ms })
}

fn next_due(next: &NextDue) -> event::NextDue {
    event::NextDue { as_of: next.as_of, due_at: next.due, is_partial: false }
}

/// The cursor of the page that begins after a room.
pub fn cursor(room: &str) -> String {
    format!("0:{room}")
}

fn page(Page { rooms, next }: &Page) -> Value {
    let rooms: Vec<Value> = rooms.iter().map(live_room).collect();
    let mut page = json!({ "rooms": rooms });
    if let Some(next) = next {
        page["next"] = json!(cursor(next.text));
    }
    page
}

fn live_room(LiveRoom { id, epoch, started_at, end_at, count }: &LiveRoom) -> Value {
    json!({ "id": id, "epoch": epoch, "startedAt": started_at, "endAt": end_at, "count": count })
}

pub fn attendance(attendance: &Attendance) -> Value {
    json!(attendance)
}

fn ack(ack: &Ack) -> Value {
    let mut json = state(&ack.state);
    json["seq"] = json!(ack.seq);
    json["first"] = json!(ack.first);
    json["recovered"] = json!(ack.recovered);
    json
}

fn state(state: &State) -> Value {
    let mut json = json!({
        "count": state.count,
        "endAt": state.end_at,
        "remainMs": state.remain,
        "epoch": state.epoch,
        "seq": state.seq,
        "now": state.now,
    });
    if let Some(timer) = &state.timer {
        json["timer"] = json!(timer);
    }
    if let Some(leader) = state.leader {
        json["leaderId"] = json!(leader);
    }
    if let Some(host) = state.host {
        json["hostId"] = json!(host);
    }
    with_roster(json, &state.roster)
}

fn attendee(Attendee { person, stays }: &Attendee) -> AttendeeRecord {
    let (user_id, user_name) = (person.id().parse(), person.name.to_owned());
    AttendeeRecord { user_id, user_name, stays: stays.iter().map(stay).collect() }
}

fn stay(stay: &Stay) -> attendance::Stay {
    attendance::Stay {
        epoch: stay.epoch,
        entered_at: stay.entered_at,
        left_at: stay.left_at,
        present_ms: stay.present,
        drops: stay.drops,
        status_ms: stay.statuses.clone(),
        ending: stay.ending.map(|ending| match ending {
            Ending::Left => attendance::Ending::Left,
            Ending::GraceExpired => attendance::Ending::GraceExpired,
            Ending::Removed => attendance::Ending::Removed,
            Ending::Ended => attendance::Ending::Ended,
        }),
    }
}

pub fn event(event: &Event) -> Value {
    let Event { epoch, seq, room, to, kind } = event;
    let (name, mut data) = payload(kind, *room);
    let mut json = json!({ "event": name, "epoch": epoch, "seq": seq });
    match kind.document() {
        Some(number) => json["document"] = json!(number),
        None => json["closes"] = json!(kind.closes()),
    }
    match to {
        Recipients::Everybody => {}
        Recipients::AllBut(entry) => json["except"] = json!(entry.to_string()),
        Recipients::Only(entry) => json["only"] = json!(entry.to_string()),
    }
    if !matches!(to, Recipients::Only(_)) && kind.document().is_none() {
        data["epoch"] = json!(epoch);
        data["seq"] = json!(seq);
    }
    json["data"] = data;
    json
}

fn payload(kind: &EventKind, group: PublicId) -> (&'static str, Value) {
    match kind {
        EventKind::Started { at, end_at, leader, host, roster } => {
            let mut data =
                json!({ "groupId": group, "startedAt": at, "endAt": end_at, "hostId": host, "count": 1 });
            if let Some(leader) = leader {
                data["leaderId"] = json!(leader);
            }
            ("room:started", with_roster(data, roster))
        }
        EventKind::Changed { change, users, roster, count } => {
            let users: Vec<Value> = users.iter().map(person).collect();
            let data = json!({ "change": { "type": change_type(*change), "users": users }, "count": count });
            ("room:participantsChanged", with_roster(data, roster))
        }
        EventKind::Reconnecting { person: lost, grace_until } => {
            let mut data = person(lost);
            data["graceUntil"] = json!(grace_until);
            ("room:participantReconnecting", data)
        }
        EventKind::Reconnected { person: back, roster, count } => {
            let mut data = person(back);
            data["count"] = json!(count);
            ("room:participantReconnected", with_roster(data, roster))
        }
        EventKind::HostChanged { host } => {
            ("room:hostChanged", json!({ "hostId": host.id(), "userName": host.name }))
        }
        EventKind::LeaderChanged { leader: Some(leader) } => {
            ("room:leaderChanged", json!({ "leaderId": leader }))
        }
        EventKind::LeaderChanged { leader: None } => ("room:leaderChanged", json!({})),
        EventKind::Reminder { end_at, remain } => {
            ("room:reminder", json!({ "groupId": group, "endAt": end_at, "remainMs": remain }))
        }
        EventKind::Rescheduled { end_at, remain } => {
            ("room:rescheduled", json!({ "groupId": group, "endAt": end_at, "remainMs": remain }))
        }
        EventKind::Ended(Reason::Time) => ("room:ended", json!({ "groupId": group, "reason": "time" })),
        EventKind::Ended(Reason::Ended) => ("room:ended", json!({ "groupId": group, "reason": "ended" })),
        EventKind::Replaced => ("room:replaced", json!({ "groupId": group })),
        EventKind::Removed => ("room:removed", json!({ "groupId": group })),
        EventKind::TimerChanged { timer, by, now } => {
            let mut data = json!({ "timer": timer, "now": now });
            if let Some(by) = by {
                data["by"] = person(by);
            }
            ("timer:changed", data)
        }
        EventKind::PhaseChanged { timer, phases, now } => {
            ("timer:phaseChanged", json!({ "timer": timer, "phases": phases, "now": now }))
        }
        EventKind::MemberUpdated { person: member, about, now } => {
            let mut data = with_about(person(member), *about);
            data["now"] = json!(now);
            ("room:memberUpdated", data)
        }
        EventKind::Message { message: sent, now } => {
            ("chat:message", json!({ "message": message(sent), "now": now }))
        }
        EventKind::MessageDeleted { number, deletes, by, now } => {
            ("chat:deleted", with_by(json!({ "number": number, "deletes": deletes, "now": now }), by))
        }
        EventKind::Muted { user, until, by, now } => {
            ("room:muted", with_by(json!({ "userId": user, "mutedUntil": until, "now": now }), by))
        }
        EventKind::Unmuted { user, by, now } => {
            ("room:unmuted", with_by(json!({ "userId": user, "now": now }), by))
        }
        EventKind::SnippetShared { snippet: shared, now } => ("code:shared", shown(shared, *now)),
        EventKind::SnippetUpdated { snippet: updated, now } => ("code:updated", shown(updated, *now)),
        EventKind::SnippetClosed { number, by, now } => {
            ("code:closed", with_by(json!({ "number": number, "now": now }), by))
        }
        EventKind::DocumentUpdated { number, word, user, edit: made, now } => {
            let data =
                json!({ "number": number, "update": edit(*word), "userId": user, "edit": made, "now": now });
            ("document:updated", data)
        }
        EventKind::DocumentAwareness { number, user, now } => {
            let data = json!({ "number": number, "update": awareness(), "userId": user, "now": now });
            ("document:awareness", data)
        }
        EventKind::Slowed { interval, by, now } => {
            ("chat:slowed", with_by(json!({ "slowMs": interval, "now": now }), by))
        }
        EventKind::Notice => ("room:notice", json!({ "groupId": group, "text": NOTICE })),
    }
}

fn change_type(change: Change) -> &'static str {
    match change {
        Change::Entered => "entered",
        Change::Left => "left",
        Change::GraceExpired => "graceExpired",
        Change::Removed => "removed",
        Change::Updated => "updated",
    }
}

fn person(person: &Person) -> Value {
    json!({ "userId": person.id(), "userName": person.name })
}

fn with_about(mut json: Value, About { status, goal }: About) -> Value {
    if let Some(status) = status {
        json["status"] = json!(status);
    }
    if let Some(goal) = goal {
        json["goal"] = json!(goal);
    }
    json
}

fn with_roster(mut json: Value, roster: &Roster) -> Value {
    if let Some(roster) = roster {
        json["members"] = roster.iter().map(listed).collect();
    }
    json
}

fn listed(listed: &Listed) -> Value {
    let mut json = with_about(person(&listed.person), listed.about);
    json["joinedAt"] = json!(listed.joined_at);
    json["state"] = json!(if listed.grace_until.is_some() { "reconnecting" } else { "present" });
    if let Some(until) = listed.grace_until {
        json["graceUntil"] = json!(until);
    }
    json
}
