//! The data directory: whose state lies where, and the way to open it.
//!
//! The root belongs to one appliance, the first that was served from the directory, as in the first
//! version of Boxwood; every other one has a folder `appliances/NAME`. They share the store (one
//! sled database with one lock), the key that seals secrets and the administrator's password.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use catalog::Catalog;
use transaction_engine::secrets::{KeyError, Sealer};
use transaction_engine::store::{CheckpointDir, SledStore, StoreError};

use crate::appliance::{self, ApplianceError};
use crate::settings::Settings;

/// The directory that holds everything; a temporary one goes away with the value.
pub struct DataDir {
    path: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

/// Where one appliance keeps its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The folder of its checkpoints, its certificate and its name.
    pub folder: PathBuf,
    name: String,
    is_root: bool,
}

impl DataDir {
    /// The directory that the settings name, or a temporary one.
    ///
    /// # Errors
    /// A temporary one cannot be made.
    pub fn of(settings: &Settings) -> io::Result<Self> {
        match &settings.data_dir {
            Some(path) => Ok(Self { path: path.clone(), _temporary: None }),
            None => {
                let made = tempfile::Builder::new().prefix("boxwood-").tempdir()?;
                Ok(Self { path: made.path().to_owned(), _temporary: Some(made) })
            }
        }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the store, which nobody else can open as long as it lives. To be called before
    /// anything else in the directory is looked at.
    ///
    /// # Errors
    /// It is in use or damaged.
    pub fn store(&self, settings: &Settings) -> Result<SledStore, StoreError> {
        SledStore::open(&self.path, settings.store.cache_bytes)
    }

    /// Where each of these appliances keeps its state.
    ///
    /// # Errors
    /// [`ApplianceError::Other`]: none of them is the one that the directory belongs to, and one
    /// has never been served from it. Served by mistake, it would begin empty.
    pub fn places(&self, catalogs: &[Arc<Catalog>]) -> Result<Vec<Place>, ApplianceError> {
        let kept = appliance::kept_name(&self.path)?;
        let Some(first) = catalogs.first() else { return Ok(Vec::new()) };
        let root = kept.as_deref().unwrap_or(first.name());
        let serves_root = catalogs.iter().any(|catalog| catalog.name() == root);
        let place = |catalog: &Arc<Catalog>| {
            let name = catalog.name().to_owned();
            let is_root = name == root;
            let folder = match is_root {
                true => self.path.clone(),
                false => self.path.join("appliances").join(&name),
            };
            if !serves_root && !folder.exists() {
                let (dir, kept) = (self.path.clone(), root.to_owned());
                return Err(ApplianceError::Other { dir, kept, given: name });
            }
            Ok(Place { folder, name, is_root })
        };
        catalogs.iter().map(place).collect()
    }

    /// Seals and opens the secrets of all appliances.
    ///
    /// # Errors
    /// The key cannot be read, made, or is another than before.
    pub fn sealer(&self, settings: &Settings) -> Result<Arc<Sealer>, KeyError> {
        let check = self.path.join("secret.check");
        let sealer = match &settings.secret_key {
            Some(key) => Sealer::from_key(key.expose()),
            None => Sealer::from_file(&settings.key_file(&self.path), &check)?,
        };
        sealer.keep_check(&check)?;
        Ok(Arc::new(sealer))
    }
}

impl Place {
    /// The appliance's part of the store.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn store(&self, root: &SledStore) -> Result<Option<SledStore>, StoreError> {
        if self.is_root { Ok(None) } else { root.sibling(&self.name).map(Some) }
    }

    /// Its checkpoints. The folder is made where there is none.
    ///
    /// # Errors
    /// It cannot be made or read.
    pub fn checkpoints(&self) -> Result<CheckpointDir, StoreError> {
        // What fails here fails again, with a better message, in what follows.
        let _ = DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        CheckpointDir::open(self.folder.join("checkpoints"))
    }

    /// The store and the checkpoints of a head other than the running one, whose store is given.
    ///
    /// # Errors
    /// They cannot be opened.
    pub fn head(
        &self,
        running: &SledStore,
        head: &str,
    ) -> Result<(SledStore, CheckpointDir), StoreError> {
        let name = match self.is_root {
            true => format!("heads/{head}"),
            false => format!("{}/heads/{head}", self.name),
        };
        let folder = self.folder.join("heads").join(head).join("checkpoints");
        Ok((running.sibling(&name)?, CheckpointDir::open(folder)?))
    }

    /// Seals its secrets, so that no other appliance opens them.
    #[must_use]
    pub fn sealer(&self, of_all: &Arc<Sealer>) -> Arc<Sealer> {
        match self.is_root {
            true => Arc::clone(of_all),
            false => Arc::new(of_all.for_appliance(&self.name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogs(names: &[&str]) -> Vec<Arc<Catalog>> {
        names
            .iter()
            .map(|name| {
                let text = format!("name: {name}\ntitle: T\n");
                Arc::new(Catalog::from_files([("catalog.yaml".to_owned(), text)]).unwrap())
            })
            .collect()
    }

    fn folders(dir: &DataDir, names: &[&str]) -> Result<Vec<String>, ApplianceError> {
        let places = dir.places(&catalogs(names))?;
        let folder = |place: Place| {
            let below = place.folder.strip_prefix(dir.path()).unwrap();
            below.display().to_string()
        };
        Ok(places.into_iter().map(folder).collect())
    }

    #[test]
    fn the_root_is_that_of_the_first_appliance_and_stays_so() {
        let made = tempfile::tempdir().unwrap();
        let dir = DataDir { path: made.path().to_owned(), _temporary: None };
        assert_eq!(folders(&dir, &["a", "b"]).unwrap(), ["", "appliances/b"]);
        appliance::keep_name(dir.path(), &catalogs(&["a"])[0]).unwrap();
        assert_eq!(folders(&dir, &["b", "a"]).unwrap(), ["appliances/b", ""]);
        assert!(matches!(folders(&dir, &["b"]), Err(ApplianceError::Other { .. })));
        std::fs::create_dir_all(made.path().join("appliances/b")).unwrap();
        assert_eq!(folders(&dir, &["b"]).unwrap(), ["appliances/b"]);
        assert!(matches!(folders(&dir, &["b", "c"]), Err(ApplianceError::Other { .. })));
    }
}
