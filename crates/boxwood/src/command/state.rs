//! A data directory without a daemon on it.

use std::sync::Arc;

use catalog::Catalog;
use config_tree::Tree;
use transaction_engine::store::{RevisionLog, StoreError};
use transaction_engine::{Engine, RevisionNumber};

use super::{CommandError, Environment};
use crate::cli::StateFlags;
use crate::daemon::{self, DaemonError};
use crate::data_dir::{DataDir, Place};
use crate::settings::{Mode, Settings, Sources};
use crate::{appliance, telemetry};

/// The directory that the settings name, with the catalog that they choose.
pub struct State {
    /// All settings, as the daemon on this directory has them.
    pub settings: Settings,
    /// What may stand where.
    pub catalog: Arc<Catalog>,
    data: DataDir,
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
        let mut catalogs = appliance::catalogs(&settings)?;
        // One command speaks of one appliance: the first, where the file names several.
        let catalog = catalogs.swap_remove(0);
        let data = DataDir::of(&settings).map_err(DaemonError::Temporary);
        Ok(Self { data: data.map_err(CommandError::Open)?, settings, catalog })
    }

    fn place(&self) -> Result<Place, CommandError> {
        let mut places = self.data.places(std::slice::from_ref(&self.catalog))?;
        // As many as there are catalogs.
        Ok(places.swap_remove(0))
    }

    // One that no daemon has ever used would be made, for nothing.
    fn expect_used(&self) -> Result<(), CommandError> {
        let dir = self.data.path();
        let used = dir.join("lock").exists();
        if used { Ok(()) } else { Err(CommandError::Nothing(dir.to_owned())) }
    }

    /// The committed configuration. Nothing is added to it, not even defaults that it lacks.
    ///
    /// # Errors
    /// The store cannot be opened, or there is none.
    pub fn committed(&self) -> Result<(RevisionNumber, Tree), CommandError> {
        self.expect_used()?;
        let root = self.data.store(&self.settings).map_err(store_error)?;
        let place = self.place()?;
        let own = place.store(&root).map_err(store_error)?;
        let store = Box::new(own.unwrap_or(root));
        let checkpoints = Some(place.checkpoints().map_err(store_error)?);
        let opened = RevisionLog::open(store, checkpoints, self.catalog.skeleton());
        let (_, recovered) = opened.map_err(store_error)?;
        if recovered.number == RevisionNumber::ZERO {
            return Err(CommandError::Nothing(self.data.path().to_owned()));
        }
        self.expect_known(&recovered.tree)?;
        Ok((recovered.number, recovered.tree))
    }

    // A catalog says which parts of a body are secret: the wrong one would say wrong things.
    fn expect_known(&self, tree: &Tree) -> Result<(), CommandError> {
        match tree.walk().find(|(path, _)| self.catalog.endpoint(path).is_none()) {
            None => Ok(()),
            Some((path, _)) => Err(CommandError::OtherCatalog {
                dir: self.data.path().to_owned(),
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
        daemon::fresh_engine(&self.settings, &self.data, &self.catalog).map_err(CommandError::Open)
    }

    /// The configuration, to be changed: as the daemon opens it.
    ///
    /// # Errors
    /// What keeps a daemon from starting.
    pub fn open(&self) -> Result<Engine, CommandError> {
        let catalogs = std::slice::from_ref(&self.catalog);
        let opened = daemon::open_all(&self.settings, &self.data, catalogs);
        let mut opened = opened.map_err(|error| match error {
            DaemonError::Store(error) => store_error(error),
            other => CommandError::Open(other),
        })?;
        // As many as there are catalogs.
        Ok(opened.swap_remove(0).engine)
    }
}

fn store_error(error: StoreError) -> CommandError {
    match error {
        StoreError::InUse { path } => CommandError::InUse(path),
        other => CommandError::Store(other),
    }
}
