//! Clients' tokens. Only what was signed with the key counts, and only while it lasts.
#![no_main]

use arbitrary::Arbitrary;
use jwt_simple::prelude::{Claims, Duration, HS256Key, MACLike};
use libfuzzer_sys::fuzz_target;
use rollcall_protocol::{Refusal, client::Identity, text};
use rollcall_rooms::token::TokenKeys;
use serde_json::{Map, Value};

const NOW_S: u64 = 1_800_000_000;

/// The 32 bytes "0123456789abcdef0123456789abcdef".
const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

thread_local! {
    static KEYS: TokenKeys = keys();
}

fn keys() -> TokenKeys {
    let hmac = r#"{"kty":"oct","alg":"HS256","kid":"h","k":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}"#;
    let curve = r#"{"kty":"EC","crv":"P-256","alg":"ES256","kid":"e","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    let set = format!(r#"{{"keys":[{hmac},{curve}]}}"#);
    TokenKeys::parse(&set, "", "", 0).expect("a key set")
}

fn verify(token: &str) -> Result<Identity, Refusal> {
    KEYS.with(|keys| keys.verify(token, NOW_S))
}

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    /// As it comes.
    Raw(&'a str),
    /// Signed, with these claims, until so many seconds from now or before.
    Signed { claims: &'a str, lasts_s: i16 },
    /// Signed, and then changed.
    Altered { at: u16, to: char },
}

fuzz_target!(|input: Input| match input {
    Input::Raw(token) => assert!(verify(token).is_err(), "nobody has signed this"),
    Input::Signed { claims, lasts_s } => {
        let Ok(claims) = serde_json::from_str::<Map<String, Value>>(claims) else { return };
        let ends_s = NOW_S.saturating_add_signed(lasts_s.into());
        let Some(token) = sign(claims, ends_s) else { return };
        if let Ok(identity) = verify(&token) {
            assert!(lasts_s >= 0 && identity.expires_at_s == ends_s);
            let name = identity.profile.user_name;
            assert!(name.len() <= 256 && text::clean_line(&name) == name, "{name:?}");
        }
    }
    Input::Altered { at, to } => {
        let claims = serde_json::from_str(r#"{"userId":"kim"}"#).expect("an object");
        let good = sign(claims, NOW_S + 60).expect("claims");
        assert!(verify(&good).is_ok());
        let mut altered: Vec<char> = good.chars().collect();
        let place = usize::from(at) % altered.len();
        altered[place] = to;
        let altered: String = altered.into_iter().collect();
        assert!(altered == good || verify(&altered).is_err(), "{altered}");
    }
});

fn sign(mut claims: Map<String, Value>, ends_s: u64) -> Option<String> {
    // The library writes these itself.
    for own in ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "kid", "nonce"] {
        claims.remove(own);
    }
    let mut signed = Claims::with_custom_claims(claims, Duration::from_secs(0));
    signed.issued_at = None;
    signed.invalid_before = None;
    signed.expires_at = Some(Duration::from_secs(ends_s));
    HS256Key::from_bytes(KEY).with_key_id("h").authenticate(signed).ok()
}
