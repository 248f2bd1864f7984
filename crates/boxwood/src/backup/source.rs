//! What a backup is made of: the logs and files of a data directory.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Weak;

use transaction_engine::store::{CopyPart, RevisionLog};
use transaction_engine::{Engine, RevisionNumber};

use super::format::{Kind, Writer};
use super::{BackupError, CERTIFICATES, FILES};
use crate::data_dir::Place;

/// How much of a checkpoint goes into a frame.
const PIECE_BYTES: u64 = 1 << 20;

/// A history that is copied.
pub enum Log {
    /// That of a running engine; a backup does not keep it from ending.
    Running(Weak<Engine>),
    /// One that no daemon has open.
    Closed(Box<RevisionLog>),
}

/// A log, and where it belongs in a data directory.
pub struct Part {
    /// The appliance and, other than for the running one, the head.
    pub name: String,
    /// The name of its store; empty for the appliance of the root.
    pub store: String,
    /// The folder of its checkpoints, seen from the root.
    pub checkpoints: PathBuf,
    /// Its history.
    pub log: Log,
}

/// Everything that goes into a backup.
pub struct Source {
    /// The data directory.
    pub root: PathBuf,
    /// The place of each appliance.
    pub places: Vec<Place>,
    /// The logs.
    pub parts: Vec<Part>,
}

impl Source {
    /// Writes a backup; returns the name and revision of each log.
    ///
    /// # Errors
    /// Something cannot be read or written.
    pub fn write<W: Write>(
        &self,
        out: W,
    ) -> Result<(W, Vec<(String, RevisionNumber)>), BackupError> {
        let mut writer = Writer::begin(out)?;
        match self.write_parts(&mut writer) {
            Ok(copied) => Ok((writer.end()?, copied)),
            Err(error) => {
                // Failures come between frames, so the reader finds the reason as one more.
                let reason = transaction_engine::chain(&error).to_string();
                writer.frame(Kind::Failure, b"", reason.as_bytes())?;
                Err(error)
            }
        }
    }

    fn write_parts<W: Write>(
        &self,
        writer: &mut Writer<W>,
    ) -> Result<Vec<(String, RevisionNumber)>, BackupError> {
        self.write_files(Path::new(""), writer)?;
        let others = self.places.iter().filter(|place| place.label.is_some());
        others.map(|place| &place.folder).try_for_each(|f| self.write_files(f, writer))?;
        let copy = |part: &Part| Ok((part.name.clone(), part.write(writer)?));
        self.parts.iter().map(copy).collect()
    }

    fn write_files<W: Write>(
        &self,
        folder: &Path,
        writer: &mut Writer<W>,
    ) -> Result<(), BackupError> {
        let mut paths: Vec<PathBuf> = FILES.iter().map(|name| folder.join(name)).collect();
        let certificates = folder.join(CERTIFICATES);
        if let Ok(entries) = fs::read_dir(self.root.join(&certificates)) {
            paths.extend(entries.flatten().map(|entry| certificates.join(entry.file_name())));
        }
        for path in paths {
            let content = match fs::read(self.root.join(&path)) {
                Ok(content) => content,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    return Err(BackupError::io(format!("cannot read {}", path.display()))(error));
                }
            };
            writer.frame(Kind::File, path.as_os_str().as_encoded_bytes(), &content)?;
        }
        Ok(())
    }
}

impl Part {
    fn write<W: Write>(&self, writer: &mut Writer<W>) -> Result<RevisionNumber, BackupError> {
        let checkpoints = self.checkpoints.as_os_str().as_encoded_bytes();
        writer.frame(Kind::Log, self.store.as_bytes(), checkpoints)?;
        let mut put = |part: CopyPart| match part {
            CopyPart::Entry(key, value) => writer.frame(Kind::Entry, &key, &value),
            CopyPart::Checkpoint(path) => write_checkpoint(&path, writer),
        };
        match &self.log {
            Log::Running(engine) => match engine.upgrade() {
                Some(engine) => engine.copy(&mut put),
                None => Err(BackupError::Daemon("it is stopping".to_owned())),
            },
            Log::Closed(log) => log.copy(&mut put),
        }
    }
}

fn write_checkpoint<W: Write>(path: &Path, writer: &mut Writer<W>) -> Result<(), BackupError> {
    let failed = || BackupError::io(format!("cannot read {}", path.display()));
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let mut file = File::open(path).map_err(failed())?;
    loop {
        let mut piece = Vec::new();
        (&mut file).take(PIECE_BYTES).read_to_end(&mut piece).map_err(failed())?;
        if piece.is_empty() {
            return Ok(());
        }
        writer.frame(Kind::Checkpoint, name, &piece)?;
    }
}
