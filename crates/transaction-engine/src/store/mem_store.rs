//! A store in memory that forgets what was not synced: a test double, and the reference of what
//! a [`Store`] is.
//!
//! It keeps what readers see and what the medium holds apart. A crash leaves the second, or the
//! second with a few of the batches that waited, as a real medium may; never half a batch, unless
//! it was written in order: each of its operations waits for itself. Faults are planned by the
//! number of the operation, so that a test can try every one of them in turn.
//!
//! It is public and not hidden behind a test flag: everything above it is tested on it, in every
//! crate, and it is honest enough for a daemon that is to forget everything.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::sync::Arc;

use parking_lot::Mutex;

use super::layout::CHUNK_BYTES;
use super::{Batch, Limits, Scan, Store, StoreError};

/// A store in memory. Clones are handles to the same one, so that a test can keep one back.
#[derive(Clone, Default, Debug)]
pub struct MemStore(Arc<Mutex<Inner>>);

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Default, Debug)]
struct Inner {
    // What readers see: `durable` with all of `waiting`.
    live: Map,
    durable: Map,
    waiting: Vec<Batch>,
    operations: u64,
    fault: Option<(u64, Fault)>,
    crashed: bool,
    batch_bytes: Option<u64>,
}

/// What goes wrong with a write or a sync.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It does nothing and reports an error. Later ones work.
    Fail,
    /// It is done, and reports an error all the same. Later ones work.
    FailDone,
    /// It does nothing, and nothing works from then on, reading included.
    Crash,
    /// It panics, and has done nothing.
    Panic,
}

impl MemStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What the medium holds after a crash now: all that was synced, and nothing else.
    #[must_use]
    pub fn crash(&self) -> Self {
        self.crash_keeping(0)
    }

    /// What the medium may hold after a crash now: all that was synced, and the first `batches` of
    /// those that wait.
    #[must_use]
    pub fn crash_keeping(&self, batches: usize) -> Self {
        let inner = self.0.lock();
        let mut image = inner.durable.clone();
        for batch in inner.waiting.iter().take(batches) {
            apply(&mut image, batch.clone());
        }
        let batch_bytes = inner.batch_bytes;
        let after = Inner { live: image.clone(), durable: image, batch_bytes, ..Inner::default() };
        Self(Arc::new(Mutex::new(after)))
    }

    /// How many batches were written and not synced; each operation counts that was written in
    /// order.
    #[must_use]
    pub fn unsynced(&self) -> usize {
        self.0.lock().waiting.len()
    }

    /// How many writes and syncs there were, those that failed included.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.0.lock().operations
    }

    /// Plans a fault for a write or a sync, the first one being number 0. One plan at a time.
    pub fn fail_at(&self, operation: u64, fault: Fault) {
        self.0.lock().fault = Some((operation, fault));
    }

    /// Takes at most this many bytes a batch from now on.
    pub fn limit_batches(&self, bytes: u64) {
        self.0.lock().batch_bytes = Some(bytes);
    }

    /// All keys that readers see.
    #[must_use]
    pub fn keys(&self) -> Vec<Vec<u8>> {
        self.0.lock().live.keys().cloned().collect()
    }

    /// Changes a value where it lies, as a medium may that goes bad; `false` when there is none.
    pub fn tamper(&self, key: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut inner = self.0.lock();
        let Some(value) = inner.live.get_mut(key) else { return false };
        change(value);
        let value = value.clone();
        inner.durable.insert(key.to_vec(), value);
        true
    }

    /// Takes an entry away where it lies; `false` when there is none.
    pub fn lose(&self, key: &[u8]) -> bool {
        let mut inner = self.0.lock();
        inner.durable.remove(key);
        inner.live.remove(key).is_some()
    }
}

impl Store for MemStore {
    fn write(&self, batch: Batch) -> Result<(), StoreError> {
        batch.check(self.limits())?;
        self.0.lock().operate("write to the store", |inner| {
            apply(&mut inner.live, batch.clone());
            inner.waiting.push(batch);
        })
    }

    fn write_in_order(&self, batch: Batch) -> Result<(), StoreError> {
        batch.check(self.limits())?;
        self.0.lock().operate("write to the store", |inner| {
            for single in batch.into_single() {
                apply(&mut inner.live, single.clone());
                inner.waiting.push(single);
            }
        })
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.0.lock().operate("sync the store", |inner| {
            for batch in std::mem::take(&mut inner.waiting) {
                apply(&mut inner.durable, batch);
            }
        })
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let inner = self.0.lock();
        inner.check_alive("read from the store")?;
        Ok(inner.live.get(key).cloned())
    }

    fn scan(&self, prefix: &[u8]) -> Scan<'_> {
        let prefix = prefix.to_vec();
        let mut from = Bound::Included(prefix.clone());
        // Locked for each entry alone, as a reader must not hold up the writer.
        Box::new(std::iter::from_fn(move || {
            let inner = self.0.lock();
            if let Err(error) = inner.check_alive("read from the store") {
                return Some(Err(error));
            }
            let (key, value) = inner.live.range((from.clone(), Bound::Unbounded)).next()?;
            if !key.starts_with(&prefix) {
                return None;
            }
            from = Bound::Excluded(key.clone());
            Some(Ok((key.clone(), value.clone())))
        }))
    }

    fn limits(&self) -> Limits {
        let batch_bytes = self.0.lock().batch_bytes.unwrap_or(u64::MAX);
        Limits { value_bytes: CHUNK_BYTES, batch_bytes }
    }
}

impl Inner {
    fn operate(&mut self, doing: &str, work: impl FnOnce(&mut Self)) -> Result<(), StoreError> {
        self.check_alive(doing)?;
        let number = self.operations;
        self.operations += 1;
        let fault = self.fault.filter(|(planned, _)| *planned == number).map(|(_, fault)| fault);
        match fault {
            None => {
                work(self);
                return Ok(());
            }
            Some(Fault::FailDone) => work(self),
            Some(Fault::Crash) => self.crashed = true,
            Some(Fault::Panic) => panic!("planned: could not {doing}"),
            Some(Fault::Fail) => {}
        }
        Err(failed(doing))
    }

    fn check_alive(&self, doing: &str) -> Result<(), StoreError> {
        if self.crashed { Err(failed(doing)) } else { Ok(()) }
    }
}

fn failed(doing: &str) -> StoreError {
    StoreError::io(doing)(io::Error::other("a planned fault"))
}

fn apply(map: &mut Map, batch: Batch) {
    for (key, value) in batch.into_operations() {
        match value {
            Some(value) => _ = map.insert(key, value),
            None => _ = map.remove(&key),
        }
    }
}
