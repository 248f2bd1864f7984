//! How a commit is confirmed: a token and a deadline.

use std::fmt;

use zeroize::Zeroizing;

use crate::revision::Timestamp;

/// What confirms a commit. A client that has it may confirm, extend or cancel.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfirmToken(Zeroizing<String>);

impl ConfirmToken {
    /// The text that is handed out, once.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Zeroizing<String>> for ConfirmToken {
    fn from(text: Zeroizing<String>) -> Self {
        Self(text)
    }
}

impl fmt::Debug for ConfirmToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConfirmToken(hidden)")
    }
}

/// How a commit is to be confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    /// With this.
    pub token: ConfirmToken,
    /// Before this moment.
    pub until: Timestamp,
}

/// What is kept of a token.
pub(crate) fn hash(token: &str) -> [u8; 32] {
    *blake3::hash(token.as_bytes()).as_bytes()
}
