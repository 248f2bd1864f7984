//! The log in a file of its own, which is opened again when it has been moved away.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// How often a rotation has been reported. A signal reaches the one process; the sink is on another
/// thread, which compares this number before each write.
static ROTATIONS: AtomicU64 = AtomicU64::new(0);

/// Has the log file opened again before the next lines are written, as after its rotation.
pub fn reopen() {
    ROTATIONS.fetch_add(1, Ordering::Relaxed);
}

/// Appends to a file.
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    rotations: u64,
}

impl LogFile {
    /// Opens the file, and makes it where there is none.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let rotations = ROTATIONS.load(Ordering::Relaxed);
        Ok(Self { path: path.to_owned(), file: append(path)?, rotations })
    }

    fn follow(&mut self) {
        let rotations = ROTATIONS.load(Ordering::Relaxed);
        if rotations == self.rotations {
            return;
        }
        self.rotations = rotations;
        match append(&self.path) {
            Ok(file) => self.file = file,
            // The lines still go to the file that was open, so that none is lost.
            Err(error) => {
                let file = self.path.display();
                tracing::error!(%error, %file, "cannot open the log file again; the old one is used");
            }
        }
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.follow();
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_was_moved_away_is_opened_again_when_that_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("log"), folder.path().join("log.1"));
        let mut log = LogFile::open(&path).unwrap();
        log.write_all(b"one\n").unwrap();
        fs::rename(&path, &moved).unwrap();
        log.write_all(b"two\n").unwrap();
        reopen();
        log.write_all(b"three\n").unwrap();
        assert_eq!(fs::read_to_string(&moved).unwrap(), "one\ntwo\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
        // Where it cannot be opened, lines go on to the file that is open.
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        reopen();
        log.write_all(b"four\n").unwrap();
    }
}
