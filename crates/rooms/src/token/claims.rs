//! The claims that Rollcall uses. Other claims never matter.

use std::fmt::Display;

use rollcall_protocol::{
    ErrorCode, Refusal, UserId,
    client::Profile,
    definition::{Grant, SessionDefinition},
    json, text,
};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{describe_position, invalid};

/// The longest name of a user, in bytes.
const MAX_NAME_BYTES: usize = 256;

/// The latest time that a token can name, in seconds. Its milliseconds still fit into 64 bits.
const MAX_TIME_S: f64 = 9_007_199_254_740_991.0;

/// The text of a claim. An absent claim and `null` are the same.
type Claim = Option<Box<RawValue>>;

/// Each claim stays text until its use, so that no unused claim can make a token invalid.
#[derive(Deserialize)]
pub(super) struct Claims {
    exp: Claim,
    nbf: Claim,
    iss: Claim,
    aud: Claim,
    sub: Claim,
    #[serde(rename = "userId")]
    user_id: Claim,
    username: Claim,
    name: Claim,
    #[serde(rename = "userRole")]
    user_role: Claim,
    rollcall: Claim,
}

impl Claims {
    /// Parses the claims of a token whose signature has been verified.
    pub(super) fn parse(text: &[u8]) -> Result<Self, Refusal> {
        json::from_object(text)
            .map_err(|error| invalid(&format!("the claims: {}", describe_position(&error))))
    }

    /// Checks that the token is valid at this time and returns when it expires, in seconds since 1970.
    pub(super) fn check_time(&self, now_s: u64, leeway_s: u64) -> Result<u64, Refusal> {
        let expires_at_s =
            read_time("exp", &self.exp)?.ok_or_else(|| refuse("exp", "the token never expires"))?;
        // Without the leeway, a bridge would close a connection at once whose token has just expired.
        let expires_at_s = expires_at_s.saturating_add(leeway_s);
        if now_s > expires_at_s {
            return Err(ErrorCode::TokenExpired.into());
        }
        if read_time("nbf", &self.nbf)?
            .is_some_and(|not_before_s| now_s.saturating_add(leeway_s) < not_before_s)
        {
            return Err(refuse("nbf", "the token is not yet valid"));
        }
        Ok(expires_at_s)
    }

    pub(super) fn check_issuer(&self, expected: &str) -> Result<(), Refusal> {
        match read_value(&self.iss) {
            None => Err(refuse("iss", "missing")),
            Some(Value::String(issuer)) if issuer == expected => Ok(()),
            Some(Value::String(_)) => Err(refuse("iss", "another issuer is expected")),
            Some(_) => Err(refuse("iss", "must be a string")),
        }
    }

    pub(super) fn check_audience(&self, expected: &str) -> Result<(), Refusal> {
        let audiences = match read_value(&self.aud) {
            None => return Err(refuse("aud", "missing")),
            Some(Value::Array(audiences)) => audiences,
            Some(audience) => vec![audience],
        };
        if !audiences.iter().all(Value::is_string) {
            return Err(refuse("aud", "must be a string or an array of strings"));
        }
        if audiences.iter().any(|audience| audience == expected) {
            return Ok(());
        }
        Err(refuse("aud", "another audience is expected"))
    }

    pub(super) fn grant(&self) -> Result<Option<Grant>, Refusal> {
        let Some(text) = &self.rollcall else { return Ok(None) };
        let grant: Grant = json::from_object_str(text.get())
            .map_err(|error| refuse("rollcall", describe_position(&error)))?;
        SessionDefinition::from(&grant).validate().map_err(|error| refuse("rollcall", error))?;
        Ok(Some(grant))
    }

    pub(super) fn profile(&self) -> Result<Profile, Refusal> {
        let user_id = match (read_id("userId", &self.user_id)?, &self.sub) {
            (Some(id), _) => id,
            (None, sub) => {
                read_id("sub", sub)?.ok_or_else(|| invalid("the token has neither userId nor sub"))?
            }
        };
        let user_name = match read_label("username", &self.username)? {
            Some(name) => name,
            None => read_label("name", &self.name)?.unwrap_or_else(|| user_id.to_string()),
        };
        let user_role = read_label("userRole", &self.user_role)?;
        Ok(Profile { user_id, user_name, user_role })
    }
}

/// A value nested too deeply counts as `null` inside [`Some`], which no reader takes.
fn read_value(claim: &Claim) -> Option<Value> {
    claim.as_ref().map(|text| serde_json::from_str(text.get()).unwrap_or_default())
}

/// Reads a NumericDate (RFC 7519, section 2), which may have a fraction.
///
/// The fraction is dropped, because the clock that times are compared with drops it too. So `exp` never lasts longer
/// than signed, and a token whose `nbf` is the moment of its issue is valid at once. A time before 1970 counts as 1970.
fn read_time(name: &str, claim: &Claim) -> Result<Option<u64>, Refusal> {
    let Some(text) = claim else { return Ok(None) };
    let seconds: f64 = serde_json::from_str(text.get())
        .map_err(|_| refuse(name, "must be a number of seconds since 1970"))?;
    Ok(Some(seconds.clamp(0.0, MAX_TIME_S) as u64))
}

/// Reads the id of a user, which keeps its type.
fn read_id(name: &str, claim: &Claim) -> Result<Option<UserId>, Refusal> {
    match read_value(claim) {
        None => Ok(None),
        Some(value) if value.is_string() || value.is_i64() || value.is_u64() => {
            UserId::deserialize(value).map(Some).map_err(|error| refuse(name, error))
        }
        Some(_) => Err(refuse(name, "must be a string or an integer")),
    }
}

/// Reads a name or a role, which some platforms number. Nobody is refused for a name: the name loses what must not reach
/// others and what is too much of it, and a name of which nothing is left counts as absent.
fn read_label(name: &str, claim: &Claim) -> Result<Option<String>, Refusal> {
    let text = match read_value(claim) {
        None => return Ok(None),
        Some(Value::String(text)) => text,
        Some(Value::Number(number)) => number.to_string(),
        Some(_) => return Err(refuse(name, "must be a string or a number")),
    };
    let mut text = text::clean_line(&text);
    if text.len() > MAX_NAME_BYTES {
        // The cut may end a sequence early.
        text = text::clean_line(&text[..text.floor_char_boundary(MAX_NAME_BYTES)]);
    }
    Ok(Some(text).filter(|text| !text.trim().is_empty()))
}

/// Names the claim and the reason. The claim's content stays out of the message.
fn refuse(claim: &str, reason: impl Display) -> Refusal {
    invalid(&format!("{claim}: {reason}"))
}

#[cfg(test)]
mod tests {
    use rollcall_protocol::ErrorCode;

    use super::*;

    const NOW_S: u64 = 2_000_000_000;

    fn parse(json: &str) -> Claims {
        Claims::parse(json.as_bytes()).unwrap_or_else(|refusal| panic!("{json}: {}", refusal.message))
    }

    fn message<T>(result: Result<T, Refusal>) -> String {
        let refusal = result.err().unwrap();
        assert_eq!(refusal.code, ErrorCode::TokenInvalid);
        refusal.message
    }

    #[test]
    fn unused_claims_never_matter() {
        let deep = format!("{}{}", "[".repeat(3000), "]".repeat(3000));
        for unused in [
            r#""iat":99999999999"#,
            r#""iat":"yesterday""#,
            r#""jti":7"#,
            r#""nonce":{}"#,
            r#""iss":7,"aud":{"a":[]}"#,
            r#""sub":{"an":"object"}"#,
            r#""name":["unused beside username"]"#,
            r#""x":1e999"#,
            r#""x":1,"x":2"#,
            &format!(r#""x":{deep}"#),
        ] {
            let claims = parse(&format!(r#"{{{unused},"exp":{NOW_S},"userId":"kim","username":"Kim"}}"#));
            assert_eq!(claims.check_time(NOW_S, 0).unwrap(), NOW_S, "{unused}");
            assert_eq!(claims.profile().unwrap().user_name, "Kim", "{unused}");
            assert_eq!(claims.grant().unwrap(), None, "{unused}");
        }
    }

    #[test]
    fn claims_that_are_no_object_or_repeat_a_used_claim_are_refused() {
        for bad in [
            "",
            "[]",
            "7",
            r#"[1,2,3,4,5,6,7,8,9,10]"#,
            "{",
            r#"{"exp":1,"exp":2}"#,
            r#"{"sub":"a","sub":"b"}"#,
        ] {
            message(Claims::parse(bad.as_bytes()));
        }
        message(parse(r#"{"rollcall":{"room":"a","room":"b","endAt":1900000000000,"leaderId":8}}"#).grant());
    }

    #[test]
    fn ids_and_names_may_be_numbers() {
        for (json, expected) in [
            (r#"{"userId":7,"username":8,"userRole":9}"#, ("7", "8", Some("9"))),
            (r#"{"sub":7,"name":1.5}"#, ("7", "1.5", None)),
            (r#"{"sub":-7}"#, ("-7", "-7", None)),
            (
                r#"{"userId":null,"sub":"kim","username":null,"name":"Kim","userRole":null}"#,
                ("kim", "Kim", None),
            ),
            (
                r#"{"userId":18446744073709551615,"userRole":2.5}"#,
                ("18446744073709551615", "18446744073709551615", Some("2.5")),
            ),
        ] {
            let profile = parse(json).profile().unwrap();
            let read = (profile.user_id.as_str(), profile.user_name.as_str(), profile.user_role.as_deref());
            assert_eq!(read, expected, "{json}");
        }
    }

    #[test]
    fn nobody_is_refused_for_a_name() {
        let long = format!(r#"{{"sub":"kim","name":"{}"}}"#, "é".repeat(MAX_NAME_BYTES));
        for (json, expected) in [
            (r#"{"sub":"kim","name":"a\nb\u0000","userRole":"\u202etutor"}"#, ("a b", Some("tutor"))),
            (r#"{"sub":"kim","username":"\u200b","name":"Kim","userRole":" "}"#, ("Kim", None)),
            (r#"{"sub":"kim","username":"","userRole":"\u2028"}"#, ("kim", None)),
            (&long, ("é".repeat(MAX_NAME_BYTES / 2).as_str(), None)),
        ] {
            let profile = parse(json).profile().unwrap();
            assert_eq!((profile.user_name.as_str(), profile.user_role.as_deref()), expected, "{json}");
        }
    }

    #[test]
    fn a_refused_claim_is_named_and_not_quoted() {
        let deep = format!(r#"{{"sub":{}{}}}"#, "[".repeat(3000), "]".repeat(3000));
        for (json, expected) in [
            (r#"{}"#, "the token has neither userId nor sub"),
            (r#"{"userId":null,"sub":null}"#, "the token has neither userId nor sub"),
            (r#"{"userId":1.5,"sub":"kim"}"#, "userId: must be a string or an integer"),
            (r#"{"sub":{"secret":1}}"#, "sub: must be a string or an integer"),
            (r#"{"sub":""}"#, "sub: an id must not be empty"),
            (&deep, "sub: must be a string or an integer"),
            (r#"{"sub":"kim","username":["secret"]}"#, "username: must be a string or a number"),
            (r#"{"sub":"k\u202eim"}"#, "sub: an id must not contain U+202E, a bidirectional control"),
            (r#"{"sub":"kim","userRole":true}"#, "userRole: must be a string or a number"),
        ] {
            assert_eq!(message(parse(json).profile()), expected);
        }
        let grant = message(parse(r#"{"rollcall":"secret"}"#).grant());
        assert!(grant.starts_with("rollcall: ") && !grant.contains("secret"), "{grant}");
    }

    #[test]
    fn times_are_numbers_of_any_form() {
        for (exp, expected) in [
            ("2000000000", NOW_S),
            ("2000000000.0", NOW_S),
            ("2000000000.9", NOW_S),
            ("2e9", NOW_S),
            ("1.9e12", 1_900_000_000_000),
            ("1e300", 9_007_199_254_740_991),
        ] {
            assert_eq!(
                parse(&format!(r#"{{"exp":{exp}}}"#)).check_time(NOW_S, 0).unwrap(),
                expected,
                "{exp}"
            );
        }
        for exp in ["7.0", "0", "-1", "1999999999.9"] {
            let refusal = parse(&format!(r#"{{"exp":{exp}}}"#)).check_time(NOW_S, 0).unwrap_err();
            assert_eq!(refusal.code, ErrorCode::TokenExpired, "{exp}");
        }
        for exp in [r#""2000000060""#, "true", "[]", "1e999"] {
            let refused = message(parse(&format!(r#"{{"exp":{exp}}}"#)).check_time(NOW_S, 0));
            assert_eq!(refused, "exp: must be a number of seconds since 1970");
        }
        for never in ["{}", r#"{"exp":null}"#] {
            assert_eq!(message(parse(never).check_time(NOW_S, 0)), "exp: the token never expires");
        }
    }

    #[test]
    fn a_token_is_valid_from_its_nbf_on() {
        let check =
            |nbf: &str, leeway_s| parse(&format!(r#"{{"exp":3e9,"nbf":{nbf}}}"#)).check_time(NOW_S, leeway_s);
        for nbf in ["null", "-5", "2000000000", "2000000000.9"] {
            assert!(check(nbf, 0).is_ok(), "{nbf}");
        }
        assert_eq!(message(check("2000000001.0", 0)), "nbf: the token is not yet valid");
        assert!(check("2000000001.0", 1).is_ok());
        assert_eq!(message(check(r#""now""#, 0)), "nbf: must be a number of seconds since 1970");
    }

    #[test]
    fn an_audience_is_a_string_or_several() {
        let check = |aud: &str| parse(&format!(r#"{{"aud":{aud}}}"#)).check_audience("rollcall");
        assert!(check(r#""rollcall""#).is_ok());
        assert!(check(r#"["another","rollcall"]"#).is_ok());
        assert_eq!(message(check("null")), "aud: missing");
        for another in [r#""another""#, "[]", r#"["another"]"#] {
            assert_eq!(message(check(another)), "aud: another audience is expected");
        }
        for bad in ["7", r#"["rollcall",7]"#, r#"{"rollcall":1}"#] {
            assert_eq!(message(check(bad)), "aud: must be a string or an array of strings");
        }
    }

    #[test]
    fn an_issuer_is_a_string() {
        let check = |iss: &str| parse(&format!(r#"{{"iss":{iss}}}"#)).check_issuer("study");
        assert!(check(r#""study""#).is_ok());
        assert_eq!(message(check("null")), "iss: missing");
        assert_eq!(message(check(r#""another""#)), "iss: another issuer is expected");
        assert_eq!(message(check("7")), "iss: must be a string");
    }
}
