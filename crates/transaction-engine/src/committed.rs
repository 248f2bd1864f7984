//! What a commit is asked for, and what it led to.

use std::time::Duration;

use crate::confirmation::Confirmation;
use crate::idempotency::Idempotency;
use crate::revision::RevisionNumber;

/// How a commit is to be made. A plain message is one of these too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommitOptions {
    /// Why, in the author's words.
    pub message: Option<String>,
    /// By what the request is recognised when it is sent again.
    pub idempotency: Option<Idempotency>,
    /// Time within which the commit must be confirmed, otherwise it is undone.
    pub confirm_within: Option<Duration>,
}

impl From<Option<String>> for CommitOptions {
    fn from(message: Option<String>) -> Self {
        Self { message, ..Self::default() }
    }
}

/// What a commit led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The revision that holds the changes; the running one where there were none.
    pub number: RevisionNumber,
    /// How many nodes changed.
    pub changes: usize,
    /// How it is to be confirmed, where that was asked for and something changed.
    pub confirmation: Option<Confirmation>,
}
