//! Why a bridge closes a socket: one list for WebSocket close codes, for what clients are told, and for metrics.

use crate::{ErrorCode, Refusal};

/// A WebSocket close code, for the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloseCode {
    /// The code.
    pub code: u16,
    /// The reason in the close frame, or what it is, in Markdown.
    pub reason: &'static str,
    /// What has happened, and what a client does then.
    pub meaning: &'static str,
}

/// The close codes that a bridge sends, as the table in `docs/protocol.md` lists them.
pub const CLOSE_CODES: &[CloseCode] = &[
    CloseCode { code: 1001, reason: "`shutting down`", meaning: "the bridge stops. Connect again" },
    CloseCode { code: 1009, reason: "`PAYLOAD_TOO_LARGE`", meaning: "a frame was larger than allowed" },
    CloseCode {
        code: 4401,
        reason: "an error code",
        meaning: "the token was refused or has expired. Connect again with a new token",
    },
    CloseCode {
        code: 4406,
        reason: "`UNSUPPORTED_VERSION`",
        meaning: "the server does not speak the version of the protocol that the client asks for",
    },
    CloseCode {
        code: 4408,
        reason: "`no answer to a ping`",
        meaning: "the client did not answer a ping in time. Connect again",
    },
    CloseCode {
        code: 4409,
        reason: "an error code",
        meaning: "the bridge was cut off, the app counted the connection as lost, and the room does not let the member in again",
    },
    CloseCode {
        code: 4410,
        reason: "the event",
        meaning: "the room is over (`room:ended`), another connection took the place (`room:replaced`), or the user was removed (`room:removed`)",
    },
    CloseCode {
        code: 4420,
        reason: "`too slow`",
        meaning: "the client did not read its messages. Connect again",
    },
    CloseCode {
        code: 4429,
        reason: "`RATE_LIMITED`, `TOO_MANY_SOCKETS`",
        meaning: "the client sends faster than allowed, or the user holds the maximum of connections",
    },
    CloseCode {
        code: 4503,
        reason: "`UNAVAILABLE`, `OVERLOADED`",
        meaning: "at the moment the token cannot be checked, or the room cannot be entered again. Connect again later",
    },
];

/// Why a socket was closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloseReason {
    /// The client closed the socket, or its connection was lost.
    Gone,
    /// The bridge stops; the client should connect again.
    ShuttingDown,
    /// A message was larger than allowed.
    PayloadTooLarge,
    /// The handshake was refused.
    Refused(Refusal),
    /// The token expired; the client should connect again with a new one.
    TokenExpired,
    /// The client did not answer a ping in time.
    PingTimeout,
    /// The app had taken the connection for lost, and refuses to let the member in again.
    RejoinRefused(Refusal),
    /// An event that closes its socket was delivered: the room is over, another connection took the place, or the
    /// member was removed. Holds the event's name.
    RoomClosed(String),
    /// The client does not read fast enough.
    TooSlow,
    /// The client keeps sending faster than allowed.
    RateLimited,
}

impl CloseReason {
    /// The labels of all reasons for which a session ends.
    pub const LABELS: &[&str] =
        &["gone", "room_closed", "token_expired", "too_slow", "too_fast", "not_let_in", "shutting_down"];

    /// The label in metrics. A session of which the socket went away is `gone`, whoever closed the socket.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Gone | Self::PayloadTooLarge | Self::Refused(_) | Self::PingTimeout => "gone",
            Self::ShuttingDown => "shutting_down",
            Self::TokenExpired => "token_expired",
            Self::RejoinRefused(_) => "not_let_in",
            Self::RoomClosed(_) => "room_closed",
            Self::TooSlow => "too_slow",
            Self::RateLimited => "too_fast",
        }
    }

    /// The WebSocket close code, as `docs/protocol.md` lists them. 1006 is never sent: a client sees that code where a
    /// connection ended without a close frame.
    pub fn code(&self) -> u16 {
        match self {
            Self::Gone => 1006,
            Self::ShuttingDown => 1001,
            Self::PayloadTooLarge => 1009,
            Self::Refused(refusal) => match refusal.code {
                ErrorCode::TooManySockets => 4429,
                ErrorCode::UnsupportedVersion => 4406,
                code if code.may_retry() => 4503,
                _ => 4401,
            },
            Self::TokenExpired => 4401,
            Self::PingTimeout => 4408,
            Self::RejoinRefused(_) if self.may_reconnect() => 4503,
            Self::RejoinRefused(_) => 4409,
            Self::RoomClosed(_) => 4410,
            Self::TooSlow => 4420,
            Self::RateLimited => 4429,
        }
    }

    /// The reason in close frames and logs.
    pub fn reason(&self) -> &str {
        match self {
            Self::Gone => "gone",
            Self::ShuttingDown => "shutting down",
            Self::PayloadTooLarge => ErrorCode::PayloadTooLarge.as_str(),
            Self::Refused(refusal) | Self::RejoinRefused(refusal) => refusal.code.as_str(),
            Self::TokenExpired => ErrorCode::TokenExpired.as_str(),
            Self::PingTimeout => "no answer to a ping",
            Self::RoomClosed(event) => event,
            Self::TooSlow => "too slow",
            Self::RateLimited => ErrorCode::RateLimited.as_str(),
        }
    }

    /// Whether a client may connect again by itself, without a new token and without asking its user.
    pub fn may_reconnect(&self) -> bool {
        match self {
            Self::Gone | Self::ShuttingDown | Self::PingTimeout | Self::TooSlow => true,
            Self::Refused(refusal) => refusal.code.may_retry(),
            Self::RejoinRefused(refusal) => {
                matches!(refusal.code, ErrorCode::Unavailable | ErrorCode::Overloaded)
            }
            Self::PayloadTooLarge | Self::TokenExpired | Self::RoomClosed(_) | Self::RateLimited => false,
        }
    }

    /// The error that a client gets before the close where the close itself carries no reason, as over Socket.IO.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::TokenExpired => Some(ErrorCode::TokenExpired.into()),
            Self::RateLimited => Some(ErrorCode::RateLimited.into()),
            Self::PayloadTooLarge => Some(ErrorCode::PayloadTooLarge.into()),
            Self::Refused(refusal) | Self::RejoinRefused(refusal) => Some(refusal.clone()),
            Self::Gone | Self::ShuttingDown | Self::PingTimeout | Self::RoomClosed(_) | Self::TooSlow => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<CloseReason> {
        let refused = |code: ErrorCode| CloseReason::Refused(code.into());
        let rejoin_refused = |code: ErrorCode| CloseReason::RejoinRefused(code.into());
        vec![
            CloseReason::ShuttingDown,
            CloseReason::PayloadTooLarge,
            refused(ErrorCode::TokenInvalid),
            CloseReason::TokenExpired,
            refused(ErrorCode::UnsupportedVersion),
            CloseReason::PingTimeout,
            rejoin_refused(ErrorCode::NotAMember),
            CloseReason::RoomClosed("room:ended".to_owned()),
            CloseReason::TooSlow,
            CloseReason::RateLimited,
            refused(ErrorCode::TooManySockets),
            refused(ErrorCode::Unavailable),
            rejoin_refused(ErrorCode::Overloaded),
        ]
    }

    #[test]
    fn a_client_may_reconnect_where_a_rejoin_was_refused_for_the_moment() {
        let may_reconnect = |code: ErrorCode| CloseReason::RejoinRefused(code.into()).may_reconnect();
        assert!(may_reconnect(ErrorCode::Unavailable) && may_reconnect(ErrorCode::Overloaded));
        assert!(!may_reconnect(ErrorCode::NotAMember) && !may_reconnect(ErrorCode::RoomFull));
    }

    #[test]
    fn the_code_tells_what_a_client_should_do() {
        let refused = |code: ErrorCode| CloseReason::Refused(code.into()).code();
        assert_eq!(refused(ErrorCode::TokenInvalid), 4401, "get a new token");
        assert_eq!(refused(ErrorCode::Unavailable), 4503, "come back later");
        assert_eq!(refused(ErrorCode::TooManySockets), 4429, "close another connection");
        let rejoin_refused = |code: ErrorCode| CloseReason::RejoinRefused(code.into()).code();
        assert_eq!(rejoin_refused(ErrorCode::Overloaded), 4503);
        assert_eq!(rejoin_refused(ErrorCode::NotAMember), 4409);
    }

    #[test]
    fn the_reason_and_the_refusal_name_the_same_code() {
        for reason in all() {
            if let Some(refusal) = reason.refusal() {
                assert_eq!(reason.reason(), refusal.code.as_str(), "{reason:?}");
            }
        }
        let without: Vec<_> = all().into_iter().filter(|reason| reason.refusal().is_none()).collect();
        let reasons: Vec<_> = without.iter().map(CloseReason::reason).collect();
        assert_eq!(reasons, ["shutting down", "no answer to a ping", "room:ended", "too slow"]);
    }

    #[test]
    fn every_label_is_listed() {
        for reason in all() {
            assert!(CloseReason::LABELS.contains(&reason.label()), "{reason:?}");
        }
    }

    #[test]
    fn the_documentation_lists_exactly_the_codes_that_are_sent() {
        let mut sent: Vec<u16> = all().iter().map(CloseReason::code).collect();
        sent.sort_unstable();
        sent.dedup();
        assert_eq!(CLOSE_CODES.iter().map(|row| row.code).collect::<Vec<_>>(), sent);
        let row =
            |CloseCode { code, reason, meaning }: &CloseCode| format!("| {code} | {reason} | {meaning} |\n");
        let rows: String = CLOSE_CODES.iter().map(row).collect();
        let page =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/protocol.md")).unwrap();
        assert!(page.contains(&rows), "docs/protocol.md must hold this table:\n{rows}");
    }
}
