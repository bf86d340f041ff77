//! What the model expects, in the words of the protocol.

use rollcall_protocol::{
    ErrorCode,
    attendance::{self, Attendance},
    client::Profile,
    definition::{self, SessionDefinition},
    event,
};
use rollcall_rooms::attendance::{StayRecord, summarize};
use serde_json::{Value, json};

use crate::{
    event::{Change, Event, Listed, News, Person, Reason, Roster, To},
    ids::{Entry, ROOMS, RoomNo, User},
    past::{Ending, Stay},
    room::{Join, Membership, State, Welcome},
    service::{Answer, Definition},
    shard::Swept,
};

pub fn id<T: std::str::FromStr>(text: impl ToString) -> T {
    text.to_string().parse().ok().expect("an id that is well formed")
}

impl std::fmt::Display for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "entry-{}", self.0)
    }
}

fn token(entry: Entry) -> String {
    format!("token-{}", entry.0)
}

pub fn join(join: &Join) -> event::Join {
    let Person { user, name } = join.person;
    event::Join {
        room_id: id(ROOMS[join.room]),
        profile: Profile { user_id: id(user), user_name: name.to_owned(), user_role: None },
        entry_id: id(join.entry),
        grant: None,
        node_id: id(join.node),
        resume_hash: id(token(join.entry)),
        resumes: join.resumes.map(|entry| id(token(entry))),
        replaces: join.replaces.map(id),
    }
}

pub fn membership(who: &Membership) -> event::Membership {
    event::Membership { room_id: id(ROOMS[who.room]), user_id: id(who.user), entry_id: id(who.entry) }
}

pub fn read(room: RoomNo, seats: &[(User, Entry)]) -> event::Read {
    let seats = seats.iter().map(|(user, entry)| event::EntryRef { user_id: id(user), entry_id: id(entry) });
    event::Read { room_id: id(ROOMS[room]), entries: seats.collect() }
}

pub fn definition(definition: &Definition) -> SessionDefinition {
    definition::SessionDefinition {
        end_at: definition.end_at,
        leader_id: id(definition.leader),
        members: definition.members.as_ref().map(|members| members.iter().map(id).collect()),
        duplicates: definition.duplicates,
        capacity: definition.capacity,
    }
}

pub fn answer(answer: &Answer, room: Option<RoomNo>) -> Value {
    match answer {
        Answer::Done => json!({}),
        Answer::Welcome(joined) => welcome(joined),
        Answer::Refused(code) => refused(*code),
        Answer::Lease(since) => json!({ "since": since }),
        Answer::Swept(Swept { settled, late, more, due_in }) => swept(*settled, *late, *more, *due_in),
        Answer::Revision(revision) => json!({ "revision": revision }),
        Answer::State(state, gone) => {
            let gone: Vec<String> = gone.iter().map(Entry::to_string).collect();
            let mut reading = json!({ "gone": gone });
            if let Some(state) = state {
                reading["room"] = self::state(state);
                reading["room"]["groupId"] = json!(ROOMS[room.expect("a room was read")]);
            }
            reading
        }
        Answer::Stays(stays) => attendance(&summarize(stays.iter().map(stay).collect())),
    }
}

pub fn refused(code: ErrorCode) -> Value {
    json!({ "code": code })
}

pub fn swept(settled: u32, late_ms: u64, more: bool, due_in_ms: Option<u64>) -> Value {
    json!({ "settled": settled, "lateMs": late_ms, "more": more, "dueInMs": due_in_ms })
}

pub fn attendance(attendance: &Attendance) -> Value {
    json!(attendance)
}

fn welcome(welcome: &Welcome) -> Value {
    let mut json = state(&welcome.state);
    json["seq"] = json!(welcome.seq);
    json["first"] = json!(welcome.first);
    json["recovered"] = json!(welcome.recovered);
    json
}

fn state(state: &State) -> Value {
    let mut json = json!({
        "count": state.count,
        "endAt": state.end_at,
        "remainMs": state.remain,
        "leaderId": state.leader,
        "epoch": state.epoch,
        "seq": state.seq,
    });
    if let Some(host) = state.host {
        json["hostId"] = json!(host);
    }
    with_roster(json, &state.roster)
}

fn stay(stay: &Stay) -> StayRecord {
    let (user_id, user_name) = (id(stay.person.user), stay.person.name.to_owned());
    let stay = attendance::Stay {
        epoch: stay.epoch,
        entered_at: stay.entered_at,
        left_at: stay.left_at,
        present_ms: stay.present,
        drops: stay.drops,
        ending: stay.ending.map(|ending| match ending {
            Ending::Left => attendance::Ending::Left,
            Ending::GraceExpired => attendance::Ending::GraceExpired,
            Ending::Removed => attendance::Ending::Removed,
            Ending::Ended => attendance::Ending::Ended,
        }),
    };
    StayRecord { user_id, user_name, stay }
}

pub fn event(event: &Event, room: RoomNo) -> Value {
    let Event { epoch, seq, to, news } = event;
    let (name, mut data) = payload(news, ROOMS[room]);
    let mut json = json!({ "event": name, "epoch": epoch, "seq": seq, "closes": news.closes() });
    match to {
        To::Everybody => {}
        To::AllBut(entry) => json["except"] = json!(entry.to_string()),
        To::Only(entry) => json["only"] = json!(entry.to_string()),
    }
    if !matches!(to, To::Only(_)) {
        data["epoch"] = json!(epoch);
        data["seq"] = json!(seq);
    }
    json["data"] = data;
    json
}

fn payload(news: &News, group: &str) -> (&'static str, Value) {
    match news {
        News::Started { at, end_at, leader, host, roster } => {
            let data = json!({
                "groupId": group, "startedAt": at, "endAt": end_at, "leaderId": leader, "hostId": host, "count": 1
            });
            ("room:started", with_roster(data, roster))
        }
        News::Changed { change, users, roster, count } => {
            let users: Vec<Value> = users.iter().map(person).collect();
            let data = json!({ "change": { "type": kind(*change), "users": users }, "count": count });
            ("room:participantsChanged", with_roster(data, roster))
        }
        News::Reconnecting { person: lost, grace_until } => {
            let mut data = person(lost);
            data["graceUntil"] = json!(grace_until);
            ("room:participantReconnecting", data)
        }
        News::Reconnected { person: back, roster, count } => {
            let mut data = person(back);
            data["count"] = json!(count);
            ("room:participantReconnected", with_roster(data, roster))
        }
        News::HostChanged { host } => {
            ("room:hostChanged", json!({ "hostId": host.user, "userName": host.name }))
        }
        News::LeaderChanged { leader } => ("room:leaderChanged", json!({ "leaderId": leader })),
        News::Reminder { end_at, remain } => {
            ("room:reminder", json!({ "groupId": group, "endAt": end_at, "remainMs": remain }))
        }
        News::Rescheduled { end_at, remain } => {
            ("room:rescheduled", json!({ "groupId": group, "endAt": end_at, "remainMs": remain }))
        }
        News::Ended(Reason::Time) => ("room:ended", json!({ "groupId": group, "reason": "time" })),
        News::Ended(Reason::Ended) => ("room:ended", json!({ "groupId": group, "reason": "ended" })),
        News::Replaced => ("room:replaced", json!({ "groupId": group })),
        News::Removed => ("room:removed", json!({ "groupId": group })),
    }
}

pub fn kind(change: Change) -> &'static str {
    match change {
        Change::Entered => "entered",
        Change::Left => "left",
        Change::GraceExpired => "graceExpired",
        Change::Removed => "removed",
    }
}

fn person(person: &Person) -> Value {
    json!({ "userId": person.user, "userName": person.name })
}

fn with_roster(mut json: Value, roster: &Roster) -> Value {
    if let Some(roster) = roster {
        json["members"] = roster.iter().map(listed).collect();
    }
    json
}

fn listed(listed: &Listed) -> Value {
    let mut json = person(&listed.person);
    json["joinedAt"] = json!(listed.joined_at);
    json["state"] = json!(if listed.grace_until.is_some() { "reconnecting" } else { "present" });
    if let Some(until) = listed.grace_until {
        json["graceUntil"] = json!(until);
    }
    json
}
