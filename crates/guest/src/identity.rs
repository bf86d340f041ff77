//! Verification of clients' tokens.

use std::{
    rc::Rc,
    time::{SystemTime, UNIX_EPOCH},
};

use rollcall_protocol::{ErrorCode, client::Identity};
use rollcall_rooms::{
    Error,
    settings::parse_setting,
    token::{
        KeySet, KeySource, TokenKeys,
        published::{PublishedKeys, Shared, are_news},
    },
};

use crate::{
    address::Address,
    instance::PerInstance,
    jwks::JwksAddress,
    log,
    redis::{self, TimeLimited},
    variables::{get, misconfigured},
};

thread_local! {
    static SOURCES: PerInstance<Sources> = const { PerInstance::new() };
    static PUBLISHED: Rc<PublishedKeys> = Rc::new(PublishedKeys::new());
}

/// Where the keys of tokens come from.
struct Sources {
    /// Holds the keys in the variables.
    configured: TokenKeys,
    published: Option<Published>,
}

struct Published {
    address: JwksAddress,
    shared: Shared<TimeLimited>,
}

/// Verifies a token with the keys in the component's variables and at the address in them.
pub async fn verify(token: &str) -> Result<Identity, Error> {
    let sources = PerInstance::get(&SOURCES, read_sources).await?;
    let Sources { configured, published } = &*sources;
    match published {
        None => Ok(configured.verify(token, now_s())?),
        Some(published) => published.verify(configured, token).await,
    }
}

/// Checks that the keys of some tokens are known.
pub async fn check() -> Result<(), Error> {
    let sources = PerInstance::get(&SOURCES, read_sources).await?;
    let Some(Published { address, shared }) = &sources.published else { return Ok(()) };
    let known = PUBLISHED.with(Rc::clone).current(shared, address).await?;
    if known.is_some() || !sources.configured.is_empty() {
        return Ok(());
    }
    Err(Error::Unavailable("jwks_address has not published a usable key set yet".to_owned()))
}

impl Published {
    /// A key that no known set holds may be new, so the address is asked again before the token is refused.
    async fn verify(&self, configured: &TokenKeys, token: &str) -> Result<Identity, Error> {
        let published = PUBLISHED.with(Rc::clone);
        let known = published.current(&self.shared, &self.address).await?;
        let keys = with_published(configured, known.clone());
        let outcome = keys.verify(token, now_s());
        if outcome.is_ok() || !keys.lack_key_of(token) {
            return finish(outcome, known.is_some());
        }
        let known = published.refresh(&self.shared, &self.address).await?;
        finish(with_published(configured, known.clone()).verify(token, now_s()), known.is_some())
    }
}

fn with_published(configured: &TokenKeys, published: Option<Rc<KeySet>>) -> TokenKeys {
    published.into_iter().fold(configured.clone(), TokenKeys::with)
}

/// Refuses a token for good only if the published keys are known. The failure of their address is logged elsewhere, once.
fn finish(
    outcome: Result<Identity, rollcall_protocol::Refusal>,
    are_keys_known: bool,
) -> Result<Identity, Error> {
    match outcome {
        Err(refusal) if refusal.code == ErrorCode::TokenInvalid && !are_keys_known => {
            Err(ErrorCode::Unavailable.into())
        }
        outcome => Ok(outcome?),
    }
}

async fn read_sources() -> Result<Sources, Error> {
    let leeway_s = parse_setting("jwt_leeway_s", &get("jwt_leeway_s").await?, 0..=3600)
        .map_err(|error| misconfigured(&error))?;
    let mut configured = TokenKeys::new(&get("jwt_issuer").await?, &get("jwt_audience").await?, leeway_s);
    let (key_set, path) = (get("jwt_keys").await?, get("jwks_path").await?);
    if !key_set.is_empty() || path.is_empty() {
        let set = KeySet::parse(&key_set, KeySource::Configured).map_err(|error| misconfigured(&error))?;
        log_unusable(set.unusable()).await?;
        configured = configured.with(Rc::new(set));
    }
    let published = if path.is_empty() { None } else { Some(read_published(&path).await?) };
    Ok(Sources { configured, published })
}

/// Names the configured keys that were left out. A failure of Redis must not keep their neighbors from being used.
async fn log_unusable(unusable: &[String]) -> Result<(), Error> {
    if !unusable.is_empty() && are_news(&redis::shared_keys().await?, unusable).await.unwrap_or(false) {
        unusable.iter().for_each(|unusable| log::error(format_args!("unusable: {unusable}")));
    }
    Ok(())
}

async fn read_published(path: &str) -> Result<Published, Error> {
    let (scheme, host) = (get("jwks_scheme").await?, get("jwks_address").await?);
    let address = Address::parse("jwks", &scheme, &host, path).map_err(|error| misconfigured(&error))?;
    Ok(Published { address: JwksAddress(address), shared: redis::shared_keys().await? })
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
