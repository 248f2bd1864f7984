//! Which appliance is emulated: a built-in catalog, or one that the user wrote.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use catalog::{Catalog, Fault, LoadError};
use transaction_engine::{Mode, private_file};

use crate::settings::{Settings, TransactionMode};

/// Why there is no catalog.
#[derive(Debug, thiserror::Error)]
pub enum ApplianceError {
    /// None of this name is built in.
    #[error("there is no appliance {0:?}; those built in are {1}")]
    Unknown(String, String),
    /// A built-in catalog has faults, which its tests should have found.
    #[error(transparent)]
    BuiltIn(#[from] LoadError),
    /// The user's catalog has faults.
    #[error("{}", report(dir, faults))]
    Faulty {
        /// The catalog's directory.
        dir: PathBuf,
        /// All of them.
        faults: Vec<Fault>,
    },
    /// The configuration was made with a catalog of another name.
    #[error(
        "the configuration in {} is of the appliance {kept:?} and this start is of {given:?}, or {} \
         is damaged: name the former with --appliance or --catalog, or restore that file from a \
         backup; if the configuration is to become one of the latter for good, keep a copy of the \
         directory and write {given} into that file",
        dir.display(),
        dir.join(KEPT_NAME).display()
    )]
    Other {
        /// The data directory.
        dir: PathBuf,
        /// The name that is kept there.
        kept: String,
        /// The name of the catalog of this start.
        given: String,
    },
    /// The file that keeps the name cannot be read or written.
    #[error("{}: {source}", path.display())]
    Name {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The file in a data directory that keeps the name of its configuration's catalog.
const KEPT_NAME: &str = "appliance";

/// The catalogs of the appliances that the settings choose, in their order.
///
/// # Errors
/// Every fault of a catalog at once.
pub fn catalogs(settings: &Settings) -> Result<Vec<Arc<Catalog>>, ApplianceError> {
    match &settings.catalog {
        Some(dir) => Ok(vec![Arc::new(load(dir)?)]),
        None => settings.appliances.iter().map(|name| built_in(name).map(Arc::new)).collect(),
    }
}

fn built_in(name: &str) -> Result<Catalog, ApplianceError> {
    let known = || Catalog::builtin_names().join(", ");
    let catalog = Catalog::builtin(name);
    Ok(catalog.ok_or_else(|| ApplianceError::Unknown(name.to_owned(), known()))??)
}

fn load(dir: &Path) -> Result<Catalog, ApplianceError> {
    Catalog::load(dir).map_err(|LoadError { faults }| {
        let dir = dir.to_owned();
        ApplianceError::Faulty { dir, faults }
    })
}

/// Refuses a catalog of another name than that with which the configuration in a data directory was
/// made. One that only knows more would add its defaults, and the former could never open the
/// configuration again: too much for a slip in a flag.
///
/// # Errors
/// [`ApplianceError::Other`]; or the name cannot be read.
pub fn expect_kept_name(data_dir: &Path, catalog: &Catalog) -> Result<(), ApplianceError> {
    let Some(kept) = kept_name(data_dir)? else { return Ok(()) };
    if kept == catalog.name() {
        return Ok(());
    }
    let (dir, given) = (data_dir.to_owned(), catalog.name().to_owned());
    Err(ApplianceError::Other { dir, kept, given })
}

/// Keeps the catalog's name in a data directory where none is kept yet: to be called when the
/// configuration has been opened with it, and not before.
///
/// # Errors
/// The name cannot be read or written.
pub fn keep_name(data_dir: &Path, catalog: &Catalog) -> Result<(), ApplianceError> {
    if kept_name(data_dir)?.is_some() {
        return Ok(());
    }
    let path = data_dir.join(KEPT_NAME);
    let written = private_file::write(&path, format!("{}\n", catalog.name()).as_bytes());
    written.map_err(|source| ApplianceError::Name { path, source })
}

/// The name of the appliance to which a folder belongs; `None` where none is kept.
///
/// # Errors
/// It cannot be read.
pub fn kept_name(data_dir: &Path) -> Result<Option<String>, ApplianceError> {
    let path = data_dir.join(KEPT_NAME);
    match std::fs::read(&path) {
        Ok(text) => Ok(Some(String::from_utf8_lossy(&text).trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ApplianceError::Name { path, source }),
    }
}

/// How transactions get along: as the settings say, else as the catalog does. An appliance without
/// explicit transactions has no choice.
#[must_use]
pub fn transaction_mode(settings: &Settings, catalog: &Catalog) -> Mode {
    if catalog.default_mode() == "autocommit" {
        return Mode::Autocommit;
    }
    match settings.transactions.mode {
        TransactionMode::Exclusive => Mode::Exclusive,
        TransactionMode::Concurrent => Mode::Concurrent,
        TransactionMode::Auto if catalog.default_mode() == "concurrent" => Mode::Concurrent,
        TransactionMode::Auto => Mode::Exclusive,
    }
}

/// A fault on a line of its own, its file named from where the command was given.
#[must_use]
pub fn fault_line(dir: &Path, fault: &Fault) -> String {
    // A fault of the folder itself names the folder.
    if Path::new(&fault.file) == dir {
        return fault.to_string();
    }
    let here = dir.join(&fault.file);
    // What a catalog extends may stand beside it; its files begin with its name.
    let beside = dir.parent().map(|parent| parent.join(&fault.file));
    let file = match beside {
        Some(beside) if !here.exists() && beside.exists() => beside,
        _ => here,
    };
    Fault { file: file.display().to_string(), ..fault.clone() }.to_string()
}

fn report(dir: &Path, faults: &[Fault]) -> String {
    let mut text = format!("the catalog in {} has {}", dir.display(), counted(faults.len()));
    for fault in faults {
        text.push('\n');
        text.push_str(&fault_line(dir, fault));
    }
    text
}

/// `1 fault`, `2 faults`.
#[must_use]
pub fn counted(faults: usize) -> String {
    format!("{faults} {}", if faults == 1 { "fault" } else { "faults" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Given, Mode as Command, Origin, Raw, Sources};

    fn settings(given: &[(&str, &str)]) -> Settings {
        let given = given.iter().map(|(name, value)| Given {
            name: (*name).to_owned(),
            raw: Raw::Spelled((*value).to_owned()),
            origin: Origin::Flag((*name).to_owned()),
        });
        let flags = given.collect();
        let (mode, config_file, environment) = (Command::Serve, None, Vec::new());
        Settings::resolve(Sources { mode, config_file, environment, flags }).unwrap()
    }

    fn files(mode: &str) -> Vec<(String, String)> {
        let text = format!("name: lamp\ntitle: Lamp\ntransactions: {mode}\n");
        vec![("catalog.yaml".to_owned(), text)]
    }

    #[test]
    fn the_mode_of_transactions_follows_the_catalog_unless_it_is_given() {
        let concurrent = Catalog::from_files(files("concurrent")).unwrap();
        let exclusive = Catalog::from_files(files("exclusive")).unwrap();
        let mode = |given: &str, catalog| {
            transaction_mode(&settings(&[("transactions.mode", given)]), catalog)
        };
        assert_eq!(mode("auto", &concurrent), Mode::Concurrent);
        assert_eq!(mode("auto", &exclusive), Mode::Exclusive);
        assert_eq!(mode("exclusive", &concurrent), Mode::Exclusive);
        assert_eq!(mode("concurrent", &exclusive), Mode::Concurrent);
    }

    #[test]
    fn a_fault_in_what_a_catalog_extends_is_told_where_it_stands() {
        let root = tempfile::tempdir().unwrap();
        let (base, top) = (root.path().join("base"), root.path().join("top"));
        for (dir, text) in [(&base, "name: base\nttile: B\n"), (&top, "name: top\nextends: base\n")]
        {
            std::fs::create_dir(dir).unwrap();
            std::fs::write(dir.join("catalog.yaml"), text).unwrap();
        }
        let refused = load(&top).unwrap_err();
        let expected = format!("\n{}/catalog.yaml:2: ", base.display());
        assert!(refused.to_string().contains(&expected), "{refused}");
    }

    #[test]
    fn faults_of_a_catalog_are_told_with_their_files() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("catalog.yaml"), "name: lamp\nttile: Lamp\n").unwrap();
        let shown = dir.path().display().to_string();
        let refused = load(dir.path()).unwrap_err().to_string();
        assert!(refused.contains(&format!("the catalog in {shown} has ")), "{refused}");
        assert!(refused.contains(&format!("\n{shown}/catalog.yaml:2: ")), "{refused}");

        let missing = dir.path().join("missing").display().to_string();
        let refused = load(Path::new(&missing)).unwrap_err().to_string();
        assert!(refused.contains(&format!("\n{missing}: ")), "{refused}");
    }
}
