//! Why a request is refused here: the neutral failures, and those that this API tells apart.

use transaction_engine::Error as EngineError;

use crate::failure::Failure;
use crate::json::DecodeError;
use crate::transport::BodyError;

/// Why a request is refused.
#[derive(Debug)]
pub(super) enum Refusal {
    /// One of those that every dialect has.
    Neutral(Failure),
    /// The token has expired.
    KeyExpired,
    /// The token is longer than any that is issued.
    KeyTooLong,
    /// The client needs another secret before it may go on.
    NeedPasswordChange,
    /// The query lacks a name.
    MissingQuery(&'static str),
    /// A value of the query is not one that the name takes.
    InvalidQuery(String, String),
    /// The caller takes no JSON. What it takes instead.
    NotAcceptable(String),
    /// An action after a colon that is not known.
    ActionNotSupported(String),
    /// Another version of the API.
    VersionNotSupported,
    /// A push that would change nothing.
    NothingToPush,
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Neutral(failure)
    }
}

impl From<EngineError> for Refusal {
    fn from(error: EngineError) -> Self {
        Self::Neutral(error.into())
    }
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        Self::Neutral(error.into())
    }
}

impl From<DecodeError> for Refusal {
    fn from(error: DecodeError) -> Self {
        Self::Neutral(error.into())
    }
}
