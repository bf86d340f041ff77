//! Verification of clients' tokens.

mod claims;
mod keys;
pub mod published;

use std::rc::Rc;

use jwt_simple::{
    prelude::{Token, TokenMetadata},
    reexports::ct_codecs::{Base64UrlSafeNoPadding, Decoder},
};
use rollcall_protocol::{ErrorCode, Refusal, client::Identity};

pub use self::keys::{InvalidKeys, KeySet, KeySource};
use self::{claims::Claims, keys::Key};

/// The longest token, in bytes.
const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Verifies tokens by keys, issuer and audience.
#[derive(Clone, Default)]
pub struct TokenKeys {
    sets: Vec<Rc<KeySet>>,
    issuer: Option<String>,
    audience: Option<String>,
    leeway_s: u64,
}

impl TokenKeys {
    /// Verifies by no key yet. An empty issuer or audience accepts all tokens.
    pub fn new(issuer: &str, audience: &str, leeway_s: u64) -> Self {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Self { sets: Vec::new(), issuer: given(issuer), audience: given(audience), leeway_s }
    }

    /// Adds keys. Each key has one algorithm, so that no token can choose it.
    pub fn with(mut self, set: Rc<KeySet>) -> Self {
        self.sets.push(set);
        self
    }

    /// Parses a JSON Web Key Set (RFC 7517) from configuration.
    pub fn parse(key_set: &str, issuer: &str, audience: &str, leeway_s: u64) -> Result<Self, InvalidKeys> {
        let set = KeySet::parse(key_set, KeySource::Configured)?;
        Ok(Self::new(issuer, audience, leeway_s).with(Rc::new(set)))
    }

    /// Whether there is no key, so that no token can be verified.
    pub fn is_empty(&self) -> bool {
        self.keys().next().is_none()
    }

    /// Whether a token names a key that is in none of the sets. A newer set may hold the key.
    pub fn lack_key_of(&self, token: &str) -> bool {
        let header = (token.len() <= MAX_TOKEN_BYTES).then(|| Token::decode_metadata(token).ok()).flatten();
        let Some(kid) = header.as_ref().and_then(TokenMetadata::key_id) else { return false };
        !self.keys().any(|key| key.kid.as_deref() == Some(kid))
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        self.sets.iter().flat_map(|set| set.keys())
    }

    /// Verifies a token and returns its user. `now_s` is the time in seconds since 1970.
    ///
    /// Refuses with `TOKEN_MISSING` or `TOKEN_EXPIRED`, and otherwise with `TOKEN_INVALID`.
    pub fn verify(&self, token: &str, now_s: u64) -> Result<Identity, Refusal> {
        if token.is_empty() {
            return Err(ErrorCode::TokenMissing.into());
        }
        let claims = Claims::parse(&self.verify_signature(token)?)?;
        let expires_at_s = claims.check_time(now_s, self.leeway_s)?;
        if let Some(issuer) = &self.issuer {
            claims.check_issuer(issuer)?;
        }
        if let Some(audience) = &self.audience {
            claims.check_audience(audience)?;
        }
        Ok(Identity { profile: claims.profile()?, expires_at_s, grant: claims.grant()? })
    }

    /// Verifies the signature by any fitting key and returns the JSON of the claims.
    ///
    /// jwt-simple refuses claims that other libraries write, used or not, so it verifies no whole tokens here.
    fn verify_signature(&self, token: &str) -> Result<Vec<u8>, Refusal> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(invalid("the token is too long"));
        }
        let not_a_jwt = || invalid("the token is not a JWT");
        let header = Token::decode_metadata(token).map_err(|_| not_a_jwt())?;
        check_header(&header)?;
        let (signed, signature) = token.rsplit_once('.').ok_or_else(not_a_jwt)?;
        let (_, claims) = signed.split_once('.').ok_or_else(not_a_jwt)?;
        let decode = |text: &str| Base64UrlSafeNoPadding::decode_to_vec(text, None).map_err(|_| not_a_jwt());
        let (claims, signature) = (decode(claims)?, decode(signature)?);

        let mut keys = self.keys_for(header.key_id()).peekable();
        if keys.peek().is_none() {
            return Err(invalid("no key of this id is known"));
        }
        if keys.any(|key| {
            key.verifies_algorithm(header.algorithm())
                && key.verifies_signature(signed.as_bytes(), &signature)
        }) {
            return Ok(claims);
        }
        // Strangers learn nothing else.
        Err(ErrorCode::TokenInvalid.into())
    }

    /// Selects the key that the token names, or all keys if the token names none.
    fn keys_for(&self, token_kid: Option<&str>) -> impl Iterator<Item = &Key> {
        self.keys()
            .filter(move |key| token_kid.is_none() || key.kid.is_none() || key.kid.as_deref() == token_kid)
    }
}

/// Refuses extensions that a verifier must understand (RFC 7515, section 4.1.11), and other things than tokens.
fn check_header(header: &TokenMetadata) -> Result<(), Refusal> {
    if header.critical().is_some_and(|names| !names.is_empty()) {
        return Err(invalid("the token demands an extension that is not supported"));
    }
    let is_jwt = |name: &str| {
        let name = name.to_ascii_uppercase();
        name == "JWT" || name.ends_with("+JWT")
    };
    if header.signature_type().is_some_and(|name| !is_jwt(name)) {
        return Err(invalid("typ: the token is not a JWT"));
    }
    Ok(())
}

/// Describes an error by its position. The error's own text quotes the input, which may be a secret.
fn describe_position(error: &serde_json::Error) -> String {
    format!("{:?} error at line {}, column {}", error.classify(), error.line(), error.column())
}

fn invalid(message: &str) -> Refusal {
    Refusal::because(ErrorCode::TokenInvalid, message)
}

#[cfg(test)]
mod tests {
    use jwt_simple::prelude::{
        Claims, Duration, ECDSAP256KeyPairLike, ES256KeyPair, Ed25519KeyPair, EdDSAKeyPairLike, HS256Key,
        HS512Key, JWTClaims, MACLike, RS256KeyPair, RSAKeyPairLike, UnixTimeStamp,
    };
    use jwt_simple::reexports::ct_codecs::{Base64UrlSafeNoPadding, Encoder};
    use serde_json::json;

    use super::{ErrorCode, KeySet, KeySource, Rc, TokenKeys};

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
            (granted.room.as_str(), granted.leader_id, granted.capacity),
            ("algebra", Some("8".parse().unwrap()), Some(3))
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

    #[test]
    fn a_key_that_was_left_out_is_named_with_the_reason_and_without_its_material() {
        let set = format!(
            r#"{{"keys":[{{"kty":"oct","alg":"HS256","k":"{K}"}},{{"kty":"oct","alg":"A256KW","kid":"{}","k":"{K}"}}]}}"#,
            "wrap".repeat(100)
        );
        let set = KeySet::parse(&set, KeySource::Configured).unwrap();
        let [unusable] = set.unusable() else { panic!("{:?}", set.unusable()) };
        let expected = format!(
            r#"key 2 ("{}") of jwt_keys: A256KW with a key of type oct is not supported"#,
            "wrap".repeat(16)
        );
        assert_eq!(*unusable, expected);
    }

    #[test]
    fn a_shared_key_is_not_taken_from_an_address() {
        let shared = format!(r#"{{"kty":"oct","alg":"HS256","kid":"a","k":"{K}"}}"#);
        let ec = ES256KeyPair::generate().with_key_id("b").public_key().to_jwk();
        let set = KeySet::parse(&format!(r#"{{"keys":[{shared},{ec}]}}"#), KeySource::Published).unwrap();
        assert_eq!(
            set.unusable(),
            [r#"key 1 ("a") of the key set of jwks_address: a shared key must not be published"#]
        );
        let keys = TokenKeys::new("", "", 30).with(Rc::new(set));
        assert_eq!(refusal(&keys, &token(claims(json!({"userId": 7})))), ErrorCode::TokenInvalid);
    }

    #[test]
    fn a_token_of_a_key_that_no_set_holds_is_noticed() {
        let keys = shared_key();
        let header = |kid: &str| raw_token(&json!({"alg": "HS256", "kid": kid}), "{}", &SECRET);
        assert!(keys.lack_key_of(&header("new")) && !keys.lack_key_of(&header("a")));
        let nameless = raw_token(&json!({"alg": "HS256"}), "{}", &SECRET);
        for token in [nameless.as_str(), "", "a.b.c", &"x".repeat(9000)] {
            assert!(!keys.lack_key_of(token), "{token}");
        }
        assert!(TokenKeys::new("", "", 0).lack_key_of(&header("a")));
    }

    #[test]
    fn a_key_set_may_hold_keys_that_verify_no_tokens() {
        let used = format!(r#"{{"kty":"oct","alg":"HS256","kid":"a","k":"{K}"}}"#);
        let token = token(claims(json!({"userId": 7})));
        for (unused, reason) in UNUSABLE {
            let unused = unused.replace("{K}", K);
            let error = TokenKeys::parse(&format!(r#"{{"keys":[{unused}]}}"#), "", "", 0).err().unwrap();
            assert_eq!(error.to_string(), format!("key 1 of jwt_keys: {reason}"));
            for set in [format!("{unused},{used}"), format!("{used},{unused}")] {
                assert!(keys(&set).verify(&token, NOW_S).is_ok(), "{set}");
            }
        }
        let all: Vec<_> = UNUSABLE.iter().map(|(unused, _)| unused.replace("{K}", K)).collect();
        let error = TokenKeys::parse(&format!(r#"{{"keys":[{}]}}"#, all.join(",")), "", "", 0).err().unwrap();
        let error = error.to_string();
        assert_eq!(error.split("; key ").count(), UNUSABLE.len(), "{error}");
        assert!(!error.contains(K), "{error}");
    }

    const UNUSABLE: [(&str, &str); 13] = [
        (r#"{"kty":"oct","alg":"HS256","use":"enc","k":"{K}"}"#, r#""use" is not "sig""#),
        (
            r#"{"kty":"oct","alg":"HS256","key_ops":["sign"],"k":"{K}"}"#,
            r#""key_ops" does not hold "verify""#,
        ),
        (r#"{"kty":"oct","k":"{K}"}"#, r#""alg" is missing"#),
        (r#"{"kty":"oct","alg":"HS256","k":"c2hvcnQ"}"#, r#""k" must hold at least 32 bytes"#),
        (r#"{"kty":"oct","alg":"A256GCM","k":"{K}"}"#, "A256GCM with a key of type oct is not supported"),
        (r#"{"kty":"oct","alg":"RS256","k":"{K}"}"#, "RS256 with a key of type oct is not supported"),
        (
            r#"{"kty":"RSA","alg":"RSA-OAEP","n":"","e":""}"#,
            "RSA-OAEP with a key of type RSA is not supported",
        ),
        (r#"{"kty":"RSA","alg":"HS256","k":"{K}"}"#, "HS256 with a key of type RSA is not supported"),
        (r#"{"kty":"EC","crv":"P-384","x":"","y":""}"#, "the curve P-384 is not supported"),
        (r#"{"kty":"EC","crv":"P-384","alg":"ES256","x":"","y":""}"#, "Invalid public key"),
        (r#"{"kty":"OKP","crv":"X25519","x":""}"#, "the curve X25519 is not supported"),
        (r#"{"kty":"AKP","pub":""}"#, "a key of type AKP is not supported"),
        (r#"{"alg":"HS256","k":"{K}"}"#, r#""kty" is missing"#),
    ];

    /// Returns the public key as identity providers publish it that leave `alg` out.
    fn without_algorithm(jwk: &str) -> String {
        let mut jwk: serde_json::Value = serde_json::from_str(jwk).unwrap();
        jwk.as_object_mut().unwrap().remove("alg").unwrap();
        jwk.to_string()
    }

    #[test]
    fn the_type_of_a_key_decides_where_it_names_no_algorithm() {
        let subject = || claims(json!({})).with_subject("kim");
        let rsa = RS256KeyPair::generate(2048).unwrap();
        let ec = ES256KeyPair::generate();
        let ed = Ed25519KeyPair::generate();
        for (jwk, token) in [
            (rsa.public_key().to_jwk(), rsa.sign(subject()).unwrap()),
            (ec.public_key().to_jwk(), ec.sign(subject()).unwrap()),
            (ed.public_key().to_jwk(), ed.sign(subject()).unwrap()),
        ] {
            assert!(keys(&without_algorithm(&jwk)).verify(&token, NOW_S).is_ok(), "{jwk}");
        }
    }

    /// Joins a header and claims to the part of a token that is signed.
    fn signed_part(header: &serde_json::Value, claims: &str) -> String {
        let encode = |text: &str| Base64UrlSafeNoPadding::encode_to_string(text).unwrap();
        format!("{}.{}", encode(&header.to_string()), encode(claims))
    }

    fn raw_token(header: &serde_json::Value, claims: &str, secret: &[u8]) -> String {
        let signed = signed_part(header, claims);
        let tag = HS256Key::from_bytes(secret).authentication_tag(signed.as_bytes());
        format!("{signed}.{}", Base64UrlSafeNoPadding::encode_to_string(tag).unwrap())
    }

    #[test]
    fn a_key_verifies_no_algorithm_but_its_own() {
        let rsa = RS256KeyPair::generate(2048).unwrap();
        let public = rsa.public_key();
        let jwk = without_algorithm(&public.clone().with_key_id("a").to_jwk());
        let claims = format!(r#"{{"userId":7,"exp":{NOW_S}}}"#);
        let shared = format!(r#"{{"kty":"oct","alg":"HS256","kid":"a","k":"{K}"}}"#);
        assert!(shared_key().verify(&raw_token(&json!({"alg": "HS256"}), &claims, &SECRET), NOW_S).is_ok());
        for set in [jwk.clone(), shared.clone(), format!("{jwk},{shared}"), format!("{shared},{jwk}")] {
            let keys = keys(&set);
            for secret in
                [public.to_der().unwrap(), public.to_pem().unwrap().into_bytes(), jwk.clone().into_bytes()]
            {
                let forged = raw_token(&json!({"alg": "HS256", "kid": "a"}), &claims, &secret);
                assert_eq!(refusal(&keys, &forged), ErrorCode::TokenInvalid);
            }
            for alg in ["RS256", "HS384", "HS512", "ES256", "EdDSA", "none", "hs256", ""] {
                let confused = raw_token(&json!({"alg": alg, "kid": "a"}), &claims, &SECRET);
                assert_eq!(refusal(&keys, &confused), ErrorCode::TokenInvalid, "{alg}");
            }
        }
    }

    #[test]
    fn a_changed_token_is_refused_whatever_its_key() {
        let subject = || claims(json!({})).with_subject("kim");
        let rsa = RS256KeyPair::generate(2048).unwrap();
        let ec = ES256KeyPair::generate();
        let ed = Ed25519KeyPair::generate();
        for (keys, good) in [
            (keys(&rsa.public_key().to_jwk()), rsa.sign(subject()).unwrap()),
            (keys(&ec.public_key().to_jwk()), ec.sign(subject()).unwrap()),
            (keys(&ed.public_key().to_jwk()), ed.sign(subject()).unwrap()),
            (shared_key(), token(subject())),
        ] {
            assert!(keys.verify(&good, NOW_S).is_ok());
            let (signed, signature) = good.rsplit_once('.').unwrap();
            let (header, _) = signed.split_once('.').unwrap();
            let admin =
                Base64UrlSafeNoPadding::encode_to_string(format!(r#"{{"sub":7,"exp":{NOW_S}}}"#)).unwrap();
            for changed in [
                format!("{header}.{admin}.{signature}"),
                format!("{signed}."),
                format!("{signed}.AAAA"),
                format!("{signed}.{}", "A".repeat(signature.len())),
                format!("{good}."),
                format!("{good}.{signature}"),
                signed.to_owned(),
            ] {
                assert_eq!(refusal(&keys, &changed), ErrorCode::TokenInvalid, "{changed}");
            }
        }
    }

    #[test]
    fn headers_that_demand_more_are_refused() {
        let claims = format!(r#"{{"userId":7,"exp":{NOW_S}}}"#);
        let verify = |header| shared_key().verify(&raw_token(&header, &claims, &SECRET), NOW_S);
        for header in
            [json!({"alg": "HS256", "typ": "at+jwt"}), json!({"alg": "HS256", "typ": null, "crit": []})]
        {
            assert!(verify(header).is_ok());
        }
        for header in [
            json!({"alg": "HS256", "crit": ["b64"], "b64": false}),
            json!({"alg": "HS256", "typ": "JOSE"}),
            json!({"alg": "HS256", "kid": "unknown"}),
        ] {
            assert_eq!(verify(header).unwrap_err().code, ErrorCode::TokenInvalid);
        }
    }

    #[test]
    fn an_expired_token_is_told_whichever_key_verifies_it() {
        let key = |k: &str| format!(r#"{{"kty":"oct","alg":"HS256","k":"{k}"}}"#);
        let other = key("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE");
        let expired = raw_token(&json!({"alg": "HS256"}), r#"{"userId":7,"exp":1}"#, &SECRET);
        for set in [format!("{},{other}", key(K)), format!("{other},{}", key(K))] {
            assert_eq!(refusal(&keys(&set), &expired), ErrorCode::TokenExpired);
        }
        assert_eq!(refusal(&keys(&other), &expired), ErrorCode::TokenInvalid, "nobody signed it");
    }

    #[test]
    fn claims_of_other_libraries_are_taken() {
        let claims = format!(
            r#"{{"sub":7,"name":8,"aud":null,"nbf":null,"iss":null,"jti":9,"iat":{}.5,"exp":{NOW_S}.5}}"#,
            NOW_S + 1000
        );
        let identity =
            shared_key().verify(&raw_token(&json!({"alg": "HS256"}), &claims, &SECRET), NOW_S).unwrap();
        assert_eq!((identity.profile.user_id.as_str(), identity.profile.user_name.as_str()), ("7", "8"));
        assert_eq!(identity.expires_at_s, NOW_S + 30);
    }
}
