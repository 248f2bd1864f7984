//! The newest durable revision, noted in a plain file: a second head that is never far behind.
//!
//! One turned bit can make sled take the end of its log for the torn end of an interrupted write:
//! it then opens without a word at an earlier revision (docs/adr/0002). A checkpoint notices, but
//! is only made now and then. This note is made at every commit, and costs a write of 248 bytes:
//! the newest chain entry, and the head of the metadata.
//!
//! It is made *after* the sync that made the revision durable, and not synced itself: so it never
//! names a revision that might not be there, and is on the medium with the sync of the next
//! commit at the latest. Two places take turns, so that a torn write leaves the other.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use super::StoreError;
use super::folder::sync_folder;
use super::layout::ChainEntry;
use super::metadata::MetadataHead;
use crate::store::failpoint::{Point, reach};
use crate::store::revision::RevisionNumber;

/// The places are pages of their own, so that one that cannot be read does not take the other.
pub(super) const SLOT_BYTES: usize = 4096;

/// The open note.
#[derive(Debug)]
pub(super) struct HighWaterMark {
    file: File,
    path: PathBuf,
    // The place that is written next: never the one with the newest note.
    next: Mutex<usize>,
}

/// What was durable when a note was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// The newest revision; none before the first.
    pub(super) entry: Option<ChainEntry>,
    /// The metadata.
    pub(super) metadata: MetadataHead,
}

/// What the note says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Noted {
    /// Nothing was noted yet.
    Blank,
    /// This was durable. Boxed, as most notes are read once.
    Durable(Box<Seen>),
    /// There is something, and it cannot be read.
    Unreadable,
}

impl HighWaterMark {
    /// Opens the note, and makes it, with its whole length, when it is not there.
    pub(super) fn open(path: PathBuf) -> Result<Self, StoreError> {
        let doing = || StoreError::io(format!("open {}", path.display()));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path).map_err(doing())?;
        if file.metadata().map_err(doing())?.len() < 2 * SLOT_BYTES as u64 {
            reach(Point::NoteMade);
            // The room is taken now, so that a full disk cannot refuse a note later.
            file.write_all_at(&[0; 2 * SLOT_BYTES], 0).map_err(doing())?;
            file.sync_all().map_err(doing())?;
            reach(Point::NoteSized);
            sync_folder(path.parent().unwrap_or(Path::new(".")))?;
        }
        Ok(Self { file, path, next: Mutex::new(0) })
    }

    /// Notes what is durable.
    pub(super) fn note(&self, seen: &Seen) -> Result<(), StoreError> {
        let mut next = self.next.lock();
        self.file
            .write_all_at(&seen.to_bytes(), (*next * SLOT_BYTES) as u64)
            .map_err(StoreError::io(format!("write {}", self.path.display())))?;
        *next = 1 - *next;
        Ok(())
    }

    /// The newest note. Later ones go to the other place.
    pub(super) fn read(&self) -> Result<Noted, StoreError> {
        let mut bytes = [0; 2 * SLOT_BYTES];
        self.file
            .read_exact_at(&mut bytes, 0)
            .map_err(StoreError::io(format!("read {}", self.path.display())))?;
        let places = bytes.chunks_exact(SLOT_BYTES).map(Seen::parse).enumerate();
        let readable = places.filter_map(|(place, seen)| seen.map(|seen| (place, seen)));
        Ok(match readable.max_by_key(|(_, seen)| (seen.number(), seen.metadata.sequence)) {
            Some((place, newest)) => {
                *self.next.lock() = 1 - place;
                Noted::Durable(Box::new(newest))
            }
            None if bytes.iter().all(|byte| *byte == 0) => Noted::Blank,
            None => Noted::Unreadable,
        })
    }
}

impl Seen {
    pub(super) fn number(&self) -> RevisionNumber {
        self.entry.as_ref().map_or(RevisionNumber::ZERO, |entry| entry.number)
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let entry = self.entry.as_ref().map_or(vec![0; ChainEntry::BYTES], ChainEntry::to_bytes);
        [entry, self.metadata.to_bytes()].concat()
    }

    pub(super) fn parse(place: &[u8]) -> Option<Self> {
        let (entry, rest) = place.split_at(ChainEntry::BYTES);
        // Nothing, in a note that was made before there was any metadata.
        let metadata = match rest.iter().all(|byte| *byte == 0) {
            true => MetadataHead::default(),
            false => MetadataHead::parse(&rest[..MetadataHead::BYTES])?,
        };
        if place.iter().all(|byte| *byte == 0) {
            return None;
        }
        let entry = match entry.iter().all(|byte| *byte == 0) {
            true => None,
            false => Some(ChainEntry::parse(entry)?),
        };
        Some(Self { entry, metadata })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::layout::{GENESIS, encode_record};
    use crate::store::revision::{RevisionRecord, Timestamp};

    fn seen(number: u64) -> Seen {
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
        let entry = ChainEntry::new(&record, &encode_record(&record).unwrap(), GENESIS);
        Seen { entry: (number > 0).then_some(entry), metadata: MetadataHead::default() }
    }

    #[test]
    fn the_newest_note_counts_and_the_one_before_stands_in_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("head");
        let high_water_mark = HighWaterMark::open(path.clone()).unwrap();
        assert_eq!(high_water_mark.read().unwrap(), Noted::Blank);
        for number in 0..6 {
            high_water_mark.note(&seen(number)).unwrap();
            assert_eq!(high_water_mark.read().unwrap(), Noted::Durable(Box::new(seen(number))));
        }
        let tear = |place: usize| {
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[place] ^= 1;
            std::fs::write(&path, bytes).unwrap();
        };
        tear(SLOT_BYTES + 100);
        let high_water_mark = HighWaterMark::open(path.clone()).unwrap();
        assert_eq!(high_water_mark.read().unwrap(), Noted::Durable(Box::new(seen(4))));
        tear(100);
        assert_eq!(high_water_mark.read().unwrap(), Noted::Unreadable);
    }

    #[test]
    fn a_note_that_was_cut_off_gets_its_room_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("head");
        std::fs::write(&path, "short").unwrap();
        let high_water_mark = HighWaterMark::open(path).unwrap();
        assert_eq!(high_water_mark.read().unwrap(), Noted::Blank);
    }
}
