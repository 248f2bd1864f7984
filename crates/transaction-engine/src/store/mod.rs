//! Where revisions are kept: a narrow seam to a medium, and the log of revisions above it.
//!
//! [`Store`] is what a medium must be able to do: take a batch of keys whole or not at all, say
//! when it is safe, and give back what it took. That is little enough for etcd to serve later, and
//! for a test double ([`MemStore`]) to be exact. [`RevisionLog`] is everything we do not leave to a
//! medium: the layout of the bytes, a hash chain over all records, checkpoints in plain files as a
//! second head, and the rule that a failed write is the last one.
//!
//! Whole trees live in memory; a node has no key of its own here (docs/adr/0003). The bytes are
//! described in `docs/reference/store-format.md`.

pub mod checkpoint;
mod checkpoint_read;
mod error;
pub mod failpoint;
mod folder;
#[doc(hidden)]
pub mod fuzzing;
mod high_water_mark;
mod layout;
pub mod log;
pub mod mem_store;
pub mod metadata;
pub mod private_file;
mod recover;
pub mod revision;
mod sled_flush;
pub mod sled_store;

pub use checkpoint::CheckpointDir;
pub use error::{StoreError, chain};
pub use log::{CopyPart, RevisionLog, Shortened};
pub use mem_store::{Fault, MemStore};
pub use metadata::{Answer, Awaiting, MetadataChange, Slot, Tag};
pub use recover::{Recovered, Verified};
pub use sled_store::SledStore;

/// A durable map from keys to values, in the order of the keys, with atomic batches.
///
/// There is one writer at a time; readers may come from any other thread.
pub trait Store: Send + Sync {
    /// Takes a batch whole or not at all, also across a crash. Readers see it from now on, but it
    /// is not durable before [`Store::sync`] says so.
    ///
    /// # Errors
    /// After one, it is unknown whether the batch is in the store.
    fn write(&self, batch: Batch) -> Result<(), StoreError>;

    /// Takes the operations of a batch one after the other: a crash may leave the first ones
    /// without those after them, never the other way round. For callers that need no more than that, as
    /// a medium may take it faster than a batch that is whole.
    ///
    /// # Errors
    /// After one, it is unknown which of them are in the store.
    fn write_in_order(&self, batch: Batch) -> Result<(), StoreError>;

    /// Returns when everything written so far is on the medium, where a power cut cannot reach it.
    ///
    /// # Errors
    /// After one, it is unknown what is on the disk, and trying again proves nothing: the kernel
    /// may have dropped what it could not write.
    fn sync(&self) -> Result<(), StoreError>;

    /// The value of a key.
    ///
    /// # Errors
    /// The medium cannot be read, or is damaged.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// All entries whose keys start with `prefix`, in the order of the keys, one at a time.
    fn scan(&self, prefix: &[u8]) -> Scan<'_>;

    /// How large a value and a batch may be.
    fn limits(&self) -> Limits;
}

/// The entries of a scan. It ends with the first error.
pub type Scan<'a> = Box<dyn Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> + 'a>;

/// What a store takes at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The longest value in bytes.
    pub value_bytes: usize,
    /// The longest batch: the sum of its keys and values in bytes.
    pub batch_bytes: u64,
}

/// Changes to a store that happen together.
#[derive(Clone, Default, Debug)]
pub struct Batch {
    operations: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    bytes: u64,
}

impl Batch {
    /// Sets a key to a value.
    pub fn put(&mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.push(key.into(), Some(value.into()));
    }

    /// Takes a key away, if it is there.
    pub fn delete(&mut self, key: impl Into<Vec<u8>>) {
        self.push(key.into(), None);
    }

    /// The sum of keys and values in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What is to be done, in the order in which it was said; `None` takes a key away.
    #[must_use]
    pub fn into_operations(self) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        self.operations
    }

    /// Each operation as a batch of its own.
    fn into_single(self) -> impl Iterator<Item = Self> {
        self.operations.into_iter().map(|(key, value)| {
            let mut single = Self::default();
            single.push(key, value);
            single
        })
    }

    fn check(&self, limits: Limits) -> Result<(), StoreError> {
        let longest = self.operations.iter().filter_map(|(_, value)| value.as_ref()).map(Vec::len);
        let longest = longest.max().unwrap_or(0);
        let (what, bytes, limit) = if longest > limits.value_bytes {
            ("a value", longest as u64, limits.value_bytes as u64)
        } else {
            ("a batch", self.bytes, limits.batch_bytes)
        };
        if bytes > limit {
            return Err(StoreError::TooLarge { what: what.to_owned(), bytes, limit });
        }
        Ok(())
    }

    fn push(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.bytes += (key.len() + value.as_ref().map_or(0, Vec::len)) as u64;
        self.operations.push((key, value));
    }
}
