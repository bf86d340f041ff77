//! The keys of a JSON Web Key Set, and the signatures that each key verifies.

use std::fmt;

use ed25519_compact::Signature as Ed25519Signature;
use jwt_simple::{
    prelude::{
        ECDSAP256PublicKeyLike, ES256PublicKey, Ed25519PublicKey, EdDSAPublicKeyLike, HS256Key, HS384Key,
        HS512Key, MACLike, RS256PublicKey, RSAPublicKeyLike,
    },
    reexports::ct_codecs::{self, Base64UrlSafeNoPadding, Decoder},
};
use p256::ecdsa::{Signature as Es256Signature, signature::Verifier as _};
use rollcall_protocol::json;
use serde::Deserialize;
use serde_json::value::RawValue;
use superboring::{pkey::PKey, sign::Verifier};

use super::describe_position;

const MAX_LOGGED_KID_CHARS: usize = 64;

/// A key set is not usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeys {
    /// The text is not a key set in JSON.
    #[error("{0} is not a JSON Web Key Set: {1}")]
    NotAKeySet(KeySource, String),
    /// The set is empty and would refuse everybody.
    #[error("{0} holds no key")]
    Empty(KeySource),
    /// No key is usable: for each key its position, counted from 1, and the reason.
    #[error("{0}")]
    NoUsableKey(String),
}

/// Where a key set comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySource {
    /// The variable `jwt_keys`.
    Configured,
    /// The address in the variables `jwks_address` and `jwks_path`.
    Published,
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configured => "jwt_keys",
            Self::Published => "the key set of jwks_address",
        })
    }
}

/// The usable keys of a JSON Web Key Set (RFC 7517).
pub struct KeySet {
    keys: Vec<Key>,
    unusable: Vec<String>,
}

impl KeySet {
    /// Parses a key set and leaves out the keys that cannot verify tokens. Identity providers publish such keys too.
    pub fn parse(text: &str, source: KeySource) -> Result<Self, InvalidKeys> {
        let set: KeyList = json::from_object_str(text)
            .map_err(|error| InvalidKeys::NotAKeySet(source, describe_position(&error)))?;
        if set.keys.is_empty() {
            return Err(InvalidKeys::Empty(source));
        }
        let (mut keys, mut unusable) = (Vec::new(), Vec::new());
        for (index, jwk) in set.keys.iter().enumerate() {
            match Key::parse(jwk.get(), source) {
                Ok(key) => keys.push(key),
                Err(reason) => {
                    let kid = read_kid(jwk.get()).map(|kid| format!(" ({kid:?})")).unwrap_or_default();
                    unusable.push(format!("key {}{kid} of {source}: {reason}", index + 1));
                }
            }
        }
        if keys.is_empty() {
            return Err(InvalidKeys::NoUsableKey(unusable.join("; ")));
        }
        Ok(Self { keys, unusable })
    }

    /// The keys that were left out: for each its position, counted from 1, its id and the reason.
    pub fn unusable(&self) -> &[String] {
        &self.unusable
    }

    pub(super) fn keys(&self) -> &[Key] {
        &self.keys
    }
}

/// Reads the id of a key that is not usable. A long id would flood the log.
fn read_kid(jwk: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct WithKid {
        kid: String,
    }
    let kid = json::from_object_str::<WithKid>(jwk).ok()?.kid;
    Some(kid.chars().take(MAX_LOGGED_KID_CHARS).collect())
}

#[derive(Deserialize)]
struct KeyList {
    keys: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct KeyHeader {
    kty: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    kid: Option<String>,
    #[serde(rename = "use")]
    key_use: Option<String>,
    key_ops: Option<Vec<String>>,
    k: Option<String>,
}

/// A key with the one algorithm that it verifies, and its id.
pub(super) struct Key {
    pub(super) kid: Option<String>,
    material: Material,
}

#[allow(clippy::large_enum_variant, reason = "an instance holds a handful of them, once")]
enum Material {
    Hs256(HS256Key),
    Hs384(HS384Key),
    Hs512(HS512Key),
    Rs256(RS256PublicKey),
    Es256(ES256PublicKey),
    EdDsa(Ed25519PublicKey),
}

impl Key {
    fn parse(jwk: &str, source: KeySource) -> Result<Self, String> {
        let header: KeyHeader = json::from_object_str(jwk).map_err(|error| describe_position(&error))?;
        let kty = header.kty.as_deref().ok_or(r#""kty" is missing"#)?;
        check_purpose(&header)?;
        if kty == "oct" && source == KeySource::Published {
            return Err("a shared key must not be published".to_owned());
        }
        let text = |error: jwt_simple::Error| error.to_string();
        let material = match (kty, read_algorithm(kty, &header)?) {
            ("oct", "HS256") => Material::Hs256(HS256Key::from_bytes(&shared_secret(&header, 32)?)),
            ("oct", "HS384") => Material::Hs384(HS384Key::from_bytes(&shared_secret(&header, 48)?)),
            ("oct", "HS512") => Material::Hs512(HS512Key::from_bytes(&shared_secret(&header, 64)?)),
            ("RSA", "RS256") => Material::Rs256(RS256PublicKey::from_jwk(jwk).map_err(text)?),
            ("EC", "ES256") => Material::Es256(ES256PublicKey::from_jwk(jwk).map_err(text)?),
            ("OKP", "EdDSA" | "Ed25519") => Material::EdDsa(Ed25519PublicKey::from_jwk(jwk).map_err(text)?),
            (kty, alg) => return Err(format!("{alg} with a key of type {kty} is not supported")),
        };
        Ok(Self { kid: header.kid, material })
    }

    /// Whether a token may name this algorithm. The key decides, so that no token can choose its algorithm.
    pub(super) fn verifies_algorithm(&self, alg: &str) -> bool {
        match self.material {
            Material::Hs256(_) => alg == "HS256",
            Material::Hs384(_) => alg == "HS384",
            Material::Hs512(_) => alg == "HS512",
            Material::Rs256(_) => alg == "RS256",
            Material::Es256(_) => alg == "ES256",
            Material::EdDsa(_) => alg == "EdDSA" || alg == "Ed25519",
        }
    }

    pub(super) fn verifies_signature(&self, signed: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Hs256(key) => ct_codecs::verify(&key.authentication_tag(signed), signature),
            Material::Hs384(key) => ct_codecs::verify(&key.authentication_tag(signed), signature),
            Material::Hs512(key) => ct_codecs::verify(&key.authentication_tag(signed), signature),
            Material::Rs256(key) => verify_rs256(key, signed, signature),
            Material::Es256(key) => Es256Signature::from_slice(signature)
                .is_ok_and(|signature| key.public_key().as_ref().verify(signed, &signature).is_ok()),
            Material::EdDsa(key) => Ed25519Signature::from_slice(signature)
                .is_ok_and(|signature| key.public_key().as_ref().verify(signed, &signature).is_ok()),
        }
    }
}

fn verify_rs256(key: &RS256PublicKey, signed: &[u8], signature: &[u8]) -> bool {
    let verify = || {
        let key_of_verifier = PKey::from_rsa(key.public_key().as_ref().clone())?;
        let mut verifier = Verifier::new(RS256PublicKey::hash(), &key_of_verifier)?;
        verifier.set_rsa_padding(key.padding_scheme())?;
        verifier.update(signed)?;
        verifier.verify(signature)
    };
    verify().unwrap_or(false)
}

/// Refuses keys that their owner publishes for something else, such as encryption.
fn check_purpose(header: &KeyHeader) -> Result<(), String> {
    if header.key_use.as_ref().is_some_and(|key_use| key_use != "sig") {
        return Err(r#""use" is not "sig""#.to_owned());
    }
    if header.key_ops.as_ref().is_some_and(|operations| !operations.iter().any(|name| name == "verify")) {
        return Err(r#""key_ops" does not hold "verify""#.to_owned());
    }
    Ok(())
}

/// Reads the key's algorithm. Without `alg`, the type of the key decides if that type has one supported algorithm.
fn read_algorithm<'a>(kty: &str, header: &'a KeyHeader) -> Result<&'a str, String> {
    if let Some(alg) = &header.alg {
        return Ok(alg);
    }
    match (kty, header.crv.as_deref()) {
        ("RSA", _) => Ok("RS256"),
        ("EC", Some("P-256")) => Ok("ES256"),
        ("OKP", Some("Ed25519")) => Ok("EdDSA"),
        ("oct", _) => Err(r#""alg" is missing"#.to_owned()),
        ("EC" | "OKP", Some(crv)) => Err(format!("the curve {crv} is not supported")),
        ("EC" | "OKP", None) => Err(r#""crv" is missing"#.to_owned()),
        (kty, _) => Err(format!("a key of type {kty} is not supported")),
    }
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
