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

use std::path::PathBuf;

use config_tree::NodePath;

use crate::revision::RevisionNumber;

pub mod log;

mod recover;

pub mod checkpoint;
mod checkpoint_read;

pub mod side;

mod witness;

mod layout;

mod folder;

pub mod sled_store;

mod sled_flush;

pub mod mem_store;

#[doc(hidden)]
pub mod fuzzing;

pub use checkpoint::CheckpointDir;
pub use log::{Recovered, RevisionLog, Shortened};
pub use mem_store::{Fault, MemStore};
pub use recover::Verified;
pub use side::{Answer, Awaiting, SideChange, Slot, Tag};
pub use sled_store::SledStore;

/// A durable map from keys to values, in the order of the keys, with atomic batches.
///
/// There is one writer at a time; readers may come from any thread beside it.
pub trait Store: Send + Sync {
    /// Takes a batch whole or not at all, also across a crash. Readers see it from now on, but it
    /// is not durable before [`Store::sync`] says so.
    ///
    /// # Errors
    /// After one, nobody knows whether the batch is in the store.
    fn write(&self, batch: Batch) -> Result<(), StoreError>;

    /// Takes the operations of a batch one after the other: a crash may leave the first ones
    /// without those after them, never the other way round. For whoever needs no more than that, as
    /// a medium may take it faster than a batch that is whole.
    ///
    /// # Errors
    /// After one, nobody knows which of them are in the store.
    fn write_in_order(&self, batch: Batch) -> Result<(), StoreError>;

    /// Returns when everything written so far is on the medium, where a power cut cannot reach it.
    ///
    /// # Errors
    /// After one, nobody knows what is on the medium, and trying again proves nothing: the kernel
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

/// Why a store does not do what it was asked to. A variant where one would act differently.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// What is stored is not what was written.
    #[error("the store is damaged: {what}; {remedy}")]
    Damaged {
        /// What is wrong, and where.
        what: String,
        /// What a person can do about it.
        remedy: String,
    },
    /// Another process, or another part of this one, has the directory open.
    #[error("the data directory {} is in use by another Boxwood; stop that one first", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// A write failed earlier. Reads go on.
    #[error("a write to the store failed earlier, so it takes no more until Boxwood is restarted")]
    Poisoned,
    /// The operating system refused.
    #[error("could not {doing}")]
    Io {
        /// What was tried, as in "could not …".
        doing: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// More than the medium takes at once. Nothing was written.
    #[error("{what} takes {bytes} bytes, and the store takes {limit}; commit it in smaller parts")]
    TooLarge {
        /// What is too large.
        what: String,
        /// Its size.
        bytes: u64,
        /// The most there may be.
        limit: u64,
    },
    /// The bytes are of another time.
    #[error(
        "the store has format {found} and this Boxwood knows format {known}; \
         start the version that wrote it"
    )]
    UnknownFormat {
        /// What the store says of itself.
        found: String,
        /// What this program reads and writes.
        known: u32,
    },
    /// The catalog lacks a folder or a collection that stored content stands in.
    #[error(
        "revision {number} keeps something at {path}, where the catalog has no place for it; \
         start with the catalog it was written with"
    )]
    NoPlace {
        /// Where the content stands.
        path: NodePath,
        /// The revision, or the checkpoint of a revision, that says so.
        number: RevisionNumber,
    },
    /// The caller asked for something that would have damaged the store. Nothing was written.
    #[error("the store refuses {what}")]
    Refused {
        /// What was asked for, and why it does not fit.
        what: String,
    },
}

impl StoreError {
    fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    fn damaged(what: impl Into<String>, remedy: &str) -> Self {
        Self::Damaged { what: what.into(), remedy: remedy.to_owned() }
    }

    fn refused(what: impl Into<String>) -> Self {
        Self::Refused { what: what.into() }
    }
}
