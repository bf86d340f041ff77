//! What Spin's Redis interface says in text.

use rollcall_rooms::redis::RedisError;

/// How Spin begins an error that is a reply with a code which its client knows. The client's own word for the code follows.
const SIGNALLED: &str = "An error was signalled by the server - ";

/// Reads an error as Spin words it: a reply begins with its code, or with [`SIGNALLED`]; anything else comes from a broken
/// connection.
pub(crate) fn read_error(error: &str) -> RedisError {
    // Versions of Spin put these words in different places.
    if error.contains("NoScriptError") || error.contains("NOSCRIPT") {
        return RedisError::NoScript;
    }
    let (is_reply, words) = match error.strip_prefix(SIGNALLED) {
        Some(words) => (true, words),
        None => (false, error),
    };
    let (code, text) = words.split_once(": ").unwrap_or((words, ""));
    let code = match code {
        "Moved" => "MOVED",
        "Ask" => "ASK",
        "TryAgain" => "TRYAGAIN",
        "ClusterDown" => "CLUSTERDOWN",
        "ReadOnly" => "READONLY",
        "BusyLoadingError" => "LOADING",
        "MasterDown" => "MASTERDOWN",
        code => code,
    };
    let is_code = !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_uppercase());
    match RedisError::of_reply(code, text) {
        RedisError::Refused(_) if is_reply || is_code => RedisError::Refused(error.to_owned()),
        RedisError::Refused(_) => RedisError::Failed(error.to_owned()),
        error => error,
    }
}

/// Puts the address of a node into a URL.
pub(crate) fn at_address(url: &str, node: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("redis", url));
    // Percent-encoded, neither credentials nor addresses hold these separators.
    let (credentials, rest) = rest.rsplit_once('@').map_or(("", rest), |(before, rest)| (before, rest));
    let separator = if credentials.is_empty() { "" } else { "@" };
    let path = rest.split_once('/').map_or("", |(_, path)| path);
    format!("{scheme}://{credentials}{separator}{node}/{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_differ_from_broken_connections() {
        for reply in [
            "An error was signalled by the server - ResponseError: NOPERM x",
            "NOPERM: the Redis user lacks the right",
            "CROSSSLOT: Keys in request don't hash to the same slot",
            "OOM",
        ] {
            assert_eq!(read_error(reply), RedisError::Refused(reply.to_owned()));
        }
        for broken in
            ["broken pipe", "Broken pipe (os error 32)", "unexpected end of file", "", "Connection reset: x"]
        {
            assert_eq!(read_error(broken), RedisError::Failed(broken.to_owned()));
        }
    }

    #[test]
    fn replies_that_ask_for_another_attempt_are_known_by_the_words_of_spin() {
        let reply = |words: &str| read_error(&format!("{SIGNALLED}{words}"));
        assert_eq!(reply("NoScriptError: No matching script."), RedisError::NoScript);
        assert_eq!(read_error("NOSCRIPT: No matching script."), RedisError::NoScript);
        assert_eq!(reply("Moved: 3999 10.0.0.7:6381"), RedisError::Moved("10.0.0.7:6381".to_owned()));
        for words in ["ReadOnly: You can't write against a read only replica.", "BusyLoadingError: x"] {
            assert!(matches!(reply(words), RedisError::NotPrimary(_)), "{words}");
        }
        for words in ["Ask: 3999 10.0.0.7:6381", "TryAgain: x", "ClusterDown: Hash slot not served"] {
            assert!(matches!(reply(words), RedisError::NotYet(_)), "{words}");
        }
        assert!(matches!(read_error("READONLY: x"), RedisError::NotPrimary(_)));
    }

    #[test]
    fn a_node_is_reached_with_the_scheme_the_credentials_and_the_database_of_the_url() {
        for (url, expected) in [
            ("redis://127.0.0.1:6379/0", "redis://10.0.0.7:6381/0"),
            ("rediss://kim:p%40ss@cache:6380/3", "rediss://kim:p%40ss@10.0.0.7:6381/3"),
            ("redis://:secret@cache:6379/", "redis://:secret@10.0.0.7:6381/"),
        ] {
            assert_eq!(at_address(url, "10.0.0.7:6381"), expected);
        }
    }
}
