//! A copy of the history for a backup.

use super::Engine;
use crate::revision::RevisionNumber;
use crate::store::{CopyPart, StoreError};

impl Engine {
    /// Hands everything that is kept of the newest durable revision to `put`, while commits go on,
    /// and returns that revision. Reads the whole store: do not call it on a runtime's threads.
    ///
    /// # Errors
    /// The store is damaged, cannot be read or is poisoned, or `put` fails.
    pub fn copy<E: From<StoreError>>(
        &self,
        put: &mut dyn FnMut(CopyPart) -> Result<(), E>,
    ) -> Result<RevisionNumber, E> {
        self.shared.log.copy(put)
    }
}
