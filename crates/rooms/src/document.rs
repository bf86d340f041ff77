//! What Yjs makes of a document: its first state, its updates together, and its text.
//!
//! Yjs merges updates in any order and any number of times to the same document, so no update needs a lock, and none is
//! lost beside others.

use std::fmt::Display;

use base64::{Engine, prelude::BASE64_STANDARD};
use rollcall_protocol::{ErrorCode, Refusal, document::TEXT};
use serde::de::IgnoredAny;
use yrs::{
    Doc, GetString, ReadTxn, StateVector, Text, Transact, Update,
    encoding::read::{Cursor, Read},
    sync::AwarenessUpdate,
    updates::decoder::Decode,
};

/// Who writes the first state. Other editors choose their numbers at random; that of the first state is always the same, so
/// the same text always gives the same state.
const FIRST_EDITOR: u64 = 1;

/// A document as it is after some updates.
#[derive(Debug)]
pub struct Merged {
    /// All updates as one.
    pub state: Vec<u8>,
    /// The text.
    pub text: String,
}

/// Writes the bytes of an update as text.
pub fn encode(update: &[u8]) -> String {
    BASE64_STANDARD.encode(update)
}

/// The first state of a document with a text.
pub fn first_state(text: &str) -> Vec<u8> {
    let document = new_document();
    let shared = document.get_or_insert_text(TEXT);
    let mut transaction = document.transact_mut();
    shared.insert(&mut transaction, 0, text);
    transaction.encode_state_as_update_v1(&StateVector::default())
}

/// Refuses what is no update, so that it does not reach the editors of others.
pub fn check(update: &[u8]) -> Result<(), Refusal> {
    decode::<Update>(update).map(drop).map_err(malformed)
}

/// Refuses what is no update of an awareness, so that it does not reach the editors of others. They read the state of
/// each editor as JSON.
pub fn check_awareness(update: &[u8]) -> Result<(), Refusal> {
    let update: AwarenessUpdate = decode(update).map_err(malformed)?;
    let mut states = update.clients.values().map(|entry| serde_json::from_str(&entry.json));
    states.try_for_each(|state| state.map(|IgnoredAny| ())).map_err(malformed)
}

fn malformed(reason: impl Display) -> Refusal {
    Refusal::because(ErrorCode::Malformed, format!("update is no update of Yjs, version 1: {reason}"))
}

/// Merges encoded updates. An update that cannot be applied is left out.
pub fn merge(updates: &[String]) -> Merged {
    let document = new_document();
    let shared = document.get_or_insert_text(TEXT);
    let bytes = updates.iter().filter_map(|update| BASE64_STANDARD.decode(update).ok());
    let mut transaction = document.transact_mut();
    for update in bytes.filter_map(|bytes| decode::<Update>(&bytes).ok()) {
        // An editor, too, cannot apply an update that names what is not in its place.
        let _ = transaction.apply_update(update);
    }
    // The end of the transaction drops what has been deleted.
    drop(transaction);
    let transaction = document.transact();
    Merged {
        state: transaction.encode_state_as_update_v1(&StateVector::default()),
        text: shared.get_string(&transaction),
    }
}

fn new_document() -> Doc {
    Doc::with_client_id(FIRST_EDITOR)
}

/// Reads an update. Yjs makes space for as many editors as an update claims to have before it reads them, so a few bytes
/// could claim gigabytes.
fn decode<T: Decode>(update: &[u8]) -> Result<T, String> {
    let editors: u64 = Cursor::new(update).read_var().map_err(|error| error.to_string())?;
    if usize::try_from(editors).is_ok_and(|editors| editors <= update.len()) {
        T::decode_v1(update).map_err(|error| error.to_string())
    } else {
        Err("it claims more editors than it has bytes".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use yrs::{ClientID, OffsetKind, Options};

    use super::*;

    /// An editor of a document that holds a state already. Like a browser, it counts in units of UTF-16.
    fn editor(id: u64, state: &[u8]) -> Doc {
        let (client_id, offset_kind) = (ClientID::new(id), OffsetKind::Utf16);
        let editor = Doc::with_options(Options { client_id, offset_kind, ..Options::default() });
        editor.get_or_insert_text(TEXT);
        editor.transact_mut().apply_update(Update::decode_v1(state).unwrap()).unwrap();
        editor
    }

    /// Types at a position. Returns the update.
    fn insert(editor: &Doc, at: u32, text: &str) -> Vec<u8> {
        let shared = editor.get_or_insert_text(TEXT);
        let mut transaction = editor.transact_mut();
        shared.insert(&mut transaction, at, text);
        transaction.encode_update_v1()
    }

    fn merge_all(updates: &[&[u8]]) -> Merged {
        merge(&updates.iter().map(|update| encode(update)).collect::<Vec<_>>())
    }

    #[test]
    fn a_document_begins_with_its_text() {
        for text in ["", "fn main() {}\n\t// 가나다 \u{1f600}\n"] {
            let state = first_state(text);
            assert_eq!(state, first_state(text));
            assert_eq!(merge_all(&[&state]).text, text);
        }
    }

    #[test]
    fn editors_type_between_characters_of_any_size() {
        let state = first_state("가\u{1f600}나");
        let editor = editor(11, &state);
        let updates = [insert(&editor, 3, "b"), insert(&editor, 1, "a")];
        assert_eq!(merge_all(&[&updates[0], &state, &updates[1]]).text, "가a\u{1f600}b나");
    }

    #[test]
    fn updates_come_together_in_any_order_and_any_number_of_times() {
        let state = first_state("ac");
        let (one, other) = (editor(11, &state), editor(12, &state));
        let updates = [insert(&one, 1, "b"), insert(&one, 2, "B"), insert(&other, 2, "d")];
        let forth = merge_all(&[&state, &updates[0], &updates[1], &updates[2]]);
        let back = merge_all(&[&updates[2], &updates[1], &updates[1], &state, &updates[0]]);
        assert_eq!(forth.text, "abBcd");
        assert_eq!(back.text, "abBcd");
        assert_eq!(merge_all(&[&forth.state, &updates[2]]).text, "abBcd");
    }

    #[test]
    fn an_update_waits_for_those_before_it_also_when_it_is_merged() {
        let state = first_state("");
        let one = editor(11, &state);
        let updates = [insert(&one, 0, "a"), insert(&one, 1, "b")];
        let early = merge_all(&[&state, &updates[1]]);
        assert_eq!(early.text, "");
        assert_eq!(merge_all(&[&early.state, &updates[0]]).text, "ab");
    }

    #[test]
    fn what_is_deleted_leaves_little_behind() {
        let state = first_state(&"x".repeat(10_000));
        let one = editor(11, &state);
        let shared = one.get_or_insert_text(TEXT);
        let mut transaction = one.transact_mut();
        shared.remove_range(&mut transaction, 0, 10_000);
        let update = transaction.encode_update_v1();
        drop(transaction);
        let merged = merge_all(&[&state, &update]);
        assert_eq!(merged.text, "");
        assert!(merged.state.len() < 100, "{} bytes", merged.state.len());
    }

    #[test]
    fn what_is_no_update_is_refused_and_left_out() {
        let state = first_state("a");
        let claims_editors = [207, 129, 209, 190, 1, 196, 11, 70, 11, 71, 2, 97, 98, 0];
        for bytes in [&[][..], &[0], &[1], b"hello", &claims_editors, &state[..state.len() - 1]] {
            let refusal = check(bytes).unwrap_err();
            assert_eq!(refusal.code, ErrorCode::Malformed, "{bytes:?}");
            assert_eq!(merge_all(&[bytes, &state]).text, "a", "{bytes:?}");
        }
        assert!(check(&state).is_ok());
    }

    #[test]
    fn damaged_updates_break_nothing() {
        let state = first_state("let a = 1;");
        let one = editor(11, &state);
        let updates: Vec<_> = (0..20).map(|at| insert(&one, at, "ab")).collect();
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..20_000 {
            let mut damaged = random.choice(&updates).unwrap().clone();
            for _ in 0..random.usize(1..4) {
                let at = random.usize(..damaged.len());
                damaged[at] = random.u8(..);
            }
            let is_update = check(&damaged).is_ok();
            let merged = merge_all(&[&state, &updates[0], &damaged, &updates[1]]);
            assert!(check(&merged.state).is_ok(), "{damaged:?}");
            assert!(is_update || merged.text == "aabblet a = 1;", "{damaged:?}: {merged:?}");
        }
    }

    #[test]
    fn an_awareness_holds_json() {
        let awareness = |json: &str| {
            let length = u8::try_from(json.len()).unwrap();
            [&[1, 11, 1, length], json.as_bytes()].concat()
        };
        for json in ["null", r#"{"cursor":{"anchor":1}}"#] {
            assert!(check_awareness(&awareness(json)).is_ok(), "{json}");
        }
        for bytes in [awareness("{"), awareness(""), vec![], vec![255; 10], vec![5, 1]] {
            assert_eq!(check_awareness(&bytes).unwrap_err().code, ErrorCode::Malformed, "{bytes:?}");
        }
    }
}
