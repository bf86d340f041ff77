//! Types of ids: clients see an id as the platform writes it, and a number and its text are the same id.

use rollcall_protocol::{
    ErrorCode, RoomId, UserId,
    api::Notice,
    client::Joined,
    code::CodeAction,
    definition::{Duplicates, SessionDefinition},
};
use serde_json::{Value, json};

use crate::{
    document::first_update,
    fixture::{END, Fixture, MINUTE, definition},
};

/// The largest integer that a JavaScript client reads without losing digits.
const MAX: u64 = 9_007_199_254_740_991;

fn id<T: serde::de::DeserializeOwned>(json: impl Into<Value>) -> T {
    serde_json::from_value(json.into()).unwrap()
}

fn json_of(joined: &Joined) -> Value {
    serde_json::from_str(&serde_json::to_string(joined).unwrap()).unwrap()
}

async fn numbered_room() -> Fixture {
    let room = Fixture::start_in(id(12)).await;
    let leader_id = Some(id(MAX));
    room.define(SessionDefinition { leader_id, duplicates: Duplicates::Share, ..definition() }).await;
    room
}

/// The members of `data` that hold ids of users or rooms.
fn ids_of<'a>(data: &'a Value, found: &mut Vec<&'a Value>) {
    match data {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| match name.as_str() {
            "userId" | "groupId" | "leaderId" | "hostId" => found.push(value),
            _ => ids_of(value, found),
        }),
        Value::Array(items) => items.iter().for_each(|item| ids_of(item, found)),
        _ => {}
    }
}

fn ids_in(data: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    ids_of(data, &mut found);
    found.into_iter().cloned().collect()
}

#[tokio::test]
async fn every_id_in_acks_and_events_is_a_number_where_the_platform_uses_numbers() {
    let mut room = numbered_room().await;
    let max = MAX.to_string();
    let started = room.join_as("7", "7/1").await.unwrap();
    let entered = room.join_as(&max, &format!("{max}/1")).await.unwrap();
    room.disconnect("7/1").await;
    let back = room.join_as("7", "7/2").await.unwrap();
    room.join_as("-8", "-8/1").await.unwrap();
    room.leave("-8/1").await;
    room.rooms().notify(&id(12), &Notice { text: "\u{1}7".to_owned() }).await.unwrap();
    room.rooms().kick(&id(12), &id(MAX.to_string())).await.unwrap();
    room.define(SessionDefinition { leader_id: Some(id(7)), end_at: END + MINUTE, ..definition() }).await;
    room.at(51 * MINUTE).sweep().await;
    room.at(61 * MINUTE).sweep().await;

    let events = room.events().await;
    let names: Vec<&str> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "room:started",
            "room:participantsChanged",
            "room:hostChanged",
            "room:participantReconnecting",
            "room:participantReconnected",
            "room:participantsChanged",
            "room:participantsChanged",
            "room:notice",
            "room:removed",
            "room:participantsChanged",
            "room:hostChanged",
            "room:leaderChanged",
            "room:rescheduled",
            "room:reminder",
            "room:ended"
        ]
    );
    for event in &events {
        let ids = ids_in(&event.data);
        let known = [json!(7), json!(12), json!(MAX), json!(-8)];
        assert!(!ids.is_empty() && ids.iter().all(|id| known.contains(id)), "{}: {}", event.name, event.data);
    }
    assert_eq!(events[7].data["text"], "\u{1}7", "only ids are numbers");
    let [started, entered, back] = [started, entered, back].map(|joined| json_of(&joined));
    assert_eq!((&started["leaderId"], &started["hostId"]), (&json!(MAX), &json!(7)));
    assert_eq!((&entered["leaderId"], &entered["hostId"]), (&json!(MAX), &json!(MAX)));
    assert_eq!((&back["members"][0]["userId"], &back["members"][1]["userId"]), (&json!(7), &json!(MAX)));
}

#[tokio::test]
async fn authors_and_editors_of_snippets_are_numbers_where_the_platform_uses_numbers() {
    let mut room = numbered_room().await;
    let max = format!("{MAX}/1");
    room.join_as("7", "7/1").await.unwrap();
    room.join_as(&MAX.to_string(), &max).await.unwrap();
    room.events().await;
    let snippet = room.share_with_all(&format!("{max}#1"), "a").await;
    room.change("7/1#2", &snippet, "b").await.unwrap();
    let document = room.share_together("7/1#3", "a").await.number;
    room.edit(&max, document, &first_update()).await.unwrap();
    let list = room.try_code("7/1#4", CodeAction::List {}).await.unwrap();
    let ids = ids_in(&serde_json::from_str(&list).unwrap());
    assert_eq!(
        ids,
        [json!(7), json!(MAX), json!(MAX), json!(7)],
        "editors and authors, in the order of fields"
    );
    for event in room.events().await {
        let ids = ids_in(&event.data);
        assert!(ids.iter().all(|id| [json!(7), json!(MAX)].contains(id)), "{}: {}", event.name, event.data);
    }
}

#[tokio::test]
async fn operators_see_the_types_that_clients_see() {
    let mut room = numbered_room().await;
    let max = MAX.to_string();
    room.join_as("7", "7/1").await.unwrap();
    room.join_as(&max, &format!("{max}/1")).await.unwrap();
    room.leave("7/1").await;
    let listed = room.rooms().list(None, 10).await.unwrap();
    assert_eq!(json!(listed)["rooms"][0]["id"], 12);
    let snapshot = room.read(&["7/1", &format!("{max}/1")]).await;
    assert_eq!(json!(snapshot.gone), json!(["7/1"]));
    let state: Value = serde_json::from_str(snapshot.room.unwrap().get()).unwrap();
    assert_eq!(
        (&state["groupId"], &state["leaderId"], &state["hostId"]),
        (&json!(12), &json!(MAX), &json!(MAX))
    );
    assert_eq!(state["members"][0]["userId"], json!(MAX));
    let attendance = json!(room.attendance().await);
    let users: Vec<&Value> =
        attendance["attendees"].as_array().unwrap().iter().map(|attendee| &attendee["userId"]).collect();
    assert_eq!(users, [&json!(7), &json!(MAX)]);
    let keys = room.keys().await;
    assert!(keys.iter().any(|key| key.ends_with(":members:12")), "{keys:?}");
}

#[tokio::test]
async fn a_number_and_its_text_are_one_user_whose_last_token_decides_the_type() {
    let room = Fixture::start().await;
    room.join_as("7", "7/1").await.unwrap();
    assert_eq!(room.join_as(r#""7""#, "7/2").await.unwrap_err(), ErrorCode::AlreadyJoined);
    let resumed = json_of(&room.resume_as(r#""7""#, "7/3", "7/1").await.unwrap());
    assert_eq!((&resumed["members"][0]["userId"], &resumed["hostId"]), (&json!("7"), &json!("7")));
    room.disconnect("7/3").await;
    let back = json_of(&room.join_as("7", "7/4").await.unwrap());
    assert_eq!((&back["members"][0]["userId"], &back["hostId"]), (&json!(7), &json!(7)));
    room.leave("7/4").await;
    room.join_as(r#""7""#, "7/5").await.unwrap();
    let attendance = room.attendance().await;
    assert_eq!(attendance.attendees.len(), 1);
    assert_eq!(json!(attendance)["attendees"][0]["userId"], "7", "the type of the last stay");
    for (user, entry) in [(json!(7), "7/6"), (json!("7"), "7/7")] {
        room.rooms().kick(&"algebra".parse().unwrap(), &id::<UserId>(user)).await.unwrap();
        assert_eq!(room.rooms().list(None, 10).await.unwrap().rooms[0].count, 0);
        room.join_as("7", entry).await.unwrap();
    }
}

#[tokio::test]
async fn a_shared_connection_with_another_type_is_an_update_for_everybody_else() {
    let mut room = numbered_room().await;
    room.join_as("7", "7/1").await.unwrap();
    let shared = json_of(&room.join_as(r#""7""#, "7/2").await.unwrap());
    assert_eq!((&shared["count"], &shared["members"][0]["userId"]), (&json!(1), &json!("7")));
    let change = room.events().await.pop().unwrap().data["change"].clone();
    assert_eq!((&change["type"], &change["users"][0]["userId"]), (&json!("updated"), &json!("7")));
}

#[tokio::test]
async fn the_leader_looks_like_the_member_while_in_the_room_and_like_the_definition_otherwise() {
    let mut room = Fixture::start().await;
    room.define(SessionDefinition { leader_id: Some(id("8")), members: Some(vec![id("7")]), ..definition() })
        .await;
    assert_eq!(json_of(&room.join_as("7", "7/1").await.unwrap())["leaderId"], "8");
    let led = json_of(&room.join_as("8", "8/1").await.unwrap());
    assert_eq!((&led["leaderId"], &led["hostId"]), (&json!(8), &json!(8)));
    room.events().await;
    room.define(SessionDefinition { leader_id: Some(id(8)), members: Some(vec![id("7")]), ..definition() })
        .await;
    assert!(room.event_names().await.is_empty(), "the same leader, and nobody is removed");
    room.leave("8/1").await;
    let snapshot = room.read(&[]).await.room.unwrap();
    assert_eq!(serde_json::from_str::<Value>(snapshot.get()).unwrap()["leaderId"], 8);
}

#[tokio::test]
async fn a_new_leader_who_is_in_the_room_looks_like_the_member() {
    let mut room = Fixture::start().await;
    room.join_as("7", "7/1").await.unwrap();
    room.events().await;
    room.define(SessionDefinition { leader_id: Some(id("7")), ..definition() }).await;
    let events = room.events().await;
    assert_eq!((events[0].name.as_str(), &events[0].data["leaderId"]), ("room:leaderChanged", &json!(7)));
}

#[tokio::test]
async fn the_first_client_decides_the_type_of_the_room_and_its_token_before_it() {
    let mut room = Fixture::start_in(id(12)).await;
    for (sent, granted, seen) in [
        (json!(12), None, json!(12)),
        (json!("12"), None, json!("12")),
        (json!("12"), Some(json!(12)), json!(12)),
        (json!(12), Some(json!("12")), json!("12")),
        (json!(12), Some(json!(13)), json!(12)),
    ] {
        let grant = granted.map(|room| json!({"room": room, "endAt": END}));
        let join = |user: &str, room: &Value| {
            id(json!({
                "roomId": room, "profile": {"userId": user, "userName": user}, "grant": grant,
                "entryId": format!("{user} as {sent} and {grant:?}"), "nodeId": "node-1", "resumeHash": "hash"
            }))
        };
        room.rooms().join(&&room, &join("kim", &sent)).await.unwrap();
        room.rooms().join(&&room, &join("ben", &json!("12"))).await.unwrap();
        assert_eq!(json!(room.rooms().members(&id::<RoomId>("12"), None, 1).await.unwrap())["groupId"], seen);
        let session = room.read(&[]).await.room;
        room.undefine().await;
        room.define(definition()).await;
        let ended = room.events().await.pop().unwrap();
        assert_eq!((ended.name.as_str(), &ended.data["groupId"]), ("room:ended", &seen), "{session:?}");
    }
}

#[tokio::test]
async fn a_room_without_a_leader_is_hosted_by_whoever_has_been_there_longest() {
    let mut room = Fixture::start().await;
    let leaderless = SessionDefinition { leader_id: None, capacity: Some(2), ..definition() };
    room.define(leaderless.clone()).await;
    let joined = json_of(&room.join("kim/1").await.unwrap());
    assert_eq!((joined.get("leaderId"), &joined["hostId"]), (None, &json!("kim")));
    room.join("lea/1").await.unwrap();
    assert_eq!(room.join("ben/1").await.unwrap_err(), ErrorCode::RoomFull);
    let started = room.events().await;
    assert_eq!(started[0].data.get("leaderId"), None);
    assert!(started.iter().all(|event| event.name != "room:hostChanged"));

    room.define(SessionDefinition { leader_id: Some(id("lea")), ..leaderless.clone() }).await;
    assert_eq!(room.event_names().await, ["room:leaderChanged", "room:hostChanged"]);
    room.define(SessionDefinition { members: Some(vec![id("kim"), id("lea")]), ..leaderless.clone() }).await;
    let events = room.events().await;
    assert_eq!((events[0].name.as_str(), events[0].data.get("leaderId")), ("room:leaderChanged", None));
    assert_eq!((events[1].name.as_str(), &events[1].data["hostId"]), ("room:hostChanged", &json!("kim")));
    room.define(SessionDefinition { members: Some(vec![id("kim")]), ..leaderless }).await;
    let names = room.event_names().await;
    assert_eq!(names, ["room:removed", "room:participantsChanged"], "nobody is exempt");
}
