//! `boxwood backup`: everything in a data directory in one file.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use catalog::Catalog;
use transaction_engine::store::{CheckpointDir, RevisionLog, SledStore};

use super::state::settings_of;
use super::state::{data_error, store_error};
use super::verify::{catalogs, homes};
use super::{CommandError, Environment, say};
use crate::backup::BackupError;
use crate::backup::control;
use crate::backup::format::{Reader, Writer};
use crate::backup::source::{Log, Part, Source};
use crate::cli::BackupFlags;
use crate::data_dir::{DataDir, Home};
use crate::settings::Settings;

/// Takes the backup from the daemon of the directory, or from the directory itself where no daemon
/// uses it. The file has its name only when it is whole and synced.
///
/// # Errors
/// There is no data directory, or it cannot be read, or the file cannot be written.
pub fn run(flags: &BackupFlags, environment: Environment) -> Result<(), CommandError> {
    let settings = settings_of(&flags.state, environment)?;
    let data = DataDir::of(&settings).map_err(data_error)?;
    let unfinished = unfinished(&flags.output);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| CommandError::Write { path, source }
    };
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    let file = options.open(&unfinished).map_err(failed(&unfinished))?;
    let written = write(&settings, &data, file).and_then(|file| {
        file.sync_all().map_err(failed(&unfinished))?;
        fs::rename(&unfinished, &flags.output).map_err(failed(&flags.output))
    });
    if let Err(error) = written {
        let _ = fs::remove_file(&unfinished);
        return Err(error);
    }
    let bytes = fs::metadata(&flags.output).map_or(0, |file| file.len());
    say(format!("wrote {} ({bytes} bytes)\n", flags.output.display()))
}

fn unfinished(output: &Path) -> PathBuf {
    let mut name = output.file_name().unwrap_or_default().to_owned();
    name.push(".unfinished");
    output.with_file_name(name)
}

fn write(settings: &Settings, data: &DataDir, file: File) -> Result<File, CommandError> {
    let out = BufWriter::with_capacity(1 << 16, file);
    let out = match control::ask(data.path())? {
        Some(from) => relay(from, out)?,
        None => offline(settings, data)?.write(out)?.0,
    };
    let inner = out.into_inner().map_err(|error| error.into_error());
    Ok(inner.map_err(BackupError::io("cannot write the backup"))?)
}

/// Passes a backup on, and checks it on the way.
fn relay<W: Write>(from: impl Read, out: W) -> Result<W, BackupError> {
    let mut reader = Reader::begin(from)?;
    let mut writer = Writer::begin(out)?;
    while let Some(frame) = reader.frame()? {
        writer.frame(frame.kind, &frame.key, &frame.value)?;
    }
    writer.end()
}

/// What goes into a backup of a directory that no daemon uses.
fn offline(settings: &Settings, data: &DataDir) -> Result<Source, CommandError> {
    let catalogs = catalogs(settings, data)?;
    let (mut places, mut parts) = (Vec::new(), Vec::new());
    for (catalog, home) in catalogs.iter().zip(homes(settings, data, &catalogs)?) {
        places.push(home.place());
        parts.extend(parts_of(catalog, home)?);
    }
    Ok(Source { root: data.path().to_owned(), places, parts })
}

fn parts_of(catalog: &Catalog, home: Home) -> Result<Vec<Part>, CommandError> {
    let place = home.place();
    let part = |head: Option<&str>, store, dir| {
        let log = open(catalog, store, dir)?;
        let (store, checkpoints) = place.store(head);
        let name = head.map_or(place.name.clone(), |head| format!("{}, {head}", place.name));
        Ok::<_, CommandError>(Part { name, store, checkpoints, log: Log::Closed(Box::new(log)) })
    };
    let mut parts = Vec::new();
    for head in home.heads().map_err(data_error)? {
        let (store, checkpoints) = home.head(&head).map_err(data_error)?;
        parts.push(part(Some(&head), store, checkpoints)?);
    }
    let checkpoints = home.checkpoints().map_err(data_error)?;
    parts.push(part(None, home.into_store(), checkpoints)?);
    Ok(parts)
}

fn open(
    catalog: &Catalog,
    store: SledStore,
    checkpoints: CheckpointDir,
) -> Result<RevisionLog, CommandError> {
    let opened = RevisionLog::open(Box::new(store), Some(checkpoints), catalog.skeleton());
    Ok(opened.map_err(store_error)?.0)
}
