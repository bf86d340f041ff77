//! The query of a request.

use http::Uri;

/// The parameters of Engine.IO in a query. Clients add others, such as a random one against caches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Query<'a> {
    pub(super) version: &'a str,
    pub(super) transport: &'a str,
    /// The id of a session; `None` in a request for a new one.
    pub(super) id: Option<&'a str>,
}

impl<'a> Query<'a> {
    /// Reads a query. No value that a client has to send holds a character that is encoded in queries.
    pub(super) fn parse(uri: &'a Uri) -> Self {
        let mut query = Self::default();
        for (name, value) in
            uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='))
        {
            match name {
                "EIO" => query.version = value,
                "transport" => query.transport = value,
                "sid" if !value.is_empty() => query.id = Some(value),
                _ => {}
            }
        }
        query
    }
}

/// Whether a request names a session. A request that names none asks for a new session.
#[must_use]
pub fn names_session(uri: &Uri) -> bool {
    Query::parse(uri).id.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_is_read_whatever_else_is_in_it() {
        let uri = Uri::from_static("/socket.io/?t=x&EIO=4&transport=polling&sid=a-_Z9&b64=1&flag");
        assert_eq!(Query::parse(&uri), Query { version: "4", transport: "polling", id: Some("a-_Z9") });
    }

    #[test]
    fn requests_of_a_session_are_told_from_new_sessions() {
        let names_session = |uri: &'static str| names_session(&Uri::from_static(uri));
        assert!(names_session("/socket.io/?EIO=4&transport=polling&sid=x"));
        assert!(names_session("/socket.io?sid=x"));
        for uri in ["/socket.io/?EIO=4&transport=polling", "/socket.io/", "/socket.io/?sid="] {
            assert!(!names_session(uri), "{uri}");
        }
    }
}
