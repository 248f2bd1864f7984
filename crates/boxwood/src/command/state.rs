//! One appliance in a data directory without a daemon on it.

use std::sync::Arc;

use catalog::Catalog;
use config_tree::Tree;
use transaction_engine::clock::SystemClock;
use transaction_engine::store::{RevisionLog, StoreError};
use transaction_engine::{Engine, RevisionNumber};

use super::{CommandError, Environment};
use crate::cli::StateFlags;
use crate::data_dir::{DataDir, DataDirError, Home, KeyScope};
use crate::engine::{Opened, Opening};
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

/// A committed configuration.
pub struct Committed {
    /// Its revision.
    pub number: RevisionNumber,
    /// The configuration.
    pub tree: Tree,
    key_scope: KeyScope,
}

impl State {
    /// Finds out which.
    ///
    /// # Errors
    /// Bad settings, several appliances, or a catalog with faults.
    pub fn find(flags: &StateFlags, environment: Environment) -> Result<Self, CommandError> {
        let settings = settings_of(flags, environment)?;
        let [own] = settings.appliances.as_slice() else {
            let names = settings.appliances.iter().filter_map(|own| own.name.clone());
            return Err(CommandError::Several(names.collect::<Vec<_>>().join(", ")));
        };
        let catalog = Arc::new(appliance::catalog(own)?);
        let data = DataDir::of(&settings).map_err(data_error)?;
        Ok(Self { settings, catalog, data })
    }

    fn nothing(&self) -> CommandError {
        CommandError::Nothing {
            dir: self.data.path().to_owned(),
            appliance: self.catalog.name().to_owned(),
        }
    }

    fn home(&self) -> Result<Home, CommandError> {
        let names = [self.catalog.name()];
        let homes = self.data.open(&names, self.settings.store.cache_bytes);
        homes.map_err(data_error)?.pop().ok_or_else(|| self.nothing())
    }

    /// The committed configuration. Nothing is added to it, not even defaults that it lacks.
    ///
    /// # Errors
    /// The store cannot be opened, or there is none.
    pub fn committed(&self) -> Result<Committed, CommandError> {
        // Opening would make a store where no daemon has ever been.
        if !self.data.is_used() {
            return Err(self.nothing());
        }
        let home = self.home()?;
        let (key_scope, checkpoints) = (home.key_scope(), home.checkpoints().map_err(data_error)?);
        let store = Box::new(home.into_store());
        let opened = RevisionLog::open(store, Some(checkpoints), self.catalog.skeleton());
        let (_, recovered) = opened.map_err(store_error)?;
        if recovered.number == RevisionNumber::ZERO {
            return Err(self.nothing());
        }
        self.expect_known(&recovered.tree)?;
        Ok(Committed { number: recovered.number, tree: recovered.tree, key_scope })
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

    /// An engine with the key of a committed configuration that keeps nothing: by its rules an
    /// import is tried.
    ///
    /// # Errors
    /// What keeps a daemon from starting.
    pub fn rehearsal(&self, committed: &Committed) -> Result<Engine, CommandError> {
        let sealer = self.data.sealer(&self.settings).map_err(DataDirError::from);
        let sealer = committed.key_scope.narrow(sealer.map_err(data_error)?);
        self.opening()?.fresh(sealer).map_err(CommandError::Open)
    }

    /// The configuration, to be changed: as the daemon opens it.
    ///
    /// # Errors
    /// What keeps a daemon from starting.
    pub fn open(&self) -> Result<Engine, CommandError> {
        let home = self.home()?;
        let Opened { engine, .. } =
            self.opening()?.open(&self.data, home).map_err(CommandError::Open)?;
        Ok(engine)
    }

    fn opening(&self) -> Result<Opening<'_>, CommandError> {
        let own = self.settings.appliances.first().ok_or_else(|| self.nothing())?;
        let (catalog, clock) = (Arc::clone(&self.catalog), Arc::new(SystemClock));
        Ok(Opening { settings: &self.settings, own, catalog, clock })
    }
}

pub(super) fn store_error(error: StoreError) -> CommandError {
    data_error(DataDirError::Store(error))
}

/// The settings of the daemon whose data directory it is.
///
/// # Errors
/// Bad settings.
pub(super) fn settings_of(
    flags: &StateFlags,
    environment: Environment,
) -> Result<Settings, CommandError> {
    let settings = Settings::resolve(Sources {
        mode: Mode::Serve,
        config_file: flags.config.clone(),
        environment,
        flags: flags.given(),
    })?;
    // Twice in a process is once too many, and no reason to do nothing.
    let _ = telemetry::install("warn", settings.log.format, None);
    Ok(settings)
}

pub(super) fn data_error(error: DataDirError) -> CommandError {
    match error {
        DataDirError::Store(StoreError::InUse { path }) => CommandError::InUse(path),
        other => CommandError::DataDir(other),
    }
}
