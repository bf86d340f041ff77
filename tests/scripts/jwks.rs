//! Keys that an identity provider publishes: one request for all, the last good set, and the log.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use redis::aio::MultiplexedConnection;
use rollcall_protocol::Keyspace;
use rollcall_rooms::token::{
    KeySet, TokenKeys,
    published::{
        FETCH_LIMIT_MS, Fetched, MIN_INTERVAL_MS, PAUSE_MS, PublishedKeys, Publisher, Shared, are_news,
    },
};
use rollcall_tests::redis_server::{RedisPort, RedisServer};

use crate::fixture::keyspace;

const SET: &str = "rollcall:{jwks}:set";
const ATTEMPT: &str = "rollcall:{jwks}:attempt";
const DAY_MS: i64 = 86_400_000;

/// A key set with one key of this id.
fn set_of(kid: &str) -> String {
    format!(
        r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"{kid}","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}]}}"#
    )
}

/// A token that names a key.
fn token_of(kid: &str) -> String {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    let header = format!(r#"{{"alg":"EdDSA","kid":"{kid}"}}"#);
    format!("{}.e30.AAAA", BASE64_URL_SAFE_NO_PAD.encode(header))
}

fn holds(keys: &Option<Rc<KeySet>>, kid: &str) -> bool {
    let keys = keys.iter().cloned().fold(TokenKeys::new("", "", 0), TokenKeys::with);
    !keys.lack_key_of(&token_of(kid))
}

/// An address that answers as the test says.
struct Address {
    answer: RefCell<Result<Fetched, String>>,
    requests: Cell<u32>,
    pauses: Cell<u64>,
    log: RefCell<Vec<String>>,
}

impl Address {
    fn publish(&self, text: String, cache_control: Option<&str>) {
        let cache_control = cache_control.map(str::to_owned);
        *self.answer.borrow_mut() = Ok(Fetched { text, cache_control });
    }

    fn fail(&self, reason: &str) {
        *self.answer.borrow_mut() = Err(reason.to_owned());
    }
}

impl Publisher for Address {
    async fn fetch(&self) -> Result<Fetched, String> {
        self.requests.set(self.requests.get() + 1);
        // Others get their turn while the request is on its way.
        tokio::task::yield_now().await;
        self.answer.borrow().clone()
    }

    async fn pause(&self) {
        self.pauses.set(self.pauses.get() + 1);
        tokio::task::yield_now().await;
    }

    fn log(&self, message: &str) {
        self.log.borrow_mut().push(message.to_owned());
    }
}

struct Provider {
    redis: MultiplexedConnection,
    address: Address,
    _server: RedisServer,
}

impl Provider {
    async fn start() -> Self {
        let server = RedisServer::start().await;
        let address = Address {
            answer: RefCell::new(Err("away".to_owned())),
            requests: Cell::default(),
            pauses: Cell::default(),
            log: RefCell::default(),
        };
        Self { redis: server.connection().await, address, _server: server }
    }

    fn shared(&self) -> Shared<RedisPort> {
        Shared::new(RedisPort(self.redis.clone()), Keyspace::default())
    }

    /// What a new instance of the app knows.
    async fn current(&self) -> Option<Rc<KeySet>> {
        PublishedKeys::new().current(&self.shared(), &self.address).await.unwrap()
    }

    async fn refresh(&self) -> Option<Rc<KeySet>> {
        PublishedKeys::new().refresh(&self.shared(), &self.address).await.unwrap()
    }

    async fn redis<T: redis::FromRedisValue>(&self, command: &[&str]) -> T {
        let mut redis = self.redis.clone();
        redis::cmd(command[0]).arg(&command[1..]).query_async(&mut redis).await.unwrap()
    }

    /// Lets the time pass after which the address may be asked again.
    async fn pass_interval(&self) {
        let _: i64 = self.redis(&["DEL", ATTEMPT]).await;
    }

    /// Lets the set become stale.
    async fn expire_set(&self) {
        let _: i64 = self.redis(&["PEXPIRE", SET, &(6 * DAY_MS).to_string()]).await;
    }
}

#[tokio::test]
async fn all_instances_share_one_request() {
    let provider = Provider::start().await;
    provider.address.publish(set_of("a"), None);
    let instances = (0..100).map(|_| provider.current());
    for keys in futures_util::future::join_all(instances).await {
        assert!(holds(&keys, "a"));
    }
    assert_eq!(provider.address.requests.get(), 1);
    let age: i64 = provider.redis(&["PTTL", SET]).await;
    assert!((7 * DAY_MS..=7 * DAY_MS + 300_000).contains(&age), "{age}");
}

#[tokio::test]
async fn deployments_with_different_prefixes_share_nothing() {
    let provider = Provider::start().await;
    provider.address.publish(set_of("a"), None);
    assert!(holds(&provider.current().await, "a"));
    provider.address.publish(set_of("b"), None);
    let staging = Shared::new(RedisPort(provider.redis.clone()), keyspace("staging", 3));
    let keys = PublishedKeys::new().current(&staging, &provider.address).await.unwrap();
    assert!(holds(&keys, "b"));
    assert!(are_news(&staging, &["line".to_owned()]).await.unwrap());
    assert!(are_news(&provider.shared(), &["line".to_owned()]).await.unwrap());
    let all: Vec<String> = provider.redis(&["KEYS", "*"]).await;
    let own = all.iter().filter(|key| key.starts_with("staging:3:{jwks}:")).count();
    let others = all.iter().filter(|key| key.starts_with("rollcall:{jwks}:")).count();
    assert_eq!((own, others), (3, 3), "{all:?}");
}

#[tokio::test]
async fn an_unknown_key_causes_at_most_one_request_in_the_interval() {
    let provider = Provider::start().await;
    provider.address.publish(set_of("a"), None);
    assert!(holds(&provider.current().await, "a"));
    provider.address.publish(set_of("b"), None);
    let strangers = (0..50).map(|_| provider.refresh());
    for keys in futures_util::future::join_all(strangers).await {
        assert!(!holds(&keys, "b"), "the address was asked a moment ago");
    }
    assert_eq!(provider.address.requests.get(), 1);
    let interval: u64 = provider.redis(&["PTTL", ATTEMPT]).await;
    assert!(interval <= MIN_INTERVAL_MS, "the end of a request does not prolong the interval");

    provider.pass_interval().await;
    let comers = (0..50).map(|_| provider.refresh());
    for keys in futures_util::future::join_all(comers).await {
        assert!(holds(&keys, "b") && !holds(&keys, "a"), "whoever comes second waits for the answer");
    }
    assert_eq!(provider.address.requests.get(), 2);
}

#[tokio::test]
async fn a_stale_set_is_replaced_and_meanwhile_used() {
    let provider = Provider::start().await;
    provider.address.publish(set_of("a"), Some("max-age=3600"));
    provider.current().await;
    provider.pass_interval().await;
    provider.address.publish(set_of("b"), None);
    assert!(holds(&provider.current().await, "a"), "the set is current");
    provider.expire_set().await;
    let _: String = provider.redis(&["SET", ATTEMPT, "fetching"]).await;
    assert!(holds(&provider.current().await, "a"), "another instance asks");
    assert_eq!(provider.address.pauses.get(), 0, "and nobody waits for it");
    provider.pass_interval().await;
    assert!(holds(&provider.current().await, "b"));
}

#[tokio::test]
async fn the_last_good_set_stays_and_equal_failures_are_logged_once() {
    let provider = Provider::start().await;
    let log = || provider.address.log.borrow().clone();
    assert!(provider.current().await.is_none(), "no set was ever published");
    assert_eq!(log(), ["jwks_address: away; the last key set stays in use"]);
    provider.pass_interval().await;
    provider.address.publish(set_of("a"), None);
    assert!(holds(&provider.refresh().await, "a"));
    assert_eq!(log()[1..], ["jwks_address publishes a usable key set again"]);
    for (reason, answer) in [
        ("away", None),
        ("the key set of jwks_address is not a JSON Web Key Set: Data error at line 0, column 0", Some("[]")),
        ("the key set of jwks_address holds no key", Some(r#"{"keys":[]}"#)),
        (
            "key 1 of the key set of jwks_address: a shared key must not be published",
            Some(r#"{"keys":[{"kty":"oct","alg":"HS256","k":"aHVudGVyMg"}]}"#),
        ),
    ] {
        let before = log().len();
        for _ in 0..3 {
            match answer {
                Some(text) => provider.address.publish(text.to_owned(), None),
                None => provider.address.fail(reason),
            }
            provider.pass_interval().await;
            provider.expire_set().await;
            assert!(holds(&provider.current().await, "a"), "{reason}");
        }
        assert_eq!(log()[before..], [format!("jwks_address: {reason}; the last key set stays in use")]);
        provider.address.publish(set_of("a"), None);
        provider.pass_interval().await;
        assert!(holds(&provider.refresh().await, "a"));
        assert_eq!(log()[before + 1..], ["jwks_address publishes a usable key set again"]);
    }
}

#[tokio::test]
async fn failures_that_take_turns_are_logged_once_each() {
    let provider = Provider::start().await;
    for reason in ["reset", "timeout", "reset", "timeout", "reset"] {
        provider.address.fail(reason);
        provider.pass_interval().await;
        assert!(provider.refresh().await.is_none());
    }
    let line = |reason| format!("jwks_address: {reason}; the last key set stays in use");
    assert_eq!(*provider.address.log.borrow(), ["reset", "timeout"].map(line));
}

#[tokio::test]
async fn keys_that_were_left_out_are_logged_once_for_each_set() {
    let provider = Provider::start().await;
    let mixed = set_of("a").replace("[", r#"[{"kty":"EC","crv":"P-384","kid":"big"},"#);
    for _ in 0..3 {
        provider.address.publish(mixed.clone(), None);
        provider.pass_interval().await;
        assert!(holds(&provider.refresh().await, "a"));
    }
    let expected =
        r#"unusable: key 1 ("big") of the key set of jwks_address: the curve P-384 is not supported"#;
    assert_eq!(*provider.address.log.borrow(), [expected]);
}

#[tokio::test]
async fn the_same_lines_are_news_once() {
    let provider = Provider::start().await;
    let (one, two) = (["key 1".to_owned()], ["key 1".to_owned(), "key 2".to_owned()]);
    for (lines, expected) in [(&one[..], true), (&one, false), (&two, true), (&two, false)] {
        assert_eq!(are_news(&provider.shared(), lines).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn an_instance_that_dies_during_its_request_holds_nobody_up_for_long() {
    let provider = Provider::start().await;
    let _: String = provider.redis(&["SET", ATTEMPT, "fetching", "PX", "60000"]).await;
    assert!(provider.refresh().await.is_none());
    assert_eq!(provider.address.pauses.get(), FETCH_LIMIT_MS / PAUSE_MS);
    assert_eq!(provider.address.requests.get(), 0);
}
