//! The chat of a room.

use rollcall_protocol::{
    ErrorCode,
    chat::{ChatAck, ChatAction, ChatCommand, History, HistoryRequest, MessageText, Mute},
    command::Feature,
    definition::SessionDefinition,
};
use serde_json::json;

use crate::fixture::{END, Fixture, MINUTE, START, definition, expect_refusal};

impl Fixture {
    /// Sends a member's command. The id of the command is what follows `#` in `kim/1#2`.
    pub async fn chat(&self, who: &str, action: ChatAction) -> Result<ChatAck, ErrorCode> {
        let (entry, id) = who.split_once('#').unwrap();
        let command =
            ChatCommand { membership: self.membership(entry), command_id: id.parse().unwrap(), action };
        let ack = self.rooms().command_chat(&command).await.map_err(expect_refusal)?;
        Ok(serde_json::from_str(ack.get()).unwrap())
    }

    pub async fn write(&self, who: &str, text: &str) -> Result<ChatAck, ErrorCode> {
        self.chat(who, send(text)).await
    }

    async fn operate_chat(&self, id: &str, action: ChatAction) -> Result<ChatAck, ErrorCode> {
        let ack = self.rooms().operate_chat(&self.home, &id.parse().unwrap(), &action).await;
        Ok(serde_json::from_str(ack.map_err(expect_refusal)?.get()).unwrap())
    }

    /// Checks whether a member may send a message. Returns the ack if it was sent before.
    pub async fn check_message(&self, who: &str) -> Result<Option<ChatAck>, ErrorCode> {
        let (entry, id) = who.split_once('#').unwrap();
        let membership = self.membership(entry);
        let command = ChatCommand { membership, command_id: id.parse().unwrap(), action: send("Hello") };
        let checked = self.rooms().check_message(&command).await.map_err(expect_refusal)?;
        Ok(checked.map(|ack| serde_json::from_str(ack.get()).unwrap()))
    }

    /// Reads a page as a member.
    pub async fn history(&self, entry: &str, request: HistoryRequest) -> Result<History, ErrorCode> {
        let action = ChatAction::History(request);
        let command =
            ChatCommand { membership: self.membership(entry), command_id: "read".parse().unwrap(), action };
        let page = self.rooms().command_chat(&command).await.map_err(expect_refusal)?;
        Ok(serde_json::from_str(page.get()).unwrap())
    }

    async fn texts(&self, request: HistoryRequest) -> (Vec<String>, bool) {
        let page = self.history("lea/1", request).await.unwrap();
        (page.messages.into_iter().map(|message| message.text).collect(), page.more)
    }
}

fn send(text: &str) -> ChatAction {
    ChatAction::Send { text: MessageText::clean(text).unwrap() }
}

fn delete(number: u64) -> ChatAction {
    ChatAction::Delete { number }
}

fn mute(user: &str, for_ms: Option<u64>) -> ChatAction {
    ChatAction::Mute { user_id: user.parse().unwrap(), for_ms }
}

fn unmute(user: &str) -> ChatAction {
    ChatAction::Unmute { user_id: user.parse().unwrap() }
}

fn slow(interval_ms: u64) -> ChatAction {
    ChatAction::Slow { interval_ms }
}

fn latest(limit: u32) -> HistoryRequest {
    HistoryRequest { limit, ..HistoryRequest::default() }
}

fn after(number: u64, limit: u32) -> HistoryRequest {
    HistoryRequest { after: Some(number), ..latest(limit) }
}

fn before(number: u64, limit: u32) -> HistoryRequest {
    HistoryRequest { before: Some(number), ..latest(limit) }
}

/// A room with Lea, the leader, and Kim.
async fn room() -> Fixture {
    let mut room = Fixture::start().await;
    room.join("lea/1").await.unwrap();
    room.join("kim/1").await.unwrap();
    room.events().await;
    room
}

/// The same, in which Kim has written so many messages, each with its number in the order as the text.
async fn room_with(messages: usize) -> (Fixture, u64) {
    let mut room = room().await;
    room.settings.chat_burst = 1000;
    let mut first = 0;
    for number in 1..=messages {
        let sent = room.write(&format!("kim/1#{number}"), &number.to_string()).await.unwrap();
        first = if number == 1 { sent.message.unwrap().number } else { first };
    }
    room.events().await;
    (room, first)
}

#[tokio::test]
async fn everybody_gets_a_message_in_the_order_of_the_room() {
    let mut room = room().await;
    let sent = room.at(1000).write("kim/1#c-1", "Hi <b>\"all\"</b>\n안녕").await.unwrap();
    let message = sent.message.clone().unwrap();
    assert_eq!((message.text.as_str(), message.sent_at), ("Hi <b>\"all\"</b>\n안녕", START + 1000));
    assert_eq!((message.user_id.as_str(), message.user_name.as_str()), ("kim", "KIM"));
    assert_eq!((message.id.as_str(), sent.now), ("c-1", START + 1000));
    let next = room.write("lea/1#c-1", "Hello").await.unwrap();
    assert_eq!(next.message.as_ref().unwrap().number, message.number + 1);

    let events = room.events().await;
    assert!(events.iter().all(|event| event.name == "chat:message" && event.except.is_none()));
    assert_eq!(events[0].data["message"], json!(message));
    assert_eq!((events[0].epoch, events[0].seq), (sent.epoch, sent.seq));
    assert_eq!((events[1].seq, &events[1].data["now"]), (sent.seq + 1, &json!(START + 1000)));
}

#[tokio::test]
async fn a_message_is_sent_once_however_often_it_arrives() {
    let mut room = room().await;
    let sent = room.write("kim/1#1", "Hello").await.unwrap();
    room.write("lea/1#2", "Hi").await.unwrap();
    let again = room.at(5 * MINUTE).write("kim/1#1", "Hello").await.unwrap();
    assert_eq!((&again.message, again.seq), (&sent.message, sent.seq + 1));
    assert_eq!(room.events().await.len(), 2);
    assert_eq!(room.texts(latest(9)).await.0, ["Hello", "Hi"]);
    let same_id = room.write("lea/1#1", "Another").await.unwrap();
    assert_eq!(same_id.message.unwrap().text, "Another", "ids belong to their users");
    room.chat("lea/1#3", delete(sent.message.unwrap().number)).await.unwrap();
    assert_eq!(room.write("kim/1#1", "Hello").await.unwrap().message, None, "it has been deleted since");
}

#[tokio::test]
async fn a_message_that_is_sent_again_after_a_hundred_others_is_sent_once_and_not_found() {
    let (room, first) = room_with(100).await;
    let hundredth = room.write("kim/1#1", "1").await.unwrap();
    assert_eq!(hundredth.message.unwrap().number, first);
    room.write("lea/1#1", "101").await.unwrap();
    assert_eq!(room.write("kim/1#1", "1").await.unwrap().message, None);
    let page = room.history("lea/1", after(first + 99, 9)).await.unwrap();
    assert_eq!(page.messages.len(), 1);
}

#[tokio::test]
async fn a_check_before_a_message_says_what_sending_it_would_and_changes_nothing() {
    let mut room = room().await;
    room.settings.chat_burst = 2;
    for _ in 0..5 {
        assert_eq!(room.check_message("kim/1#1").await, Ok(None));
    }
    assert_eq!(room.check_message("kim/2#1").await, Err(ErrorCode::NotInRoom));
    let sent = room.write("kim/1#1", "Hello").await.unwrap();
    assert_eq!(room.check_message("kim/1#1").await, Ok(Some(sent)));
    room.write("kim/1#2", "Hello").await.unwrap();
    assert_eq!(room.check_message("kim/1#3").await, Err(ErrorCode::RateLimited));
    room.chat("lea/1#1", slow(10_000)).await.unwrap();
    room.at(5000).write("kim/1#4", "Hello").await.unwrap();
    assert_eq!(room.check_message("kim/1#5").await, Err(ErrorCode::SlowMode));
    room.chat("lea/1#2", mute("kim", None)).await.unwrap();
    assert_eq!(room.check_message("kim/1#6").await, Err(ErrorCode::Muted));
    room.define(SessionDefinition { features: Some(vec![]), ..definition() }).await;
    assert_eq!(room.check_message("kim/1#7").await, Err(ErrorCode::FeatureOff));
    room.at(61 * MINUTE);
    assert_eq!(room.check_message("kim/1#8").await, Err(ErrorCode::NotInRoom));
}

#[tokio::test]
async fn nobody_lifts_a_mute_of_ones_own() {
    let room = room().await;
    room.operate_chat("1", mute("lea", None)).await.unwrap();
    assert_eq!(room.write("lea/1#1", "Hello").await, Err(ErrorCode::Muted));
    assert_eq!(room.chat("lea/1#2", unmute("lea")).await, Err(ErrorCode::NotAllowed));
    room.operate_chat("2", unmute("lea")).await.unwrap();
    room.write("lea/1#3", "Hello").await.unwrap();
}

#[tokio::test]
async fn a_reader_who_was_away_asks_for_what_came_after_and_misses_nothing() {
    let (room, first) = room_with(7).await;
    assert_eq!(room.texts(latest(3)).await, (vec!["5".into(), "6".into(), "7".into()], true));
    assert!(!room.texts(latest(7)).await.1);
    assert_eq!(room.texts(before(first + 4, 2)).await, (vec!["3".into(), "4".into()], true));
    assert_eq!(room.texts(before(first + 2, 2)).await, (vec!["1".into(), "2".into()], false));
    assert_eq!(room.texts(after(first, 2)).await, (vec!["2".into(), "3".into()], true));
    assert_eq!(room.texts(after(first + 4, 2)).await, (vec!["6".into(), "7".into()], false));
    let page = room.history("lea/1", after(first + 1, 3)).await.unwrap();
    assert_eq!((page.first, page.last), (Some(first + 2), Some(first + 4)));
    for wrong in [latest(0), latest(101), HistoryRequest { before: Some(first), ..after(first, 1) }] {
        assert_eq!(room.history("lea/1", wrong).await, Err(ErrorCode::Malformed));
        let read = room.rooms().history(&room.home, &wrong).await.map_err(expect_refusal);
        assert_eq!(read, Err(ErrorCode::Malformed));
    }
    let none = room.history("lea/1", after(first + 6, 3)).await.unwrap();
    assert_eq!((none.messages.len(), none.first, none.last, none.more), (0, None, None, false));
}

#[tokio::test]
async fn deletions_are_numbered_like_messages_so_that_a_reader_learns_of_them() {
    let (mut room, first) = room_with(3).await;
    room.chat("kim/1#delete", delete(first + 1)).await.unwrap();
    let events = room.events().await;
    assert_eq!(events[0].name, "chat:deleted");
    let data = &events[0].data;
    assert_eq!((&data["number"], &data["deletes"]), (&json!(first + 3), &json!(first + 1)));
    assert_eq!(data["by"], json!({ "userId": "kim", "userName": "KIM" }));
    let page = room.history("lea/1", after(first + 2, 5)).await.unwrap();
    assert_eq!((page.messages.len(), page.deleted, page.last), (0, vec![first + 1], Some(first + 3)));
    assert_eq!(room.texts(latest(9)).await.0, ["1", "3"]);
    for number in [first + 1, first + 3, first + 4, 0] {
        let refused = room.chat(&format!("kim/1#{number}"), delete(number)).await;
        assert_eq!(refused, Err(ErrorCode::NoSuchMessage), "{number}");
    }
}

#[tokio::test]
async fn the_author_the_leader_and_operators_delete_and_others_do_not() {
    let (mut room, first) = room_with(3).await;
    room.join("ali/1").await.unwrap();
    assert_eq!(room.chat("ali/1#1", delete(first)).await, Err(ErrorCode::NotAllowed));
    room.chat("kim/1#a", delete(first)).await.unwrap();
    room.chat("lea/1#b", delete(first + 1)).await.unwrap();
    room.events().await;
    room.operate_chat("c", delete(first + 2)).await.unwrap();
    assert_eq!(room.events().await[0].data.get("by"), None);
    room.define(SessionDefinition { leader_id: Some("ali".parse().unwrap()), ..definition() }).await;
    room.write("kim/1#d", "4").await.unwrap();
    assert_eq!(
        room.chat("lea/1#e", delete(first + 6)).await,
        Err(ErrorCode::NotAllowed),
        "a host is no leader"
    );
    room.chat("ali/1#f", delete(first + 6)).await.unwrap();
}

#[tokio::test]
async fn a_muted_user_sends_nothing_until_the_time_is_over_also_after_coming_back() {
    let mut room = room().await;
    room.chat("lea/1#1", mute("kim", Some(MINUTE))).await.unwrap();
    let events = room.events().await;
    assert_eq!(events[0].name, "room:muted");
    assert_eq!(
        (&events[0].data["userId"], &events[0].data["mutedUntil"]),
        (&json!("kim"), &json!(START + MINUTE))
    );
    assert_eq!(events[0].data["by"]["userId"], "lea");
    room.leave("kim/1").await;
    room.at(MINUTE - 1).join("kim/2").await.unwrap();
    assert_eq!(room.write("kim/2#1", "Hello").await, Err(ErrorCode::Muted));
    assert_eq!(room.history("kim/2", latest(1)).await.unwrap().muted_until, Some(START + MINUTE));
    assert_eq!(room.history("lea/1", latest(1)).await.unwrap().muted_until, None);
    room.at(MINUTE).write("kim/2#2", "Hello").await.unwrap();
    assert_eq!(room.history("kim/2", latest(1)).await.unwrap().muted_until, None);
}

#[tokio::test]
async fn a_room_forgets_mutes_that_are_over_when_somebody_is_muted() {
    let mut room = room().await;
    for (id, user, for_ms) in [("1", "ali", 1000), ("2", "ben", 1001)] {
        room.operate_chat(id, mute(user, Some(for_ms))).await.unwrap();
    }
    room.at(1000).operate_chat("3", mute("kim", None)).await.unwrap();
    let muted = room.shard_key("muted:algebra");
    let users: Vec<String> =
        redis::cmd("ZRANGE").arg(muted).arg(0).arg(-1).query_async(&mut room.redis.clone()).await.unwrap();
    assert_eq!(users, ["ben", "kim"]);
}

#[tokio::test]
async fn everybody_reads_who_is_muted_at_the_moment_with_the_ids_of_members() {
    let mut room = room().await;
    room.operate_chat("1", mute("ali", Some(2 * MINUTE))).await.unwrap();
    room.operate_chat("2", mute("ben", Some(MINUTE))).await.unwrap();
    room.operate_chat("3", mute("kim", None)).await.unwrap();
    let expected = |mutes: &[(&str, u64)]| -> Vec<Mute> {
        let mute = |(user, muted_until): &(&str, u64)| Mute {
            user_id: user.parse().unwrap(),
            muted_until: *muted_until,
        };
        mutes.iter().map(mute).collect()
    };
    let all = expected(&[("kim", END), ("ali", START + 2 * MINUTE), ("ben", START + MINUTE)]);
    assert_eq!(room.history("lea/1", latest(1)).await.unwrap().mutes, all);
    assert_eq!(room.at(MINUTE).history("kim/1", latest(1)).await.unwrap().mutes, all[..2]);
    room.operate_chat("4", unmute("kim")).await.unwrap();
    assert_eq!(room.history("lea/1", latest(1)).await.unwrap().mutes, all[1..2]);
    assert_eq!(room.at(2 * MINUTE).history("lea/1", latest(1)).await.unwrap().mutes, []);
}

#[tokio::test]
async fn of_very_many_mutes_a_page_lists_the_longest() {
    let room = room().await;
    for number in 1..=101 {
        room.operate_chat(&format!("{number}"), mute(&format!("user-{number}"), Some(number * MINUTE)))
            .await
            .unwrap();
    }
    let mutes = room.history("lea/1", latest(1)).await.unwrap().mutes;
    assert_eq!(
        (mutes.len(), mutes[0].user_id.as_str(), mutes[99].user_id.as_str()),
        (100, "user-101", "user-2")
    );
}

#[tokio::test]
async fn a_user_who_is_not_in_the_room_is_muted_under_the_id_that_the_caller_gives() {
    let mut room = room().await;
    for (id, user, seen) in
        [("1", "\"zoe\"", json!("zoe")), ("2", "7", json!(7)), ("3", "\"kim\"", json!("kim"))]
    {
        let user_id = serde_json::from_str(user).unwrap();
        room.operate_chat(id, ChatAction::Mute { user_id, for_ms: None }).await.unwrap();
        assert_eq!(room.events().await[0].data["userId"], seen);
    }
}

#[tokio::test]
async fn a_clock_that_steps_back_neither_stops_writers_nor_ends_their_limit() {
    let mut room = room().await;
    let burst = room.settings.chat_burst;
    for number in 0..burst {
        room.at(MINUTE).write(&format!("kim/1#before-{number}"), "Hello").await.unwrap();
    }
    for number in 0..burst {
        room.at(0).write(&format!("kim/1#{number}"), "Hello").await.unwrap();
    }
    assert_eq!(room.write("kim/1#next", "Hello").await, Err(ErrorCode::RateLimited));
}

#[tokio::test]
async fn who_is_muted_without_a_time_is_so_until_the_end_wherever_the_end_moves() {
    let mut room = room().await;
    room.operate_chat("1", mute("kim", None)).await.unwrap();
    assert_eq!(room.events().await[0].data["mutedUntil"], json!(END));
    room.define(SessionDefinition { end_at: END + 30 * MINUTE, ..definition() }).await;
    room.at(75 * MINUTE);
    assert_eq!(room.write("kim/1#1", "Hello").await, Err(ErrorCode::Muted));
    assert_eq!(room.history("kim/1", latest(1)).await.unwrap().muted_until, Some(END + 30 * MINUTE));
    room.events().await;
    room.operate_chat("2", unmute("kim")).await.unwrap();
    let unmuted = room.events().await.remove(0);
    assert_eq!((unmuted.name.as_str(), &unmuted.data["userId"]), ("room:unmuted", &json!("kim")));
    room.write("kim/1#2", "Hello").await.unwrap();
    room.events().await;
    room.operate_chat("3", unmute("kim")).await.unwrap();
    assert!(room.events().await.is_empty(), "nobody was muted");
}

#[tokio::test]
async fn in_slow_mode_each_user_sends_once_in_the_interval_and_the_leader_as_ever() {
    let mut room = room().await;
    room.join("ali/1").await.unwrap();
    room.events().await;
    room.chat("lea/1#slow", slow(10_000)).await.unwrap();
    let events = room.events().await;
    assert_eq!((events[0].name.as_str(), &events[0].data["slowMs"]), ("chat:slowed", &json!(10_000)));
    room.write("kim/1#1", "1").await.unwrap();
    room.write("ali/1#1", "2").await.unwrap();
    assert_eq!(room.at(9999).write("kim/1#2", "3").await, Err(ErrorCode::SlowMode));
    assert_eq!(room.history("kim/1", latest(1)).await.unwrap().slow_ms, Some(10_000));
    room.at(10_000).write("kim/1#2", "3").await.unwrap();
    for number in 3..6 {
        room.write(&format!("lea/1#{number}"), "as ever").await.unwrap();
    }
    room.events().await;
    room.chat("lea/1#same", slow(10_000)).await.unwrap();
    assert!(room.events().await.is_empty());
    room.chat("lea/1#shorter", slow(1000)).await.unwrap();
    room.at(11_000).write("kim/1#6", "in the shorter interval").await.unwrap();
    room.chat("lea/1#shortest", slow(1)).await.unwrap();
    assert_eq!(room.history("kim/1", latest(1)).await.unwrap().slow_ms, Some(1));
    room.chat("lea/1#off", slow(0)).await.unwrap();
    assert_eq!(room.events().await.last().unwrap().data["slowMs"], 0);
    room.write("kim/1#7", "7").await.unwrap();
    assert_eq!(room.history("kim/1", latest(1)).await.unwrap().slow_ms, None);
}

#[tokio::test]
async fn only_the_leader_and_operators_moderate() {
    let room = room().await;
    for (number, action) in [mute("lea", None), unmute("lea"), slow(1000)].into_iter().enumerate() {
        let refused = room.chat(&format!("kim/1#{number}"), action).await;
        assert_eq!(refused, Err(ErrorCode::NotAllowed), "{number}");
    }
    for action in [send("Hello"), ChatAction::History(latest(1))] {
        assert_eq!(room.operate_chat("1", action).await, Err(ErrorCode::Malformed));
    }
}

#[tokio::test]
async fn only_a_current_connection_writes_and_reads() {
    let mut room = room().await;
    assert_eq!(room.write("kim/2#1", "Hello").await, Err(ErrorCode::NotInRoom));
    assert_eq!(room.history("ben/1", latest(1)).await, Err(ErrorCode::NotInRoom));
    room.disconnect("kim/1").await;
    assert_eq!(room.history("kim/1", latest(1)).await, Err(ErrorCode::NotInRoom));
    room.at(61 * MINUTE);
    assert_eq!(room.write("lea/1#1", "Hello").await, Err(ErrorCode::NotInRoom));
    assert_eq!(room.history("lea/1", latest(1)).await, Err(ErrorCode::NotInRoom));
    assert_eq!(room.operate_chat("1", slow(1)).await, Err(ErrorCode::NotLive));
    let read = room.rooms().history(&room.home, &latest(1)).await.map_err(expect_refusal);
    assert_eq!(read, Err(ErrorCode::NotLive));
}

#[tokio::test]
async fn a_session_without_the_feature_refuses_and_operators_still_read() {
    let (room, first) = room_with(1).await;
    room.define(SessionDefinition { features: Some(vec![Feature::Timer]), ..definition() }).await;
    assert_eq!(room.write("kim/1#x", "Hello").await, Err(ErrorCode::FeatureOff));
    assert_eq!(room.history("kim/1", latest(1)).await, Err(ErrorCode::FeatureOff));
    assert_eq!(room.operate_chat("y", delete(first)).await, Err(ErrorCode::FeatureOff));
    assert_eq!(room.rooms().history(&room.home, &latest(1)).await.unwrap().messages.len(), 1);
}

#[tokio::test]
async fn a_user_who_writes_too_often_is_refused_and_others_are_not() {
    let mut room = room().await;
    let (burst, interval) = (room.settings.chat_burst, room.settings.chat_interval_ms);
    for number in 0..burst {
        room.write(&format!("kim/1#{number}"), "Hello").await.unwrap();
    }
    assert_eq!(room.write("kim/1#next", "Hello").await, Err(ErrorCode::RateLimited));
    room.write("lea/1#1", "Hello").await.unwrap();
    room.history("kim/1", latest(1)).await.unwrap();
    assert_eq!(room.at(interval - 1).write("kim/1#next", "Hello").await, Err(ErrorCode::RateLimited));
    room.at(interval).write("kim/1#next", "Hello").await.unwrap();
}

#[tokio::test]
async fn a_leader_who_moderates_too_often_is_refused_and_an_operator_is_not() {
    let room = room().await;
    for number in 0..room.settings.chat_burst {
        room.chat(&format!("lea/1#{number}"), slow(number + 1)).await.unwrap();
    }
    assert_eq!(room.chat("lea/1#next", slow(0)).await, Err(ErrorCode::RateLimited));
    assert_eq!(room.write("lea/1#message", "Hello").await, Err(ErrorCode::RateLimited), "one limit for both");
    room.operate_chat("next", slow(0)).await.unwrap();
}

#[tokio::test]
async fn a_room_keeps_so_many_messages_and_a_page_so_many_bytes() {
    let mut room = room().await;
    (room.settings.chat_limit, room.settings.chat_burst) = (30, 1000);
    let text = "글".repeat(2000);
    for number in 0..35 {
        room.write(&format!("kim/1#{number}"), &text).await.unwrap();
    }
    let mut page = room.history("lea/1", latest(100)).await.unwrap();
    let (mut read, mut pages) = (page.messages.len(), 1);
    while page.more {
        assert!(json!(page).to_string().len() < 80_000, "{}", json!(page).to_string().len());
        page = room.history("lea/1", before(page.first.unwrap(), 100)).await.unwrap();
        (read, pages) = (read + page.messages.len(), pages + 1);
    }
    assert_eq!((read, pages), (30, 3));
}

#[tokio::test]
async fn a_page_has_the_messages_that_fit_into_64_kib() {
    for (bytes, expected) in [(1024, 64), (1025, 63)] {
        let mut room = room().await;
        room.settings.chat_burst = 1000;
        let write = async |room: &Fixture, number: usize, text: &str| {
            let sent = room.write(&format!("kim/1#{number:03}"), text).await.unwrap();
            json!(sent.message).to_string().len()
        };
        let overhead = write(&room, 0, "x").await - 1;
        let text = "x".repeat(bytes - overhead);
        for number in 1..=70 {
            assert_eq!(write(&room, number, &text).await, bytes);
        }
        let page = room.history("lea/1", latest(100)).await.unwrap();
        assert_eq!((page.messages.len(), page.more), (expected, true), "{bytes}");
    }
}

#[tokio::test]
async fn messages_end_with_the_session_unless_they_are_kept_and_later_numbers_are_larger() {
    for (kept_ms, expected) in [(0, None), (MINUTE, Some(1))] {
        let mut room = Fixture::start().await;
        room.settings.chat_ms = kept_ms;
        room.join("lea/1").await.unwrap();
        let first = room.write("lea/1#1", "Hello").await.unwrap().message.unwrap();
        room.at(60 * MINUTE).sweep().await;
        let page = room.rooms().history(&room.home, &latest(9)).await.map_err(expect_refusal);
        assert_eq!(page.ok().map(|page| page.messages.len()), expected);
        room.define(SessionDefinition { end_at: END + 60 * MINUTE, ..definition() }).await;
        room.join("lea/2").await.unwrap();
        let second = room.write("lea/2#1", "Hello again").await.unwrap().message.unwrap();
        assert!(second.number > first.number);
        let page = room.history("lea/2", after(first.number, 9)).await.unwrap();
        assert_eq!(page.messages, [second]);
    }
}

#[tokio::test]
async fn kept_messages_stay_for_so_long_after_the_end_of_the_session() {
    for (ended_after, kept_ms) in [(60 * MINUTE, MINUTE), (10 * MINUTE, 100 * MINUTE)] {
        let mut room = Fixture::start().await;
        room.settings.chat_ms = kept_ms;
        room.join("lea/1").await.unwrap();
        room.write("lea/1#1", "Hello").await.unwrap();
        room.at(ended_after).undefine().await;
        room.sweep().await;
        let key = room.shard_key(&format!("chat:{}", room.home));
        let expires: u64 = redis::cmd("PEXPIRETIME").arg(&key).query_async(&mut room.redis).await.unwrap();
        assert_eq!(expires, START + ended_after + kept_ms);
    }
}

#[tokio::test]
async fn messages_expire_if_nobody_clears_the_room() {
    for (kept_ms, expected) in [(0, END + 3_600_000), (100 * MINUTE, END + 100 * MINUTE)] {
        let mut room = Fixture::start().await;
        room.settings.chat_ms = kept_ms;
        room.join("lea/1").await.unwrap();
        room.write("lea/1#1", "Hello").await.unwrap();
        let key = room.shard_key(&format!("chat:{}", room.home));
        let expires = async |room: &mut Fixture| -> u64 {
            redis::cmd("PEXPIRETIME").arg(&key).query_async(&mut room.redis).await.unwrap()
        };
        assert_eq!(expires(&mut room).await, expected);
        room.define(SessionDefinition { end_at: END + MINUTE, ..definition() }).await;
        assert_eq!(expires(&mut room).await, expected + MINUTE);
    }
}

#[tokio::test]
async fn an_id_that_is_a_number_stays_one_in_messages_and_events() {
    let mut room = Fixture::start().await;
    room.join("lea/1").await.unwrap();
    room.join_as("7", "7/1").await.unwrap();
    room.events().await;
    let sent = room.write("7/1#1", "Hello").await.unwrap();
    assert_eq!(json!(sent.message)["userId"], json!(7));
    room.chat("lea/1#1", ChatAction::Mute { user_id: "7".parse().unwrap(), for_ms: Some(1) }).await.unwrap();
    let events = room.events().await;
    assert_eq!(events[1].data["userId"], json!(7));
    room.at(10).chat("7/1#2", delete(sent.message.unwrap().number)).await.unwrap();
    assert_eq!(room.events().await[0].data["by"]["userId"], json!(7));
}
