//! The temporary data directory of `boxwood dev`.
//!
//! It is removed at exit. One whose process was killed is removed by the next `dev`: a lock on a
//! file in it ends with the process, however that ended.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How the names of temporary directories begin.
const PREFIX: &str = "boxwood-";
/// The file that is locked while the directory is in use.
const LOCK: &str = "dev.lock";

/// A temporary directory, removed when dropped.
pub(crate) struct Temporary {
    directory: tempfile::TempDir,
    // Locked for as long as it is open.
    _lock: File,
}

impl Temporary {
    /// Makes one, and removes those that were left behind.
    pub(crate) fn make() -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix(PREFIX).tempdir()?;
        if let Some(parent) = directory.path().parent() {
            remove_abandoned(parent);
        }
        let lock = locked(directory.path())?;
        Ok(Self { directory, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}

// Locked before it has its name, so that no other process finds it free under its name while it
// is in use.
fn locked(directory: &Path) -> io::Result<File> {
    let fresh = directory.join("dev.lock.new");
    let lock = File::create(&fresh)?;
    lock.lock()?;
    fs::rename(fresh, directory.join(LOCK))?;
    Ok(lock)
}

// What cannot be read or removed is left: it is not needed, and may be another user's.
fn remove_abandoned(parent: &Path) {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    for directory in entries.map(|entry| entry.path()).filter(is_abandoned) {
        match fs::remove_dir_all(&directory) {
            Ok(()) => {
                tracing::info!(directory = %directory.display(), "removed what was left of a killed emulator")
            }
            Err(error) => {
                tracing::debug!(directory = %directory.display(), %error, "cannot be removed")
            }
        }
    }
}

fn is_abandoned(path: &PathBuf) -> bool {
    let is_named_so = path
        .file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| name.starts_with(PREFIX));
    let own = rustix::process::geteuid().as_raw();
    // Not through a link, and not what somebody else has put there.
    let is_own = |path: &Path| fs::symlink_metadata(path).is_ok_and(|found| found.uid() == own);
    let is_directory = fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
    let lock = path.join(LOCK);
    is_named_so
        && is_directory
        && is_own(path)
        && is_own(&lock)
        && File::open(lock).is_ok_and(|lock| lock.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_use_or_not_ours_stays_and_the_rest_goes() {
        let parent = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let path = parent.path().join(name);
            fs::create_dir(&path).unwrap();
            path
        };
        let (used, dead) = (make("boxwood-used"), make("boxwood-dead"));
        let (fresh, other) = (make("boxwood-fresh"), make("elsewhere"));
        let _lock = locked(&used).unwrap();
        drop(locked(&dead).unwrap());
        drop(locked(&other).unwrap());
        let link = parent.path().join("boxwood-link");
        std::os::unix::fs::symlink(&other, &link).unwrap();
        remove_abandoned(parent.path());
        assert!(used.exists() && fresh.exists() && other.exists() && link.exists());
        assert!(!dead.exists());
    }
}
