//! The code that the members of a room share.

use rollcall_protocol::code::{Snippet, SnippetContent, Snippets};

use super::{printable_lines, table};
use crate::time;

/// Formats the snippets of a room, oldest first.
pub(crate) fn snippets(Snippets { snippets, .. }: Snippets) -> String {
    if snippets.is_empty() {
        return "Nobody shares code.".to_owned();
    }
    let heading = ["NUMBER", "TITLE", "LANGUAGE", "AUTHOR", "VERSION", "BYTES", "CHANGED"];
    table::columns(heading, snippets.into_iter().map(row))
}

fn row(snippet: Snippet) -> [String; 7] {
    let Snippet { number, title, language, user_name, version, bytes, updated_at, .. } = snippet;
    [
        number.to_string(),
        title.unwrap_or_default(),
        language.unwrap_or_default(),
        user_name,
        version.to_string(),
        bytes.to_string(),
        time::format(updated_at),
    ]
}

/// Returns the text of a snippet.
pub(crate) fn snippet(content: SnippetContent) -> String {
    printable_lines(&content.text)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn sort() -> Value {
        json!({
            "number": 1_795_456_800_001_u64, "id": "c", "title": "Sort", "editors": "author", "version": 2, "bytes": 9,
            "userId": "kim", "userName": "Kim", "sharedAt": 1_795_456_800_000_u64,
            "updatedBy": { "userId": "kim", "userName": "Kim" }, "updatedAt": 1_795_456_800_000_u64
        })
    }

    #[test]
    fn snippets_are_listed_without_their_texts() {
        let list = snippets(serde_json::from_value(json!({ "snippets": [sort()], "now": 1 })).unwrap());
        assert_eq!(
            list,
            "NUMBER         TITLE  LANGUAGE  AUTHOR  VERSION  BYTES  CHANGED\n\
             1795456800001  Sort             Kim     2        9      2026-11-23T18:00:00Z"
        );
        let none = snippets(serde_json::from_value(json!({ "snippets": [], "now": 1 })).unwrap());
        assert_eq!(none, "Nobody shares code.");
    }

    #[test]
    fn code_keeps_its_tabs_and_cannot_control_the_terminal() {
        let content = json!({ "snippet": sort(), "text": "if a {\n\tb\u{1b}[2J\n}\n", "now": 1 });
        assert_eq!(snippet(serde_json::from_value(content).unwrap()), "if a {\n\tb\\u{1b}[2J\n}\n");
    }
}
