//! The code that members of a room share.

use rollcall_protocol::{
    ErrorCode, Refusal,
    chat::ChatAction,
    code::{
        CodeAck, CodeAction, CodeCommand, Editors, Language, Snippet, SnippetContent, SnippetText,
        SnippetUpdate, Snippets, Title,
    },
    command::Feature,
    definition::SessionDefinition,
};
use rollcall_rooms::Error;
use serde_json::{Value, json};

use crate::fixture::{END, Fixture, MINUTE, START, definition, expect_refusal};

impl Fixture {
    /// Sends a member's command. The id of the command is what follows `#` in `kim/1#2`.
    pub async fn try_code(&self, who: &str, action: CodeAction) -> Result<String, Error> {
        let (entry, id) = who.split_once('#').unwrap();
        let command =
            CodeCommand { membership: self.membership(entry), command_id: id.parse().unwrap(), action };
        let ack = self.rooms().command_code(&command).await?;
        Ok(ack.get().to_owned())
    }

    pub async fn code(&self, who: &str, action: CodeAction) -> Result<CodeAck, ErrorCode> {
        let ack = self.try_code(who, action).await.map_err(expect_refusal)?;
        Ok(serde_json::from_str(&ack).unwrap())
    }

    /// Shares a text that only its author changes.
    pub async fn share(&self, who: &str, text: &str) -> Result<Snippet, ErrorCode> {
        Ok(self.code(who, share(text, Editors::Author)).await?.snippet.unwrap())
    }

    pub async fn share_with_all(&self, who: &str, text: &str) -> Snippet {
        self.code(who, share(text, Editors::Everybody)).await.unwrap().snippet.unwrap()
    }

    pub async fn change(&self, who: &str, version: &Snippet, text: &str) -> Result<Snippet, ErrorCode> {
        let update = SnippetUpdate { text: Some(clean(text)), ..update(version) };
        Ok(self.code(who, CodeAction::Update(update)).await?.snippet.unwrap())
    }

    pub async fn close(&self, who: &str, number: u64) -> Result<CodeAck, ErrorCode> {
        self.code(who, CodeAction::Close { number }).await
    }

    pub async fn read_snippet(&self, entry: &str, number: u64) -> Result<SnippetContent, ErrorCode> {
        let content = self.try_code(&format!("{entry}#get"), CodeAction::Get { number }).await;
        Ok(serde_json::from_str(&content.map_err(expect_refusal)?).unwrap())
    }

    async fn list(&self, entry: &str) -> Result<Vec<Snippet>, ErrorCode> {
        let list = self.try_code(&format!("{entry}#list"), CodeAction::List {}).await;
        let Snippets { snippets, .. } = serde_json::from_str(&list.map_err(expect_refusal)?).unwrap();
        Ok(snippets)
    }

    pub async fn read_as_operator(&self, number: u64) -> Result<String, ErrorCode> {
        let content = self.rooms().snippet(&self.home, number).await;
        content.map(|content| content.text).map_err(expect_refusal)
    }

    async fn close_as_operator(&self, id: &str, number: u64) -> Result<(), ErrorCode> {
        self.rooms().close_snippet(&self.home, &id.parse().unwrap(), number).await.map_err(expect_refusal)
    }
}

pub fn clean(text: &str) -> SnippetText {
    SnippetText::clean(text).unwrap()
}

fn title(text: &str) -> Option<Title> {
    Title::clean(text).unwrap()
}

fn language(name: &str) -> Option<Language> {
    Some(name.parse().unwrap())
}

pub fn share(text: &str, editors: Editors) -> CodeAction {
    CodeAction::Share { text: clean(text), title: None, language: None, editors }
}

/// A change of nothing.
pub fn update(from: &Snippet) -> SnippetUpdate {
    let Snippet { number, version, .. } = *from;
    SnippetUpdate { number, version, text: None, title: None, language: None, editors: None }
}

/// A room with Lea, the leader, Kim and Ali.
pub async fn room() -> Fixture {
    let mut room = Fixture::start().await;
    for entry in ["lea/1", "kim/1", "ali/1"] {
        room.join(entry).await.unwrap();
    }
    room.events().await;
    room
}

#[tokio::test]
async fn everybody_gets_a_snippet_and_reads_it() {
    let mut room = room().await;
    let text = "\tif a < \"b\" {\n\t}\n// 정렬 \\ / \u{1f980}\n";
    let action = CodeAction::Share {
        text: clean(text),
        title: title("Sort"),
        language: language("c++"),
        editors: Editors::Everybody,
    };
    let ack = room.at(1000).code("kim/1#c-1", action).await.unwrap();
    let snippet = ack.snippet.unwrap();
    assert_eq!(
        json!(snippet),
        json!({
            "number": ack.epoch + 1, "id": "c-1", "title": "Sort", "language": "c++", "editors": "everybody",
            "version": 1, "bytes": text.len(), "userId": "kim", "userName": "KIM", "sharedAt": START + 1000,
            "updatedBy": { "userId": "kim", "userName": "KIM" }, "updatedAt": START + 1000
        })
    );
    let events = room.events().await;
    assert_eq!((events[0].name.as_str(), events[0].seq, &events[0].except), ("code:shared", ack.seq, &None));
    assert_eq!((&events[0].data["snippet"], &events[0].data["text"]), (&json!(snippet), &json!(text)));
    assert_eq!(events[0].data["now"], json!(START + 1000));
    let content = room.at(2000).read_snippet("ali/1", snippet.number).await.unwrap();
    assert_eq!((content.text.as_str(), &content.snippet, content.now), (text, &snippet, START + 2000));
    let next = room.share("lea/1#c-1", "").await.unwrap();
    assert_eq!((next.number, next.bytes), (snippet.number + 1, 0));
    assert_eq!(room.list("ali/1").await.unwrap(), [snippet, next]);
}

#[tokio::test]
async fn a_change_makes_the_next_version_of_what_it_names() {
    let mut room = room().await;
    let first = room.share("kim/1#1", "one").await.unwrap();
    let second = room.at(1000).change("kim/1#2", &first, "two").await.unwrap();
    assert_eq!(
        (second.version, second.bytes, second.shared_at, second.updated_at),
        (2, 3, START, START + 1000)
    );
    let named =
        SnippetUpdate { title: Some(title("Sort")), language: Some(language("rust")), ..update(&second) };
    let third = room.code("kim/1#3", CodeAction::Update(named)).await.unwrap().snippet.unwrap();
    assert_eq!(
        (third.title.as_deref(), third.language.as_deref(), third.version),
        (Some("Sort"), Some("rust"), 3)
    );
    let same = room.change("kim/1#same", &third, "two").await.unwrap();
    assert_eq!(
        (same.title.as_deref(), same.language.as_deref(), same.version),
        (Some("Sort"), Some("rust"), 4)
    );
    let third = same;
    let unnamed = SnippetUpdate { title: Some(None), language: Some(None), ..update(&third) };
    let fourth = room.code("kim/1#4", CodeAction::Update(unnamed)).await.unwrap().snippet.unwrap();
    assert_eq!((&fourth.title, &fourth.language), (&None, &None));
    let events = room.events().await;
    let seen: Vec<_> = events.iter().map(|event| (event.name.as_str(), &event.data["text"])).collect();
    let (one, two) = (json!("one"), json!("two"));
    assert_eq!(
        seen,
        [
            ("code:shared", &one),
            ("code:updated", &two),
            ("code:updated", &two),
            ("code:updated", &two),
            ("code:updated", &two)
        ]
    );
    assert_eq!(events[4].data["snippet"], json!(fourth));
    assert_eq!(room.read_snippet("lea/1", first.number).await.unwrap().text, "two");
}

#[tokio::test]
async fn a_list_has_the_order_in_which_snippets_were_shared() {
    let mut room = room().await;
    (room.settings.code_limit, room.settings.code_burst) = (100, 100);
    let mut shared = Vec::new();
    for number in 0..20 {
        shared.push(room.share(&format!("kim/1#{number}"), &"x".repeat(number)).await.unwrap());
    }
    assert_eq!(room.list("ali/1").await.unwrap(), shared);
}

#[tokio::test]
async fn a_change_of_another_version_is_refused_with_the_current_one() {
    let mut room = room().await;
    let first = room.share_with_all("kim/1#1", "one").await;
    let second = room.change("ali/1#2", &first, "two").await.unwrap();
    assert_eq!(
        (&second.user_id, &second.updated_by.user_id),
        (&"kim".parse().unwrap(), &"ali".parse().unwrap())
    );
    room.events().await;
    for version in [0, 1, 3] {
        let stale = SnippetUpdate { version, text: Some(clean("lost")), ..update(&second) };
        let refused = room.try_code("lea/1#3", CodeAction::Update(stale)).await;
        let Err(Error::Refused(Refusal { code, current, .. })) = refused else { panic!("{refused:?}") };
        let current: Value = serde_json::from_str(current.unwrap().get()).unwrap();
        assert_eq!(code, ErrorCode::VersionConflict);
        assert_eq!(current, json!({ "snippet": second, "text": "two", "now": START }));
    }
    assert!(room.events().await.is_empty());
    assert_eq!(room.read_snippet("kim/1", first.number).await.unwrap().text, "two");
}

#[tokio::test]
async fn of_many_changes_of_one_version_one_is_applied() {
    let room = room().await;
    let first = room.share_with_all("kim/1#1", "one").await;
    let changes = (0..20).map(|number| {
        let (room, first) = (&room, &first);
        let who = ["lea/1", "kim/1", "ali/1"][number % 3];
        async move { room.change(&format!("{who}#{number}-x"), first, &number.to_string()).await }
    });
    let results = futures_util::future::join_all(changes).await;
    let applied: Vec<_> = results.iter().flatten().collect();
    assert_eq!(applied.len(), 1, "{results:?}");
    assert!(
        results
            .iter()
            .flat_map(|result| result.as_ref().err())
            .all(|code| *code == ErrorCode::VersionConflict)
    );
    assert_eq!(room.list("lea/1").await.unwrap(), [applied[0].clone()]);
}

#[tokio::test]
async fn a_command_is_applied_once_however_often_it_arrives() {
    let mut room = room().await;
    let first = room.share_with_all("kim/1#1", "one").await;
    assert_eq!(room.share("kim/1#1", "one").await.unwrap(), first);
    room.share("kim/1#later", "a later one").await.unwrap();
    assert_eq!(room.share("kim/1#1", "one").await.unwrap(), first);
    let second = room.change("kim/1#2", &first, "two").await.unwrap();
    assert_eq!(room.change("kim/1#2", &first, "two").await.unwrap(), second);
    let third = room.change("ali/1#2", &second, "three").await.unwrap();
    assert_eq!(room.at(5 * MINUTE).change("kim/1#2", &first, "two").await.unwrap(), third, "as it is now");
    assert_eq!(room.share("kim/1#1", "one").await.unwrap(), third);
    let other = room.share("ali/1#1", "another").await.unwrap();
    assert_eq!(other.number, first.number + 2, "ids belong to their users");
    room.close("kim/1#3", first.number).await.unwrap();
    for again in [
        room.close("kim/1#3", first.number).await,
        room.code("kim/1#2", CodeAction::Update(update(&first))).await,
        room.code("kim/1#1", share("one", Editors::Author)).await,
    ] {
        assert_eq!(again.unwrap().snippet, None, "it has been closed since");
    }
    let expected =
        ["code:shared", "code:shared", "code:updated", "code:updated", "code:shared", "code:closed"];
    assert_eq!(room.event_names().await, expected);
}

#[tokio::test]
async fn the_author_changes_a_snippet_and_others_only_one_that_is_open_to_them() {
    let room = room().await;
    let own = room.share("kim/1#1", "mine").await.unwrap();
    for who in ["ali/1#1", "lea/1#1"] {
        assert_eq!(room.change(who, &own, "yours").await, Err(ErrorCode::NotAllowed), "{who}");
    }
    let editors = |from: &Snippet, editors| {
        CodeAction::Update(SnippetUpdate { editors: Some(editors), ..update(from) })
    };
    let open = room.code("kim/1#2", editors(&own, Editors::Everybody)).await.unwrap().snippet.unwrap();
    let changed = room.change("ali/1#2", &open, "ours").await.unwrap();
    assert_eq!(room.code("ali/1#3", editors(&changed, Editors::Author)).await, Err(ErrorCode::NotAllowed));
    let shut = room.code("kim/1#4", editors(&changed, Editors::Author)).await.unwrap().snippet.unwrap();
    assert_eq!(room.change("ali/1#5", &shut, "again").await, Err(ErrorCode::NotAllowed));
    room.leave("kim/1").await;
    room.join("kim/2").await.unwrap();
    room.change("kim/2#6", &shut, "still mine").await.unwrap();
}

#[tokio::test]
async fn the_author_the_leader_and_operators_close_and_others_do_not() {
    let mut room = room().await;
    let mut numbers = Vec::new();
    for id in 1..=3 {
        numbers.push(room.share_with_all(&format!("kim/1#{id}"), "x").await.number);
    }
    assert_eq!(room.close("ali/1#1", numbers[0]).await, Err(ErrorCode::NotAllowed));
    room.events().await;
    room.close("kim/1#a", numbers[0]).await.unwrap();
    room.close("lea/1#b", numbers[1]).await.unwrap();
    room.close_as_operator("c", numbers[2]).await.unwrap();
    let events = room.events().await;
    let closed: Vec<_> =
        events.iter().map(|event| (event.data["number"].as_u64(), &event.data["by"]["userId"])).collect();
    let (kim, lea, nobody) = (json!("kim"), json!("lea"), Value::Null);
    assert_eq!(closed, [(Some(numbers[0]), &kim), (Some(numbers[1]), &lea), (Some(numbers[2]), &nobody)]);
    assert!(room.list("lea/1").await.unwrap().is_empty());
    for refused in [
        room.close("kim/1#d", numbers[0]).await.err(),
        room.close_as_operator("e", numbers[0]).await.err(),
        room.read_snippet("kim/1", numbers[0]).await.err(),
        room.code("kim/1#f", CodeAction::Update(SnippetUpdate { number: 7, ..gone() })).await.err(),
        room.read_as_operator(numbers[0]).await.err(),
    ] {
        assert_eq!(refused, Some(ErrorCode::NoSuchSnippet));
    }
}

fn gone() -> SnippetUpdate {
    SnippetUpdate {
        number: 0,
        version: 1,
        text: Some(clean("x")),
        title: None,
        language: None,
        editors: None,
    }
}

#[tokio::test]
async fn a_room_holds_so_many_snippets_and_a_user_a_quarter_of_them() {
    let mut room = room().await;
    (room.settings.code_limit, room.settings.code_burst) = (8, 100);
    let mut of_kim = Vec::new();
    for id in 1..=2 {
        of_kim.push(room.share(&format!("kim/1#{id}"), "x").await.unwrap().number);
    }
    assert_eq!(room.share("kim/1#3", "x").await, Err(ErrorCode::TooManySnippets));
    for user in ["ali/1", "lea/1"] {
        room.share(&format!("{user}#1"), "x").await.unwrap();
        room.share(&format!("{user}#2"), "x").await.unwrap();
    }
    room.join("ben/1").await.unwrap();
    room.share("ben/1#1", "x").await.unwrap();
    room.settings.code_limit = 7;
    room.join("eva/1").await.unwrap();
    assert_eq!(room.share("eva/1#1", "x").await, Err(ErrorCode::TooManySnippets));
    room.close("kim/1#4", of_kim[0]).await.unwrap();
    room.share("eva/1#1", "x").await.unwrap();
    room.settings.code_limit = 7;
    room.in_room("zoology").join("kim/8").await.unwrap();
    room.home = "zoology".parse().unwrap();
    room.share("kim/8#1", "a part of a place is none").await.unwrap();
    assert_eq!(room.share("kim/8#2", "x").await, Err(ErrorCode::TooManySnippets));
    room.settings.code_limit = 1;
    room.in_room("botany").join("kim/9").await.unwrap();
    room.home = "botany".parse().unwrap();
    room.share("kim/9#1", "a small room still has one").await.unwrap();
    assert_eq!(room.share("kim/9#2", "x").await, Err(ErrorCode::TooManySnippets));
}

#[tokio::test]
async fn an_event_carries_a_short_text_and_a_longer_one_is_read() {
    let mut room = room().await;
    let (short, long) = ("x".repeat(4096), "x".repeat(4097));
    let snippet = room.share("kim/1#1", &short).await.unwrap();
    let longer = room.change("kim/1#2", &snippet, &long).await.unwrap();
    let longest = "가\n".repeat(16 * 1024);
    room.change("kim/1#3", &longer, &longest).await.unwrap();
    let events = room.events().await;
    assert_eq!(events[0].data["text"], json!(short));
    assert_eq!((events[1].data.get("text"), events[2].data.get("text")), (None, None));
    let content = room.read_snippet("lea/1", snippet.number).await.unwrap();
    assert_eq!((content.text.len(), content.snippet.bytes), (64 * 1024, 64 * 1024));
    assert_eq!(content.text, longest);
}

#[tokio::test]
async fn a_muted_user_shares_and_changes_nothing() {
    let mut room = room().await;
    let own = room.share("kim/1#1", "mine").await.unwrap();
    let mute = ChatAction::Mute { user_id: "kim".parse().unwrap(), for_ms: Some(MINUTE) };
    room.chat("lea/1#mute", mute).await.unwrap();
    assert_eq!(room.share("kim/1#2", "x").await, Err(ErrorCode::Muted));
    assert_eq!(room.change("kim/1#3", &own, "x").await, Err(ErrorCode::Muted));
    room.read_snippet("kim/1", own.number).await.unwrap();
    room.at(MINUTE).change("kim/1#4", &own, "x").await.unwrap();
}

#[tokio::test]
async fn only_a_current_connection_shares_and_reads() {
    let mut room = room().await;
    let snippet = room.share("kim/1#1", "x").await.unwrap();
    assert_eq!(room.share("kim/2#1", "x").await, Err(ErrorCode::NotInRoom));
    assert_eq!(room.list("ben/1").await, Err(ErrorCode::NotInRoom));
    room.disconnect("kim/1").await;
    assert_eq!(room.read_snippet("kim/1", snippet.number).await, Err(ErrorCode::NotInRoom));
    room.at(61 * MINUTE);
    assert_eq!(room.share("lea/1#1", "x").await, Err(ErrorCode::NotInRoom));
    assert_eq!(room.list("lea/1").await, Err(ErrorCode::NotInRoom));
    assert_eq!(room.close_as_operator("1", snippet.number).await, Err(ErrorCode::NotLive));
    assert_eq!(room.read_as_operator(snippet.number).await, Err(ErrorCode::NotLive));
}

#[tokio::test]
async fn a_session_without_the_feature_refuses_and_operators_still_read() {
    let room = room().await;
    let snippet = room.share("kim/1#1", "x").await.unwrap();
    room.define(SessionDefinition { features: Some(vec![Feature::Chat]), ..definition() }).await;
    assert_eq!(room.share("kim/1#2", "x").await, Err(ErrorCode::FeatureOff));
    assert_eq!(room.list("kim/1").await, Err(ErrorCode::FeatureOff));
    assert_eq!(room.close_as_operator("3", snippet.number).await, Err(ErrorCode::FeatureOff));
    assert_eq!(room.read_as_operator(snippet.number).await.unwrap(), "x");
}

#[tokio::test]
async fn a_user_who_changes_code_too_often_is_refused_and_others_are_not() {
    let mut room = room().await;
    let (burst, interval) = (room.settings.code_burst, room.settings.code_interval_ms);
    let mut snippet = room.share_with_all("kim/1#0", "0").await;
    for number in 1..burst {
        snippet = room.change(&format!("kim/1#{number}"), &snippet, &number.to_string()).await.unwrap();
    }
    assert_eq!(room.change("kim/1#next", &snippet, "x").await, Err(ErrorCode::RateLimited));
    let stale = SnippetUpdate { version: 1, ..update(&snippet) };
    assert_eq!(
        room.code("kim/1#stale", CodeAction::Update(stale)).await,
        Err(ErrorCode::VersionConflict),
        "which counts for nothing"
    );
    snippet = room.change("ali/1#1", &snippet, "ali's").await.unwrap();
    room.read_snippet("kim/1", snippet.number).await.unwrap();
    assert_eq!(room.at(interval - 1).change("kim/1#next", &snippet, "x").await, Err(ErrorCode::RateLimited));
    room.at(interval).change("kim/1#next", &snippet, "x").await.unwrap();
}

#[tokio::test]
async fn the_end_of_the_session_removes_snippets_unless_they_are_kept() {
    let mut room = room().await;
    let snippet = room.share("kim/1#1", "x").await.unwrap();
    room.run_until(61 * MINUTE).await.sweep().await;
    assert!(!room.keys().await.iter().any(|key| key.contains(":snippets:") || key.contains(":code:")));
    assert_eq!(room.read_as_operator(snippet.number).await, Err(ErrorCode::NotLive));

    let mut room = self::room().await;
    room.settings.code_ms = 30 * MINUTE;
    let snippet = room.share("kim/1#1", "kept").await.unwrap();
    room.run_until(61 * MINUTE).await.sweep().await;
    for key in ["snippets:algebra", "code:algebra"] {
        assert_eq!(room.expiry(key).await, (END + 30 * MINUTE).cast_signed(), "{key}");
    }
    assert_eq!(room.read_as_operator(snippet.number).await.unwrap(), "kept");
    assert_eq!(room.rooms().snippets(&room.home).await.unwrap().snippets, std::slice::from_ref(&snippet));
    assert_eq!(room.close_as_operator("1", snippet.number).await, Err(ErrorCode::NotLive));
    room.define_end(END + 120 * MINUTE).await;
    room.join("lea/2").await.unwrap();
    let next = room.share("lea/2#1", "next").await.unwrap();
    assert!(next.number > snippet.number);
    assert_eq!(room.list("lea/2").await.unwrap(), [snippet, next], "the next session has them too");
}

#[tokio::test]
async fn snippets_expire_although_no_script_ends_the_session() {
    let mut room = room().await;
    room.settings.code_ms = 300 * MINUTE;
    room.share("kim/1#1", "x").await.unwrap();
    let expires_at = |end: u64| (end + 300 * MINUTE).cast_signed();
    for key in ["snippets:algebra", "code:algebra"] {
        assert_eq!(room.expiry(key).await, expires_at(END), "{key}");
    }
    room.define(SessionDefinition { end_at: END + MINUTE, ..definition() }).await;
    for key in ["snippets:algebra", "code:algebra"] {
        assert_eq!(room.expiry(key).await, expires_at(END + MINUTE), "{key}");
    }
}

#[tokio::test]
async fn ids_of_authors_keep_their_type_through_changes() {
    let mut room = room().await;
    room.join_as("9007199254740991", "9007199254740991/big").await.unwrap();
    let largest = 9_007_199_254_740_991_u64;
    room.events().await;
    let who = "9007199254740991/big";
    let first = room.share_with_all(&format!("{who}#1"), "x").await;
    let second = room.change("kim/1#1", &first, "y").await.unwrap();
    let third = room.change(&format!("{who}#2"), &second, "z").await.unwrap();
    room.change("kim/1#2", &third, "y").await.unwrap();
    let ids = |snippet: &Value| (snippet["userId"].clone(), snippet["updatedBy"]["userId"].clone());
    let seen: Vec<_> = room.events().await.iter().map(|event| ids(&event.data["snippet"])).collect();
    let (author, kim) = (json!(largest), json!("kim"));
    let by = |editor: &Value| (author.clone(), editor.clone());
    assert_eq!(seen, [by(&author), by(&kim), by(&author), by(&kim)]);
    let own = room.share(&format!("{who}#3"), "mine").await.unwrap();
    let changed = room.change(&format!("{who}#4"), &own, "still mine").await.unwrap();
    room.close(&format!("{who}#5"), changed.number).await.unwrap();
}
