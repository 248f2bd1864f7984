//! Why a store does not do what it was asked to, and errors as sentences.

use std::path::PathBuf;

use config_tree::NodePath;

use super::revision::RevisionNumber;

/// Why a store does not do what it was asked to. A variant where one would act differently.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// What is stored is not what was written.
    #[error("the store is damaged: {what}; {remedy}")]
    Damaged {
        /// What is wrong, and where.
        what: String,
        /// What a person can do about it.
        remedy: String,
    },
    /// Another process, or another part of this one, has the directory open.
    #[error("the data directory {} is in use by another Boxwood; stop that one first", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// There is no store: the configuration is in memory only.
    #[error("the configuration is in memory only, so there is nothing to copy")]
    InMemory,
    /// A write failed earlier. Reads go on.
    #[error("a write to the store failed earlier, so it takes no more until Boxwood is restarted")]
    Poisoned,
    /// The operating system refused.
    #[error("could not {doing}")]
    Io {
        /// What was tried, as in "could not …".
        doing: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// More than the medium takes at once. Nothing was written.
    #[error("{what} takes {bytes} bytes, and the store takes {limit}; commit it in smaller parts")]
    TooLarge {
        /// What is too large.
        what: String,
        /// Its size.
        bytes: u64,
        /// The most there may be.
        limit: u64,
    },
    /// The bytes are of another time.
    #[error(
        "the store has format {found} and this Boxwood knows format {known}; \
         start the version that wrote it"
    )]
    UnknownFormat {
        /// What the store says of itself.
        found: String,
        /// What this program reads and writes.
        known: u32,
    },
    /// The catalog lacks a folder or a collection that stored content stands in.
    #[error(
        "revision {number} keeps something at {path}, where the catalog has no place for it; \
         start with the catalog it was written with"
    )]
    NoPlace {
        /// Where the content stands.
        path: NodePath,
        /// The revision, or the checkpoint of a revision, that says so.
        number: RevisionNumber,
    },
    /// The caller asked for something that would have damaged the store. Nothing was written.
    #[error("the store refuses {what}")]
    Refused {
        /// What was asked for, and why it does not fit.
        what: String,
    },
}

impl StoreError {
    pub(super) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    pub(super) fn damaged(what: impl Into<String>, remedy: &str) -> Self {
        Self::Damaged { what: what.into(), remedy: remedy.to_owned() }
    }

    pub(crate) fn refused(what: impl Into<String>) -> Self {
        Self::Refused { what: what.into() }
    }
}

/// An error with all its causes, as one sentence; a cause that the sentence holds already is not
/// repeated. For logs and start-up messages, where there is one place to say it all.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut sentence = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !sentence.contains(&text) {
            sentence.push_str(": ");
            sentence.push_str(&text);
        }
        cause = error.source();
    }
    sentence
}
