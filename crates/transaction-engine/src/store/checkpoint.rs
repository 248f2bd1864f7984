//! A whole tree in a plain file: the second head, and the way out when the store refuses.
//!
//! A store cannot notice that its own tail was cut off cleanly; a file next to it that names a
//! later revision can. And a tree that is read from a file need not be replayed from the first
//! commit on. Both only help if the file is right, so it carries a hash over all of itself, and
//! it is written under another name, synced, renamed and its folder synced: under its name it is whole.
//!
//! The file is text, one JSON value a line, so that it can be read with any tool, and is streamed
//! both ways, because a million bodies should not need to stand in memory twice. How it is read is
//! in `checkpoint_read.rs`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use blake3::{Hash, Hasher};
use config_tree::{NodePath, Tree, TreeDigest};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::StoreError;
use super::checkpoint_read::{check_lines, read_lines};
use super::folder::{create_folder, sync_folder};
use super::high_water_mark::HighWaterMark;
use super::layout::{FORMAT, StoredBody};
use crate::store::failpoint::{Point, reach};
use crate::store::revision::RevisionNumber;

/// How many checkpoints stay; the oldest go when a new one is in place.
const KEPT: usize = 3;

const SUFFIX: &str = ".checkpoint";
const UNFINISHED: &str = ".checkpoint.unfinished";
const WITNESS: &str = "head";
const REMEDY: &str = "the checkpoint before it or the revisions themselves are used instead; \
                      move the file away";

/// The folder of checkpoints: `NNNNNNNN.checkpoint`, named after their revisions, and a note of the
/// newest revision. It is the second head, outside the store.
#[derive(Debug)]
pub struct CheckpointDir {
    path: PathBuf,
    high_water_mark: HighWaterMark,
    // Held while a file is written and old ones are removed, and while files are checked.
    busy: Mutex<()>,
    // The newest checkpoint that was read back and found right since the folder was opened, or 0.
    // It stays while it is that, as what came before it may be gone.
    verified: AtomicU64,
}

/// A tree that was read from a file, with what the file says of its place in the chain.
#[derive(Debug)]
pub(super) struct Checkpoint {
    pub(super) number: RevisionNumber,
    pub(super) chain: Hash,
    pub(super) tree: Tree,
}

impl CheckpointDir {
    /// Opens the folder, and makes it when it is not there, for its owner alone.
    ///
    /// # Errors
    /// The folder cannot be made or read.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let path = path.into();
        create_folder(&path)?;
        let high_water_mark = HighWaterMark::open(path.join(WITNESS))?;
        let dir = Self { path, high_water_mark, busy: Mutex::new(()), verified: AtomicU64::new(0) };
        dir.remove_unfinished()?;
        Ok(dir)
    }

    /// The revisions of which there are files, ascending. The files are not looked into.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn numbers(&self) -> Result<Vec<RevisionNumber>, StoreError> {
        let mut numbers: Vec<RevisionNumber> =
            self.names()?.iter().filter_map(|name| number_of(name)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The file for a revision, whether it exists or not.
    #[must_use]
    pub fn file(&self, number: RevisionNumber) -> PathBuf {
        self.path.join(format!("{:08}{SUFFIX}", number.get()))
    }

    /// The note of the newest revision.
    pub(super) fn high_water_mark(&self) -> &HighWaterMark {
        &self.high_water_mark
    }

    /// Writes a checkpoint, durable when this returns, and takes the oldest ones away.
    pub(super) fn write(
        &self,
        number: RevisionNumber,
        chain: Hash,
        tree: &Tree,
    ) -> Result<(), StoreError> {
        let _busy = self.busy.lock();
        let unfinished = self.path.join(format!("{:08}{UNFINISHED}", number.get()));
        let file = self.file(number);
        reach(Point::CheckpointBegun);
        if let Err(error) = write_file(&unfinished, number, chain, tree) {
            // It may be what fills the disk. If it cannot be removed, the next start tries again.
            _ = self.remove(&unfinished);
            return Err(error);
        }
        reach(Point::CheckpointSynced);
        std::fs::rename(&unfinished, &file)
            .map_err(StoreError::io(format!("rename the checkpoint to {}", file.display())))?;
        reach(Point::CheckpointMoved);
        sync_folder(&self.path)?;
        reach(Point::CheckpointDurable);
        self.remove_old()
    }

    /// Reads and checks a checkpoint, onto the folders and collections of `skeleton`.
    pub(super) fn read(
        &self,
        number: RevisionNumber,
        skeleton: &Tree,
    ) -> Result<Checkpoint, StoreError> {
        let path = self.file(number);
        let file = File::open(&path)
            .map_err(StoreError::io(format!("open the checkpoint {}", path.display())))?;
        read_lines(BufReader::with_capacity(1 << 20, file), number, skeleton)
            .map_err(|problem| problem.at(&path, number))
    }

    /// Checks a checkpoint without making a tree of it, which would need the memory of another
    /// one; gives its place in the chain.
    pub(super) fn check(&self, number: RevisionNumber) -> Result<(Hash, TreeDigest), StoreError> {
        let path = self.file(number);
        let file = File::open(&path)
            .map_err(StoreError::io(format!("open the checkpoint {}", path.display())))?;
        check_lines(BufReader::with_capacity(1 << 20, file), number)
            .map_err(|problem| problem.at(&path, number))
    }

    /// Keeps others from writing and removing files while `check` looks at them.
    pub(super) fn undisturbed<T>(&self, check: impl FnOnce() -> T) -> T {
        let _busy = self.busy.lock();
        check()
    }

    /// The same, unless somebody is at it already.
    pub(super) fn try_undisturbed<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let _busy = self.busy.try_lock()?;
        Some(work())
    }

    /// The newest checkpoint that is known to be right.
    pub(super) fn verified(&self) -> Option<RevisionNumber> {
        match self.verified.load(Ordering::Acquire) {
            0 => None,
            number => Some(RevisionNumber::new(number)),
        }
    }

    /// Says that a checkpoint was read and belongs to the chain.
    pub(super) fn is_right(&self, number: RevisionNumber) {
        self.verified.fetch_max(number.get(), Ordering::AcqRel);
    }

    fn names(&self) -> Result<Vec<String>, StoreError> {
        let doing = || StoreError::io(format!("list the checkpoints in {}", self.path.display()));
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.path).map_err(doing())? {
            names.extend(entry.map_err(doing())?.file_name().into_string().ok());
        }
        Ok(names)
    }

    fn remove_old(&self) -> Result<(), StoreError> {
        let numbers = self.numbers()?;
        let spared = self.verified();
        for number in numbers.iter().rev().skip(KEPT).filter(|number| Some(**number) != spared) {
            self.remove(&self.file(*number))?;
            reach(Point::CheckpointRemoved);
        }
        Ok(())
    }

    fn remove_unfinished(&self) -> Result<(), StoreError> {
        for name in self.names()?.iter().filter(|name| name.ends_with(UNFINISHED)) {
            self.remove(&self.path.join(name))?;
        }
        Ok(())
    }

    fn remove(&self, file: &Path) -> Result<(), StoreError> {
        match std::fs::remove_file(file) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                let doing = format!("remove the old checkpoint {}", file.display());
                Err(StoreError::Io { doing, source })
            }
            _ => Ok(()),
        }
    }
}

fn number_of(name: &str) -> Option<RevisionNumber> {
    let digits = name.strip_suffix(SUFFIX)?;
    let number = RevisionNumber::new(digits.parse().ok()?);
    // "+7" and "007" are numbers too, and no names of ours.
    (format!("{:08}", number.get()) == digits).then_some(number)
}

// ===== the lines =====

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header<'a> {
    /// The version of the format; first, and named so that the file says what it is.
    pub(super) boxwood_checkpoint: u32,
    pub(super) number: u64,
    pub(super) chain: Cow<'a, str>,
    pub(super) digest: Cow<'a, str>,
    /// The highest number that was ever a key, for each collection that counts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) sequences: BTreeMap<String, u64>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Line<'a> {
    #[serde(borrow)]
    pub(super) path: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rank: Option<u64>,
    #[serde(borrow)]
    pub(super) holds: StoredBody<'a>,
}

/// How the last line begins, and no other.
pub(super) const TRAILER: &[u8] = b"{\"bodies\":";

pub(super) fn trailer(bodies: usize, hash: Hash) -> String {
    format!("{{\"bodies\":{bodies},\"blake3\":\"{hash}\"}}\n")
}

fn write_file(
    path: &Path,
    number: RevisionNumber,
    chain: Hash,
    tree: &Tree,
) -> Result<(), StoreError> {
    let doing = || StoreError::io(format!("write the checkpoint {}", path.display()));
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(doing())?;
    reach(Point::CheckpointMade);
    let out = BufWriter::with_capacity(1 << 20, file);
    let out = write_lines(out, number, chain, tree).map_err(|fault| match fault {
        NotWritten::Refused(what) => StoreError::refused(what),
        NotWritten::Io(error) => doing()(error),
    })?;
    let file = out.into_inner().map_err(|error| doing()(error.into_error()))?;
    reach(Point::CheckpointWritten);
    file.sync_all().map_err(doing())
}

/// Why a checkpoint was not written.
pub(super) enum NotWritten {
    /// A body that could not be read back.
    Refused(String),
    Io(std::io::Error),
}

impl From<std::io::Error> for NotWritten {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// Writes the lines of a checkpoint, and gives back where they went.
pub(super) fn write_lines<W: Write>(
    out: W,
    number: RevisionNumber,
    chain: Hash,
    tree: &Tree,
) -> Result<W, NotWritten> {
    let mut out = Hashing { out, hasher: Hasher::new() };
    let mut buffer = Vec::new();
    let header = Header {
        boxwood_checkpoint: FORMAT,
        number: number.get(),
        chain: chain.to_string().into(),
        digest: tree.digest().to_string().into(),
        sequences: tree.sequences().into_iter().map(|(path, n)| (path.to_string(), n)).collect(),
    };
    out.line(&mut buffer, &header)?;
    for (path, body) in tree.walk() {
        let holds = StoredBody::of(body, &path).map_err(NotWritten::Refused)?;
        let line = Line { rank: tree.rank(&path), path: path.to_string().into(), holds };
        out.line(&mut buffer, &line)?;
    }
    let Hashing { mut out, hasher } = out;
    out.write_all(trailer(tree.len(), hasher.finalize()).as_bytes())?;
    Ok(out)
}

struct Hashing<W> {
    out: W,
    hasher: Hasher,
}

impl<W: Write> Hashing<W> {
    fn line(&mut self, buffer: &mut Vec<u8>, line: &impl Serialize) -> std::io::Result<()> {
        buffer.clear();
        serde_json::to_writer(&mut *buffer, line)?;
        buffer.push(b'\n');
        self.hasher.update(buffer);
        self.out.write_all(buffer)
    }
}

// ===== what is wrong with one =====

/// Why a file is of no use.
pub(super) enum Problem {
    Damaged(String),
    Format(u32),
    NoPlace(NodePath),
    Io(std::io::Error),
}

impl Problem {
    /// Something in a line, counted from 1.
    pub(super) fn in_line(line: usize, what: impl Display) -> Self {
        Self::Damaged(format!("line {line}: {what}"))
    }

    fn at(self, file: &Path, number: RevisionNumber) -> StoreError {
        match self {
            Self::Damaged(what) => {
                StoreError::damaged(format!("the checkpoint {}: {what}", file.display()), REMEDY)
            }
            Self::Format(found) => {
                StoreError::UnknownFormat { found: found.to_string(), known: FORMAT }
            }
            Self::NoPlace(path) => StoreError::NoPlace { path, number },
            Self::Io(source) => {
                StoreError::Io { doing: format!("read the checkpoint {}", file.display()), source }
            }
        }
    }
}
