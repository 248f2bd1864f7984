//! Reading a store: along the chain, record by record, onto the newest good checkpoint.
//!
//! Everything here only reads and answers with the tree or with what is wrong. Raw bytes are
//! checked before they are parsed, parsed before they are applied, and the digest of the tree is
//! compared after every revision, so that the first bad one is the one that is named.

mod verify;

use std::error::Error;

use blake3::Hash;
use config_tree::{Change, Kind, Node, NodePath, Tree, TreeDigest};
use uuid::Uuid;

use super::checkpoint::{Checkpoint, CheckpointDir};
use super::high_water_mark::{Noted, Seen};
use super::layout::{self, CHAIN_PREFIX, ChainEntry, FORMAT, FORMAT_KEY, GENESIS, HEAD_KEY};
use super::metadata::{self, Metadata};
use super::{Batch, Store, StoreError};
use crate::store::failpoint::{Point, reach};
use crate::store::revision::{RevisionNumber, RevisionRecord};

pub use verify::Verified;
pub(super) use verify::verify;

const RESTORE: &str = "keep a copy of the data directory and restore it from a backup";

const FIRST: RevisionNumber = RevisionNumber::new(1);

/// What was found when a log was opened.
#[derive(Debug)]
pub struct Recovered {
    /// The newest revision; 0 when nothing was committed yet.
    pub number: RevisionNumber,
    /// The tree of that revision.
    pub tree: Tree,
    /// The record of that revision.
    pub last: Option<RevisionRecord>,
    /// What is not as it should be and does no harm, such as a damaged checkpoint.
    pub warnings: Vec<String>,
}

fn damaged(what: impl Into<String>) -> StoreError {
    StoreError::damaged(what, RESTORE)
}

/// Makes a log of an empty store, and refuses what is not a log of ours.
pub(super) fn prepare(store: &dyn Store, marks: &[RevisionNumber]) -> Result<(), StoreError> {
    let known = FORMAT.to_string();
    match store.get(FORMAT_KEY)? {
        Some(found) if found == known.as_bytes() => return Ok(()),
        Some(found) => {
            let found = found.escape_ascii().to_string();
            return Err(StoreError::UnknownFormat { found, known: FORMAT });
        }
        None => {}
    }
    if let Some(entry) = store.scan(b"").next() {
        entry?;
        return Err(damaged("it has content and no format version"));
    }
    if let Some(mark) = marks.last() {
        return Err(damaged(format!("it is empty, and there is a checkpoint of revision {mark}")));
    }
    let mut batch = Batch::default();
    batch.put(FORMAT_KEY, known);
    store.write(batch)?;
    reach(Point::FormatWritten);
    Ok(())
}

// ===== a revision that was cut off =====

/// Adds the chain entry of the newest revision where nothing else is missing of it: the head is
/// the same bytes.
pub(super) fn finish(store: &dyn Store) -> Result<(), StoreError> {
    let Some(head) = find_head(store)? else { return Ok(()) };
    let is_whole = || match read_raw(store, &head) {
        Ok(_) => Ok(indexed(store, head.commit_id)? == Some(head.number)),
        Err(StoreError::Damaged { .. }) => Ok(false),
        Err(error) => Err(error),
    };
    if has_entry(store, head.number)? || !is_whole()? {
        return Ok(());
    }
    let mut batch = Batch::default();
    batch.put(layout::chain_key(head.number), head.to_bytes());
    store.write(batch)
}

/// What takes back everything of a revision that has no chain entry.
pub(super) fn taken_back(
    store: &dyn Store,
    entry: &ChainEntry,
    before: Option<&ChainEntry>,
) -> Result<Batch, StoreError> {
    let mut batch = Batch::default();
    for item in store.scan(&layout::record_prefix(entry.number)) {
        batch.delete(item?.0);
    }
    batch.delete(layout::commit_key(entry.commit_id));
    match before {
        Some(before) => batch.put(HEAD_KEY, before.to_bytes()),
        None => batch.delete(HEAD_KEY),
    }
    Ok(batch)
}

fn has_entry(store: &dyn Store, number: RevisionNumber) -> Result<bool, StoreError> {
    Ok(store.get(&layout::chain_key(number))?.is_some())
}

fn find_head(store: &dyn Store) -> Result<Option<ChainEntry>, StoreError> {
    let Some(bytes) = store.get(HEAD_KEY)? else { return Ok(None) };
    ChainEntry::parse(&bytes).map(Some).ok_or_else(|| damaged("the head cannot be read"))
}

// ===== single entries =====

/// The chain entry of a revision that must be there.
pub(super) fn entry(store: &dyn Store, number: RevisionNumber) -> Result<ChainEntry, StoreError> {
    match store.get(&layout::chain_key(number))? {
        Some(bytes) => parse_entry(number, &bytes),
        None => Err(damaged(format!("the chain entry of revision {number} is missing"))),
    }
}

fn parse_entry(number: RevisionNumber, bytes: &[u8]) -> Result<ChainEntry, StoreError> {
    ChainEntry::parse(bytes)
        .filter(|entry| entry.number == number)
        .ok_or_else(|| damaged(format!("the chain entry of revision {number} cannot be read")))
}

/// The bytes of a record, checked against its chain entry.
pub(super) fn read_raw(store: &dyn Store, entry: &ChainEntry) -> Result<Vec<u8>, StoreError> {
    let number = entry.number;
    let mut raw = Vec::new();
    for (index, item) in (0u32..).zip(store.scan(&layout::record_prefix(number))) {
        let (key, value) = item?;
        if key != layout::chunk_key(number, index) {
            return Err(damaged(format!("chunk {index} of revision {number} is missing")));
        }
        raw.extend_from_slice(&value);
    }
    if raw.len() as u64 != entry.record_bytes || blake3::hash(&raw) != entry.record_hash {
        return Err(damaged(format!("the record of revision {number} is not what was written")));
    }
    Ok(raw)
}

/// The record in bytes that [`read_raw`] has checked.
pub(super) fn decode(entry: &ChainEntry, raw: &[u8]) -> Result<RevisionRecord, StoreError> {
    let number = entry.number;
    let record = layout::decode_record(raw).map_err(|problem| {
        damaged(format!("the record of revision {number} cannot be read: {problem}"))
    })?;
    let agree = record.number == number
        && record.time == entry.time
        && record.commit_id == entry.commit_id
        && record.digest == entry.digest;
    if agree {
        Ok(record)
    } else {
        Err(damaged(format!("record and chain entry of revision {number} disagree")))
    }
}

/// The chain entry before one that is missing: it must be the one that was continued.
fn before(store: &dyn Store, missing: &ChainEntry) -> Result<Option<ChainEntry>, StoreError> {
    let number = missing.number;
    let previous = number.previous();
    let found = store.get(&layout::chain_key(previous))?;
    let found = found.map(|bytes| parse_entry(previous, &bytes)).transpose()?;
    if found.as_ref().map_or(GENESIS, ChainEntry::hash) == missing.previous {
        return Ok(found);
    }
    Err(damaged(format!("the chain entry of revision {number} is missing")))
}

/// What is to be known of the record in bytes that [`read_raw`] has checked, but for its changes.
pub(super) fn heading(entry: &ChainEntry, raw: &[u8]) -> Result<layout::Heading, StoreError> {
    layout::decode_heading(raw).map_err(|problem| {
        damaged(format!("the record of revision {} cannot be read: {problem}", entry.number))
    })
}

/// The revision that the index has for a commit.
pub(super) fn indexed(
    store: &dyn Store,
    commit_id: Uuid,
) -> Result<Option<RevisionNumber>, StoreError> {
    let Some(value) = store.get(&layout::commit_key(commit_id))? else { return Ok(None) };
    match layout::parse_number(&value) {
        Some(number) => Ok(Some(number)),
        None => Err(damaged(format!("the index entry of commit {commit_id} cannot be read"))),
    }
}

/// Hash of the chain and digest of the tree at a revision, as a checkpoint of it must have them.
pub(super) fn mark_of(
    store: &dyn Store,
    number: RevisionNumber,
    oldest: RevisionNumber,
) -> Result<(Hash, TreeDigest), StoreError> {
    if number == RevisionNumber::ZERO {
        return Ok((GENESIS, TreeDigest::default()));
    }
    if number < oldest {
        return Err(StoreError::refused(format!("revision {number}: its record is gone")));
    }
    let entry = entry(store, number)?;
    Ok((entry.hash(), entry.digest))
}

// ===== the chain =====

/// All chain entries from the oldest kept to the head.
pub(super) struct Chain<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) oldest: RevisionNumber,
    pub(super) head: Option<ChainEntry>,
    /// The head as it is written, where that revision was cut off and never acknowledged.
    pub(super) unfinished: Option<ChainEntry>,
    pub(super) beyond: Beyond,
}

/// What entries after the head mean.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Beyond {
    /// The store is at rest: they cannot be.
    Refuse,
    /// Somebody appends meanwhile.
    Ignore,
}

impl<'a> Chain<'a> {
    /// The chain of a store in which nothing happens.
    pub(super) fn find(store: &'a dyn Store) -> Result<Self, StoreError> {
        let (head, unfinished) = match find_head(store)? {
            Some(head) if !has_entry(store, head.number)? => (before(store, &head)?, Some(head)),
            head => (head, None),
        };
        let oldest = match store.get(layout::OLDEST_KEY)? {
            Some(bytes) => layout::parse_number(&bytes)
                .ok_or_else(|| damaged("the number of the oldest revision cannot be read"))?,
            None => FIRST,
        };
        let last = head.as_ref().map_or(FIRST, |head| head.number);
        if oldest < FIRST || oldest > last {
            return Err(damaged(format!("its oldest revision is {oldest}, its newest {last}")));
        }
        Ok(Self { store, oldest, head, unfinished, beyond: Beyond::Refuse })
    }

    pub(super) fn head_number(&self) -> RevisionNumber {
        self.head.as_ref().map_or(RevisionNumber::ZERO, |head| head.number)
    }

    fn tip(&self) -> Hash {
        self.head.as_ref().map_or(GENESIS, ChainEntry::hash)
    }

    /// Goes from the oldest entry to the head, with the checked bytes of each record. Every link,
    /// every record and every index entry is right when it comes to `each`.
    pub(super) fn walk(
        &self,
        mut each: impl FnMut(&ChainEntry, &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut expected = self.oldest;
        let mut previous = (self.oldest == FIRST).then_some(GENESIS);
        for item in self.store.scan(CHAIN_PREFIX) {
            let (key, value) = item?;
            if expected > self.head_number() {
                self.check_beyond(expected)?;
                break;
            }
            if key != layout::chain_key(expected) {
                return Err(damaged(format!("the chain entry of revision {expected} is missing")));
            }
            let entry = parse_entry(expected, &value)?;
            if previous.is_some_and(|previous| previous != entry.previous) {
                let what = format!("revision {expected} does not continue the one before it");
                return Err(damaged(what));
            }
            self.check_index(&entry)?;
            each(&entry, &read_raw(self.store, &entry)?)?;
            previous = Some(entry.hash());
            expected = expected.next();
        }
        if expected <= self.head_number() {
            return Err(damaged(format!("the chain entry of revision {expected} is missing")));
        }
        match previous {
            Some(reached) if reached != self.tip() => {
                Err(damaged(format!("the head is not revision {}", self.head_number())))
            }
            _ => Ok(()),
        }
    }

    fn check_beyond(&self, number: RevisionNumber) -> Result<(), StoreError> {
        match (self.beyond, &self.head) {
            (Beyond::Ignore, _) => Ok(()),
            (Beyond::Refuse, None) => Err(damaged("there are revisions and no head")),
            (Beyond::Refuse, Some(head)) => Err(damaged(format!(
                "the head is revision {}, and there is a chain entry of revision {number} or later",
                head.number
            ))),
        }
    }

    fn check_index(&self, entry: &ChainEntry) -> Result<(), StoreError> {
        let ChainEntry { number, commit_id, .. } = entry;
        match indexed(self.store, *commit_id)? {
            Some(found) if found == *number => Ok(()),
            Some(found) => Err(damaged(format!(
                "the index has revision {found} for commit {commit_id} of revision {number}"
            ))),
            None => Err(damaged(format!("the index lacks commit {commit_id}"))),
        }
    }
}

// ===== from a checkpoint to the head =====

/// The newest tree of a chain.
pub(super) fn recover(
    chain: &Chain<'_>,
    checkpoints: Option<&CheckpointDir>,
    skeleton: &Tree,
) -> Result<(Recovered, Metadata), StoreError> {
    let mut warnings = Vec::new();
    let metadata = metadata::recover(chain.store)?;
    let base = find_base(chain, checkpoints, skeleton, &mut warnings)?;
    let seen = read_high_water_mark(chain, checkpoints, &metadata, &mut warnings)?;
    let mut replay = Replay::new(base)?;
    chain.walk(|entry, raw| {
        replay.compare(entry)?;
        if seen.as_ref().is_some_and(|seen| seen.number == entry.number && seen != entry) {
            return Err(damaged(format!(
                "revision {} is not the one that was noted",
                entry.number
            )));
        }
        if entry.number > replay.reached || entry.number == chain.head_number() {
            replay.step(decode(entry, raw)?)?;
        }
        Ok(())
    })?;
    let Replay { tree, last, .. } = replay;
    Ok((Recovered { number: chain.head_number(), tree, last, warnings }, metadata))
}

fn find_base(
    chain: &Chain<'_>,
    checkpoints: Option<&CheckpointDir>,
    skeleton: &Tree,
    warnings: &mut Vec<String>,
) -> Result<Checkpoint, StoreError> {
    let head = chain.head_number();
    let mut unread = None;
    if let Some(dir) = checkpoints {
        let numbers = dir.numbers()?;
        if let Some(newest) = numbers.last().filter(|newest| **newest > head) {
            // Not looked into: that it was ever written says enough.
            return Err(damaged(format!(
                "its newest revision is {head}, and there is a checkpoint of revision {newest}, \
                 so it lost what came between or belongs elsewhere"
            )));
        }
        for number in numbers.into_iter().rev().filter(|number| number.next() >= chain.oldest) {
            match dir.read(number, skeleton) {
                Ok(checkpoint) => return Ok(checkpoint),
                Err(error @ StoreError::NoPlace { .. }) => return Err(error),
                Err(error) => {
                    warnings.push(with_cause(&error));
                    unread = Some(error).filter(|error| matches!(error, StoreError::Io { .. }));
                }
            }
        }
    }
    if chain.oldest > FIRST {
        // What the system does not let us read is not damaged by that.
        return Err(unread.unwrap_or_else(|| {
            damaged(format!(
                "its oldest revision is {}, and no good checkpoint covers what came before",
                chain.oldest
            ))
        }));
    }
    Ok(Checkpoint { number: RevisionNumber::ZERO, chain: GENESIS, tree: skeleton.clone() })
}

/// What was noted as durable, which must be in the chain.
fn read_high_water_mark(
    chain: &Chain<'_>,
    checkpoints: Option<&CheckpointDir>,
    metadata: &Metadata,
    warnings: &mut Vec<String>,
) -> Result<Option<ChainEntry>, StoreError> {
    let Some(dir) = checkpoints else { return Ok(None) };
    let head = chain.head_number();
    match dir.high_water_mark().read()? {
        Noted::Durable(seen) if seen.number() > head => Err(damaged(format!(
            "its newest revision is {head}, and revision {} was durable once, so it lost what came \
             between",
            seen.number()
        ))),
        Noted::Durable(seen) => {
            check_metadata(metadata, &seen)?;
            Ok(seen.entry)
        }
        Noted::Blank => Ok(None),
        Noted::Unreadable => {
            warnings.push("the note of the newest revision is damaged, and is made again".into());
            Ok(None)
        }
    }
}

/// That tags, answers and what awaits confirmation are not older than what was noted.
fn check_metadata(metadata: &Metadata, seen: &Seen) -> Result<(), StoreError> {
    let (found, noted) = (metadata.head, seen.metadata);
    if noted.sequence > found.sequence {
        return Err(damaged(format!(
            "tags, answers or what awaits confirmation changed {} times, and it has {} of these \
             changes, so it lost some",
            noted.sequence, found.sequence
        )));
    }
    if noted.sequence == found.sequence && noted != found {
        return Err(damaged("tags, answers or what awaits confirmation are not what was noted"));
    }
    Ok(())
}

fn with_cause(error: &StoreError) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// A tree on its way from a checkpoint to the head.
struct Replay {
    // Where the tree began, with the hash of the chain there.
    from: RevisionNumber,
    mark: Hash,
    tree: Tree,
    reached: RevisionNumber,
    last: Option<RevisionRecord>,
}

impl Replay {
    fn new(base: Checkpoint) -> Result<Self, StoreError> {
        let Checkpoint { number, chain: mark, tree } = base;
        let is_start = mark == GENESIS && tree.digest() == TreeDigest::default();
        // There is no chain entry to compare this one with.
        if number == RevisionNumber::ZERO && !is_start {
            return Err(foreign(number));
        }
        Ok(Self { from: number, mark, tree, reached: number, last: None })
    }

    /// Whether the checkpoint belongs to this chain.
    fn compare(&self, entry: &ChainEntry) -> Result<(), StoreError> {
        let belongs = if entry.number == self.from {
            entry.hash() == self.mark && entry.digest == self.tree.digest()
        } else if entry.number == self.from.next() {
            entry.previous == self.mark
        } else {
            true
        };
        if belongs { Ok(()) } else { Err(foreign(self.from)) }
    }

    /// Applies the next record; one that the tree has already is only kept.
    fn step(&mut self, record: RevisionRecord) -> Result<(), StoreError> {
        if record.number > self.reached {
            for change in &record.changes {
                apply(&mut self.tree, change, record.number)?;
            }
            if self.tree.digest() != record.digest {
                let number = record.number;
                let what = format!("revision {number} does not lead to the tree it should");
                return Err(damaged(what));
            }
            self.reached = record.number;
        }
        self.last = Some(record);
        Ok(())
    }
}

fn foreign(number: RevisionNumber) -> StoreError {
    damaged(format!("the checkpoint of revision {number} belongs to another history"))
}

fn apply(tree: &mut Tree, change: &Change, number: RevisionNumber) -> Result<(), StoreError> {
    if !has_place(tree, change) {
        return Err(StoreError::NoPlace { path: change.path().clone(), number });
    }
    tree.apply(change).map_err(|error| {
        damaged(format!("revision {number} does not fit the tree before it: {error}"))
    })
}

/// Whether folders and collections are where the change needs them: they come from the catalog,
/// which may be another one than when the record was made.
fn has_place(tree: &Tree, change: &Change) -> bool {
    let kind = |path: &NodePath| tree.get(path).map(Node::kind);
    match change {
        Change::Create { path, rank, .. } => match path.parent().as_ref().and_then(kind) {
            Some(Kind::Folder) => rank.is_none() && matches!(kind(path), None | Some(Kind::Object)),
            Some(Kind::Collection) => true,
            Some(Kind::Object) | None => false,
        },
        Change::Reorder { path, .. } => kind(path) == Some(Kind::Collection),
        // What they speak of was created by a change that had its place.
        Change::Replace { .. } | Change::Delete { .. } => true,
    }
}
