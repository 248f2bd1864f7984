//! `boxwood export`: the committed configuration as one document.

use std::fs::{OpenOptions, rename};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use front_end::transfer::{self, Omission};

use super::remote::{self, Remote};
use super::state::State;
use super::{CommandError, Environment, say};
use crate::cli::ExportFlags;

/// Writes the configuration of a data directory or of a running daemon.
///
/// # Errors
/// It cannot be read, or the document cannot be written.
pub fn run(flags: &ExportFlags, environment: Environment) -> Result<(), CommandError> {
    let secrets = Omission::parse(&flags.secrets).unwrap_or(Omission::Omitted);
    let text = match &flags.remote.url {
        Some(url) => {
            let password = remote::password(&environment)?;
            let remote = Remote::login(url, &flags.remote, &password)?;
            remote.get(&format!("/boxwood/v1/export?secrets={}", flags.secrets))?
        }
        None => {
            let state = State::find(&flags.state, environment)?;
            let (number, tree) = state.committed()?;
            transfer::export(&state.catalog, number, &tree, secrets)
        }
    };
    match &flags.output {
        Some(path) => write(path, &text),
        None => say(text),
    }
}

// For its owner alone: sealed or not, it says much about an appliance. Written beside and renamed,
// so that no half of a document stands where a backup is expected.
fn write(path: &Path, text: &[u8]) -> Result<(), CommandError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .and_then(|mut file| {
            file.write_all(text)?;
            file.sync_all()
        })
        .and_then(|()| rename(&beside, path))
        .map_err(|source| CommandError::Write { path: path.to_owned(), source })
}
