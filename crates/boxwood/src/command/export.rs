//! `boxwood export`: the committed configuration as one document.

use std::path::Path;

use front_end::transfer::{self, SecretHandling};
use transaction_engine::private_file;

use super::remote::{self, Remote};
use super::state::State;
use super::{CommandError, Environment, say};
use crate::cli::ExportFlags;

/// Writes the configuration of a data directory or of a running daemon.
///
/// # Errors
/// It cannot be read, or the document cannot be written.
pub fn run(flags: &ExportFlags, environment: Environment) -> Result<(), CommandError> {
    let secrets = SecretHandling::parse(&flags.secrets).unwrap_or(SecretHandling::Omitted);
    let text = match &flags.remote.url {
        Some(url) => {
            let password = remote::password(&environment)?;
            let remote = Remote::login(url, &flags.remote, &password)?;
            remote.get(&format!("/boxwood/v1/export?secrets={}", flags.secrets))?
        }
        None => {
            let state = State::find(&flags.state, environment)?;
            let committed = state.committed()?;
            transfer::export(&state.catalog, committed.number, &committed.tree, secrets)
        }
    };
    match &flags.output {
        Some(path) => write(path, &text),
        None => say(text),
    }
}

// For its owner alone: sealed or not, it says much about an appliance.
fn write(path: &Path, text: &[u8]) -> Result<(), CommandError> {
    private_file::write(path, text)
        .map_err(|source| CommandError::Write { path: path.to_owned(), source })
}
