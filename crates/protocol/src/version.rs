//! The version of the protocol between clients and bridges.

/// The version. Rises with each change that breaks clients, and with no other; `docs/protocol.md` has the rule.
pub const VERSION: u32 = 1;

/// The sub-protocol of WebSockets that speak this version.
pub const SUB_PROTOCOL: &str = "rollcall.v1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sub_protocol_names_the_version() {
        assert_eq!(SUB_PROTOCOL, format!("rollcall.v{VERSION}"));
    }
}
