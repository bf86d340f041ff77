//! Snippets that members edit at the same time.

use base64::{Engine, prelude::BASE64_STANDARD};
use rollcall_protocol::{
    ErrorCode, Refusal,
    chat::ChatAction,
    code::{CodeAction, Editors, Snippet, SnippetUpdate},
    command::Feature,
    definition::SessionDefinition,
    document::{DocumentUpdate, EditAck, OpenedDocument, TEXT},
};
use rollcall_rooms::{Error, Settings, script};
use serde_json::{Value, json};
use yrs::{Doc, GetString, Text, Transact, Update, updates::decoder::Decode};

use crate::{
    code::{clean, room, share, update},
    fixture::{Fixture, MINUTE, START, definition, expect_refusal},
};

/// An awareness in which the editor 11 shows nothing.
const AWARENESS: [u8; 7] = [1, 11, 1, 4, b'n', b'u', b'l'];

impl Fixture {
    pub async fn share_together(&self, who: &str, text: &str) -> Snippet {
        self.code(who, share(text, Editors::Together)).await.unwrap().snippet.unwrap()
    }

    pub async fn open(&self, entry: &str, number: u64) -> Result<OpenedDocument, ErrorCode> {
        let opened = self.try_code(&format!("{entry}#open"), CodeAction::Open { number }).await;
        Ok(serde_json::from_str(&opened.map_err(expect_refusal)?).unwrap())
    }

    pub async fn edit(&self, entry: &str, number: u64, bytes: &[u8]) -> Result<EditAck, ErrorCode> {
        let update = DocumentUpdate::new(bytes.to_vec()).unwrap();
        let ack = self.try_code(&format!("{entry}#edit"), CodeAction::Edit { number, update }).await;
        Ok(serde_json::from_str(&ack.map_err(expect_refusal)?).unwrap())
    }

    async fn show_awareness(&self, entry: &str, number: u64) -> Result<EditAck, ErrorCode> {
        let update = BASE64_STANDARD.encode([&AWARENESS[..], b"l"].concat()).parse().unwrap();
        let ack = self.try_code(&format!("{entry}#show"), CodeAction::Awareness { number, update }).await;
        Ok(serde_json::from_str(&ack.map_err(expect_refusal)?).unwrap())
    }

    /// Sets how many updates a document has had and has merged, and their lengths.
    async fn set_document(&self, number: u64, state: Value) {
        let key = self.shard_key(&format!("documents:{}", self.home));
        let mut set = redis::cmd("HSET");
        let () = set
            .arg(key)
            .arg(number)
            .arg(state.to_string())
            .query_async(&mut self.redis.clone())
            .await
            .unwrap();
    }

    /// Runs the script that merges.
    async fn merge(&self, data: &Value) -> Vec<String> {
        let settings = Settings { now: Some(self.now()), ..self.settings.clone() };
        redis::Script::new(script::MERGE.text())
            .key(self.shard_key("deadlines"))
            .arg(json!(settings).to_string())
            .arg(json!({ "roomId": self.home, "data": data }).to_string())
            .invoke_async(&mut self.redis.clone())
            .await
            .unwrap()
    }

    /// How many updates a document has had and has merged, and their lengths.
    async fn document(&self, number: u64) -> Value {
        let key = self.shard_key(&format!("documents:{}", self.home));
        let mut get = redis::cmd("HGET");
        let json: String = get.arg(key).arg(number).query_async(&mut self.redis.clone()).await.unwrap();
        serde_json::from_str(&json).unwrap()
    }

    /// The number of fields that Redis keeps of all documents in the room.
    async fn count_parts(&self) -> u64 {
        let key = self.shard_key(&format!("documents:{}", self.home));
        redis::cmd("HLEN").arg(key).query_async(&mut self.redis.clone()).await.unwrap()
    }
}

/// An update of an editor that types into an empty document.
pub fn first_update() -> Vec<u8> {
    Editor(Doc::with_client_id(11)).append("x")
}

/// An editor of a document, as browsers have.
struct Editor(Doc);

impl Editor {
    fn new(id: u64, opened: &OpenedDocument) -> Self {
        let editor = Self(Doc::with_client_id(id));
        editor.0.get_or_insert_text(TEXT);
        editor.apply(&opened.document);
        editor
    }

    fn apply(&self, update: &str) {
        let update = Update::decode_v1(&BASE64_STANDARD.decode(update).unwrap()).unwrap();
        self.0.transact_mut().apply_update(update).unwrap();
    }

    /// Types at the end. Returns the update.
    fn append(&self, text: &str) -> Vec<u8> {
        let shared = self.0.get_or_insert_text(TEXT);
        let mut transaction = self.0.transact_mut();
        let end = shared.len(&transaction);
        shared.insert(&mut transaction, end, text);
        transaction.encode_update_v1()
    }

    fn text(&self) -> String {
        let shared = self.0.get_or_insert_text(TEXT);
        shared.get_string(&self.0.transact())
    }
}

#[tokio::test]
async fn several_edit_a_document_at_the_same_time() {
    let mut room = room().await;
    let snippet = room.share_together("kim/1#1", "let").await;
    assert_eq!((snippet.editors, snippet.bytes), (Editors::Together, 3));
    let events = room.events().await;
    assert_eq!((events[0].name.as_str(), events[0].data.get("text")), ("code:shared", None));
    let opened = room.open("ali/1", snippet.number).await.unwrap();
    assert_eq!((&opened.snippet, opened.edit, opened.now), (&snippet, 0, START));
    let (kim, ali) = (Editor::new(11, &opened), Editor::new(12, &opened));
    assert_eq!(ali.text(), "let");

    let first = kim.append(" a");
    let ack = room.at(1000).edit("kim/1", snippet.number, &first).await.unwrap();
    assert_eq!((ack.edit, ack.now), (1, START + 1000));
    let ack = room.at(2000).edit("ali/1", snippet.number, &ali.append(" b")).await.unwrap();
    assert_eq!(ack.edit, 2);

    let events = room.events().await;
    let about =
        |event: &crate::fixture::Event| (event.name.clone(), event.document, event.except.clone(), event.seq);
    let document = Some(snippet.number);
    assert_eq!(
        events.iter().map(about).collect::<Vec<_>>(),
        [
            ("document:updated".to_owned(), document, Some("kim/1".to_owned()), 4),
            ("document:updated".to_owned(), document, Some("ali/1".to_owned()), 4)
        ],
        "the events take no number of the room"
    );
    assert_eq!(
        events[0].data,
        json!({
            "number": snippet.number, "edit": 1, "update": BASE64_STANDARD.encode(&first), "userId": "kim",
            "now": START + 1000
        })
    );
    ali.apply(events[0].data["update"].as_str().unwrap());
    kim.apply(events[1].data["update"].as_str().unwrap());
    assert_eq!(kim.text(), ali.text());
    let later = room.open("lea/1", snippet.number).await.unwrap();
    assert_eq!((Editor::new(13, &later).text(), later.edit), (kim.text(), 2));
    assert_eq!(later.snippet.updated_by.user_id, "ali".parse().unwrap());
    assert_eq!(room.read_snippet("lea/1", snippet.number).await.unwrap().text, kim.text());
    assert_eq!(room.read_as_operator(snippet.number).await.unwrap(), kim.text());
}

#[tokio::test]
async fn an_update_that_comes_twice_has_no_second_effect() {
    let room = room().await;
    let snippet = room.share_together("kim/1#1", "").await;
    let editor = Editor::new(11, &room.open("kim/1", snippet.number).await.unwrap());
    let update = editor.append("once");
    for edit in 1..=2 {
        assert_eq!(room.edit("kim/1", snippet.number, &update).await.unwrap().edit, edit);
    }
    assert_eq!(room.read_snippet("kim/1", snippet.number).await.unwrap().text, "once");
}

#[tokio::test]
async fn updates_are_merged_beside_new_ones_and_none_is_lost() {
    let mut room = room().await;
    room.settings.document_burst = 100;
    let snippet = room.share_together("kim/1#1", "").await;
    let opened = room.open("kim/1", snippet.number).await.unwrap();
    let users: Vec<_> = (0..20).map(|user| format!("user-{user}/1")).collect();
    for user in &users {
        room.join(user).await.unwrap();
    }
    room.events().await;
    let type_all = users.iter().enumerate().map(|(index, user)| {
        let (room, editor) = (&room, Editor::new(100 + index as u64, &opened));
        async move {
            for edit in 0..25 {
                room.edit(user, snippet.number, &editor.append(&format!("{index}.{edit};"))).await.unwrap();
            }
        }
    });
    futures_util::future::join_all(type_all).await;
    let opened = room.open("lea/1", snippet.number).await.unwrap();
    assert_eq!(opened.edit, 500);
    let text = Editor::new(11, &opened).text();
    let mut words: Vec<_> = text.split_terminator(';').collect();
    words.sort_unstable();
    let mut typed: Vec<_> =
        (0..20).flat_map(|user| (0..25).map(move |edit| format!("{user}.{edit}"))).collect();
    typed.sort_unstable();
    assert_eq!(words, typed);
    let parts = room.count_parts().await;
    assert!(parts < 200, "{parts} parts are left of 500 updates");
    assert!(opened.snippet.bytes > 0 && opened.snippet.bytes <= text.len() as u64);
    let mut edits: Vec<_> =
        room.events().await.iter().map(|event| event.data["edit"].as_u64().unwrap()).collect();
    edits.sort_unstable();
    assert_eq!(edits, (1..=500).collect::<Vec<_>>());
}

/// An update of so many bytes.
fn update_of(bytes: usize) -> Vec<u8> {
    let text = 2 * bytes - Editor(Doc::with_client_id(11)).append(&"x".repeat(bytes)).len();
    let update = Editor(Doc::with_client_id(11)).append(&"x".repeat(text));
    assert_eq!(update.len(), bytes);
    update
}

#[tokio::test]
async fn every_so_many_updates_are_merged() {
    let mut room = room().await;
    room.settings.document_burst = 1000;
    let snippet = room.share_together("kim/1#1", "").await;
    let editor = Editor::new(11, &room.open("kim/1", snippet.number).await.unwrap());
    for edit in 1..=130 {
        room.edit("kim/1", snippet.number, &editor.append("x")).await.unwrap();
        assert_eq!(room.count_parts().await, 2 + edit % 64, "{edit}");
    }
    let large = Editor::new(12, &room.open("kim/1", snippet.number).await.unwrap());
    room.edit("kim/1", snippet.number, &large.append(&"x".repeat(49_152))).await.unwrap();
    assert_eq!(room.count_parts().await, 2);
    for edit in 1..=66 {
        room.edit("kim/1", snippet.number, &editor.append("x")).await.unwrap();
        assert_eq!(room.count_parts().await, 2 + edit % 64, "{edit} since the last merge");
    }
}

#[tokio::test]
async fn so_many_bytes_of_updates_are_merged() {
    let room = room().await;
    for (number, sizes, parts) in
        [(1, &[49_152][..], 2), (2, &[49_149], 3), (3, &[30_000, 30_000], 2), (4, &[20_000, 20_000], 4)]
    {
        let snippet = room.share_together(&format!("kim/1#{number}"), "").await;
        for size in sizes {
            room.edit("kim/1", snippet.number, &update_of(*size)).await.unwrap();
        }
        assert_eq!(room.count_parts().await, parts, "{sizes:?}");
        room.close(&format!("kim/1#{number}-close"), snippet.number).await.unwrap();
    }
}

#[tokio::test]
async fn a_document_has_a_greatest_length_and_a_greatest_number_of_updates_that_are_not_merged() {
    let mut room = room().await;
    room.settings.document_burst = 1000;
    let snippet = room.share_together("kim/1#1", "").await;
    let update = first_update();
    let length = BASE64_STANDARD.encode(&update).len();
    let full = 384 * 1024 - length;
    for (state_bytes, log_bytes, edit, merged, expected) in [
        (full - 100, 100, 9, 8, Ok(10)),
        (full - 99, 100, 9, 8, Err(ErrorCode::DocumentFull)),
        (100, 100, 3999, 0, Ok(4000)),
        (100, 100, 4000, 0, Err(ErrorCode::DocumentFull)),
        (100, 100, 4009, 10, Ok(4010)),
    ] {
        let state =
            json!({ "edit": edit, "merged": merged, "stateBytes": state_bytes, "logBytes": log_bytes });
        room.set_document(snippet.number, state.clone()).await;
        let ack = room.edit("kim/1", snippet.number, &update).await;
        assert_eq!(ack.map(|ack| ack.edit), expected, "{state}");
    }
}

#[tokio::test]
async fn large_updates_are_merged_before_they_are_many_until_the_document_is_full() {
    let mut room = room().await;
    let snippet = room.share_together("kim/1#1", "").await;
    let editor = Editor::new(11, &room.open("kim/1", snippet.number).await.unwrap());
    let mut typed = String::new();
    let refused = loop {
        let text = "x".repeat(48 * 1024);
        match room.edit("kim/1", snippet.number, &editor.append(&text)).await {
            Ok(_) => typed += &text,
            Err(code) => break code,
        }
    };
    assert_eq!(refused, ErrorCode::DocumentFull);
    assert_eq!(typed.len(), 240 * 1024);
    assert!(room.count_parts().await <= 4);
    assert_eq!(room.read_snippet("kim/1", snippet.number).await.unwrap().text, typed);
    room.share_together("kim/1#2", "another").await;
    room.close("kim/1#3", snippet.number).await.unwrap();
    assert_eq!(room.event_names().await.last().unwrap(), "code:closed");
}

#[tokio::test]
async fn a_snippet_becomes_a_document_and_stays_one() {
    let mut room = room().await;
    let plain = room.share("kim/1#1", "one").await.unwrap();
    let together = |from: &Snippet| SnippetUpdate { editors: Some(Editors::Together), ..update(from) };
    let stale = SnippetUpdate { version: 7, ..together(&plain) };
    assert_eq!(
        room.code("kim/1#2", CodeAction::Update(stale)).await,
        Err(ErrorCode::VersionConflict),
        "the text that was read may be another by now"
    );
    assert_eq!(room.code("ali/1#2", CodeAction::Update(together(&plain))).await, Err(ErrorCode::NotAllowed));
    let document = room.code("kim/1#3", CodeAction::Update(together(&plain))).await.unwrap().snippet.unwrap();
    assert_eq!((document.editors, document.version, document.bytes), (Editors::Together, 2, 3));
    let opened = room.open("ali/1", document.number).await.unwrap();
    assert_eq!(Editor::new(11, &opened).text(), "one");
    for (id, change) in [
        ("4", SnippetUpdate { text: Some(clean("x")), ..update(&document) }),
        ("5", SnippetUpdate { editors: Some(Editors::Author), ..update(&document) }),
        ("6", together(&document)),
    ] {
        let refused = room.code(&format!("kim/1#{id}"), CodeAction::Update(change)).await;
        assert_eq!(refused, Err(ErrorCode::EditedTogether), "{id}");
    }
    room.events().await;
    let named = SnippetUpdate { language: Some(Some("rust".parse().unwrap())), ..update(&document) };
    assert_eq!(
        room.code("ali/1#7", CodeAction::Update(named.clone())).await,
        Err(ErrorCode::NotAllowed),
        "the title and the language are the author's"
    );
    let named = room.code("kim/1#7", CodeAction::Update(named)).await.unwrap().snippet.unwrap();
    assert_eq!((named.language.as_deref(), named.version), (Some("rust"), 3));
    let events = room.events().await;
    assert_eq!((events[0].name.as_str(), events[0].data.get("text")), ("code:updated", None));
    let stale = room.try_code("kim/1#8", CodeAction::Update(update(&document))).await;
    let Err(Error::Refused(Refusal { code, current, .. })) = stale else { panic!("{stale:?}") };
    let current: Value = serde_json::from_str(current.unwrap().get()).unwrap();
    assert_eq!((code, current), (ErrorCode::VersionConflict, json!({ "snippet": named, "now": START })));

    let other = room.share("kim/1#9", "x").await.unwrap();
    let texts = SnippetUpdate { text: Some(clean("newer")), ..together(&other) };
    room.code("kim/1#10", CodeAction::Update(texts)).await.unwrap();
    assert_eq!(room.read_snippet("lea/1", other.number).await.unwrap().text, "newer");
}

#[tokio::test]
async fn what_is_no_document_or_no_update_is_refused() {
    let mut room = room().await;
    let plain = room.share_with_all("kim/1#1", "x").await;
    let document = room.share_together("kim/1#2", "x").await;
    let valid = Editor::new(11, &room.open("kim/1", document.number).await.unwrap()).append("y");
    room.events().await;
    assert_eq!(room.open("kim/1", plain.number).await.unwrap_err(), ErrorCode::NotTogether);
    assert_eq!(room.edit("kim/1", plain.number, &valid).await, Err(ErrorCode::NotTogether));
    assert_eq!(room.show_awareness("kim/1", plain.number).await, Err(ErrorCode::NotTogether));
    assert_eq!(room.open("kim/1", 7).await.unwrap_err(), ErrorCode::NoSuchSnippet);
    assert_eq!(room.edit("kim/1", 7, &valid).await, Err(ErrorCode::NoSuchSnippet));
    for entry in ["kim/2", "ben/1"] {
        assert_eq!(room.open(entry, document.number).await.unwrap_err(), ErrorCode::NotInRoom);
        assert_eq!(room.edit(entry, document.number, &valid).await, Err(ErrorCode::NotInRoom));
        assert_eq!(room.show_awareness(entry, document.number).await, Err(ErrorCode::NotInRoom));
    }
    for bytes in [&b""[..], b"hello", &[255; 40], &valid[..valid.len() - 2]] {
        assert_eq!(room.edit("kim/1", document.number, bytes).await, Err(ErrorCode::Malformed), "{bytes:?}");
    }
    let truncated = BASE64_STANDARD.encode(AWARENESS).parse().unwrap();
    let shown = CodeAction::Awareness { number: document.number, update: truncated };
    let refused = room.try_code("kim/1#show", shown).await.map_err(expect_refusal);
    assert_eq!(refused.unwrap_err(), ErrorCode::Malformed);
    assert!(room.events().await.is_empty());
    room.define(SessionDefinition { features: Some(vec![Feature::Chat]), ..definition() }).await;
    assert_eq!(room.open("kim/1", document.number).await.unwrap_err(), ErrorCode::FeatureOff);
    assert_eq!(room.edit("kim/1", document.number, &valid).await, Err(ErrorCode::FeatureOff));
    room.at(61 * MINUTE);
    assert_eq!(room.edit("kim/1", document.number, &valid).await, Err(ErrorCode::NotInRoom));
}

#[tokio::test]
async fn a_muted_user_reads_a_document_and_changes_nothing() {
    let mut room = room().await;
    let document = room.share_together("kim/1#1", "x").await;
    let mute = ChatAction::Mute { user_id: "kim".parse().unwrap(), for_ms: Some(MINUTE) };
    room.chat("lea/1#mute", mute).await.unwrap();
    let editor = Editor::new(11, &room.open("kim/1", document.number).await.unwrap());
    let update = editor.append("y");
    assert_eq!(room.edit("kim/1", document.number, &update).await, Err(ErrorCode::Muted));
    assert_eq!(room.show_awareness("kim/1", document.number).await, Err(ErrorCode::Muted));
    room.at(MINUTE).edit("kim/1", document.number, &update).await.unwrap();
}

#[tokio::test]
async fn a_position_reaches_those_who_have_the_document_open_and_is_not_kept() {
    let mut room = room().await;
    let document = room.share_together("kim/1#1", "x").await;
    room.events().await;
    let parts = room.count_parts().await;
    let ack = room.at(1000).show_awareness("ali/1", document.number).await.unwrap();
    assert_eq!((ack.edit, ack.now), (0, START + 1000));
    let events = room.events().await;
    assert_eq!((events[0].name.as_str(), events[0].document), ("document:awareness", Some(document.number)));
    assert_eq!(events[0].except.as_deref(), Some("ali/1"));
    let (update, now) = (BASE64_STANDARD.encode([&AWARENESS[..], b"l"].concat()), START + 1000);
    assert_eq!(
        events[0].data,
        json!({ "number": document.number, "update": update, "userId": "ali", "now": now })
    );
    assert_eq!(room.count_parts().await, parts);
}

#[tokio::test]
async fn a_user_who_edits_or_reads_too_often_is_refused_and_others_are_not() {
    let mut room = room().await;
    let document = room.share_together("kim/1#1", "").await;
    let editor = Editor::new(11, &room.open("kim/1", document.number).await.unwrap());
    let bytes = editor.append("x");
    let (burst, interval) = (room.settings.document_burst, room.settings.document_interval_ms);
    for number in 0..burst {
        match number % 2 {
            0 => room.edit("kim/1", document.number, &bytes).await.unwrap(),
            _ => room.show_awareness("kim/1", document.number).await.unwrap(),
        };
    }
    assert_eq!(room.edit("kim/1", document.number, &bytes).await, Err(ErrorCode::RateLimited));
    assert_eq!(room.show_awareness("kim/1", document.number).await, Err(ErrorCode::RateLimited));
    room.edit("ali/1", document.number, &bytes).await.unwrap();
    room.at(interval).edit("kim/1", document.number, &bytes).await.unwrap();

    let interval = room.settings.code_read_interval_ms;
    let plain = room.share_with_all("kim/1#2", "x").await;
    for _ in 2..room.settings.code_read_burst {
        room.read_snippet("kim/1", plain.number).await.unwrap();
    }
    let stale = || CodeAction::Update(SnippetUpdate { version: 7, ..update(&plain) });
    assert_eq!(room.code("kim/1#3", stale()).await, Err(ErrorCode::VersionConflict), "it holds the text");
    assert_eq!(room.code("kim/1#4", stale()).await, Err(ErrorCode::RateLimited));
    assert_eq!(room.read_snippet("kim/1", plain.number).await.unwrap_err(), ErrorCode::RateLimited);
    assert_eq!(room.open("kim/1", document.number).await.unwrap_err(), ErrorCode::RateLimited);
    room.open("ali/1", document.number).await.unwrap();
    room.at(2 * interval).open("kim/1", document.number).await.unwrap();
}

#[tokio::test]
async fn what_others_do_shortens_the_wait_of_nobody() {
    let mut room = room().await;
    room.settings.document_burst = 1;
    let interval = room.settings.document_interval_ms;
    let document = room.share_together("kim/1#1", "").await;
    room.edit("kim/1", document.number, &first_update()).await.unwrap();
    room.at(interval - 1).edit("ali/1", document.number, &first_update()).await.unwrap();
    assert_eq!(room.edit("kim/1", document.number, &first_update()).await, Err(ErrorCode::RateLimited));
    room.at(interval).edit("kim/1", document.number, &first_update()).await.unwrap();
}

#[tokio::test]
async fn the_lengths_of_a_document_are_kept_with_it() {
    let mut room = room().await;
    room.settings.document_burst = 1000;
    let snippet = room.share_together("kim/1#1", "").await;
    let opened = room.open("kim/1", snippet.number).await.unwrap();
    let state = opened.document.len() as u64;
    let lengths = |edit: u64, merged: u64, state: u64, log: u64| json!({ "edit": edit, "merged": merged, "stateBytes": state, "logBytes": log });
    assert_eq!(room.document(snippet.number).await, lengths(0, 0, state, 0));
    let editor = Editor::new(11, &opened);
    let update = editor.append("x");
    let length = BASE64_STANDARD.encode(&update).len() as u64;
    room.edit("kim/1", snippet.number, &update).await.unwrap();
    assert_eq!(room.document(snippet.number).await, lengths(1, 0, state, length));
    for _ in 2..=64 {
        room.edit("kim/1", snippet.number, &update).await.unwrap();
    }
    let merged = room.open("kim/1", snippet.number).await.unwrap();
    assert_eq!(room.document(snippet.number).await, lengths(64, 64, merged.document.len() as u64, 0));
    assert_eq!(merged.snippet.bytes, 1);
}

#[tokio::test]
async fn of_two_merges_of_the_same_updates_one_counts() {
    let mut room = room().await;
    let snippet = room.share_together("kim/1#1", "").await;
    let editor = Editor::new(11, &room.open("kim/1", snippet.number).await.unwrap());
    for text in ["a", "b", "c"] {
        room.edit("kim/1", snippet.number, &editor.append(text)).await.unwrap();
    }
    let (before, document) =
        (room.document(snippet.number).await, room.open("kim/1", snippet.number).await.unwrap().document);
    let merge = json!({
        "number": snippet.number, "merged": 0, "edit": 2, "logBytes": 1, "state": document, "bytes": 7
    });
    assert_eq!(room.merge(&merge).await, ["OK", "{}"]);
    let after = room.document(snippet.number).await;
    let log = before["logBytes"].as_u64().unwrap() - 1;
    assert_eq!(after, json!({ "edit": 3, "merged": 2, "stateBytes": document.len(), "logBytes": log }));
    assert_eq!(room.count_parts().await, 3, "the third update stays");
    let late = json!({
        "number": snippet.number, "merged": 0, "edit": 3, "logBytes": 1, "state": "", "bytes": 8
    });
    assert_eq!(room.merge(&late).await, ["OK", "{}"]);
    assert_eq!((room.document(snippet.number).await, room.count_parts().await), (after, 3));
    let content = room.read_snippet("kim/1", snippet.number).await.unwrap();
    assert_eq!((content.text.as_str(), content.snippet.bytes), ("abc", 7));
    room.close("kim/1#2", snippet.number).await.unwrap();
    assert_eq!(room.merge(&late).await, ["OK", "{}"]);
    assert_eq!(room.count_parts().await, 0, "nothing of a closed snippet comes back");
    room.at(61 * MINUTE);
    assert_eq!(room.merge(&late).await, ["SETTLE"]);
    room.sweep().await;
    assert_eq!(room.merge(&late).await, ["OK", "{}"]);
}

#[tokio::test]
async fn a_document_goes_with_its_snippet_and_with_the_session_unless_it_is_kept() {
    let mut room = room().await;
    let document = room.share_together("kim/1#1", "x").await;
    let update = Editor::new(11, &room.open("kim/1", document.number).await.unwrap()).append("y");
    room.edit("kim/1", document.number, &update).await.unwrap();
    room.close("kim/1#2", document.number).await.unwrap();
    assert_eq!(room.count_parts().await, 0);
    let document = room.share_together("kim/1#3", "x").await;
    room.run_until(61 * MINUTE).await.sweep().await;
    assert_eq!(room.count_parts().await, 0);
    assert_eq!(room.read_as_operator(document.number).await, Err(ErrorCode::NotLive));
}

#[tokio::test]
async fn a_kept_document_is_read_by_operators() {
    let mut room = room().await;
    room.settings.code_ms = MINUTE;
    let document = room.share_together("kim/1#1", "x").await;
    let update = Editor::new(11, &room.open("kim/1", document.number).await.unwrap()).append("y");
    room.edit("kim/1", document.number, &update).await.unwrap();
    room.run_until(61 * MINUTE).await.sweep().await;
    assert_eq!(room.read_as_operator(document.number).await.unwrap(), "xy");
}
