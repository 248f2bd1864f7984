//! Small files that only their owner may read, written whole or not at all.
//!
//! Keys, password hashes and exported configurations are all written this way: under another
//! name, synced, and renamed, so that no crash leaves half of one; and the name is synced too, since a
//! key that is lost with the power makes every secret unreadable.

use std::fs::{File, OpenOptions, rename};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::store::failpoint::{Point, reach};

/// Puts a file of mode 0600 in its place, instead of whatever stood there.
///
/// # Errors
/// What the system says; what stood there before still does then.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let unfinished = path.with_file_name(name);
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    reach(Point::FileMade);
    file.write_all(content)?;
    reach(Point::FileWritten);
    file.sync_all()?;
    reach(Point::FileSynced);
    rename(&unfinished, path)?;
    reach(Point::FileMoved);
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
