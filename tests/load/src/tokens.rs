//! The secrets of a run, and the tokens of clients.

use anyhow::{Result, anyhow};
use jwt_simple::{
    prelude::{Claims, Duration, HS256Key, MACLike},
    reexports::ct_codecs::{Base64, Base64UrlSafeNoPadding, Encoder},
};
use serde_json::json;

/// Longer than any run.
const VALIDITY_HOURS: u64 = 48;

/// The secrets of one run.
pub struct Secrets {
    /// Signs the calls of bridges.
    pub bridge_secret: String,
    /// Authorizes calls of the operators' API.
    pub operator_token: String,
    /// The key set with which the app verifies tokens of clients.
    pub jwt_keys: String,
    key: HS256Key,
}

impl Secrets {
    /// Generates new secrets.
    pub fn make() -> Result<Self> {
        let key = random()?;
        let text = Base64UrlSafeNoPadding::encode_to_string(key)?;
        Ok(Self {
            bridge_secret: format!("whsec_{}", Base64::encode_to_string(random()?)?),
            operator_token: Base64UrlSafeNoPadding::encode_to_string(random()?)?,
            jwt_keys: json!({"keys": [{"kty": "oct", "alg": "HS256", "k": text}]}).to_string(),
            key: HS256Key::from_bytes(&key),
        })
    }

    /// Signs a token for a user.
    pub fn token_for(&self, user: &str) -> Result<String> {
        let profile = json!({"name": format!("Name of {user}")});
        let claims = Claims::with_custom_claims(profile, Duration::from_hours(VALIDITY_HOURS));
        self.key.authenticate(claims.with_subject(user))
    }
}

fn random() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| anyhow!("no random bytes: {error}"))?;
    Ok(bytes)
}
