//! The log of revisions: what is acknowledged stays, what is damaged is named, nothing between.
//!
//! Three things guard it. Each commit is one batch with one sync, so a crash leaves it whole or
//! not at all. Each record is hashed and linked to the one before, so what was written is known to
//! the bit, whatever the medium says. And files beside the store, the checkpoints and a note made
//! at every commit, name revisions that must be there, so that even a tail that was cut off
//! cleanly is noticed.
//!
//! After a failed write nobody knows what is on the medium, and trying again proves nothing: the
//! kernel may have dropped what it could not write. So the log then takes no further writes, and
//! goes on answering reads from what was durable before. A restart reads the truth.

use std::collections::HashSet;
use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use config_tree::Tree;
use parking_lot::Mutex;
use uuid::Uuid;

use super::checkpoint::CheckpointDir;
use super::layout::{self, ChainEntry, GENESIS};
use super::recover::{self, Beyond, Chain, Verified};
use super::{Batch, Store, StoreError};
use crate::revision::{RevisionNumber, RevisionRecord};

/// All revisions, on a store of any kind. Reads may come from any thread; appends from one.
pub struct RevisionLog {
    store: Box<dyn Store>,
    checkpoints: Option<CheckpointDir>,
    skeleton: Tree,
    oldest: RevisionNumber,
    // The newest durable revision. What lies beyond it in the store does not exist for readers.
    head: AtomicU64,
    // The chain entry of `head`; locked while a batch is written.
    tip: Mutex<Option<ChainEntry>>,
    poisoned: AtomicBool,
    syncs: AtomicU64,
}

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
        let chain = Chain::find(&*store)?;
        let recovered = recover::recover(&chain, checkpoints.as_ref(), &skeleton)?;
        let Chain { oldest, head, .. } = chain;
        // What a killed process wrote last may have been read from the kernel's memory: it must
        // not be seen before it is durable.
        store.sync()?;
        let log = Self {
            store,
            checkpoints,
            skeleton,
            oldest,
            head: AtomicU64::new(recovered.number.get()),
            tip: Mutex::new(head),
            poisoned: AtomicBool::new(false),
            syncs: AtomicU64::new(1),
        };
        log.note(log.tip.lock().as_ref())?;
        if marks.is_empty() && recovered.number == RevisionNumber::ZERO {
            // From now on an empty store beside this file is one that lost everything.
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
        let mut tip = self.tip.lock();
        if self.is_poisoned() {
            return Err(StoreError::Poisoned);
        }
        let Some((batch, head)) = self.batch_of(records, tip.as_ref())? else { return Ok(()) };

        let latch = Latch::arm(&self.poisoned);
        self.store.write(batch)?;
        self.store.sync()?;
        latch.disarm();

        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.head.store(head.number.get(), Ordering::Release);
        let head = tip.insert(head);
        if let Err(error) = self.note(Some(head)) {
            // This commit is durable, but the medium begins to fail: it is the last one.
            tracing::error!(error = &error as &dyn Error, "no further commits are taken");
            self.poisoned.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// The record of a revision, its hash checked; `None` when there is no such revision, or its
    /// record is not kept any more.
    ///
    /// # Errors
    /// The record is damaged or cannot be read.
    pub fn record(&self, number: RevisionNumber) -> Result<Option<RevisionRecord>, StoreError> {
        if number < self.oldest || number > self.head_number() {
            return Ok(None);
        }
        let entry = recover::entry(&*self.store, number)?;
        let raw = recover::read_raw(&*self.store, &entry)?;
        recover::decode(&entry, &raw).map(Some)
    }

    /// The newest durable revision; 0 when nothing was committed yet.
    #[must_use]
    pub fn head_number(&self) -> RevisionNumber {
        RevisionNumber::new(self.head.load(Ordering::Acquire))
    }

    /// The oldest revision of which the record is kept, or would be.
    #[must_use]
    pub fn oldest_number(&self) -> RevisionNumber {
        self.oldest
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

    /// Writes the tree of a durable revision beside the store, and takes the oldest of such files
    /// away. May run beside appends. Does nothing where no folder for them was given.
    ///
    /// # Errors
    /// The tree is not that of the revision, or the file cannot be written. The log is as good as
    /// before.
    pub fn checkpoint(&self, number: RevisionNumber, tree: &Tree) -> Result<(), StoreError> {
        let Some(checkpoints) = &self.checkpoints else { return Ok(()) };
        let refused =
            |why| StoreError::refused(format!("a checkpoint of revision {number}: {why}"));
        if number > self.head_number() || number.next() < self.oldest {
            return Err(refused("there is no such revision"));
        }
        let (chain, digest) = recover::mark_of(&*self.store, number, self.oldest)?;
        if tree.digest() != digest {
            return Err(refused("the tree is of another one"));
        }
        checkpoints.write(number, chain, tree)
    }

    /// How often the medium was made to sync since the log was opened.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    /// Reads everything there is and checks it against everything else. May run beside appends,
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
            let (store, oldest) = (&*self.store, self.oldest);
            let chain = Chain { store, oldest, head, beyond: Beyond::Ignore };
            recover::verify(&chain, self.checkpoints.as_ref(), &self.skeleton)
        };
        // The head is looked up when no checkpoint can come any more, lest one be newer than it.
        match &self.checkpoints {
            Some(dir) => dir.undisturbed(check),
            None => check(),
        }
    }

    fn batch_of(
        &self,
        records: &[RevisionRecord],
        tip: Option<&ChainEntry>,
    ) -> Result<Option<(Batch, ChainEntry)>, StoreError> {
        self.check_order(records)?;
        let mut batch = Batch::default();
        let mut head: Option<ChainEntry> = None;
        for record in records {
            let previous = head.as_ref().or(tip).map_or(GENESIS, ChainEntry::hash);
            let encoded = layout::encode_record(record)?;
            let entry = ChainEntry::new(record, &encoded, previous);
            for (index, chunk) in (0u32..).zip(encoded.chunks) {
                batch.put(layout::chunk_key(record.number, index), chunk);
            }
            batch.put(layout::chain_key(record.number), entry.to_bytes());
            batch.put(layout::commit_key(record.commit_id), layout::number_value(record.number));
            batch.put(layout::HEAD_KEY, entry.to_bytes());
            self.check_size(record.number, batch.bytes())?;
            head = Some(entry);
        }
        Ok(head.map(|head| (batch, head)))
    }

    /// Notes beside the store that a revision is durable, and only when it is.
    fn note(&self, head: Option<&ChainEntry>) -> Result<(), StoreError> {
        match (&self.checkpoints, head) {
            (Some(dir), Some(head)) => dir.witness().saw(head),
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
            let what = format!("the commit of revision {number}, with those that wait beside it,");
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
