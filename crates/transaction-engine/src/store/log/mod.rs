//! The log of revisions: what is acknowledged stays, what is damaged is named, nothing between.
//!
//! Three things guard it. Each commit is one batch with one sync, so a crash leaves it whole or
//! not at all. Each record is hashed and linked to the one before, so what was written is known to
//! the bit, whatever the disk returns. And files next to the store, the checkpoints and a note made
//! at every commit, name revisions that must be there, so that even a tail that was cut off
//! cleanly is noticed.
//!
//! After a failed write it is unknown what is on the disk, and trying again proves nothing: the
//! kernel may have dropped what it could not write. So the log then takes no further writes, and
//! goes on answering reads from what was durable before. A restart reads the truth.

mod copy;
mod shorten;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use config_tree::{Tree, TreeDigest};
use parking_lot::Mutex;
use uuid::Uuid;

use super::checkpoint::CheckpointDir;
use super::high_water_mark::Seen;
use super::layout::{self, ChainEntry, GENESIS};
use super::metadata::{self, Answer, Awaiting, Metadata, MetadataChange, Slot, Tag};
use super::recover::{self, Beyond, Chain, Recovered, Verified};
use super::{Batch, Store, StoreError};
use crate::store::chain;
use crate::store::failpoint::{Point, reach};
use crate::store::revision::{RevisionInfo, RevisionNumber, RevisionRecord, Timestamp};

pub use copy::CopyPart;
pub use shorten::Shortened;

/// A single revision up to this size is written in order, and a larger one as a batch: it takes
/// several of sled's buffers anyway.
const WRITTEN_IN_ORDER_BYTES: u64 = 64 << 10;

/// Maximum number of expired answers that one batch removes.
const EXPIRED_ANSWERS_PER_BATCH: usize = 64;

/// All revisions, on a store of any kind. Reads may come from any thread; appends from one.
pub struct RevisionLog {
    store: Box<dyn Store>,
    checkpoints: Option<CheckpointDir>,
    skeleton: Tree,
    // The oldest revision whose record is kept.
    oldest: AtomicU64,
    // The newest durable revision. What lies beyond it in the store does not exist for readers.
    head: AtomicU64,
    // The chain entry of `head`; locked while a batch is written.
    tip: Mutex<Option<ChainEntry>>,
    // The metadata, after the newest durable batch.
    metadata: ArcSwap<Metadata>,
    poisoned: AtomicBool,
    syncs: AtomicU64,
}

impl RevisionLog {
    /// Opens the log of a store and brings back the newest tree. `skeleton` is the tree of folders
    /// and collections, without a body, in which everything stands.
    ///
    /// An empty store becomes a log without revisions. Everything is read once: the chain and the
    /// bytes of all records are checked, and what came after the newest good checkpoint is
    /// replayed onto it.
    ///
    /// # Errors
    /// The store is of an unknown format, damaged, not readable, or keeps something for which the
    /// skeleton has no place. Nothing is served by halves.
    pub fn open(
        store: Box<dyn Store>,
        checkpoints: Option<CheckpointDir>,
        skeleton: Tree,
    ) -> Result<(Self, Recovered), StoreError> {
        if !skeleton.is_empty() {
            return Err(StoreError::refused("a skeleton that has bodies"));
        }
        let marks = checkpoints.as_ref().map_or(Ok(Vec::new()), CheckpointDir::numbers)?;
        recover::prepare(&*store, &marks)?;
        recover::finish(&*store)?;
        let chain = Chain::find(&*store)?;
        let (recovered, metadata) = recover::recover(&chain, checkpoints.as_ref(), &skeleton)?;
        let Chain { oldest, head, unfinished, .. } = chain;
        if let Some(entry) = unfinished {
            let revision = entry.number.get();
            tracing::info!(
                revision,
                "a commit that was cut off, and never acknowledged, is undone"
            );
            store.write(recover::taken_back(&*store, &entry, head.as_ref())?)?;
        }
        reach(Point::RecoveryRead);
        // What a killed process wrote last may have been read from the kernel's memory: it must
        // not be seen before it is durable.
        store.sync()?;
        reach(Point::RecoverySynced);
        let log = Self {
            store,
            checkpoints,
            skeleton,
            oldest: AtomicU64::new(oldest.get()),
            head: AtomicU64::new(recovered.number.get()),
            tip: Mutex::new(head),
            metadata: ArcSwap::from_pointee(metadata),
            poisoned: AtomicBool::new(false),
            syncs: AtomicU64::new(1),
        };
        log.note(log.tip.lock().clone(), &log.metadata.load())?;
        reach(Point::RecoveryNoted);
        if marks.is_empty() && recovered.number == RevisionNumber::ZERO {
            // From now on an empty store next to this file is one that lost everything.
            log.checkpoint(RevisionNumber::ZERO, &recovered.tree)?;
        }
        Ok((log, recovered))
    }

    /// Adds revisions, all of them in one batch with one sync: durable when this returns, and not
    /// seen by anybody before.
    ///
    /// # Errors
    /// [`StoreError::Refused`] and [`StoreError::TooLarge`] come before anything was written and
    /// leave the log as it was. After any other error the revisions may or may not be in the
    /// store; every later append answers [`StoreError::Poisoned`].
    pub fn append(&self, records: &[RevisionRecord]) -> Result<(), StoreError> {
        self.commit(records, Vec::new(), None)
    }

    /// Adds revisions as [`RevisionLog::append`] does, and changes the metadata, all in
    /// the same batch. Answers that have expired `now` go with it, a few at a time.
    ///
    /// # Errors
    /// Those of [`RevisionLog::append`].
    pub fn commit(
        &self,
        records: &[RevisionRecord],
        metadata: Vec<MetadataChange>,
        now: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let mut tip = self.tip.lock();
        if self.is_poisoned() {
            return Err(StoreError::Poisoned);
        }
        let (mut batch, head) = self.batch_of(records, tip.as_ref())?;
        let revisions_alone = batch.bytes();
        let view = self.metadata_after(metadata, now, &mut batch)?;
        if batch.bytes() == 0 {
            return Ok(());
        }
        // A start knows how to take back one revision of which the chain entry is missing. Whatever
        // is more than that goes whole or not at all.
        let in_order = records.len() == 1
            && batch.bytes() == revisions_alone
            && batch.bytes() <= WRITTEN_IN_ORDER_BYTES;
        self.check_size(self.head_number().next(), batch.bytes())?;

        let latch = Latch::arm(&self.poisoned);
        reach(Point::LogBatched);
        if in_order {
            self.store.write_in_order(batch)?;
        } else {
            self.store.write(batch)?;
        }
        reach(Point::LogWritten);
        self.store.sync()?;
        reach(Point::LogSynced);
        latch.disarm();

        self.syncs.fetch_add(1, Ordering::Relaxed);
        if let Some(head) = head {
            self.head.store(head.number.get(), Ordering::Release);
            *tip = Some(head);
        }
        let noted = self.note(tip.clone(), &view);
        reach(Point::LogNoted);
        self.metadata.store(Arc::new(view));
        if let Err(error) = noted {
            // This commit is durable, but the medium begins to fail: it is the last one.
            tracing::error!(error = chain(&error), "no further commits are taken");
            self.poisoned.store(true, Ordering::Release);
        }
        Ok(())
    }

    fn metadata_after(
        &self,
        mut changes: Vec<MetadataChange>,
        now: Option<Timestamp>,
        batch: &mut Batch,
    ) -> Result<Metadata, StoreError> {
        let mut view = Metadata::clone(&self.metadata.load());
        if let Some(now) = now {
            let expired = view.expired(&*self.store, now, EXPIRED_ANSWERS_PER_BATCH)?;
            changes.splice(0..0, expired);
        }
        view.changed(&*self.store, &changes, batch)
    }

    /// The record of a revision, its hash checked; `None` when there is no such revision, or its
    /// record is not kept any more.
    ///
    /// # Errors
    /// The record is damaged or cannot be read.
    pub fn record(&self, number: RevisionNumber) -> Result<Option<RevisionRecord>, StoreError> {
        self.read(number, recover::decode)
    }

    /// What is to be known of a revision without its changes, its hash checked; `None` as with
    /// [`RevisionLog::record`].
    ///
    /// # Errors
    /// The record is damaged or cannot be read.
    pub fn info(&self, number: RevisionNumber) -> Result<Option<RevisionInfo>, StoreError> {
        self.read(number, |entry, raw| {
            let layout::Heading { author, session, message, changes } =
                recover::heading(entry, raw)?;
            let (number, time, digest) = (entry.number, entry.time, entry.digest);
            Ok(RevisionInfo { number, time, author, session, message, changes, digest })
        })
    }

    fn read<T>(
        &self,
        number: RevisionNumber,
        decode: impl FnOnce(&ChainEntry, &[u8]) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let is_kept = || number >= self.oldest_number() && number <= self.head_number();
        if !is_kept() {
            return Ok(None);
        }
        let read = || {
            let entry = recover::entry(&*self.store, number)?;
            let raw = recover::read_raw(&*self.store, &entry)?;
            decode(&entry, &raw)
        };
        match read() {
            // Removed meanwhile, and not damaged.
            Err(_) if !is_kept() => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// The digest of the tree of a revision; `None` as with [`RevisionLog::record`].
    ///
    /// # Errors
    /// The chain is damaged or cannot be read.
    pub fn digest(&self, number: RevisionNumber) -> Result<Option<TreeDigest>, StoreError> {
        if number == RevisionNumber::ZERO {
            return Ok(Some(TreeDigest::default()));
        }
        let is_kept = || number >= self.oldest_number() && number <= self.head_number();
        match recover::entry(&*self.store, number) {
            _ if !is_kept() => Ok(None),
            entry => entry.map(|entry| Some(entry.digest)),
        }
    }

    /// The newest durable revision; 0 when nothing was committed yet.
    #[must_use]
    pub fn head_number(&self) -> RevisionNumber {
        RevisionNumber::new(self.head.load(Ordering::Acquire))
    }

    /// The oldest revision of which the record is kept, or would be.
    #[must_use]
    pub fn oldest_number(&self) -> RevisionNumber {
        RevisionNumber::new(self.oldest.load(Ordering::Acquire))
    }

    /// When the oldest revision that is kept was committed.
    ///
    /// # Errors
    /// The chain is damaged or cannot be read.
    pub fn time(&self, number: RevisionNumber) -> Result<Option<Timestamp>, StoreError> {
        let is_kept = || number >= self.oldest_number() && number <= self.head_number();
        match recover::entry(&*self.store, number) {
            _ if !is_kept() => Ok(None),
            entry => entry.map(|entry| Some(entry.time)),
        }
    }

    /// The names of revisions, in alphabetical order.
    #[must_use]
    pub fn tags(&self) -> Vec<Tag> {
        self.metadata.load().tags.values().cloned().collect()
    }

    /// The same, shared with this log until one side changes.
    pub(crate) fn tags_shared(&self) -> Arc<BTreeMap<String, Tag>> {
        Arc::clone(&self.metadata.load().tags)
    }

    /// The revision of a name.
    #[must_use]
    pub fn tag(&self, name: &str) -> Option<Tag> {
        self.metadata.load().tags.get(name).cloned()
    }

    /// The commit that awaits its confirmation.
    #[must_use]
    pub fn awaiting(&self) -> Option<Awaiting> {
        self.metadata.load().awaiting.clone()
    }

    /// The answer that is kept in a slot, expired or not.
    ///
    /// # Errors
    /// It is damaged or cannot be read.
    pub fn answer(&self, slot: &Slot) -> Result<Option<Answer>, StoreError> {
        self.metadata.load().answer(&*self.store, slot)
    }

    /// Whether a write failed, so that no further one is taken.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire)
    }

    /// The revision that was committed under an id, if one was: what became of a commit whose
    /// answer was lost.
    ///
    /// # Errors
    /// The index is damaged or cannot be read.
    pub fn lookup(&self, commit_id: Uuid) -> Result<Option<RevisionNumber>, StoreError> {
        let number = recover::indexed(&*self.store, commit_id)?;
        Ok(number.filter(|number| *number <= self.head_number()))
    }

    /// Writes the tree of a durable revision next to the store, and removes the oldest of such
    /// files. May run during appends. Does nothing where no folder for them was given.
    ///
    /// # Errors
    /// The tree is not that of the revision, or the file cannot be written. The log is as good as
    /// before.
    pub fn checkpoint(&self, number: RevisionNumber, tree: &Tree) -> Result<(), StoreError> {
        let Some(checkpoints) = &self.checkpoints else { return Ok(()) };
        let refused =
            |why| StoreError::refused(format!("a checkpoint of revision {number}: {why}"));
        if number > self.head_number() || number.next() < self.oldest_number() {
            return Err(refused("there is no such revision"));
        }
        let (chain, digest) = recover::mark_of(&*self.store, number, self.oldest_number())?;
        if tree.digest() != digest {
            return Err(refused("the tree is of another one"));
        }
        checkpoints.write(number, chain, tree)
    }

    /// Whether there is a folder for checkpoints.
    #[must_use]
    pub fn has_checkpoints(&self) -> bool {
        self.checkpoints.is_some()
    }

    /// The revisions of which there are checkpoints, ascending; whether they are good is not known.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn checkpoints(&self) -> Result<Vec<RevisionNumber>, StoreError> {
        self.checkpoints.as_ref().map_or(Ok(Vec::new()), CheckpointDir::numbers)
    }

    /// The tree in a checkpoint, if it is good and belongs to this history. Costs O(n).
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn checkpoint_tree(&self, number: RevisionNumber) -> Result<Tree, StoreError> {
        let refused = |why| StoreError::refused(format!("checkpoint {number}: {why}"));
        let Some(dir) = &self.checkpoints else { return Err(refused("there are none")) };
        let (chain, _) = recover::mark_of(&*self.store, number, self.oldest_number())?;
        let found = dir.read(number, &self.skeleton)?;
        if found.chain != chain {
            return Err(refused("it belongs to another history"));
        }
        Ok(found.tree)
    }

    /// How often the medium was made to sync since the log was opened.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    /// Reads everything there is and checks it against everything else. May run during appends,
    /// and looks at the revisions that were there when it began; checkpoints wait for it.
    ///
    /// # Errors
    /// The first thing that is not in order.
    pub fn verify(&self) -> Result<Verified, StoreError> {
        let check = || {
            let head = match self.head_number() {
                RevisionNumber::ZERO => None,
                number => Some(recover::entry(&*self.store, number)?),
            };
            let (store, oldest) = (&*self.store, self.oldest_number());
            let chain = Chain { store, oldest, head, unfinished: None, beyond: Beyond::Ignore };
            let verified = recover::verify(&chain, self.checkpoints.as_ref(), &self.skeleton)?;
            // Small, and not to be read while it changes.
            let _one_writer = self.tip.lock();
            if !self.is_poisoned() {
                metadata::recover(&*self.store)?;
            }
            Ok(verified)
        };
        // The head is looked up when no checkpoint can come any more, so that none is newer than it.
        match &self.checkpoints {
            Some(dir) => dir.undisturbed(check),
            None => check(),
        }
    }

    fn batch_of(
        &self,
        records: &[RevisionRecord],
        tip: Option<&ChainEntry>,
    ) -> Result<(Batch, Option<ChainEntry>), StoreError> {
        self.check_order(records)?;
        let mut batch = Batch::default();
        let mut head: Option<ChainEntry> = None;
        for record in records {
            let previous = head.as_ref().or(tip).map_or(GENESIS, ChainEntry::hash);
            let encoded = layout::encode_record(record)?;
            let entry = ChainEntry::new(record, &encoded, previous);
            // First the head, which says what follows, and last the chain entry, which says that
            // everything is there: that is how a start knows what was cut off.
            batch.put(layout::HEAD_KEY, entry.to_bytes());
            for (index, chunk) in (0u32..).zip(encoded.chunks) {
                batch.put(layout::chunk_key(record.number, index), chunk);
            }
            batch.put(layout::commit_key(record.commit_id), layout::number_value(record.number));
            batch.put(layout::chain_key(record.number), entry.to_bytes());
            self.check_size(record.number, batch.bytes())?;
            head = Some(entry);
        }
        Ok((batch, head))
    }

    /// Notes next to the store what is durable, and only when it is.
    fn note(&self, entry: Option<ChainEntry>, metadata: &Metadata) -> Result<(), StoreError> {
        match &self.checkpoints {
            Some(dir) if entry.is_some() || metadata.head.sequence > 0 => {
                dir.high_water_mark().note(&Seen { entry, metadata: metadata.head })
            }
            _ => Ok(()),
        }
    }

    fn check_order(&self, records: &[RevisionRecord]) -> Result<(), StoreError> {
        let mut expected = self.head_number().next();
        let mut commit_ids = HashSet::new();
        for RevisionRecord { number, commit_id, .. } in records {
            if *number != expected {
                let what = format!("revision {number}: the next one is {expected}");
                return Err(StoreError::refused(what));
            }
            if !commit_ids.insert(commit_id) || self.lookup(*commit_id)?.is_some() {
                let what = format!("revision {number}: commit {commit_id} was made already");
                return Err(StoreError::refused(what));
            }
            expected = expected.next();
        }
        Ok(())
    }

    fn check_size(&self, number: RevisionNumber, bytes: u64) -> Result<(), StoreError> {
        let limit = self.store.limits().batch_bytes;
        if bytes > limit {
            let what = format!("the commit of revision {number}, with those that wait with it,");
            return Err(StoreError::TooLarge { what, bytes, limit });
        }
        Ok(())
    }
}

impl fmt::Debug for RevisionLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevisionLog")
            .field("head", &self.head_number())
            .field("poisoned", &self.is_poisoned())
            .finish_non_exhaustive()
    }
}

/// Poisons when it is dropped armed: an early return and a panic take the same way out.
struct Latch<'a>(Option<&'a AtomicBool>);

impl<'a> Latch<'a> {
    fn arm(poisoned: &'a AtomicBool) -> Self {
        Self(Some(poisoned))
    }

    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for Latch<'_> {
    fn drop(&mut self) {
        if let Some(poisoned) = self.0 {
            poisoned.store(true, Ordering::Release);
        }
    }
}
