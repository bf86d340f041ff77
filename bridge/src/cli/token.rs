//! Mints tokens for development.

use std::{env, time::Duration};

use anyhow::{Context, bail};
use clap::Args;
use jwt_simple::{
    prelude::{HS256Key, HS384Key, HS512Key, JWTClaims, MACLike},
    reexports::ct_codecs::{Base64UrlSafeNoPadding, Decoder},
};
use rollcall_protocol::UserId;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::clock;

/// Where the keys come from; the first that is set.
const KEY_VARIABLES: [&str; 2] = ["ROLLCALL_JWT_KEYS", "SPIN_VARIABLE_JWT_KEYS"];

pub(super) const EXAMPLES: &str = "\
Examples:
  rollcall token --user ada --name Ada --role tutor
  rollcall token --user ada --expires-in 10s --claims '{\"iss\": \"https://study.example\"}'";

/// The flags of `rollcall token`.
#[derive(Args)]
pub(crate) struct TokenArgs {
    /// Whom the token is for.
    #[arg(long, value_name = "ID")]
    user: UserId,

    /// The name that others see; without it, the id.
    #[arg(long)]
    name: Option<String>,

    /// The user's role.
    #[arg(long)]
    role: Option<String>,

    /// How long the token is good, as in "1h" or "90s".
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = humantime::parse_duration)]
    expires_in: Duration,

    /// Which key to sign with, by its "kid"; without it, the first shared key.
    #[arg(long, value_name = "KID")]
    key_id: Option<String>,

    /// More claims, as a JSON object; they replace those of the same name.
    #[arg(long, value_name = "JSON", value_parser = parse_claims)]
    claims: Option<Claims>,
}

type Claims = Map<String, Value>;

fn parse_claims(json: &str) -> Result<Claims, String> {
    serde_json::from_str(json).map_err(|error| format!("not a JSON object: {error}"))
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Key>,
}

/// A shared key, as far as it takes one to sign; other kinds have fields of their own.
#[derive(Deserialize)]
struct Key {
    kty: String,
    alg: Option<String>,
    kid: Option<String>,
    k: Option<String>,
}

/// Mints a token.
pub(super) fn run(args: TokenArgs) -> anyhow::Result<String> {
    let set = |name: &&str| env::var(name).ok().filter(|value| !value.trim().is_empty());
    let Some((variable, key_set)) = KEY_VARIABLES.iter().find_map(|name| Some((name, set(name)?))) else {
        bail!("set {} to the JSON Web Key Set whose first shared key signs", KEY_VARIABLES.join(" or "));
    };
    let now_s = clock::now_s().try_into()?;
    mint(args, &key_set, now_s).with_context(|| format!("{variable} cannot be used"))
}

fn mint(args: TokenArgs, key_set: &str, now_s: u64) -> anyhow::Result<String> {
    // The error is put in other words, as it would repeat what stands there.
    let Ok(set) = serde_json::from_str::<KeySet>(key_set) else {
        bail!("it is not a JSON Web Key Set");
    };
    let key_id = args.key_id.clone();
    let wanted = |key: &Key| key.kty == "oct" && (key_id.is_none() || key.kid == key_id);
    let Some(key) = set.keys.into_iter().find(wanted) else {
        match key_id {
            Some(id) => bail!("it holds no shared key with the id {id}"),
            None => bail!("it holds no shared key"),
        }
    };
    sign(key, claims(args, now_s)?)
}

fn claims(args: TokenArgs, now_s: u64) -> anyhow::Result<JWTClaims<Claims>> {
    let expires_at_s = now_s.checked_add(args.expires_in.as_secs()).context("that is too long")?;
    let mut claims = Claims::new();
    claims.insert("userId".to_owned(), args.user.as_str().into());
    claims.extend(args.name.map(|name| ("username".to_owned(), name.into())));
    claims.extend(args.role.map(|role| ("userRole".to_owned(), role.into())));
    claims.insert("iat".to_owned(), now_s.into());
    claims.insert("exp".to_owned(), expires_at_s.into());
    claims.extend(args.claims.unwrap_or_default());
    serde_json::from_value(claims.into()).context("a registered claim is not what it has to be")
}

fn sign(key: Key, claims: JWTClaims<Claims>) -> anyhow::Result<String> {
    let secret = key.k.context(r#"the key's "k" is missing"#)?;
    let Ok(secret) = Base64UrlSafeNoPadding::decode_to_vec(secret, None) else {
        bail!(r#"the key's "k" is not Base64url"#);
    };
    let with_id = key.kid.as_deref();
    match key.alg.as_deref() {
        Some("HS256") => authenticate(HS256Key::from_bytes(&secret), with_id, HS256Key::with_key_id, claims),
        Some("HS384") => authenticate(HS384Key::from_bytes(&secret), with_id, HS384Key::with_key_id, claims),
        Some("HS512") => authenticate(HS512Key::from_bytes(&secret), with_id, HS512Key::with_key_id, claims),
        Some(alg) => bail!("the key's algorithm, {alg}, is not supported"),
        None => bail!(r#"the key's "alg" is missing"#),
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

#[cfg(test)]
mod tests {
    use clap::Parser;
    use jwt_simple::prelude::{Token, VerificationOptions};
    use rollcall_rooms::token::TokenKeys;
    use serde_json::json;

    use super::*;
    use crate::cli::{Cli, Command, Tool};

    const NOW_S: u64 = 2_000_000_000;
    /// 64 bytes, enough for each algorithm.
    const K: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBw";

    fn args(flags: &[&str]) -> Result<TokenArgs, clap::Error> {
        let words = ["rollcall", "token", "--user", "kim"].iter().chain(flags);
        let Command::Tool(Tool::Token(args)) = Cli::try_parse_from(words)?.command else { panic!() };
        Ok(args)
    }

    fn set(keys: Value) -> String {
        json!({"keys": keys}).to_string()
    }

    fn one_key() -> String {
        set(json!([{"kty": "oct", "alg": "HS256", "k": K}]))
    }

    fn refusal(flags: &[&str], key_set: &str) -> String {
        format!("{:#}", mint(args(flags).unwrap(), key_set, NOW_S).unwrap_err())
    }

    #[test]
    fn the_app_takes_the_token_for_the_user() {
        for alg in ["HS256", "HS384", "HS512"] {
            let set = set(json!([{"kty": "oct", "alg": alg, "kid": "a", "k": K}]));
            let flags = ["--name", "Kim", "--role", "tutor", "--expires-in", "90s"];
            let token = mint(args(&flags).unwrap(), &set, NOW_S).unwrap();
            assert_eq!(Token::decode_metadata(&token).unwrap().key_id(), Some("a"));
            let keys = TokenKeys::parse(&set, "", "", 0).unwrap();
            let identity = keys.verify(&token, NOW_S).unwrap();
            assert_eq!(identity.profile.user_id.as_str(), "kim");
            assert_eq!(identity.profile.user_name, "Kim");
            assert_eq!(identity.profile.user_role.as_deref(), Some("tutor"));
            assert_eq!(identity.expires_at_s, NOW_S + 90);
            assert!(keys.verify(&token, NOW_S + 91).is_err());
        }
    }

    #[test]
    fn more_claims_are_merged_and_replace_the_tokens_own() {
        let more = json!({"iss": "study", "exp": NOW_S + 5, "rooms": ["a"], "username": "K."}).to_string();
        let flags = ["--name", "Kim", "--claims", &more];
        let token = mint(args(&flags).unwrap(), &one_key(), NOW_S).unwrap();
        let key = HS256Key::from_bytes(&Base64UrlSafeNoPadding::decode_to_vec(K, None).unwrap());
        let options = VerificationOptions {
            artificial_time: Some(jwt_simple::prelude::UnixTimeStamp::from_secs(NOW_S)),
            ..VerificationOptions::default()
        };
        let claims = key.verify_token::<Claims>(&token, Some(options)).unwrap();
        assert_eq!(claims.issuer.as_deref(), Some("study"));
        assert_eq!(claims.expires_at.unwrap().as_secs(), NOW_S + 5);
        let custom = json!({"userId": "kim", "username": "K.", "rooms": ["a"]});
        assert_eq!(Value::from(claims.custom), custom);
    }

    #[test]
    fn the_first_shared_key_signs_or_the_one_that_is_named() {
        let rsa = json!({"kty": "RSA", "alg": "RS256", "kid": "r", "n": "x", "e": "AQAB"});
        let shared = |kid: &str| json!({"kty": "oct", "alg": "HS256", "kid": kid, "k": K});
        let set = set(json!([rsa, shared("a"), shared("b")]));
        for (flags, kid) in [(&[][..], "a"), (&["--key-id", "b"], "b")] {
            let token = mint(args(flags).unwrap(), &set, NOW_S).unwrap();
            assert_eq!(Token::decode_metadata(&token).unwrap().key_id(), Some(kid));
        }
        assert_eq!(refusal(&["--key-id", "r"], &set), "it holds no shared key with the id r");
    }

    #[test]
    fn key_sets_that_cannot_be_used_are_refused_without_repeating_them() {
        for set in [
            "hunter2".to_owned(),
            r#"{"keys":"hunter2"}"#.to_owned(),
            set(json!([])),
            set(json!([{"kty": "RSA", "n": "hunter2"}])),
            set(json!([{"kty": "oct", "alg": "HS256"}])),
            set(json!([{"kty": "oct", "alg": "HS256", "k": "hunter2!"}])),
            set(json!([{"kty": "oct", "k": "hunter2"}])),
            set(json!([{"kty": "oct", "alg": "none", "k": "hunter2"}])),
        ] {
            let error = refusal(&[], &set);
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn mistakes_are_found_before_anything_is_signed() {
        for flags in [["--claims", "[]"], ["--claims", "{"], ["--expires-in", "1"], ["--user", ""]] {
            assert!(args(&flags).is_err(), "{flags:?}");
        }
        let error = refusal(&["--claims", r#"{"exp": "soon"}"#], &one_key());
        assert!(error.starts_with("a registered claim"), "{error}");
    }
}
