//! The version of the protocol between clients and bridges.

use crate::{ErrorCode, Refusal};

/// The version. Rises with each change that breaks clients, and with no other; `docs/protocol.md` has the rule.
pub const VERSION: u32 = 1;

/// The sub-protocol of WebSockets that speak this version.
pub const SUB_PROTOCOL: &str = "rollcall.v1";

/// Sub-protocols of all versions begin like this.
const SUB_PROTOCOL_PREFIX: &str = "rollcall.v";

/// Checks the version that a client asks for. A client that asks for none takes what it gets.
///
/// # Errors
///
/// `UNSUPPORTED_VERSION`.
pub fn check(version: Option<u32>) -> Result<(), Refusal> {
    match version {
        Some(version) if version != VERSION => {
            let message = format!("this server speaks version {VERSION} of the protocol, and not {version}");
            Err(Refusal::because(ErrorCode::UnsupportedVersion, message))
        }
        _ => Ok(()),
    }
}

/// Chooses the sub-protocol of a version among those that a client offers: that of this version, else one of another.
/// A browser shows its page why the server closes a WebSocket only if the server has chosen a sub-protocol.
pub fn choose_sub_protocol<'a>(offered: &[&'a str]) -> Option<&'a str> {
    let ours = offered.iter().find(|name| **name == SUB_PROTOCOL);
    ours.or_else(|| offered.iter().find(|name| name.starts_with(SUB_PROTOCOL_PREFIX))).copied()
}

/// The version of a sub-protocol; 0 of one that names no number.
pub fn of_sub_protocol(name: &str) -> u32 {
    name.strip_prefix(SUB_PROTOCOL_PREFIX).and_then(|version| version.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sub_protocol_names_the_version() {
        assert_eq!(of_sub_protocol(SUB_PROTOCOL), VERSION);
        assert_eq!(
            [of_sub_protocol("rollcall.v12"), of_sub_protocol("rollcall.vx"), of_sub_protocol("x")],
            [12, 0, 0]
        );
    }

    #[test]
    fn this_version_is_chosen_before_others() {
        let choose = |offered: &[&'static str]| choose_sub_protocol(offered);
        assert_eq!(choose(&["rollcall.v2", "bearer.x", "rollcall.v1"]), Some("rollcall.v1"));
        assert_eq!(choose(&["rollcall.v1", "rollcall.v2"]), Some("rollcall.v1"));
        assert_eq!(choose(&["bearer.x", "rollcall.v9", "rollcall.v8"]), Some("rollcall.v9"));
        assert_eq!(choose(&["bearer.x"]), None);
    }

    #[test]
    fn a_client_gets_the_version_that_it_asks_for_or_an_error() {
        assert!(check(None).is_ok() && check(Some(VERSION)).is_ok());
        let refusal = check(Some(9)).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::UnsupportedVersion);
        assert!(refusal.message.contains("version 1") && refusal.message.contains("not 9"), "{refusal}");
    }
}
