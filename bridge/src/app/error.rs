//! Why a call to the app did not succeed.

use std::time::Duration;

use http::StatusCode;
use rollcall_protocol::{ErrorCode, Refusal, call::CallError};

/// Why an event did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppError {
    /// The app refused.
    #[error("{refusal}")]
    Refused {
        refusal: Refusal,
        /// How often the event was sent. An earlier attempt may still reach the app after the refused one.
        attempts: u32,
    },
    /// Too many other calls wait. The app was not asked.
    #[error("too many calls wait for the app")]
    Overloaded,
    /// The app has failed too often lately. The app was not asked.
    #[error("the app is away")]
    CircuitOpen,
    /// The app was asked and may have applied the event.
    #[error("the app does not answer")]
    NoResponse,
}

impl AppError {
    /// Whether the app may have applied the event, or may still apply it.
    pub(crate) fn may_have_been_applied(&self) -> bool {
        match self {
            Self::Refused { attempts, .. } => *attempts > 1,
            Self::Overloaded | Self::CircuitOpen => false,
            Self::NoResponse => true,
        }
    }
}

impl From<AppError> for Refusal {
    fn from(error: AppError) -> Self {
        match error {
            AppError::Refused { refusal, .. } => refusal,
            AppError::Overloaded => ErrorCode::Overloaded.into(),
            AppError::CircuitOpen | AppError::NoResponse => ErrorCode::Unavailable.into(),
        }
    }
}

/// Why one attempt to call the app failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum AttemptError {
    #[error("the event was in no call in time")]
    Overloaded,
    #[error("the app has failed too often lately")]
    CircuitOpen,
    #[error("{0}")]
    Refused(Refusal),
    #[error("a part of the app does not answer: {0}")]
    PartUnavailable(Refusal),
    #[error("the call ended without an outcome of the event")]
    NoOutcome,
    #[error("no answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    #[error("{0}")]
    Connection(#[from] anyhow::Error),
    #[error("the app answered {0}")]
    Status(StatusCode),
    #[error("the app does not accept this bridge's signature: {0}")]
    Signature(String),
    #[error("the app's answer ({0}) cannot be read: {1}")]
    Unreadable(StatusCode, serde_json::Error),
    #[error(transparent)]
    Call(#[from] CallError),
}

impl AttemptError {
    /// Whether a later attempt may succeed.
    pub(super) fn is_temporary(&self) -> bool {
        match self {
            Self::Overloaded
            | Self::CircuitOpen
            | Self::PartUnavailable(_)
            | Self::NoOutcome
            | Self::Timeout(_)
            | Self::Connection(_)
            | Self::Status(_) => true,
            Self::Refused(_) | Self::Signature(_) | Self::Unreadable(..) | Self::Call(_) => false,
        }
    }

    /// Whether the app has answered for good.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::Refused(refusal) if !refusal.code.may_retry())
    }

    /// Whether the deployment does without the component.
    pub(super) fn is_feature_off(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.code == ErrorCode::FeatureOff)
    }

    /// Whether the request was sent.
    pub(super) fn was_sent(&self) -> bool {
        !matches!(self, Self::Overloaded | Self::CircuitOpen | Self::Call(_))
    }

    /// Whether the app itself gave no sign of life.
    pub(super) fn is_silence(&self) -> bool {
        matches!(self, Self::Timeout(_) | Self::Connection(_) | Self::Status(_))
    }
}
