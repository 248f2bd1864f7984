//! `boxwood verify`: reads everything in a data directory and checks it against everything else.
//!
//! It opens the store as a daemon does, which finishes or undoes a commit that was cut off; on a
//! backup, run it on a copy if not one byte may change.

use std::fmt::Write as _;

use catalog::Catalog;
use transaction_engine::store::{CheckpointDir, RevisionLog, SledStore, Verified};

use super::state::{data_error, settings_of, store_error};
use super::{CommandError, Environment, say};
use crate::appliance::{self, ApplianceError};
use crate::cli::StateFlags;
use crate::data_dir::{DataDir, Home};
use crate::settings::{ApplianceSettings, Settings};

/// Verifies every appliance in the directory, and every head of each.
///
/// # Errors
/// Bad settings, a directory in use or never used, or the first damage that is found.
pub fn run(flags: &StateFlags, environment: Environment) -> Result<(), CommandError> {
    let settings = settings_of(flags, environment)?;
    let data = DataDir::of(&settings).map_err(data_error)?;
    verify_all(&settings, &data)
}

/// Verifies a data directory.
///
/// # Errors
/// The first damage.
pub fn verify_all(settings: &Settings, data: &DataDir) -> Result<(), CommandError> {
    let catalogs = catalogs(settings, data)?;
    for (catalog, home) in catalogs.iter().zip(homes(settings, data, &catalogs)?) {
        verify_home(catalog, home)?;
    }
    Ok(())
}

/// Locks the directory and finds the place of each appliance in it.
///
/// # Errors
/// It was never used, or is in use.
pub fn homes(
    settings: &Settings,
    data: &DataDir,
    catalogs: &[Catalog],
) -> Result<Vec<Home>, CommandError> {
    let names: Vec<&str> = catalogs.iter().map(Catalog::name).collect();
    if !data.is_used() {
        let (dir, appliance) = (data.path().to_owned(), names.join(", "));
        return Err(CommandError::Nothing { dir, appliance });
    }
    data.open(&names, settings.store.cache_bytes).map_err(data_error)
}

/// The catalogs of the appliances in the directory; those of the settings where it has no names.
///
/// # Errors
/// A catalog is not known, or has faults.
pub fn catalogs(settings: &Settings, data: &DataDir) -> Result<Vec<Catalog>, CommandError> {
    let kept = data.kept_names().map_err(data_error)?;
    if kept.is_empty() {
        let own = settings.appliances.iter();
        return Ok(own.map(appliance::catalog).collect::<Result<_, ApplianceError>>()?);
    }
    let mut all = Vec::new();
    for name in kept {
        let given = settings.appliances.iter().find(|own| own.name.as_ref() == Some(&name));
        // A catalog that is given by its directory alone has no name in the settings.
        let unnamed = settings.appliances.iter().filter(|own| own.name.is_none());
        let mut unnamed = unnamed.map(appliance::catalog);
        let found = match (given, unnamed.next()) {
            (Some(own), _) => appliance::catalog(own)?,
            (None, Some(catalog)) if catalog.as_ref().is_ok_and(|c| c.name() == name) => catalog?,
            (None, _) => {
                let own = ApplianceSettings { name: Some(name), ..ApplianceSettings::default() };
                appliance::catalog(&own)?
            }
        };
        all.push(found);
    }
    Ok(all)
}

fn verify_home(catalog: &Catalog, home: Home) -> Result<(), CommandError> {
    let name = catalog.name().to_owned();
    for head in home.heads().map_err(data_error)? {
        let (store, checkpoints) = home.head(&head).map_err(data_error)?;
        report(&format!("{name}, {head}"), &verify(catalog, store, checkpoints)?)?;
    }
    let checkpoints = home.checkpoints().map_err(data_error)?;
    report(&name, &verify(catalog, home.into_store(), checkpoints)?)
}

fn verify(
    catalog: &Catalog,
    store: SledStore,
    checkpoints: CheckpointDir,
) -> Result<Verified, CommandError> {
    let opened = RevisionLog::open(Box::new(store), Some(checkpoints), catalog.skeleton());
    let (log, _) = opened.map_err(store_error)?;
    log.verify().map_err(store_error)
}

fn report(name: &str, verified: &Verified) -> Result<(), CommandError> {
    let Verified { head, records, changes, bytes, checkpoints, warnings } = verified;
    let mut text = format!(
        "{name}: revision {head} is in order: {records} records, {changes} changes, {bytes} bytes, \
         {} checkpoints\n",
        checkpoints.len()
    );
    for warning in warnings {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name}: warning: {warning}");
    }
    say(text)
}
