//! The secrets of `cargo xtask up`.

use std::{fs, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use anyhow::{Context, Result};
use jwt_simple::{
    prelude::{Claims, Duration, HS256Key, MACLike},
    reexports::ct_codecs::{Base64, Base64UrlSafeNoPadding, Decoder, Encoder},
};
use serde_json::{Value, json};

const KEY_ID: &str = "local";

/// The secrets. A file keeps them, so that tokens stay valid when Rollcall starts again.
pub struct Secrets {
    /// Signs the bridge's calls.
    pub bridge_secret: String,
    /// Authorizes calls of the operators' API.
    pub operator_token: String,
    jwt_key: String,
}

impl Secrets {
    /// Reads the secrets from the file, or generates them and writes the file.
    pub fn load_or_generate(file: &Path) -> Result<Self> {
        if let Some(secrets) = fs::read(file).ok().and_then(|json| Self::parse(&json)) {
            return Ok(secrets);
        }
        let secrets = Self {
            bridge_secret: format!("whsec_{}", Base64::encode_to_string(random()?)?),
            operator_token: Base64UrlSafeNoPadding::encode_to_string(random()?)?,
            jwt_key: Base64UrlSafeNoPadding::encode_to_string(random()?)?,
        };
        let json = json!({
            "bridgeSecret": secrets.bridge_secret,
            "operatorToken": secrets.operator_token,
            "jwtKey": secrets.jwt_key,
        });
        let mut options = fs::OpenOptions::new();
        let mut out = options.write(true).create(true).truncate(true).mode(0o600).open(file)?;
        out.write_all(json.to_string().as_bytes())
            .with_context(|| format!("cannot write {}", file.display()))?;
        Ok(secrets)
    }

    fn parse(json: &[u8]) -> Option<Self> {
        let json: Value = serde_json::from_slice(json).ok()?;
        let text = |name: &str| json[name].as_str().map(str::to_owned);
        Some(Self {
            bridge_secret: text("bridgeSecret")?,
            operator_token: text("operatorToken")?,
            jwt_key: text("jwtKey")?,
        })
    }

    /// The key set with which the app verifies tokens of clients.
    pub fn jwt_keys(&self) -> String {
        json!({"keys": [{"kty": "oct", "alg": "HS256", "kid": KEY_ID, "k": self.jwt_key}]}).to_string()
    }

    /// Signs a client's token, which is valid for half a day.
    pub fn client_token(&self, user: &str) -> Result<String> {
        let key = Base64UrlSafeNoPadding::decode_to_vec(&self.jwt_key, None)?;
        let name = user[..1].to_uppercase() + &user[1..];
        let claims =
            Claims::with_custom_claims(json!({"name": name}), Duration::from_hours(12)).with_subject(user);
        HS256Key::from_bytes(&key).with_key_id(KEY_ID).authenticate(claims)
    }
}

fn random() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no random bytes: {error}"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_kept_and_only_the_owner_can_read_them() {
        let file = std::env::temp_dir().join(format!("rollcall-secrets-{}.json", std::process::id()));
        let generated = Secrets::load_or_generate(&file).unwrap();
        let read = Secrets::load_or_generate(&file).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file).unwrap().permissions());
        fs::remove_file(&file).unwrap();
        assert_eq!(generated.jwt_keys(), read.jwt_keys());
        assert_eq!(mode & 0o777, 0o600);
    }
}
