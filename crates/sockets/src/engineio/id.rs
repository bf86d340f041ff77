//! Ids that nobody can guess: whoever knows the id of a polling session can read its messages.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// Random bytes in an id, as many as in an id of the official server.
const RANDOM_BYTES: usize = 15;

/// A new id of twenty characters that are safe in URLs.
///
/// # Errors
///
/// The operating system has no random numbers.
pub fn random_id() -> Result<String, getrandom::Error> {
    let mut random = [0; RANDOM_BYTES];
    getrandom::fill(&mut random)?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}
