//! `boxwood restore`: makes a backup a data directory again.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use super::state::data_error;
use super::state::settings_of;
use super::verify::verify_all;
use super::{CommandError, Environment, say};
use crate::backup::{BackupError, restore};
use crate::cli::RestoreFlags;
use crate::data_dir::DataDir;
use crate::settings::Settings;

/// Unpacks the backup next to its place, verifies it, and renames it: the directory has its name
/// only when everything in it is in order.
///
/// # Errors
/// The backup is damaged, or there is something in the directory already.
pub fn run(flags: &RestoreFlags, environment: Environment) -> Result<(), CommandError> {
    let settings = settings_of(&flags.state, environment)?;
    let data = DataDir::of(&settings).map_err(data_error)?;
    let target = data.path().to_owned();
    let is_free = fs::read_dir(&target).map_or(true, |mut entries| entries.next().is_none());
    if !is_free {
        return Err(BackupError::NotEmpty(target).into());
    }
    let read = |source| CommandError::Read { path: flags.file.clone(), source };
    let file = File::open(&flags.file).map_err(read)?;
    let unfinished = unfinished(&target);
    // Left by a restore that was cut off.
    let _ = fs::remove_dir_all(&unfinished);
    let done = unpack(&settings, file, &unfinished, &target);
    if done.is_err() {
        let _ = fs::remove_dir_all(&unfinished);
    }
    done?;
    say(format!("restored {}\n", target.display()))
}

fn unfinished(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".unfinished");
    target.with_file_name(name)
}

fn unpack(
    settings: &Settings,
    file: File,
    unfinished: &Path,
    target: &Path,
) -> Result<(), CommandError> {
    restore::unpack(BufReader::with_capacity(1 << 16, file), unfinished)?;
    let mut settings = settings.clone();
    settings.data_dir = Some(unfinished.to_owned());
    verify_all(&settings, &DataDir::of(&settings).map_err(data_error)?)?;
    let failed = |source| CommandError::Write { path: target.to_owned(), source };
    match fs::remove_dir(target) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    fs::rename(unfinished, target).map_err(failed)?;
    let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = File::open(parent.unwrap_or(Path::new("."))).map_err(failed)?;
    parent.sync_all().map_err(failed)
}
