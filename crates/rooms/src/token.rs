//! Verification of clients' tokens.

use std::collections::HashSet;

use jwt_simple::{
    JWTError,
    prelude::{
        Duration, ECDSAP256PublicKeyLike, ES256PublicKey, Ed25519PublicKey, EdDSAPublicKeyLike, HS256Key,
        HS384Key, HS512Key, JWTClaims, MACLike, RS256PublicKey, RSAPublicKeyLike, Token, UnixTimeStamp,
        VerificationOptions,
    },
    reexports::ct_codecs::{Base64UrlSafeNoPadding, Decoder},
};
use rollcall_protocol::{
    ErrorCode, Refusal, UserId,
    client::{Identity, Profile},
    definition::{Grant, SessionDefinition},
};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The longest token, in bytes.
const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// The longest name of a user, in bytes.
const MAX_NAME_BYTES: usize = 256;

/// Verifies tokens by keys, issuer and audience.
pub struct TokenKeys {
    keys: Vec<(Option<String>, Key)>,
    issuer: Option<String>,
    audience: Option<String>,
    leeway_s: u64,
}

#[allow(clippy::large_enum_variant, reason = "an instance holds a handful of them, once")]
enum Key {
    Hs256(HS256Key),
    Hs384(HS384Key),
    Hs512(HS512Key),
    Rs256(RS256PublicKey),
    Es256(ES256PublicKey),
    EdDsa(Ed25519PublicKey),
}

/// A key set is not usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeys {
    /// The text is not a key set in JSON.
    #[error("jwt_keys is not a JSON Web Key Set: {0}")]
    NotAKeySet(String),
    /// The set is empty and would refuse everybody.
    #[error("jwt_keys holds no key")]
    Empty,
    /// A key is not usable: its position, counted from 1, and the reason.
    #[error("key {0} of jwt_keys: {1}")]
    Key(usize, String),
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct KeyHeader {
    kty: String,
    alg: Option<String>,
    kid: Option<String>,
    k: Option<String>,
}

/// The claims about the user, besides the registered claims.
#[derive(serde::Serialize, Deserialize)]
struct UserClaims {
    #[serde(rename = "userId")]
    user_id: Option<UserId>,
    username: Option<String>,
    name: Option<String>,
    #[serde(rename = "userRole")]
    user_role: Option<Role>,
    #[serde(rename = "rollcall")]
    grant: Option<Grant>,
}

/// Some platforms number their roles, others name them.
#[derive(serde::Serialize, Deserialize)]
#[serde(untagged)]
enum Role {
    Number(i64),
    Name(String),
}

impl TokenKeys {
    /// Parses a JSON Web Key Set (RFC 7517). Each key names its algorithm with `alg`, so that no token can choose it.
    ///
    /// An empty issuer or audience accepts all tokens.
    pub fn parse(key_set: &str, issuer: &str, audience: &str, leeway_s: u64) -> Result<Self, InvalidKeys> {
        let set: KeySet =
            serde_json::from_str(key_set).map_err(|error| InvalidKeys::NotAKeySet(place(&error)))?;
        if set.keys.is_empty() {
            return Err(InvalidKeys::Empty);
        }
        let parse =
            |(index, jwk): (usize, &str)| parse_key(jwk).map_err(|error| InvalidKeys::Key(index + 1, error));
        let keys = set.keys.iter().map(|jwk| jwk.get()).enumerate().map(parse).collect::<Result<_, _>>()?;
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Ok(Self { keys, issuer: given(issuer), audience: given(audience), leeway_s })
    }

    /// Verifies a token and returns its user. `now_s` is the time in seconds since 1970.
    ///
    /// Refuses with `TOKEN_MISSING` or `TOKEN_EXPIRED`, and otherwise with `TOKEN_INVALID`.
    pub fn verify(&self, token: &str, now_s: u64) -> Result<Identity, Refusal> {
        if token.is_empty() {
            return Err(ErrorCode::TokenMissing.into());
        }
        let claims = self.claims(token, now_s)?;
        let expires_at_s = claims.expires_at.ok_or_else(|| invalid("the token never expires"))?.as_secs();
        let grant = claims.custom.grant.clone();
        if let Some(grant) = &grant {
            let definition = SessionDefinition::from(grant);
            definition.validate().map_err(|error| invalid(&format!("rollcall: {error}")))?;
        }
        // Without the leeway, a bridge would close a connection at once whose token has just expired.
        Ok(Identity { profile: profile(claims)?, expires_at_s: expires_at_s + self.leeway_s, grant })
    }

    fn claims(&self, token: &str, now_s: u64) -> Result<JWTClaims<UserClaims>, Refusal> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(invalid("the token is too long"));
        }
        let header = Token::decode_metadata(token).map_err(|_| invalid("the token is not a JWT"))?;
        let mut refusal = invalid("no key of this id is known");
        for key in self.keys_for(header.key_id()) {
            match key.verify(token, self.options(now_s)) {
                Ok(claims) => return Ok(claims),
                Err(error) => refusal = refuse(&error),
            }
        }
        Err(refusal)
    }

    /// Selects the key that the token names, or all keys if the token names none.
    fn keys_for(&self, token_kid: Option<&str>) -> impl Iterator<Item = &Key> {
        self.keys
            .iter()
            .filter(move |(kid, _)| token_kid.is_none() || kid.is_none() || kid.as_deref() == token_kid)
            .map(|(_, key)| key)
    }

    fn options(&self, now_s: u64) -> VerificationOptions {
        let one = |text: &Option<String>| text.clone().map(|text| HashSet::from([text]));
        VerificationOptions {
            allowed_issuers: one(&self.issuer),
            allowed_audiences: one(&self.audience),
            time_tolerance: Some(Duration::from_secs(self.leeway_s)),
            max_token_length: Some(MAX_TOKEN_BYTES),
            artificial_time: Some(UnixTimeStamp::from_secs(now_s)),
            ..VerificationOptions::default()
        }
    }
}

impl Key {
    fn verify(
        &self,
        token: &str,
        options: VerificationOptions,
    ) -> Result<JWTClaims<UserClaims>, jwt_simple::Error> {
        let options = Some(options);
        match self {
            Self::Hs256(key) => key.verify_token(token, options),
            Self::Hs384(key) => key.verify_token(token, options),
            Self::Hs512(key) => key.verify_token(token, options),
            Self::Rs256(key) => key.verify_token(token, options),
            Self::Es256(key) => key.verify_token(token, options),
            Self::EdDsa(key) => key.verify_token(token, options),
        }
    }
}

/// Describes an error by its position. The error's own text quotes the input, which may be a secret.
fn place(error: &serde_json::Error) -> String {
    format!("{:?} error at line {}, column {}", error.classify(), error.line(), error.column())
}

fn parse_key(jwk: &str) -> Result<(Option<String>, Key), String> {
    let header: KeyHeader = serde_json::from_str(jwk).map_err(|error| place(&error))?;
    let text = |error: jwt_simple::Error| error.to_string();
    let alg = header.alg.as_deref().ok_or(r#""alg" is missing"#)?;
    let key = match (header.kty.as_str(), alg) {
        ("oct", "HS256") => Key::Hs256(HS256Key::from_bytes(&shared_secret(&header, 32)?)),
        ("oct", "HS384") => Key::Hs384(HS384Key::from_bytes(&shared_secret(&header, 48)?)),
        ("oct", "HS512") => Key::Hs512(HS512Key::from_bytes(&shared_secret(&header, 64)?)),
        ("RSA", "RS256") => Key::Rs256(RS256PublicKey::from_jwk(jwk).map_err(text)?),
        ("EC", "ES256") => Key::Es256(ES256PublicKey::from_jwk(jwk).map_err(text)?),
        ("OKP", "EdDSA" | "Ed25519") => Key::EdDsa(Ed25519PublicKey::from_jwk(jwk).map_err(text)?),
        (kty, alg) => return Err(format!("{alg} with a key of type {kty} is not supported")),
    };
    Ok((header.kid, key))
}

/// Reads a shared key. RFC 7518, section 3.2, demands a key at least as long as the hash.
fn shared_secret(header: &KeyHeader, min_bytes: usize) -> Result<Vec<u8>, String> {
    let encoded = header.k.as_deref().ok_or(r#""k" is missing"#)?;
    let secret =
        Base64UrlSafeNoPadding::decode_to_vec(encoded, None).map_err(|_| r#""k" is not Base64url"#)?;
    if secret.len() < min_bytes {
        return Err(format!(r#""k" must hold at least {min_bytes} bytes"#));
    }
    Ok(secret)
}

fn profile(claims: JWTClaims<UserClaims>) -> Result<Profile, Refusal> {
    let user = claims.custom;
    let user_id = match (user.user_id, claims.subject) {
        (Some(id), _) => id,
        (None, Some(subject)) => UserId::new(subject).map_err(|error| invalid(&format!("sub: {error}")))?,
        (None, None) => return Err(invalid("the token has neither userId nor sub")),
    };
    let user_name = user.username.or(user.name).unwrap_or_else(|| user_id.to_string());
    let user_role = user.user_role.map(|role| match role {
        Role::Number(number) => number.to_string(),
        Role::Name(name) => name,
    });
    for text in [Some(&user_name), user_role.as_ref()].into_iter().flatten() {
        if text.len() > MAX_NAME_BYTES || text.chars().any(char::is_control) {
            return Err(invalid("a name or role in the token is too long or has control characters"));
        }
    }
    Ok(Profile { user_id, user_name, user_role })
}

fn invalid(message: &str) -> Refusal {
    Refusal::because(ErrorCode::TokenInvalid, message)
}

/// Tells clients of an expired token, which they can replace, and strangers nothing else.
fn refuse(error: &jwt_simple::Error) -> Refusal {
    match error.downcast_ref::<JWTError>() {
        Some(JWTError::TokenHasExpired) => ErrorCode::TokenExpired.into(),
        _ => ErrorCode::TokenInvalid.into(),
    }
}

#[cfg(test)]
mod tests {
    use jwt_simple::prelude::{
        Claims, ECDSAP256KeyPairLike, ES256KeyPair, Ed25519KeyPair, EdDSAKeyPairLike, RS256KeyPair,
        RSAKeyPairLike,
    };
    use serde_json::json;

    use super::*;

    const NOW_S: u64 = 2_000_000_000;
    const SECRET: [u8; 32] = [7; 32];
    /// [`SECRET`], in Base64url.
    const K: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";

    fn keys(jwk: &str) -> TokenKeys {
        TokenKeys::parse(&format!(r#"{{"keys":[{jwk}]}}"#), "", "", 30).unwrap()
    }

    fn shared_key() -> TokenKeys {
        keys(&format!(r#"{{"kty":"oct","alg":"HS256","kid":"a","k":"{K}"}}"#))
    }

    fn claims(custom: serde_json::Value) -> JWTClaims<serde_json::Value> {
        let mut claims = Claims::with_custom_claims(custom, Duration::from_secs(60));
        claims.issued_at = Some(UnixTimeStamp::from_secs(NOW_S - 10));
        claims.invalid_before = claims.issued_at;
        claims.expires_at = Some(UnixTimeStamp::from_secs(NOW_S + 60));
        claims
    }

    fn token(claims: JWTClaims<serde_json::Value>) -> String {
        HS256Key::from_bytes(&SECRET).with_key_id("a").authenticate(claims).unwrap()
    }

    fn refusal(keys: &TokenKeys, token: &str) -> ErrorCode {
        keys.verify(token, NOW_S).unwrap_err().code
    }

    #[test]
    fn a_token_may_name_the_session_itself() {
        let grant = |grant| token(claims(json!({"userId": 7, "rollcall": grant})));
        let good =
            grant(json!({"room": "algebra", "endAt": 1_900_000_000_000_u64, "leaderId": 8, "capacity": 3}));
        let granted = shared_key().verify(&good, NOW_S).unwrap().grant.unwrap();
        assert_eq!(
            (granted.room.as_str(), granted.leader_id.as_str(), granted.capacity),
            ("algebra", "8", Some(3))
        );
        for bad in [
            json!({"room": "algebra"}),
            json!({"room": "", "endAt": 1_900_000_000_000_u64, "leaderId": 8}),
            json!({"room": "algebra", "endAt": 1_900_000_000, "leaderId": 8}),
            json!("algebra"),
        ] {
            assert_eq!(refusal(&shared_key(), &grant(bad)), ErrorCode::TokenInvalid);
        }
    }

    #[test]
    fn the_platforms_claims_and_the_standard_ones_both_name_the_user() {
        let platform = token(claims(json!({"userId": 7, "username": "Kim", "userRole": 2})));
        let identity = shared_key().verify(&platform, NOW_S).unwrap();
        assert_eq!(identity.profile.user_id.as_str(), "7");
        assert_eq!(identity.profile.user_name, "Kim");
        assert_eq!(identity.profile.user_role.as_deref(), Some("2"));
        assert_eq!(identity.expires_at_s, NOW_S + 90, "with the leeway");

        assert_eq!(identity.grant, None);

        let standard = token(claims(json!({"name": "Kim"})).with_subject("kim"));
        let profile = shared_key().verify(&standard, NOW_S).unwrap().profile;
        assert_eq!((profile.user_id.as_str(), profile.user_name.as_str()), ("kim", "Kim"));
    }

    #[test]
    fn every_documented_algorithm_is_verified() {
        let subject = || claims(json!({})).with_subject("kim");
        let rsa = RS256KeyPair::generate(2048).unwrap();
        let ec = ES256KeyPair::generate();
        let ed = Ed25519KeyPair::generate();
        let signed = [
            (keys(&rsa.public_key().to_jwk()), rsa.sign(subject()).unwrap()),
            (keys(&ec.public_key().to_jwk()), ec.sign(subject()).unwrap()),
            (keys(&ed.public_key().to_jwk()), ed.sign(subject()).unwrap()),
        ];
        for (keys, token) in &signed {
            assert_eq!(keys.verify(token, NOW_S).unwrap().profile.user_id.as_str(), "kim");
        }
        assert_eq!(refusal(&signed[0].0, &signed[1].1), ErrorCode::TokenInvalid);
    }

    #[test]
    fn a_token_expires_after_the_leeway() {
        let token = token(claims(json!({"userId": 7})));
        let keys = shared_key();
        assert!(keys.verify(&token, NOW_S + 89).is_ok());
        assert_eq!(keys.verify(&token, NOW_S + 91).unwrap_err().code, ErrorCode::TokenExpired);
    }

    #[test]
    fn a_token_that_never_expires_is_refused() {
        let mut forever = claims(json!({"userId": 7}));
        forever.expires_at = None;
        assert_eq!(refusal(&shared_key(), &token(forever)), ErrorCode::TokenInvalid);
    }

    #[test]
    fn a_token_cannot_choose_its_algorithm() {
        let keys = shared_key();
        let forged = "eyJhbGciOiJub25lIn0.eyJ1c2VySWQiOjd9.";
        assert_eq!(refusal(&keys, forged), ErrorCode::TokenInvalid);
        let other = HS512Key::from_bytes(&SECRET).authenticate(claims(json!({"userId": 7}))).unwrap();
        assert_eq!(refusal(&keys, &other), ErrorCode::TokenInvalid);
    }

    #[test]
    fn keys_rotate_by_their_ids() {
        let old = HS256Key::from_bytes(&[1; 32])
            .with_key_id("old")
            .authenticate(claims(json!({"userId": 7})))
            .unwrap();
        assert_eq!(refusal(&shared_key(), &old), ErrorCode::TokenInvalid);
        let both = format!(
            r#"{{"kty":"oct","alg":"HS256","kid":"a","k":"{K}"}},{{"kty":"oct","alg":"HS256","kid":"old","k":"{}"}}"#,
            "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"
        );
        assert!(keys(&both).verify(&old, NOW_S).is_ok());
    }

    #[test]
    fn issuer_and_audience_must_fit_where_they_are_asked_for() {
        let set = format!(r#"{{"keys":[{{"kty":"oct","alg":"HS256","k":"{K}"}}]}}"#);
        let keys = TokenKeys::parse(&set, "https://study.example", "rollcall", 30).unwrap();
        let good =
            claims(json!({"userId": 7})).with_issuer("https://study.example").with_audience("rollcall");
        assert!(keys.verify(&token(good.clone()), NOW_S).is_ok());
        assert_eq!(refusal(&keys, &token(good.with_audience("another"))), ErrorCode::TokenInvalid);
        assert_eq!(refusal(&keys, &token(claims(json!({"userId": 7})))), ErrorCode::TokenInvalid);
    }

    #[test]
    fn nonsense_is_refused() {
        let keys = shared_key();
        assert_eq!(refusal(&keys, ""), ErrorCode::TokenMissing);
        for nonsense in ["a", "a.b.c", "..", &"x".repeat(9000), "\u{0}"] {
            assert_eq!(refusal(&keys, nonsense), ErrorCode::TokenInvalid);
        }
        let long_name = token(claims(json!({"userId": 7, "username": "x".repeat(300)})));
        assert_eq!(refusal(&keys, &long_name), ErrorCode::TokenInvalid);
    }

    #[test]
    fn key_sets_that_cannot_be_used_are_refused_with_the_reason() {
        let error = |set: &str| TokenKeys::parse(set, "", "", 0).err().unwrap().to_string();
        assert!(error("{").starts_with("jwt_keys is not a JSON Web Key Set"));
        assert!(!error(r#"{"keys":["hunter2"]}"#).contains("hunter2"));
        assert_eq!(error(r#"{"keys":[]}"#), "jwt_keys holds no key");
        let weak = error(r#"{"keys":[{"kty":"oct","alg":"HS256","k":"c2hvcnQ"}]}"#);
        assert_eq!(weak, r#"key 1 of jwt_keys: "k" must hold at least 32 bytes"#);
        let no_algorithm = error(&format!(r#"{{"keys":[{{"kty":"oct","k":"{K}"}}]}}"#));
        assert_eq!(no_algorithm, r#"key 1 of jwt_keys: "alg" is missing"#);
    }
}
