//! By what a request that is sent again is recognised.

use std::fmt;

use config_tree::NodePath;

use crate::error::Error;
use crate::store::Slot;

/// By what a request is recognised: its sender's key, and what it asked for.
#[derive(Clone, PartialEq, Eq)]
pub struct Idempotency {
    key: String,
    pub(crate) request: [u8; 32],
}

impl Idempotency {
    /// The longest key in bytes.
    pub const MAX_BYTES: usize = 255;

    /// A key, and a hash of everything in the request that matters. `None` for a key that is empty,
    /// too long or has control characters.
    #[must_use]
    pub fn new(key: &str, request: [u8; 32]) -> Option<Self> {
        let fits = !key.is_empty() && key.len() <= Self::MAX_BYTES;
        let plain = !key.contains(char::is_control);
        (fits && plain).then(|| Self { key: key.to_owned(), request })
    }

    // Users do not share keys.
    pub(crate) fn slot(&self, user: &str) -> Slot {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(user.len() as u64).to_be_bytes());
        hasher.update(user.as_bytes()).update(self.key.as_bytes());
        *hasher.finalize().as_bytes()
    }
}

impl fmt::Debug for Idempotency {
    // A key is the client's own, and may say something about what is in the request.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Idempotency({} bytes)", self.key.len())
    }
}

/// What a transaction created under a key: members, or the lists that got an element.
#[derive(Clone, Default)]
pub(crate) struct Created(std::collections::BTreeMap<Slot, ([u8; 32], NodePath)>);

impl Created {
    /// What was created under this key.
    pub(crate) fn find(&self, idempotency: &Idempotency) -> Result<Option<&NodePath>, Error> {
        match self.0.get(&idempotency.slot("")) {
            Some((request, _)) if *request != idempotency.request => {
                Err(Error::IdempotencyMismatch)
            }
            found => Ok(found.map(|(_, path)| path)),
        }
    }

    pub(crate) fn keep(&mut self, idempotency: &Idempotency, path: NodePath) {
        self.0.insert(idempotency.slot(""), (idempotency.request, path));
    }
}
