//! `rollcall token`: mints tokens for development.

mod claims;
mod key;

use std::{env, time::Duration};

use anyhow::{Context, bail};
use clap::Args;
use rollcall_protocol::UserId;

use self::claims::Claims;
use crate::time::now_s;

/// The variables that may hold the keys; the first that is set counts.
const KEY_VARIABLES: [&str; 2] = ["ROLLCALL_JWT_KEYS", "SPIN_VARIABLE_JWT_KEYS"];

pub(crate) const EXAMPLES: &str = "\
Examples:
  rollcall token --user ada --name Ada --role tutor
  rollcall token --user ada --expires-in 10s --claims '{\"iss\": \"https://study.example\"}'";

/// The flags of `rollcall token`.
#[derive(Args)]
pub struct TokenArgs {
    /// The user whom the token identifies.
    #[arg(long, value_name = "ID")]
    user: UserId,

    /// The name that others see; the id without this flag.
    #[arg(long)]
    name: Option<String>,

    /// The user's role.
    #[arg(long)]
    role: Option<String>,

    /// How long the token is valid, as in "1h" or "90s".
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = humantime::parse_duration)]
    expires_in: Duration,

    /// The "kid" of the key to sign with; the first shared key without this flag.
    #[arg(long, value_name = "KID")]
    key_id: Option<String>,

    /// Further claims, as a JSON object; they replace claims of the same name.
    #[arg(long, value_name = "JSON", value_parser = claims::parse)]
    claims: Option<Claims>,
}

/// Mints a token with the key set in the environment.
pub(crate) fn run(args: TokenArgs) -> anyhow::Result<String> {
    let value = |name: &&str| env::var(name).ok().filter(|value| !value.trim().is_empty());
    let Some((variable, key_set)) = KEY_VARIABLES.iter().find_map(|name| Some((name, value(name)?))) else {
        bail!("set {} to the JSON Web Key Set whose first shared key signs", KEY_VARIABLES.join(" or "));
    };
    mint(args, &key_set, now_s()).with_context(|| format!("{variable} cannot be used"))
}

fn mint(args: TokenArgs, key_set: &str, now_s: u64) -> anyhow::Result<String> {
    let key = key::select(key_set, args.key_id.as_deref())?;
    key.sign(claims::build(args, now_s)?)
}

#[cfg(test)]
mod tests {
    use jwt_simple::{
        prelude::{HS256Key, MACLike, Token, UnixTimeStamp, VerificationOptions},
        reexports::ct_codecs::{Base64UrlSafeNoPadding, Decoder},
    };
    use rollcall_rooms::token::TokenKeys;
    use serde_json::{Value, json};

    use super::*;
    use crate::{Tool, test_cli};

    const NOW_S: u64 = 2_000_000_000;
    /// 64 bytes, enough for each algorithm.
    const K: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBw";

    fn args(flags: &[&str]) -> Result<TokenArgs, clap::Error> {
        let words = ["token", "--user", "kim"].iter().chain(flags).copied();
        let Tool::Token(args) = test_cli::parse(words)? else { panic!("not a token") };
        Ok(args)
    }

    fn set(keys: Value) -> String {
        json!({"keys": keys}).to_string()
    }

    fn one_key() -> String {
        set(json!([{"kty": "oct", "alg": "HS256", "k": K}]))
    }

    fn mint_error(flags: &[&str], key_set: &str) -> String {
        format!("{:#}", mint(args(flags).unwrap(), key_set, NOW_S).unwrap_err())
    }

    #[test]
    fn the_app_accepts_the_token() {
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
    fn further_claims_replace_those_of_the_same_name() {
        let further = json!({"iss": "study", "exp": NOW_S + 5, "rooms": ["a"], "username": "K."}).to_string();
        let flags = ["--name", "Kim", "--claims", &further];
        let token = mint(args(&flags).unwrap(), &one_key(), NOW_S).unwrap();
        let key = HS256Key::from_bytes(&Base64UrlSafeNoPadding::decode_to_vec(K, None).unwrap());
        let options = VerificationOptions {
            artificial_time: Some(UnixTimeStamp::from_secs(NOW_S)),
            ..VerificationOptions::default()
        };
        let claims = key.verify_token::<Claims>(&token, Some(options)).unwrap();
        assert_eq!(claims.issuer.as_deref(), Some("study"));
        assert_eq!(claims.expires_at.unwrap().as_secs(), NOW_S + 5);
        let custom = json!({"userId": "kim", "username": "K.", "rooms": ["a"]});
        assert_eq!(Value::from(claims.custom), custom);
    }

    #[test]
    fn the_first_shared_key_signs_unless_another_is_named() {
        let rsa = json!({"kty": "RSA", "alg": "RS256", "kid": "r", "n": "x", "e": "AQAB"});
        let shared = |kid: &str| json!({"kty": "oct", "alg": "HS256", "kid": kid, "k": K});
        let set = set(json!([rsa, shared("a"), shared("b")]));
        for (flags, kid) in [(&[][..], "a"), (&["--key-id", "b"], "b")] {
            let token = mint(args(flags).unwrap(), &set, NOW_S).unwrap();
            assert_eq!(Token::decode_metadata(&token).unwrap().key_id(), Some(kid));
        }
        assert_eq!(mint_error(&["--key-id", "r"], &set), "it holds no shared key with the id r");
    }

    #[test]
    fn errors_do_not_repeat_the_key_set() {
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
            let error = mint_error(&[], &set);
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn invalid_flags_and_claims_are_refused() {
        for flags in [["--claims", "[]"], ["--claims", "{"], ["--expires-in", "1"], ["--user", ""]] {
            assert!(args(&flags).is_err(), "{flags:?}");
        }
        let error = mint_error(&["--claims", r#"{"exp": "soon"}"#], &one_key());
        assert!(error.starts_with("a registered claim"), "{error}");
    }
}
