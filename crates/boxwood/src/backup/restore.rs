//! Makes a backup a data directory again.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use transaction_engine::store::{Batch, SledStore, Store};

use super::BackupError;
use super::format::{Frame, Kind, Reader};

/// How much goes into a batch of the store.
const BATCH_BYTES: u64 = 1 << 20;

/// Writes what is in a backup into a folder that does not exist yet, and syncs it.
///
/// # Errors
/// The backup is damaged, or the folder cannot be written. What was written stays.
pub fn unpack<R: Read>(from: R, folder: &Path) -> Result<(), BackupError> {
    let mut reader = Reader::begin(from)?;
    make_folder(folder)?;
    let store = SledStore::open(folder, SledStore::CACHE_BYTES)?;
    let mut target = Target { root: folder.to_owned(), store, log: None };
    while let Some(frame) = reader.frame()? {
        target.take(frame)?;
    }
    target.end_log()?;
    target.store.sync()?;
    Ok(())
}

struct Target {
    root: PathBuf,
    store: SledStore,
    log: Option<Log>,
}

/// The log that is being written.
struct Log {
    // `None` is the store of the root.
    sibling: Option<SledStore>,
    checkpoints: PathBuf,
    batch: Batch,
}

impl Target {
    fn take(&mut self, Frame { kind, key, value }: Frame) -> Result<(), BackupError> {
        match kind {
            Kind::File => self.write_file(&inside(key)?, &value, false),
            Kind::Log => self.begin_log(&key, inside(value)?),
            Kind::Entry => self.put(key, value),
            Kind::Checkpoint => {
                let log = self.log.as_ref().ok_or(BackupError::Damaged("a lost checkpoint"))?;
                let path = log.checkpoints.join(inside(key)?);
                self.write_file(&path, &value, true)
            }
            Kind::End | Kind::Failure => Ok(()),
        }
    }

    fn begin_log(&mut self, store: &[u8], checkpoints: PathBuf) -> Result<(), BackupError> {
        self.end_log()?;
        let name = std::str::from_utf8(store).map_err(|_| BackupError::Damaged("a name"))?;
        // Also where the log brings no checkpoint: the folder says that there is such a head.
        make_folder(&self.root.join(&checkpoints))?;
        let sibling = match name {
            "" => None,
            name => Some(self.store.sibling(name)?),
        };
        self.log = Some(Log { sibling, checkpoints, batch: Batch::default() });
        Ok(())
    }

    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<(), BackupError> {
        let log = self.log.as_mut().ok_or(BackupError::Damaged("an entry of no log"))?;
        log.batch.put(key, value);
        if log.batch.bytes() < BATCH_BYTES {
            return Ok(());
        }
        let batch = std::mem::take(&mut log.batch);
        Ok(log.sibling.as_ref().unwrap_or(&self.store).write(batch)?)
    }

    fn end_log(&mut self) -> Result<(), BackupError> {
        let Some(Log { sibling, batch, .. }) = self.log.take() else { return Ok(()) };
        Ok(sibling.as_ref().unwrap_or(&self.store).write(batch)?)
    }

    fn write_file(&self, path: &Path, bytes: &[u8], append: bool) -> Result<(), BackupError> {
        let path = self.root.join(path);
        let failed = || BackupError::io(format!("cannot write {}", path.display()));
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).append(append).mode(0o600);
        let mut file: File = options.open(&path).map_err(failed())?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed())
    }
}

/// A path that stays inside the directory it is put in.
fn inside(bytes: Vec<u8>) -> Result<PathBuf, BackupError> {
    let path = PathBuf::from(std::ffi::OsString::from_vec(bytes));
    match path.components().all(|part| matches!(part, Component::Normal(_))) {
        true => Ok(path),
        false => Err(BackupError::Damaged("a path leads out of the data directory")),
    }
}

fn make_folder(path: &Path) -> Result<(), BackupError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(BackupError::io(format!("cannot make {}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        for good in ["secret.key", "appliances/lamp/tls/key.pem"] {
            assert!(inside(good.into()).is_ok(), "{good}");
        }
        for bad in ["../x", "/etc/passwd", "a/../../b", "./x"] {
            assert!(inside(bad.into()).is_err(), "{bad}");
        }
    }
}
