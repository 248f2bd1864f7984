//! Why a message was not sent, and what becomes of it.

use std::error::Error;

use crate::event::plain;

/// Why a message was not sent. The sentences say what to do and hold no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It may not be: the mode of delivery does not allow it.
    #[error("{0}")]
    Withheld(String),
    /// It may work later.
    #[error("{0}")]
    Later(String),
    /// It will not work, however often it is tried.
    #[error("{0}")]
    Never(String),
}

/// An error with what caused it, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    plain(&text, 400)
}
