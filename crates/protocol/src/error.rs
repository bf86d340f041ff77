//! Refusals: stable codes, and whether a retry can help.

use std::fmt;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

macro_rules! error_codes {
    ($($name:ident $code:literal $status:ident retry:$retry:literal $message:literal)*) => {
        // A test compares the codes with the table in `docs/protocol.md`.
        /// The stable codes of refusals.
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        pub enum ErrorCode {
            $(#[doc = $message] $name,)*
        }

        impl ErrorCode {
            /// All codes, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The code on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The meaning, for developers who read logs.
            pub fn message(self) -> &'static str {
                match self { $(Self::$name => $message,)* }
            }

            /// The HTTP status of a response with this code.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// Whether the unchanged request may succeed later.
            pub fn may_retry(self) -> bool {
                match self { $(Self::$name => $retry,)* }
            }
        }
    };
}

error_codes! {
    TokenMissing "TOKEN_MISSING" UNAUTHORIZED retry:false "The handshake carried no token."
    TokenInvalid "TOKEN_INVALID" UNAUTHORIZED retry:false "The token is malformed, not yet valid, or not signed by a known key."
    TokenExpired "TOKEN_EXPIRED" UNAUTHORIZED retry:false "The token has expired; fetch a new one."
    WrongUser "WRONG_USER" FORBIDDEN retry:false "The new token is another user's; open a connection of its own."
    OriginNotAllowed "ORIGIN_NOT_ALLOWED" FORBIDDEN retry:false "Pages of this origin may not connect."
    UnsupportedVersion "UNSUPPORTED_VERSION" BAD_REQUEST retry:false "The server does not speak this version of the protocol."
    Malformed "MALFORMED" BAD_REQUEST retry:false "The payload is not what this event takes."
    PayloadTooLarge "PAYLOAD_TOO_LARGE" PAYLOAD_TOO_LARGE retry:false "The payload is larger than allowed."
    UnknownEvent "UNKNOWN_EVENT" NOT_FOUND retry:false "There is no event of this name."
    NoSuchPath "NO_SUCH_PATH" NOT_FOUND retry:false "There is nothing at this path."
    MethodNotAllowed "METHOD_NOT_ALLOWED" METHOD_NOT_ALLOWED retry:false "This cannot be done with what is at this path."
    NoSuchRoom "NO_SUCH_ROOM" NOT_FOUND retry:false "No session is defined for this room."
    NotLive "NOT_LIVE" NOT_FOUND retry:true "No session is live in this room at the moment."
    NoSuchMember "NO_SUCH_MEMBER" NOT_FOUND retry:false "The user is not in the room."
    NotAMember "NOT_A_MEMBER" FORBIDDEN retry:false "The session does not list this user."
    SessionEnded "SESSION_ENDED" GONE retry:false "The session is over."
    AlreadyJoined "ALREADY_JOINED" CONFLICT retry:false "The user is in the room already, through another connection; close that one, or join with its resume token."
    TooManyConnections "TOO_MANY_CONNECTIONS" CONFLICT retry:false "The user is in the room through as many connections as are allowed; close one first."
    RoomFull "ROOM_FULL" CONFLICT retry:true "The room has no place left."
    InAnotherRoom "IN_ANOTHER_ROOM" CONFLICT retry:false "This connection is in another room; leave that one first."
    NotInRoom "NOT_IN_ROOM" CONFLICT retry:false "This connection is not in a room; join one first."
    NotAllowed "NOT_ALLOWED" FORBIDDEN retry:false "The session lets only others do this."
    FeatureOff "FEATURE_OFF" NOT_FOUND retry:false "The session or the deployment does without this."
    NoTimer "NO_TIMER" NOT_FOUND retry:false "No timer is set in this room; set one first."
    TimerState "TIMER_STATE" CONFLICT retry:false "The timer is not in a state in which it can do this."
    Muted "MUTED" FORBIDDEN retry:true "The leader or an operator lets this user write nothing at the moment."
    SlowMode "SLOW_MODE" TOO_MANY_REQUESTS retry:true "Slow mode is on: wait before you send again."
    MessageRefused "MESSAGE_REFUSED" FORBIDDEN retry:false "The platform does not accept this message."
    NoSuchMessage "NO_SUCH_MESSAGE" NOT_FOUND retry:false "There is no message of this number."
    NoSuchSnippet "NO_SUCH_SNIPPET" NOT_FOUND retry:false "There is no snippet of this number."
    TooManySnippets "TOO_MANY_SNIPPETS" CONFLICT retry:false "The room or the user shares as many snippets as are allowed; close one first."
    VersionConflict "VERSION_CONFLICT" CONFLICT retry:false "Somebody has changed it since; start from the current version."
    NotTogether "NOT_TOGETHER" CONFLICT retry:false "The members do not edit this snippet together; change it with code:update."
    EditedTogether "EDITED_TOGETHER" CONFLICT retry:false "The members edit this snippet together; change its text with document:update."
    DocumentFull "DOCUMENT_FULL" CONFLICT retry:false "The document is as large as is allowed; share its text anew."
    TooManyDocuments "TOO_MANY_DOCUMENTS" CONFLICT retry:false "This connection has as many documents open as are allowed; close one first."
    EntryClosed "ENTRY_CLOSED" CONFLICT retry:false "The event is a late copy: what it began has ended since."
    SignatureInvalid "SIGNATURE_INVALID" UNAUTHORIZED retry:false "The call is unsigned, altered or stale."
    Unauthorized "UNAUTHORIZED" UNAUTHORIZED retry:false "An operator's token is needed."
    Conflict "CONFLICT" CONFLICT retry:true "Another change of the same definition is under way."
    PreconditionFailed "PRECONDITION_FAILED" PRECONDITION_FAILED retry:false "The definition is not the one that the request names; read it again."
    RateLimited "RATE_LIMITED" TOO_MANY_REQUESTS retry:true "Too many requests; slow down."
    TooManySockets "TOO_MANY_SOCKETS" TOO_MANY_REQUESTS retry:true "The user holds as many connections as are allowed; close one first."
    TooManyFromAddress "TOO_MANY_FROM_ADDRESS" TOO_MANY_REQUESTS retry:true "As many connections as are allowed come from this address, at once or per second."
    Overloaded "OVERLOADED" SERVICE_UNAVAILABLE retry:true "The server has as much to do as it can; come back later."
    Unavailable "UNAVAILABLE" SERVICE_UNAVAILABLE retry:true "A part of the service does not answer at the moment."
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a refused change is about, as it is now. The JSON is the script's own.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Current(Box<RawValue>);

impl From<Box<RawValue>> for Current {
    fn from(json: Box<RawValue>) -> Self {
        Self(json)
    }
}

impl Current {
    /// The JSON.
    pub fn get(&self) -> &str {
        self.0.get()
    }
}

impl PartialEq for Current {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Eq for Current {}

/// A refusal: a code for programs and a sentence for people.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// The code, for programs.
    pub code: ErrorCode,
    /// The sentence, for people; not stable.
    pub message: String,
    /// What the request was about, if it started from an earlier state of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::code::SnippetContent>))]
    pub current: Option<Current>,
}

impl Refusal {
    /// A refusal with a sentence of its own instead of the code's.
    pub fn because(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), current: None }
    }

    /// The same refusal, with the current state of what it is about.
    pub fn with_current(self, current: Option<Current>) -> Self {
        Self { current, ..self }
    }
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self::because(code, code.message())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_read_back() {
        let mut seen = std::collections::HashSet::new();
        for &code in ErrorCode::ALL {
            assert!(seen.insert(code.as_str()));
            let json = serde_json::to_string(&code).unwrap();
            assert_eq!(json, format!("\"{code}\""));
            assert_eq!(serde_json::from_str::<ErrorCode>(&json).unwrap(), code);
        }
    }

    #[test]
    fn a_refusal_carries_what_it_is_about() {
        let current = |json: &str| Some(Current::from(RawValue::from_string(json.to_owned()).unwrap()));
        let refusal = Refusal::from(ErrorCode::VersionConflict).with_current(current(r#"{"version":2}"#));
        let json = serde_json::to_value(&refusal).unwrap();
        assert_eq!(json["current"]["version"], 2);
        assert_eq!(serde_json::from_value::<Refusal>(json).unwrap(), refusal);
        assert_ne!(refusal, refusal.clone().with_current(current(r#"{"version":3}"#)));
        assert_eq!(refusal.current.unwrap().get(), r#"{"version":2}"#);
    }

    #[test]
    fn the_documentation_holds_the_same_table() {
        let rows: String = ErrorCode::ALL
            .iter()
            .map(|code| {
                let again = if code.may_retry() { "yes" } else { "no" };
                format!("| `{code}` | {} | {again} | {} |\n", code.status().as_u16(), code.message())
            })
            .collect();
        let page =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/protocol.md")).unwrap();
        assert!(page.contains(&rows), "docs/protocol.md must hold this table:\n{rows}");
    }
}
