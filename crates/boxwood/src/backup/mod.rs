//! Backups: everything in a data directory in one file, taken from a running daemon or from a
//! directory that no daemon uses, and made a data directory again.
//!
//! A running daemon has the database locked, so it reads the backup itself and hands it over on a
//! socket of its own machine ([`control`]).

pub mod control;
pub mod format;
pub mod restore;
pub mod source;

use std::io;
use std::path::PathBuf;

use transaction_engine::store::StoreError;

/// Why there is no backup, or why it cannot be restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The store cannot be read, or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file, or the connection with the daemon.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not a backup, or not a whole one.
    #[error("{0}: the backup is damaged or incomplete; make another one")]
    Damaged(&'static str),
    /// The daemon could not make it.
    #[error("the daemon could not make the backup: {0}")]
    Daemon(String),
    /// A socket of another user's process.
    #[error(
        "the process that answers for the data directory runs as user {found} and not as its owner \
         {owner}; stop that process"
    )]
    Stranger {
        /// The user of the process.
        found: u32,
        /// The owner of the directory.
        owner: u32,
    },
    /// There is something where the restored directory would go.
    #[error("{} is not empty; name a directory that is empty or does not exist", .0.display())]
    NotEmpty(PathBuf),
}

impl BackupError {
    /// Says what was being done when the system refused.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

/// The files of an appliance that belong to a backup, in its folder; those of the root too.
const FILES: [&str; 4] = ["appliance", "administrator.hash", "secret.check", "secret.key"];
/// The folder of the daemon's own certificate.
const CERTIFICATES: &str = "tls";
