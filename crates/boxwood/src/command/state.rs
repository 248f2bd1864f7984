//! A data directory without a daemon on it.

use std::path::PathBuf;
use std::sync::Arc;

use catalog::Catalog;
use config_tree::Tree;
use transaction_engine::store::{CheckpointDir, RevisionLog, SledStore, StoreError};
use transaction_engine::{Engine, RevisionNumber};

use super::{CommandError, Environment};
use crate::cli::StateFlags;
use crate::daemon::{self, DaemonError};
use crate::settings::{Mode, Settings, Sources};
use crate::{appliance, telemetry};

/// The directory that the settings name, with the catalog that they choose.
pub struct State {
    /// All settings, as the daemon on this directory has them.
    pub settings: Settings,
    /// What may stand where.
    pub catalog: Arc<Catalog>,
    data_dir: PathBuf,
}

impl State {
    /// Finds out which.
    ///
    /// # Errors
    /// Bad settings, or a catalog with faults.
    pub fn find(flags: &StateFlags, environment: Environment) -> Result<Self, CommandError> {
        let settings = Settings::resolve(Sources {
            mode: Mode::Serve,
            config_file: flags.config.clone(),
            environment,
            flags: flags.given(),
        })?;
        // Twice in a process is once too many, and no reason to do nothing.
        let _ = telemetry::install("warn", settings.log.format);
        let catalog = Arc::new(appliance::catalog(&settings)?);
        let data_dir = settings.data_dir.clone().unwrap_or_default();
        Ok(Self { settings, catalog, data_dir })
    }

    // One that no daemon has ever used would be made, for nothing.
    fn expect_used(&self) -> Result<(), CommandError> {
        let used = self.data_dir.join("lock").exists();
        if used { Ok(()) } else { Err(CommandError::Nothing(self.data_dir.clone())) }
    }

    /// The committed configuration. Nothing is added to it, not even defaults that it lacks.
    ///
    /// # Errors
    /// The store cannot be opened, or there is none.
    pub fn committed(&self) -> Result<(RevisionNumber, Tree), CommandError> {
        self.expect_used()?;
        let store = SledStore::open(&self.data_dir, self.settings.store.cache_bytes);
        let store = Box::new(store.map_err(store_error)?);
        appliance::expect_kept_name(&self.data_dir, &self.catalog)?;
        let checkpoints = CheckpointDir::open(self.data_dir.join("checkpoints"));
        let checkpoints = Some(checkpoints.map_err(store_error)?);
        let opened = RevisionLog::open(store, checkpoints, self.catalog.skeleton());
        let (_, recovered) = opened.map_err(store_error)?;
        if recovered.number == RevisionNumber::ZERO {
            return Err(CommandError::Nothing(self.data_dir.clone()));
        }
        self.expect_known(&recovered.tree)?;
        Ok((recovered.number, recovered.tree))
    }

    // A catalog says which parts of a body are secret: the wrong one would say wrong things.
    fn expect_known(&self, tree: &Tree) -> Result<(), CommandError> {
        match tree.walk().find(|(path, _)| self.catalog.endpoint(path).is_none()) {
            None => Ok(()),
            Some((path, _)) => Err(CommandError::OtherCatalog {
                dir: self.data_dir.clone(),
                path,
                catalog: self.catalog.name().to_owned(),
            }),
        }
    }

    /// An engine with this directory's key that keeps nothing: by its rules an import is tried.
    ///
    /// # Errors
    /// What keeps a daemon from starting.
    pub fn rehearsal(&self) -> Result<Engine, CommandError> {
        daemon::fresh_engine(&self.settings, &self.data_dir, &self.catalog)
            .map_err(CommandError::Open)
    }

    /// The configuration, to be changed: as the daemon opens it.
    ///
    /// # Errors
    /// What keeps a daemon from starting.
    pub fn open(&self) -> Result<Engine, CommandError> {
        let opened = daemon::open_engine(&self.settings, &self.data_dir, &self.catalog);
        let (engine, _) = opened.map_err(|error| match error {
            DaemonError::Store(error) => store_error(error),
            other => CommandError::Open(other),
        })?;
        Ok(engine)
    }
}

fn store_error(error: StoreError) -> CommandError {
    match error {
        StoreError::InUse { path } => CommandError::InUse(path),
        other => CommandError::Store(other),
    }
}
