//! Keys that an identity provider publishes at an address.
//!
//! All instances of the app share one copy of the key set in Redis. Instances of components live for seconds, so a copy of
//! each instance's own would mean a request to the address for each instance. Redis also counts the requests: neither
//! many instances nor strangers with invented key ids cause more than one request in [`MIN_INTERVAL_MS`].

use std::{cell::RefCell, rc::Rc, time::Instant};

use rollcall_protocol::Keyspace;

use super::{KeySet, KeySource};
use crate::{
    Error,
    redis::{Redis, RedisError},
};

/// The shortest time between two requests to the address.
pub const MIN_INTERVAL_MS: u64 = 10_000;

/// How long a request to the address may take.
pub const FETCH_LIMIT_MS: u64 = 3000;

/// The largest key set, in bytes.
pub const MAX_SET_BYTES: usize = 256 * 1024;

/// How long a set counts as current if the response does not say.
const DEFAULT_MAX_AGE_S: u64 = 300;
const MIN_MAX_AGE_S: u64 = 60;
const MAX_MAX_AGE_S: u64 = 3600;

/// How long the last set stays in use while the address publishes no other.
const KEEP_MS: u64 = 7 * DAY_MS;

const DAY_MS: u64 = 86_400_000;

const MAX_LOGGED_FAILURES: usize = 16;

/// How long an instance uses a set before it reads the shared set again.
const RECHECK_MS: u128 = 1000;

/// How long a caller waits before it looks again for the result of another caller's request.
pub const PAUSE_MS: u64 = 50;

/// Holds all keys of this module in one slot of a cluster.
const SLOT: &str = "jwks";

const SET: &str = "set";
/// Expires [`MIN_INTERVAL_MS`] after a request began. Holds [`FETCHING`] until the request ended.
const ATTEMPT: &str = "attempt";
/// Hashes of the latest distinct failures since the last success. Each failure is logged once, although an address may
/// take turns with several.
const FAILURES: &str = "failures";
/// Before the hash of lines that were logged.
const LOGGED: &str = "logged";

const FETCHING: &str = "fetching";
const DONE: &str = "done";

/// The address that publishes the keys, and the clock and the log of the caller.
#[allow(async_fn_in_trait)]
pub trait Publisher {
    /// Requests the key set, within [`FETCH_LIMIT_MS`] and [`MAX_SET_BYTES`]. The error is for the log.
    async fn fetch(&self) -> Result<Fetched, String>;

    /// Waits for [`PAUSE_MS`].
    async fn pause(&self);

    /// Logs a line for operators.
    fn log(&self, message: &str);
}

/// A response of the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The body.
    pub text: String,
    /// The header `cache-control`.
    pub cache_control: Option<String>,
}

/// What the instances share in Redis.
pub struct Shared<R> {
    redis: R,
    keyspace: Keyspace,
}

impl<R: Redis> Shared<R> {
    /// What lies in this part of a Redis.
    pub fn new(redis: R, keyspace: Keyspace) -> Self {
        Self { redis, keyspace }
    }

    async fn get(&self, key: &str) -> Result<Option<String>, Error> {
        self.command("GET", key, &[]).await
    }

    /// Runs a command on a key. Returns none for nil, which some clients return as an empty text. A key that only the first
    /// caller may set would look like another caller's in a second run.
    async fn command(&self, name: &str, key: &str, rest: &[&str]) -> Result<Option<String>, Error> {
        let key = self.keyspace.key(SLOT, key);
        let arguments: Vec<&[u8]> =
            std::iter::once(key.as_str()).chain(rest.iter().copied()).map(str::as_bytes).collect();
        let reply = if rest.contains(&"NX") {
            self.redis.command_once(name, &arguments).await
        } else {
            self.redis.command(name, &arguments).await
        };
        let reply = reply.map_err(|error: RedisError| {
            Error::Unavailable(format!("jwks_address: the shared key set: {name}: {error}"))
        })?;
        let first = reply.into_iter().next().filter(|text| !text.is_empty());
        Ok(first.and_then(|text| String::from_utf8(text).ok()))
    }
}

/// The published keys, as an instance knows them.
#[derive(Default)]
pub struct PublishedKeys(RefCell<Option<LocalCopy>>);

#[derive(Clone)]
struct LocalCopy {
    text: Rc<str>,
    keys: Rc<KeySet>,
    read_at: Instant,
}

impl PublishedKeys {
    /// No copy yet.
    pub const fn new() -> Self {
        Self(RefCell::new(None))
    }

    /// Returns the keys, and requests them if the shared set is missing or stale. Returns none while the address has
    /// never published a set.
    pub async fn current(
        &self,
        shared: &Shared<impl Redis>,
        publisher: &impl Publisher,
    ) -> Result<Option<Rc<KeySet>>, Error> {
        let copy = self.0.borrow().clone();
        if let Some(copy) = copy.filter(|copy| copy.read_at.elapsed().as_millis() < RECHECK_MS) {
            return Ok(Some(copy.keys));
        }
        match self.read(shared).await? {
            None => self.refresh(shared, publisher).await,
            Some(keys) if is_current(shared).await? => Ok(Some(keys)),
            Some(keys) => {
                // Whoever does not get to request the set uses the stale set meanwhile.
                let is_replaced = try_refresh(shared, publisher).await? == Attempt::Made;
                Ok(if is_replaced { self.read(shared).await? } else { Some(keys) })
            }
        }
    }

    /// Returns the keys after a request to the address, or after one that was made a short time ago.
    pub async fn refresh(
        &self,
        shared: &Shared<impl Redis>,
        publisher: &impl Publisher,
    ) -> Result<Option<Rc<KeySet>>, Error> {
        if try_refresh(shared, publisher).await? == Attempt::MadeByAnother {
            wait_for_another(shared, publisher).await?;
        }
        self.read(shared).await
    }

    /// Reads the shared set.
    async fn read(&self, shared: &Shared<impl Redis>) -> Result<Option<Rc<KeySet>>, Error> {
        let Some(text) = shared.get(SET).await? else { return Ok(None) };
        let known = self.0.borrow().as_ref().filter(|copy| *copy.text == *text).map(|copy| copy.keys.clone());
        let keys = match known {
            Some(keys) => keys,
            // Only usable sets are shared, but another version of the app may have shared this one.
            None => match KeySet::parse(&text, KeySource::Published) {
                Ok(keys) => Rc::new(keys),
                Err(_) => return Ok(None),
            },
        };
        let copy = LocalCopy { text: text.into(), keys: Rc::clone(&keys), read_at: Instant::now() };
        self.0.replace(Some(copy));
        Ok(Some(keys))
    }
}

/// Whether no instance has logged these lines within the last day. An instance lives for seconds, so a line of each would
/// flood the log.
pub async fn are_news(shared: &Shared<impl Redis>, lines: &[String]) -> Result<bool, Error> {
    let hash = sha1_smol::Sha1::from(lines.join("\n")).digest();
    let expiry = DAY_MS.to_string();
    let taken = shared.command("SET", &format!("{LOGGED}:{hash}"), &[DONE, "NX", "PX", &expiry]).await?;
    Ok(taken.is_some())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    Made,
    MadeByAnother,
}

/// Requests the set and shares it, unless a request was made a short time ago.
async fn try_refresh(shared: &Shared<impl Redis>, publisher: &impl Publisher) -> Result<Attempt, Error> {
    let interval = MIN_INTERVAL_MS.to_string();
    let taken = shared.command("SET", ATTEMPT, &[FETCHING, "NX", "PX", &interval]).await?;
    if taken.is_none() {
        return Ok(Attempt::MadeByAnother);
    }
    let outcome = match publisher.fetch().await {
        Ok(fetched) => share(shared, publisher, fetched).await?,
        Err(reason) => Err(reason),
    };
    report(shared, publisher, outcome).await?;
    shared.command("SET", ATTEMPT, &[DONE, "XX", "KEEPTTL"]).await?;
    Ok(Attempt::Made)
}

/// Shares a usable set. The inner error says why the set is not usable.
async fn share(
    shared: &Shared<impl Redis>,
    publisher: &impl Publisher,
    Fetched { text, cache_control }: Fetched,
) -> Result<Result<(), String>, Error> {
    let set = match KeySet::parse(&text, KeySource::Published) {
        Ok(set) => set,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let ttl_ms = KEEP_MS + max_age_s(cache_control.as_deref()) * 1000;
    let previous = shared.get(SET).await?;
    shared.command("SET", SET, &[&text, "PX", &ttl_ms.to_string()]).await?;
    if previous.as_deref() != Some(text.as_str()) {
        set.unusable().iter().for_each(|unusable| publisher.log(&format!("unusable: {unusable}")));
    }
    Ok(Ok(()))
}

/// Logs each distinct failure once, and the end of failures.
async fn report(
    shared: &Shared<impl Redis>,
    publisher: &impl Publisher,
    outcome: Result<(), String>,
) -> Result<(), Error> {
    match outcome {
        Ok(()) => {
            if shared.command("DEL", FAILURES, &[]).await?.as_deref() == Some("1") {
                publisher.log("jwks_address publishes a usable key set again");
            }
        }
        Err(reason) => {
            let is_news = remember_failure(shared, &reason).await?;
            if is_news {
                publisher.log(&format!("jwks_address: {reason}; the last key set stays in use"));
            }
        }
    }
    Ok(())
}

/// Returns whether this failure is not among the latest since the last success.
async fn remember_failure(shared: &Shared<impl Redis>, reason: &str) -> Result<bool, Error> {
    let hash = sha1_smol::Sha1::from(reason).digest().to_string();
    let known = shared.get(FAILURES).await?.unwrap_or_default();
    let others = || known.split_ascii_whitespace().filter(|failure| *failure != hash);
    let latest: Vec<_> = std::iter::once(hash.as_str()).chain(others()).take(MAX_LOGGED_FAILURES).collect();
    shared.command("SET", FAILURES, &[&latest.join(" "), "PX", &KEEP_MS.to_string()]).await?;
    Ok(others().count() == known.split_ascii_whitespace().count())
}

async fn wait_for_another(shared: &Shared<impl Redis>, publisher: &impl Publisher) -> Result<(), Error> {
    for _ in 0..FETCH_LIMIT_MS / PAUSE_MS {
        if shared.get(ATTEMPT).await?.as_deref() != Some(FETCHING) {
            break;
        }
        publisher.pause().await;
    }
    Ok(())
}

async fn is_current(shared: &Shared<impl Redis>) -> Result<bool, Error> {
    let ttl_ms = shared.command("PTTL", SET, &[]).await?.and_then(|ttl| ttl.parse::<i64>().ok());
    Ok(ttl_ms.and_then(|ttl| u64::try_from(ttl).ok()).is_some_and(|ttl| ttl > KEEP_MS))
}

/// How long a response may be used (RFC 9111), within bounds: no response makes the app request the set all the time, or
/// miss the removal of a key for long.
fn max_age_s(cache_control: Option<&str>) -> u64 {
    let directives = || cache_control.unwrap_or_default().split(',').map(str::trim);
    if directives().any(|name| name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache"))
    {
        return MIN_MAX_AGE_S;
    }
    let max_age = directives().find_map(|directive| {
        let (name, value) = directive.split_once('=')?;
        name.trim().eq_ignore_ascii_case("max-age").then(|| value.trim().trim_matches('"').parse().ok())?
    });
    max_age.unwrap_or(DEFAULT_MAX_AGE_S).clamp(MIN_MAX_AGE_S, MAX_MAX_AGE_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_of_a_response_stays_within_bounds() {
        for (header, expected) in [
            (None, 300),
            (Some(""), 300),
            (Some("public, max-age=600, must-revalidate"), 600),
            (Some("Max-Age = \"600\""), 600),
            (Some("max-age=0"), 60),
            (Some("max-age=31536000"), 3600),
            (Some("max-age=99999999999999999999"), 300),
            (Some("max-age=-1"), 300),
            (Some("s-maxage=7200"), 300),
            (Some("no-cache, max-age=600"), 60),
            (Some("no-store"), 60),
        ] {
            assert_eq!(max_age_s(header), expected, "{header:?}");
        }
    }
}
