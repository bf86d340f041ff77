//! The key that signs a token.

use anyhow::{Context, bail};
use jwt_simple::{
    prelude::{HS256Key, HS384Key, HS512Key, JWTClaims, MACLike},
    reexports::ct_codecs::{Base64UrlSafeNoPadding, Decoder},
};
use serde::Deserialize;

use super::claims::Claims;

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Key>,
}

/// A JSON Web Key, with the fields that a shared key has.
#[derive(Deserialize)]
pub(super) struct Key {
    kty: String,
    alg: Option<String>,
    kid: Option<String>,
    k: Option<String>,
}

/// Selects the shared key with this id, or the first shared key, from a JSON Web Key Set.
pub(super) fn select(key_set: &str, id: Option<&str>) -> anyhow::Result<Key> {
    // The error of serde_json would repeat parts of the key set.
    let Ok(set) = serde_json::from_str::<KeySet>(key_set) else {
        bail!("it is not a JSON Web Key Set");
    };
    let is_selected = |key: &Key| key.kty == "oct" && (id.is_none() || key.kid.as_deref() == id);
    match (set.keys.into_iter().find(is_selected), id) {
        (Some(key), _) => Ok(key),
        (None, Some(id)) => bail!("it holds no shared key with the id {id}"),
        (None, None) => bail!("it holds no shared key"),
    }
}

impl Key {
    /// Signs the claims. Returns the token.
    pub(super) fn sign(self, claims: JWTClaims<Claims>) -> anyhow::Result<String> {
        let secret = self.k.context(r#"the key's "k" is missing"#)?;
        let Ok(secret) = Base64UrlSafeNoPadding::decode_to_vec(secret, None) else {
            bail!(r#"the key's "k" is not Base64url"#);
        };
        let id = self.kid.as_deref();
        match self.alg.as_deref() {
            Some("HS256") => authenticate(HS256Key::from_bytes(&secret), id, HS256Key::with_key_id, claims),
            Some("HS384") => authenticate(HS384Key::from_bytes(&secret), id, HS384Key::with_key_id, claims),
            Some("HS512") => authenticate(HS512Key::from_bytes(&secret), id, HS512Key::with_key_id, claims),
            Some(alg) => bail!("the key's algorithm, {alg}, is not supported"),
            None => bail!(r#"the key's "alg" is missing"#),
        }
    }
}

fn authenticate<K: MACLike>(
    key: K,
    id: Option<&str>,
    with_id: impl Fn(K, &str) -> K,
    claims: JWTClaims<Claims>,
) -> anyhow::Result<String> {
    let key = match id {
        Some(id) => with_id(key, id),
        None => key,
    };
    key.authenticate(claims)
}
