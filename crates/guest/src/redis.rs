//! Spin's Redis interface as the Redis port of `rollcall-rooms`.

use std::{rc::Rc, time::Duration};
#[cfg(not(feature = "http"))]
use std::{task::Poll, time::Instant};

use rollcall_rooms::{
    Error, Rooms,
    redis::{
        RedisError,
        client::{Client, Network, PAUSE_MS},
    },
};
#[cfg(feature = "http")]
use rollcall_rooms::{redis::Redis, token::published};
use spin_sdk::redis::{self, Connection, RedisParameter, RedisResult};

use crate::{instance::PerInstance, variables};

thread_local! {
    /// The instance's only client. The instance keeps the connections of the client, because opening one costs a TCP
    /// connection and a handshake, and calls on one connection pipeline.
    static CLIENT: PerInstance<Client<SpinNetwork>> = const { PerInstance::new() };

    static ROOMS: PerInstance<Rooms<Rc<Client<SpinNetwork>>>> = const { PerInstance::new() };
}

/// The rooms in the Redis of the component's variables.
pub async fn rooms() -> Result<Rc<Rooms<Rc<Client<SpinNetwork>>>>, Error> {
    PerInstance::get(&ROOMS, async || Rooms::new(client().await?, &variables::settings().await?)).await
}

/// Checks the variables of the rooms, and that Redis lets the app do all its work.
pub async fn check() -> Result<(), Error> {
    rooms().await?.check().await
}

/// What the instances share about published keys, in the same Redis. Each command is within the component's time limit.
#[cfg(feature = "http")]
pub(crate) async fn shared_keys() -> Result<published::Shared<TimeLimited>, Error> {
    Ok(published::Shared::new(TimeLimited(client().await?), (*variables::keyspace().await?).clone()))
}

async fn client() -> Result<Rc<Client<SpinNetwork>>, Error> {
    PerInstance::get(&CLIENT, async || {
        Ok(Client::new(SpinNetwork { url: variables::get("redis_url").await? }))
    })
    .await
}

/// Whether the instance has a connection.
#[cfg(feature = "http")]
pub(crate) fn is_connected() -> bool {
    PerInstance::kept(&CLIENT).is_some_and(|client| client.is_connected())
}

/// Drops the connections, which may be broken. The next call opens new ones.
pub(crate) fn forget_connections() {
    if let Some(client) = PerInstance::kept(&CLIENT) {
        client.disconnect();
    }
}

/// Servers, through Spin's interface.
pub struct SpinNetwork {
    url: String,
}

impl Network for SpinNetwork {
    type Connection = Connection;

    async fn connect(&self, node: Option<&str>) -> Result<Connection, RedisError> {
        let url = node.map_or_else(|| self.url.clone(), |node| at_address(&self.url, node));
        Connection::open(url).await.map_err(|error| match error {
            // The URL holds the password and must not appear in the message.
            redis::Error::InvalidAddress => RedisError::Unreachable(match node {
                Some(node) => format!("{node} is not allowed or cannot be reached"),
                None => "redis_url is not allowed or cannot be reached".to_owned(),
            }),
            error => RedisError::Unreachable(format!("cannot connect: {error}")),
        })
    }

    async fn execute(
        &self,
        connection: &Connection,
        name: &str,
        arguments: &[&[u8]],
    ) -> Result<Vec<Vec<u8>>, RedisError> {
        let parameters: Vec<_> =
            arguments.iter().map(|&bytes| RedisParameter::Binary(bytes.to_vec())).collect();
        match connection.execute(name, parameters).await {
            Ok(reply) => Ok(reply.into_iter().map(bytes).collect()),
            Err(redis::Error::Other(text)) => Err(read_error(&text)),
            Err(error) => Err(RedisError::Failed(error.to_string())),
        }
    }

    #[cfg(feature = "http")]
    async fn pause(&self) {
        spin_sdk::time::sleep(PAUSE).await;
    }

    /// Polls, because a component on a schedule has no clock that wakes it.
    #[cfg(not(feature = "http"))]
    async fn pause(&self) {
        let start = Instant::now();
        std::future::poll_fn(|cx| {
            if start.elapsed() >= PAUSE {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

const PAUSE: Duration = Duration::from_millis(PAUSE_MS);

/// How Spin begins an error that is a reply with a code which its client knows. The client's own word for the code follows.
const SIGNALLED: &str = "An error was signalled by the server - ";

/// Reads an error as Spin words it: a reply begins with its code, or with [`SIGNALLED`]; anything else comes from a broken
/// connection.
fn read_error(error: &str) -> RedisError {
    let (is_reply, words) = match error.strip_prefix(SIGNALLED) {
        Some(words) => (true, words),
        None => (false, error),
    };
    let (code, text) = words.split_once(": ").unwrap_or((words, ""));
    let code = match code {
        "NoScriptError" => "NOSCRIPT",
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
fn at_address(url: &str, node: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("redis", url));
    // Percent-encoded, neither credentials nor addresses hold these separators.
    let (credentials, rest) = rest.rsplit_once('@').map_or(("", rest), |(before, rest)| (before, rest));
    let separator = if credentials.is_empty() { "" } else { "@" };
    let path = rest.split_once('/').map_or("", |(_, path)| path);
    format!("{scheme}://{credentials}{separator}{node}/{path}")
}

/// Redis, with a time limit for each command.
#[cfg(feature = "http")]
pub(crate) struct TimeLimited(Rc<Client<SpinNetwork>>);

#[cfg(feature = "http")]
impl Redis for TimeLimited {
    async fn command(&self, name: &str, arguments: &[&[u8]]) -> Result<Vec<Vec<u8>>, RedisError> {
        limit(self.0.command(name, arguments)).await
    }

    async fn command_once(&self, name: &str, arguments: &[&[u8]]) -> Result<Vec<Vec<u8>>, RedisError> {
        limit(self.0.command_once(name, arguments)).await
    }
}

#[cfg(feature = "http")]
async fn limit<T>(work: impl Future<Output = Result<T, RedisError>>) -> Result<T, RedisError> {
    let work = async { work.await.map_err(|error| Error::Unavailable(error.to_string())) };
    crate::events::within_time_limit(work).await.map_err(|error| RedisError::Failed(error.to_string()))
}

fn bytes(result: RedisResult) -> Vec<u8> {
    match result {
        RedisResult::Nil => Vec::new(),
        RedisResult::Status(text) => text.into_bytes(),
        RedisResult::Int64(number) => number.to_string().into_bytes(),
        RedisResult::Binary(bytes) => bytes,
    }
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
