//! The data directory: what is kept in it, and for which appliance.
//!
//! The root belongs to one appliance, the one whose name is kept there; a data directory of the
//! first version is only that. Every other appliance has a folder `appliances/NAME` with a kept
//! name, checkpoints and a certificate of its own. The database, its lock, the sealing key and the
//! administrator's password are shared and stand at the root.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use transaction_engine::private_file;
use transaction_engine::secrets::{KeyError, Sealer};
use transaction_engine::store::{CheckpointDir, SledStore, StoreError};

use crate::settings::Settings;
use crate::temporary::Temporary;

/// The file that keeps the name of an appliance.
const KEPT_NAME: &str = "appliance";
/// The folder of the appliances other than that of the root.
const OTHERS: &str = "appliances";

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// The temporary directory could not be made.
    #[error("no temporary directory could be made: {0}")]
    Temporary(#[source] io::Error),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key that seals secrets cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The configuration was made with a catalog of another name.
    #[error(
        "the configuration in {} is of the appliance {kept:?} and this start is of {given:?}, or {} \
         is damaged: name the former with --appliance or --catalog (and the latter next to it to \
         keep both in one data directory), or restore that file from a backup; if the \
         configuration is to become one of the latter for good, keep a copy of the directory and \
         write {given} into that file",
        dir.display(),
        dir.join(KEPT_NAME).display()
    )]
    Other {
        /// The folder of the configuration.
        dir: PathBuf,
        /// The name that is kept there.
        kept: String,
        /// The name of the catalog of this start.
        given: String,
    },
    /// A name that cannot be a folder's.
    #[error(
        "the appliance {0:?} cannot have a folder of that name: name its catalog with letters, \
         digits, `.`, `-` and `_`"
    )]
    Name(String),
    /// Two catalogs of one name.
    #[error("two appliances are named {0:?}; each needs a catalog with a name of its own")]
    Twice(String),
    /// A file or folder cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A data directory; a temporary one is removed with the value.
pub struct DataDir {
    root: PathBuf,
    _temporary: Option<Temporary>,
}

impl DataDir {
    /// The directory that the settings name, or a temporary one. It is not made or locked yet.
    ///
    /// # Errors
    /// There can be no temporary directory.
    pub fn of(settings: &Settings) -> Result<Self, DataDirError> {
        if let Some(root) = settings.data_dir.clone() {
            return Ok(Self { root, _temporary: None });
        }
        let made = Temporary::make().map_err(DataDirError::Temporary)?;
        Ok(Self { root: made.path().to_owned(), _temporary: Some(made) })
    }

    /// The root.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Whether a daemon has ever used it.
    #[must_use]
    pub fn is_used(&self) -> bool {
        self.root.join("lock").exists()
    }

    /// The names of the appliances in it, that of the root first.
    ///
    /// # Errors
    /// A folder or a kept name cannot be read.
    pub fn kept_names(&self) -> Result<Vec<String>, DataDirError> {
        let folders = subfolders(&self.root.join(OTHERS))?;
        let all = std::iter::once(&self.root).chain(&folders);
        all.filter_map(|folder| kept_name(folder).transpose()).collect()
    }

    /// The file with the hash of the administrator's password.
    #[must_use]
    pub fn administrator_hash(&self) -> PathBuf {
        self.root.join("administrator.hash")
    }

    /// The key that seals secrets, as given or from its file, which is made where there is none.
    ///
    /// # Errors
    /// The key cannot be used, or is another than that of the data directory.
    pub fn sealer(&self, settings: &Settings) -> Result<Sealer, KeyError> {
        let check = self.root.join("secret.check");
        let sealer = match &settings.secret_key {
            Some(key) => Sealer::from_key(key.expose()),
            None => Sealer::from_file(&settings.key_file(&self.root), &check)?,
        };
        sealer.keep_check(&check)?;
        Ok(sealer)
    }

    /// Locks the directory and finds the place of each of these appliances, in their order. The
    /// root of a fresh directory goes to the first.
    ///
    /// # Errors
    /// The directory is in use, or the configuration in it belongs to an appliance that is not
    /// named: a slip in a flag must not make an empty configuration next to it.
    pub fn open(&self, names: &[&str], cache_bytes: u64) -> Result<Vec<Home>, DataDirError> {
        for (place, name) in names.iter().enumerate() {
            if names[..place].contains(name) {
                return Err(DataDirError::Twice((*name).to_owned()));
            }
        }
        let store = SledStore::open(&self.root, cache_bytes)?;
        let root_name = kept_name(&self.root)?;
        let owner = root_name.as_deref().or(names.first().copied()).unwrap_or_default();
        let mut homes = Vec::with_capacity(names.len());
        for name in names.iter().filter(|name| **name != owner) {
            let folder = self.folder(name, names.contains(&owner), owner)?;
            let label = file_name(&folder).to_owned();
            let store = store.sibling(&label)?;
            homes.push(Home { name: (*name).to_owned(), folder, label: Some(label), store });
        }
        // Last, since the others are siblings of it.
        if let Some(place) = names.iter().position(|name| *name == owner) {
            let (name, folder) = (owner.to_owned(), self.root.clone());
            homes.insert(place, Home { name, folder, label: None, store });
        }
        Ok(homes)
    }

    /// The folder of an appliance that does not have the root: the one that keeps its name, or the
    /// one that is named after it.
    fn folder(&self, name: &str, may_be_new: bool, owner: &str) -> Result<PathBuf, DataDirError> {
        let others = self.root.join(OTHERS);
        for folder in subfolders(&others)? {
            if kept_name(&folder)?.as_deref() == Some(name) {
                return Ok(folder);
            }
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if name.is_empty() || name.starts_with('.') || !name.chars().all(allowed) {
            return Err(DataDirError::Name(name.to_owned()));
        }
        let folder = others.join(name);
        let other = |dir: &Path, kept: String| {
            let (dir, given) = (dir.to_owned(), name.to_owned());
            Err(DataDirError::Other { dir, kept, given })
        };
        match kept_name(&folder)? {
            Some(kept) => other(&folder, kept),
            None if folder.exists() || may_be_new => Ok(folder),
            None => other(&self.root, owner.to_owned()),
        }
    }
}

/// The place of one appliance in a data directory, which is locked for as long as it lives.
pub struct Home {
    name: String,
    folder: PathBuf,
    // `None` at the root.
    label: Option<String>,
    store: SledStore,
}

impl Home {
    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Which secrets the shared key opens here.
    #[must_use]
    pub fn key_scope(&self) -> KeyScope {
        KeyScope(self.label.clone())
    }

    /// The checkpoints.
    ///
    /// # Errors
    /// Their folder cannot be made or read.
    pub fn checkpoints(&self) -> Result<CheckpointDir, DataDirError> {
        // For its owner alone, as the root is.
        for path in [self.folder.parent(), Some(&self.folder)].into_iter().flatten() {
            if self.label.is_some() {
                make_folder(path)?;
            }
        }
        Ok(CheckpointDir::open(self.folder.join("checkpoints"))?)
    }

    /// The store and the checkpoints of a head other than the running one.
    ///
    /// # Errors
    /// They cannot be opened.
    pub fn head(&self, head: &str) -> Result<(SledStore, CheckpointDir), DataDirError> {
        let store = head_store(self.label.as_deref(), head);
        let checkpoints = self.folder.join("heads").join(head).join("checkpoints");
        Ok((self.store.sibling(&store)?, CheckpointDir::open(checkpoints)?))
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> Place {
        let label = self.label.clone();
        let folder = label.as_ref().map(|label| Path::new(OTHERS).join(label));
        Place { name: self.name.clone(), folder: folder.unwrap_or_default(), label }
    }

    /// The names of the heads other than the running one.
    ///
    /// # Errors
    /// Their folder cannot be read.
    pub fn heads(&self) -> Result<Vec<String>, DataDirError> {
        let folders = subfolders(&self.folder.join("heads"))?;
        Ok(folders.iter().map(|folder| file_name(folder).to_owned()).collect())
    }

    /// What remembers the name.
    #[must_use]
    pub fn kept_name(&self) -> KeptName {
        KeptName { folder: self.folder.clone(), name: self.name.clone() }
    }

    /// The store of the revisions.
    #[must_use]
    pub fn into_store(self) -> SledStore {
        self.store
    }
}

/// Where an appliance is in a data directory.
#[derive(Clone, Debug)]
pub struct Place {
    /// The name of the appliance.
    pub name: String,
    /// Its folder, seen from the root; empty for the appliance of the root.
    pub folder: PathBuf,
    /// What its stores are called after; `None` at the root.
    pub label: Option<String>,
}

impl Place {
    /// The name of the store of a head, and the folder of its checkpoints, seen from the root.
    /// `None` is the running head.
    #[must_use]
    pub fn store(&self, head: Option<&str>) -> (String, PathBuf) {
        let label = self.label.as_deref();
        let Some(head) = head else {
            return (label.unwrap_or_default().to_owned(), self.folder.join("checkpoints"));
        };
        (head_store(label, head), self.folder.join("heads").join(head).join("checkpoints"))
    }
}

/// The name of the store of a head other than the running one.
fn head_store(label: Option<&str>, head: &str) -> String {
    match label {
        None => format!("heads/{head}"),
        Some(label) => format!("{label}/heads/{head}"),
    }
}

/// An appliance as its secrets know it: what another one sealed does not open in this one.
#[derive(Clone, Default)]
pub struct KeyScope(Option<String>);

impl KeyScope {
    /// The shared key, for this appliance.
    #[must_use]
    pub fn narrow(&self, shared: Sealer) -> Sealer {
        match &self.0 {
            None => shared,
            Some(label) => shared.for_appliance(label),
        }
    }
}

/// The name of an appliance, to be kept when its configuration has been opened, and not before.
pub struct KeptName {
    folder: PathBuf,
    name: String,
}

impl KeptName {
    /// Keeps the name where none is kept yet. With another catalog than the one it was made with,
    /// a configuration would get other defaults, and could not be opened with the first any more.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn keep(&self) -> Result<(), DataDirError> {
        if kept_name(&self.folder)?.is_some() {
            return Ok(());
        }
        let path = self.folder.join(KEPT_NAME);
        let written = private_file::write(&path, format!("{}\n", self.name).as_bytes());
        written.map_err(|source| DataDirError::File { path, source })
    }
}

fn kept_name(folder: &Path) -> Result<Option<String>, DataDirError> {
    let path = folder.join(KEPT_NAME);
    match fs::read(&path) {
        Ok(text) => Ok(Some(String::from_utf8_lossy(&text).trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(DataDirError::File { path, source }),
    }
}

fn subfolders(path: &Path) -> Result<Vec<PathBuf>, DataDirError> {
    let failed = |source| DataDirError::File { path: path.to_owned(), source };
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    paths.retain(|path| path.is_dir());
    paths.sort();
    Ok(paths)
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

fn make_folder(path: &Path) -> Result<(), DataDirError> {
    use std::os::unix::fs::DirBuilderExt;
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
            Err(DataDirError::File { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixture {
        folder: tempfile::TempDir,
    }

    impl Fixture {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().unwrap() }
        }

        /// Where these appliances are kept, after each kept its name.
        fn open(&self, names: &[&str]) -> Result<Vec<PathBuf>, DataDirError> {
            let data = DataDir { root: self.folder.path().to_owned(), _temporary: None };
            let homes = data.open(names, SledStore::CACHE_BYTES)?;
            let mut found = Vec::new();
            for home in homes {
                home.checkpoints()?;
                home.kept_name().keep()?;
                let folder = home.folder().strip_prefix(self.folder.path()).unwrap();
                found.push(folder.to_owned());
            }
            Ok(found)
        }

        fn refused(&self, names: &[&str]) -> String {
            self.open(names).expect_err("refused").to_string()
        }
    }

    #[test]
    fn the_root_is_the_first_appliances_and_stays_so() {
        let data = Fixture::new();
        let (root, b, c) = (Path::new(""), Path::new("appliances/b"), Path::new("appliances/c"));
        assert_eq!(data.open(&["a", "b"]).unwrap(), [root, b]);
        assert_eq!(data.open(&["b", "a"]).unwrap(), [b, root]);
        assert_eq!(data.open(&["b"]).unwrap(), [b]);
        assert_eq!(data.open(&["c", "b", "a"]).unwrap(), [c, b, root]);
        assert!(data.refused(&["a", "a"]).contains("two appliances"));
    }

    #[test]
    fn a_slip_does_not_begin_another_configuration() {
        let data = Fixture::new();
        data.open(&["a"]).unwrap();
        for slip in [&["b"][..], &["b", "c"]] {
            let refused = data.refused(slip);
            assert!(refused.contains("\"a\"") && refused.contains("\"b\""), "{refused}");
        }
        assert!(!data.folder.path().join("appliances").exists());
        for bad in ["../b", ".b", "", "b/c"] {
            assert!(data.refused(&["a", bad]).contains("folder"), "{bad}");
        }
    }

    #[test]
    fn a_configuration_that_was_handed_on_keeps_its_folder() {
        let data = Fixture::new();
        data.open(&["a", "b"]).unwrap();
        let kept = data.folder.path().join("appliances/b/appliance");
        fs::write(&kept, "b2\n").unwrap();
        assert_eq!(data.open(&["b2"]).unwrap(), [Path::new("appliances/b")]);
        let refused = data.refused(&["a", "b"]);
        assert!(refused.contains("\"b2\"") && refused.contains("appliances/b"), "{refused}");
        fs::remove_file(&kept).unwrap();
        assert_eq!(data.open(&["b"]).unwrap(), [Path::new("appliances/b")]);
    }
}
