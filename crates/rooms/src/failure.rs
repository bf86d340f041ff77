//! Why a use case did not succeed.

use rollcall_protocol::{ErrorCode, Refusal};

/// Why a use case did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The rules say no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Something it needs does not answer. The text is for the log, not for the client.
    #[error("unavailable: {0}")]
    Unavailable(String),
}

impl From<ErrorCode> for Failure {
    fn from(code: ErrorCode) -> Self {
        Self::Refused(code.into())
    }
}

impl Failure {
    /// What the client is told.
    pub fn into_refusal(self) -> Refusal {
        match self {
            Self::Refused(refusal) => refusal,
            Self::Unavailable(_) => ErrorCode::Unavailable.into(),
        }
    }
}
