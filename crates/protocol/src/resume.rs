//! Resume tokens: the holder of a token may replace the entry of the token.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, de};
use sha2::{Digest, Sha256};

use crate::id::{ResumeHash, Text};

/// The Base64 length of 32 bytes.
const CHARS: usize = 43;

/// 32 random bytes, in URL-safe Base64.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ResumeToken(String);

impl ResumeToken {
    /// Makes a token of random bytes.
    pub fn new(random: [u8; 32]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(random))
    }

    /// The hash, which the app and Redis get instead of the token. A random token needs no salt.
    pub fn hash(&self) -> ResumeHash {
        ResumeHash(Text(URL_SAFE_NO_PAD.encode(Sha256::digest(&self.0))))
    }
}

impl std::fmt::Debug for ResumeToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ResumeToken(..)")
    }
}

impl<'de> Deserialize<'de> for ResumeToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.len() != CHARS {
            return Err(de::Error::custom("not a resume token"));
        }
        Ok(Self(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_has_one_hash() {
        let token = ResumeToken::new([7; 32]);
        let json = serde_json::to_string(&token).unwrap();
        assert_eq!(serde_json::from_str::<ResumeToken>(&json).unwrap(), token);
        assert_eq!(token.hash(), token.clone().hash());
        assert_ne!(token.hash(), ResumeToken::new([8; 32]).hash());
    }

    #[test]
    fn a_token_does_not_show_in_debug_output() {
        let token = ResumeToken::new([7; 32]);
        assert!(!format!("{token:?}").contains(&token.0));
    }

    #[test]
    fn a_text_that_cannot_be_a_token_is_refused() {
        for json in [r#""""#, r#""short""#, "7", "null"] {
            assert!(serde_json::from_str::<ResumeToken>(json).is_err(), "{json}");
        }
    }
}
