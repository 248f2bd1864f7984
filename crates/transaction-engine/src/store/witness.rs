//! The newest durable revision, noted in a plain file: a second head that is never far behind.
//!
//! One turned bit can make sled take the end of its log for the torn end of an interrupted write:
//! it then opens without a word at an earlier revision (docs/adr/0002). A checkpoint notices, but
//! is only made now and then. This note is made at every commit, and costs a write of 176 bytes.
//!
//! It is made *after* the sync that made the revision durable, and not synced itself: so it never
//! speaks of a revision that might not be there, and is on the medium with the sync of the next
//! commit at the latest. Two places take turns, so that a torn write leaves the other.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::StoreError;
use super::folder::sync_folder;
use super::layout::ChainEntry;

/// The places are pages of their own, so that one that cannot be read does not take the other.
const PLACE_BYTES: usize = 4096;

/// The open note.
#[derive(Debug)]
pub(super) struct Witness {
    file: File,
    path: PathBuf,
}

/// What the note says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Testimony {
    /// Nothing was noted yet.
    Blank,
    /// This was durable. Boxed, as most notes are read once.
    Saw(Box<ChainEntry>),
    /// There is something, and it cannot be read.
    Unreadable,
}

impl Witness {
    /// Opens the note, and makes it, with its whole length, when it is not there.
    pub(super) fn open(path: PathBuf) -> Result<Self, StoreError> {
        let doing = || StoreError::io(format!("open {}", path.display()));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path).map_err(doing())?;
        if file.metadata().map_err(doing())?.len() < 2 * PLACE_BYTES as u64 {
            // The room is taken now, so that a full disk cannot refuse a note later.
            file.write_all_at(&[0; 2 * PLACE_BYTES], 0).map_err(doing())?;
            file.sync_all().map_err(doing())?;
            sync_folder(path.parent().unwrap_or(Path::new(".")))?;
        }
        Ok(Self { file, path })
    }

    /// Notes that a revision is durable.
    pub(super) fn saw(&self, head: &ChainEntry) -> Result<(), StoreError> {
        let place = if head.number.get().is_multiple_of(2) { 0 } else { PLACE_BYTES as u64 };
        self.file
            .write_all_at(&head.to_bytes(), place)
            .map_err(StoreError::io(format!("write {}", self.path.display())))
    }

    /// The newest revision that was noted.
    pub(super) fn says(&self) -> Result<Testimony, StoreError> {
        let mut bytes = [0; 2 * PLACE_BYTES];
        self.file
            .read_exact_at(&mut bytes, 0)
            .map_err(StoreError::io(format!("read {}", self.path.display())))?;
        let (even, odd) = bytes.split_at(PLACE_BYTES);
        let places = [even, odd].map(|place| ChainEntry::parse(&place[..ChainEntry::BYTES]));
        Ok(match places.into_iter().flatten().max_by_key(|entry| entry.number) {
            Some(newest) => Testimony::Saw(Box::new(newest)),
            None if bytes.iter().all(|byte| *byte == 0) => Testimony::Blank,
            None => Testimony::Unreadable,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::{RevisionNumber, RevisionRecord, Timestamp};
    use crate::store::layout::{GENESIS, encode_record};

    fn entry(number: u64) -> ChainEntry {
        let record = RevisionRecord {
            number: RevisionNumber::new(number),
            time: Timestamp::from_micros(0),
            commit_id: uuid::Uuid::nil(),
            author: String::new(),
            session: String::new(),
            message: None,
            changes: Vec::new(),
            digest: config_tree::TreeDigest::default(),
        };
        ChainEntry::new(&record, &encode_record(&record).unwrap(), GENESIS)
    }

    #[test]
    fn the_newest_note_counts_and_the_one_before_stands_in_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("head");
        let witness = Witness::open(path.clone()).unwrap();
        assert_eq!(witness.says().unwrap(), Testimony::Blank);
        for number in 1..6 {
            witness.saw(&entry(number)).unwrap();
            assert_eq!(witness.says().unwrap(), Testimony::Saw(Box::new(entry(number))));
        }
        let tear = |place: usize| {
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[place] ^= 1;
            std::fs::write(&path, bytes).unwrap();
        };
        tear(PLACE_BYTES + 100);
        let witness = Witness::open(path.clone()).unwrap();
        assert_eq!(witness.says().unwrap(), Testimony::Saw(Box::new(entry(4))));
        tear(100);
        assert_eq!(witness.says().unwrap(), Testimony::Unreadable);
    }

    #[test]
    fn a_note_that_was_cut_off_gets_its_room_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("head");
        std::fs::write(&path, "short").unwrap();
        let witness = Witness::open(path).unwrap();
        assert_eq!(witness.says().unwrap(), Testimony::Blank);
    }
}
