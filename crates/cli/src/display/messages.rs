//! The messages of a room.

use rollcall_protocol::chat::{History, Message};

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
    let text = text.replace('\n', "\n    ");
    format!("{} {user_name} ({user_id}) #{number}: {text}", time::format(sent_at))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn further_lines_of_a_message_are_indented() {
        let message = |number, text| {
            json!({
                "number": number, "id": "c", "userId": "kim", "userName": "Kim", "text": text,
                "sentAt": 1_795_456_800_000_u64
            })
        };
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
