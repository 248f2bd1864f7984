//! Removing old records from the log, a few at a time, once a verified checkpoint covers them.

use std::sync::atomic::Ordering;

use super::{Latch, RevisionLog};
use crate::store::checkpoint::CheckpointDir;
use crate::store::failpoint::{Point, reach};
use crate::store::revision::RevisionNumber;
use crate::store::{Batch, StoreError, layout, recover};

/// Maximum number of records that one batch removes; their chunks have a limit of their own.
const RECORDS_PER_SHORTENING: u64 = 64;
const CHUNKS_PER_SHORTENING: usize = 1024;

/// How far records were removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shortened {
    /// All that was asked for.
    Whole,
    /// There is more to do.
    InPart,
    /// Nothing, as somebody checks the store at this moment.
    NotNow,
}

impl RevisionLog {
    /// Makes sure that records before `from` are not needed any more: that a checkpoint which
    /// covers them was read back and is right. Costs O(n) where that is not known yet, and nothing
    /// otherwise. May run during appends.
    ///
    /// # Errors
    /// There is no such checkpoint.
    pub fn cover(&self, from: RevisionNumber) -> Result<(), StoreError> {
        if self.is_covered(from) {
            return Ok(());
        }
        let mut problem = StoreError::refused(format!("no checkpoint covers revision {from}"));
        let numbers = self.checkpoints()?;
        for number in numbers.into_iter().rev().filter(|number| number.next() >= from) {
            match self.check_checkpoint(number) {
                Ok(()) => return Ok(()),
                Err(error) => problem = error,
            }
        }
        Err(problem)
    }

    fn check_checkpoint(&self, number: RevisionNumber) -> Result<(), StoreError> {
        let refused = |why| StoreError::refused(format!("checkpoint {number}: {why}"));
        let Some(dir) = &self.checkpoints else { return Err(refused("there are none")) };
        let mark = recover::mark_of(&*self.store, number, self.oldest_number())?;
        if dir.check(number)? != mark {
            return Err(refused("it belongs to another history"));
        }
        dir.is_right(number);
        Ok(())
    }

    fn is_covered(&self, from: RevisionNumber) -> bool {
        let verified = self.checkpoints.as_ref().and_then(CheckpointDir::verified);
        verified.is_some_and(|number| number.next() >= from)
    }

    /// Takes records before `from` away, a few at a time. `from` must be covered, see
    /// [`RevisionLog::cover`].
    ///
    /// Not synced: a crash may bring the records back, all of them or those of some batches.
    ///
    /// # Errors
    /// [`StoreError::Refused`] where they are needed. After any other error the log is poisoned.
    pub fn shorten(&self, from: RevisionNumber) -> Result<Shortened, StoreError> {
        let Some(dir) = &self.checkpoints else {
            return Err(StoreError::refused("to take records away that no checkpoint covers"));
        };
        // Records must not disappear during a check of everything.
        dir.try_undisturbed(|| self.shorten_now(from)).unwrap_or(Ok(Shortened::NotNow))
    }

    fn shorten_now(&self, from: RevisionNumber) -> Result<Shortened, StoreError> {
        let _one_writer = self.tip.lock();
        if self.is_poisoned() {
            return Err(StoreError::Poisoned);
        }
        let oldest = self.oldest_number();
        if from > self.head_number() || (from > oldest && !self.is_covered(from)) {
            let what = format!("to take the records before revision {from} away: they are needed");
            return Err(StoreError::refused(what));
        }
        let until = RevisionNumber::new(from.get().min(oldest.get() + RECORDS_PER_SHORTENING));
        let mut batch = Batch::default();
        for number in (oldest.get()..until.get()).map(RevisionNumber::new) {
            let entry = recover::entry(&*self.store, number)?;
            batch.delete(layout::chain_key(number));
            batch.delete(layout::commit_key(entry.commit_id));
        }
        if until > oldest {
            batch.put(layout::OLDEST_KEY, layout::number_value(until));
        }
        let chunks = self.chunks_before(until.max(oldest))?;
        let more = until < from || chunks.len() == CHUNKS_PER_SHORTENING;
        chunks.into_iter().for_each(|key| batch.delete(key));
        if batch.bytes() > 0 {
            // First, so that a reader who fails to read one of them sees that it is no longer kept.
            self.oldest.fetch_max(until.get(), Ordering::AcqRel);
            let latch = Latch::arm(&self.poisoned);
            reach(Point::ShortenBatched);
            self.store.write(batch)?;
            reach(Point::ShortenWritten);
            latch.disarm();
        }
        Ok(if more { Shortened::InPart } else { Shortened::Whole })
    }

    // The keys of chunks that nothing refers to any more, as many as go into one batch.
    fn chunks_before(&self, oldest: RevisionNumber) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut keys = Vec::new();
        for item in self.store.scan(layout::RECORD_PREFIX).take(CHUNKS_PER_SHORTENING) {
            let (key, _) = item?;
            match layout::kind_of(&key) {
                Some(layout::KeyKind::Chunk(number)) if number < oldest => keys.push(key),
                _ => break,
            }
        }
        Ok(keys)
    }
}
