//! The messages of a room.

use rollcall_protocol::chat::{History, Message};

use super::{printable, printable_lines};
use crate::time;

/// Formats a page of messages, oldest first.
pub(crate) fn messages(history: History) -> String {
    if history.messages.is_empty() {
        return "Nobody has written.".to_owned();
    }
    let messages: Vec<String> = history.messages.into_iter().map(format).collect();
    messages.join("\n")
}

/// Indents the further lines of a message, so that none of them looks like another message.
fn format(message: Message) -> String {
    let Message { number, user_id, user_name, text, sent_at, .. } = message;
    let author = printable(&format!("{user_name} ({user_id})"));
    let text = printable_lines(&text).replace('\n', "\n    ");
    format!("{} {author} #{number}: {text}", time::format(sent_at))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(number: u64, name: &str, text: &str) -> serde_json::Value {
        json!({
            "number": number, "id": "c", "userId": "kim", "userName": name, "text": text,
            "sentAt": 1_795_456_800_000_u64
        })
    }

    #[test]
    fn a_message_cannot_control_the_terminal() {
        let text =
            format(serde_json::from_value(message(7, "K\u{1b}[2J\n", "\ta\u{1b}[2Jb\n\u{202e}")).unwrap());
        assert_eq!(text, "2026-11-23T18:00:00Z K\\u{1b}[2J\\u{a} (kim) #7: \ta\\u{1b}[2Jb\n    \\u{202e}");
    }

    #[test]
    fn further_lines_of_a_message_are_indented() {
        let message = |number, text| message(number, "Kim", text);
        let page = json!({
            "messages": [message(7, "Hello\n2026-11-23T18:00:01Z Lea"), message(8, "Bye")], "deleted": [],
            "first": 7, "last": 8, "more": false, "now": 1
        });
        assert_eq!(
            messages(serde_json::from_value(page).unwrap()),
            "2026-11-23T18:00:00Z Kim (kim) #7: Hello\n    2026-11-23T18:00:01Z Lea\n\
             2026-11-23T18:00:00Z Kim (kim) #8: Bye"
        );
        let empty = json!({ "messages": [], "deleted": [], "more": false, "now": 1 });
        assert_eq!(messages(serde_json::from_value(empty).unwrap()), "Nobody has written.");
    }
}
