//! A consistent copy of everything that a log keeps, made while commits go on.

use std::path::PathBuf;

use super::RevisionLog;
use crate::store::layout::{
    self, ANSWER_PREFIX, AWAITING_KEY, ChainEntry, EXPIRY_PREFIX, FORMAT, FORMAT_KEY, HEAD_KEY,
    METADATA_KEY, OLDEST_KEY, TAG_PREFIX,
};
use crate::store::revision::RevisionNumber;
use crate::store::{StoreError, recover};

/// A part of a copy.
#[derive(Debug)]
pub enum CopyPart {
    /// A key of the store, and its value.
    Entry(Vec<u8>, Vec<u8>),
    /// A checkpoint that the copy needs, since its oldest records are gone.
    Checkpoint(PathBuf),
}

/// The newest durable revision, and what changes without a revision of its own.
struct Frozen {
    head: Option<ChainEntry>,
    entries: Vec<CopyPart>,
}

impl RevisionLog {
    /// Hands everything that belongs to the newest durable revision to `put`, record by record,
    /// each checked against the chain. Returns that revision. Commits go on meanwhile; new
    /// checkpoints and the removal of old records wait.
    ///
    /// # Errors
    /// The store is damaged, cannot be read or is poisoned, or `put` fails.
    pub fn copy<E: From<StoreError>>(
        &self,
        put: &mut dyn FnMut(CopyPart) -> Result<(), E>,
    ) -> Result<RevisionNumber, E> {
        match &self.checkpoints {
            Some(dir) => dir.undisturbed(|| self.copy_now(put)),
            None => self.copy_now(put),
        }
    }

    fn copy_now<E: From<StoreError>>(
        &self,
        put: &mut dyn FnMut(CopyPart) -> Result<(), E>,
    ) -> Result<RevisionNumber, E> {
        let Frozen { head, entries } = self.freeze()?;
        let oldest = self.oldest_number();
        put(CopyPart::Entry(FORMAT_KEY.to_vec(), FORMAT.to_string().into_bytes()))?;
        let newest = head.as_ref().map_or(RevisionNumber::ZERO, |head| head.number);
        for number in oldest.get()..=newest.get() {
            self.copy_record(RevisionNumber::new(number), put)?;
        }
        if let Some(head) = &head {
            put(CopyPart::Entry(HEAD_KEY.to_vec(), head.to_bytes()))?;
        }
        entries.into_iter().try_for_each(&mut *put)?;
        if oldest > RevisionNumber::new(1) {
            put(CopyPart::Checkpoint(self.checkpoint_for(oldest, newest)?))?;
        }
        Ok(newest)
    }

    /// Between two batches: the head with the metadata that belongs to it.
    fn freeze(&self) -> Result<Frozen, StoreError> {
        let tip = self.tip.lock();
        if self.is_poisoned() {
            return Err(StoreError::Poisoned);
        }
        let prefixes =
            [TAG_PREFIX, ANSWER_PREFIX, EXPIRY_PREFIX, METADATA_KEY, AWAITING_KEY, OLDEST_KEY];
        let found = prefixes.into_iter().flat_map(|prefix| self.store.scan(prefix));
        let entries = found.map(|item| item.map(|(key, value)| CopyPart::Entry(key, value)));
        Ok(Frozen { head: tip.clone(), entries: entries.collect::<Result<_, _>>()? })
    }

    fn copy_record<E: From<StoreError>>(
        &self,
        number: RevisionNumber,
        put: &mut dyn FnMut(CopyPart) -> Result<(), E>,
    ) -> Result<(), E> {
        let store = &*self.store;
        let entry = recover::entry(store, number)?;
        recover::read_raw(store, &entry)?;
        for item in store.scan(&layout::record_prefix(number)) {
            let (key, value) = item?;
            put(CopyPart::Entry(key, value))?;
        }
        let index = layout::number_value(number).to_vec();
        put(CopyPart::Entry(layout::commit_key(entry.commit_id), index))?;
        put(CopyPart::Entry(layout::chain_key(number), entry.to_bytes()))
    }

    /// The newest good checkpoint from which the kept records can be replayed.
    fn checkpoint_for(
        &self,
        oldest: RevisionNumber,
        newest: RevisionNumber,
    ) -> Result<PathBuf, StoreError> {
        let mut problem = StoreError::refused(format!("no checkpoint covers revision {oldest}"));
        let Some(dir) = &self.checkpoints else { return Err(problem) };
        let usable = |number: &RevisionNumber| *number <= newest && number.next() >= oldest;
        for number in dir.numbers()?.into_iter().rev().filter(usable) {
            match self.checkpoint_tree(number) {
                Ok(_) => return Ok(dir.file(number)),
                Err(error) => problem = error,
            }
        }
        Err(problem)
    }
}
