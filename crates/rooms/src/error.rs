//! Errors of use cases.

use rollcall_protocol::{ErrorCode, Refusal};

/// A use case did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A rule forbids the request.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A part of the service does not respond. The text is for the log, never for clients.
    #[error("unavailable: {0}")]
    Unavailable(String),
}

impl From<ErrorCode> for Error {
    fn from(code: ErrorCode) -> Self {
        Self::Refused(code.into())
    }
}

impl Error {
    /// The refusal that clients may see.
    pub fn into_refusal(self) -> Refusal {
        match self {
            Self::Refused(refusal) => refusal,
            Self::Unavailable(_) => ErrorCode::Unavailable.into(),
        }
    }
}
