//! Which appliance is emulated: a built-in catalog, or one that the user wrote.

use std::path::{Path, PathBuf};

use catalog::{Catalog, Fault, LoadError};
use transaction_engine::Mode;

use crate::settings::{ApplianceSettings, Settings, TransactionMode};

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
    /// A table of settings names an appliance, and the catalog in its directory is another one.
    #[error(
        "the catalog in {} is named {found:?}, and the settings name it {wanted:?}: use one name \
         for both",
        dir.display()
    )]
    Misnamed {
        /// The catalog's directory.
        dir: PathBuf,
        /// The name of the catalog.
        found: String,
        /// The name in the settings.
        wanted: String,
    },
}

/// The catalog of an appliance.
///
/// # Errors
/// Every fault of the catalog at once.
pub fn catalog(settings: &ApplianceSettings) -> Result<Catalog, ApplianceError> {
    let Some(dir) = &settings.catalog else {
        let name = settings.name.as_deref().unwrap_or_default();
        let known = Catalog::builtin_names().join(", ");
        let catalog = Catalog::builtin(name);
        return Ok(catalog.ok_or_else(|| ApplianceError::Unknown(name.to_owned(), known))??);
    };
    let loaded = Catalog::load(dir).map_err(|LoadError { faults }| {
        let dir = dir.clone();
        ApplianceError::Faulty { dir, faults }
    })?;
    match &settings.name {
        Some(wanted) if wanted != loaded.name() => Err(ApplianceError::Misnamed {
            dir: dir.clone(),
            found: loaded.name().to_owned(),
            wanted: wanted.clone(),
        }),
        _ => Ok(loaded),
    }
}

/// The mode of transactions: as the settings say, otherwise as the catalog does. An appliance
/// without explicit transactions has no choice.
#[must_use]
pub fn transaction_mode(settings: &Settings, catalog: &Catalog) -> Mode {
    if catalog.default_mode() == "autocommit" {
        return Mode::Autocommit;
    }
    match settings.transactions.mode {
        TransactionMode::Exclusive => Mode::Exclusive,
        TransactionMode::Concurrent => Mode::Concurrent,
        TransactionMode::Auto => match catalog.default_mode() {
            "concurrent" => Mode::Concurrent,
            "autocommit" => Mode::Autocommit,
            _ => Mode::Exclusive,
        },
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
    // What a catalog extends may be next to it; its files begin with its name.
    let neighbour = dir.parent().map(|parent| parent.join(&fault.file));
    let file = match neighbour {
        Some(neighbour) if !here.exists() && neighbour.exists() => neighbour,
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
        let refused = catalog(&settings(&[("catalog", &top.display().to_string())]).appliances[0])
            .unwrap_err();
        let expected = format!("\n{}/catalog.yaml:2: ", base.display());
        assert!(refused.to_string().contains(&expected), "{refused}");
    }

    #[test]
    fn faults_of_a_catalog_are_told_with_their_files() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("catalog.yaml"), "name: lamp\nttile: Lamp\n").unwrap();
        let shown = dir.path().display().to_string();
        let refused =
            catalog(&settings(&[("catalog", &shown)]).appliances[0]).unwrap_err().to_string();
        assert!(refused.contains(&format!("the catalog in {shown} has ")), "{refused}");
        assert!(refused.contains(&format!("\n{shown}/catalog.yaml:2: ")), "{refused}");

        let missing = dir.path().join("missing").display().to_string();
        let refused =
            catalog(&settings(&[("catalog", &missing)]).appliances[0]).unwrap_err().to_string();
        assert!(refused.contains(&format!("\n{missing}: ")), "{refused}");
    }
}
