//! The commands that answer and end. What they find goes to standard output, what keeps them from
//! it to standard error.

pub mod backup;
pub mod catalog;
pub mod describe;
pub mod export;
pub mod healthcheck;
pub mod import;
pub mod progress;
pub mod remote;
pub mod restore;
pub mod state;
pub mod verify;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;

use config_tree::NodePath;
use front_end::transfer::Refusal;

use crate::appliance::{ApplianceError, counted};
use crate::data_dir::DataDirError;
use crate::engine::OpenError;
use crate::settings::BadSettings;
use remote::RemoteError;

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// Settings cannot be used.
    #[error(transparent)]
    Settings(#[from] BadSettings),
    /// A catalog was checked and has faults, which were printed.
    #[error("the catalog in {} has {}", dir.display(), counted(*count))]
    Faults {
        /// The catalog's directory.
        dir: PathBuf,
        /// How many.
        count: usize,
    },
    /// A new catalog would mingle with what is there.
    #[error("{} is not empty; name a directory that is empty or not there yet", .0.display())]
    NotEmpty(PathBuf),
    /// A file could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Standard output took no more.
    #[error("cannot write to standard output: {0}")]
    Output(#[source] io::Error),
    /// The settings' catalog cannot be used.
    #[error(transparent)]
    Appliance(#[from] ApplianceError),
    /// The settings name several appliances.
    #[error("the settings name several appliances ({0}); choose one with --appliance NAME")]
    Several(String),
    /// There is nothing to export.
    #[error(
        "there is no configuration in {} of the appliance {appliance}; name the directory of a daemon with \
         --data-dir, and the appliance with --appliance",
        dir.display()
    )]
    Nothing {
        /// The data directory.
        dir: PathBuf,
        /// The appliance.
        appliance: String,
    },
    /// The catalog does not know what stands in the directory.
    #[error(
        "the configuration in {} has {path}, for which the catalog {catalog} has no place; name \
         the one it was made with, by --appliance or --catalog",
        dir.display()
    )]
    OtherCatalog {
        /// The directory.
        dir: PathBuf,
        /// What stands there.
        path: NodePath,
        /// The catalog of the settings.
        catalog: String,
    },
    /// A daemon has the directory.
    #[error(
        "the data directory {} is in use by a running Boxwood; ask that one with --url \
         https://HOST:PORT, or stop it first",
        .0.display()
    )]
    InUse(PathBuf),
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(DataDirError),
    /// The configuration cannot be opened.
    #[error(transparent)]
    Open(OpenError),
    /// The document cannot be imported.
    #[error("nothing was imported: {0}")]
    Refused(#[from] Refusal),
    /// A backup cannot be made or restored.
    #[error(transparent)]
    Backup(#[from] crate::backup::BackupError),
    /// A daemon is not healthy, or there is none.
    #[error(transparent)]
    Unhealthy(#[from] healthcheck::Unhealthy),
    /// A running daemon did not do it.
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

impl CommandError {
    /// Whether it is the command line that is wrong, and not the world.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Settings(_)
                | Self::Unhealthy(healthcheck::Unhealthy::Port(_))
                | Self::Remote(RemoteError::Url(_) | RemoteError::Trust(_))
        )
    }
}

/// The whole environment.
pub type Environment = Vec<(OsString, OsString)>;

/// Prints what a command found.
fn say(text: impl AsRef<[u8]>) -> Result<(), CommandError> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_ref()).and_then(|()| out.flush()).map_err(CommandError::Output)
}
