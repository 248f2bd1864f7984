//! The verbs that shorten the history and verify the store.

use crate::engine::Engine;
use crate::error::Error;
use crate::store::Verified;

impl Engine {
    /// Does now, and waits for it, what the background does in its own time: a checkpoint if one is
    /// due, and removing what need not be kept.
    ///
    /// # Errors
    /// The store failed, or no checkpoint could be made that covers what would go.
    pub fn history_shorten(&self) -> Result<(), Error> {
        self.background.as_ref().map_or(Ok(()), |background| background.duties.run())
    }

    /// Reads everything in the store and checks it against everything else, while commits go on.
    ///
    /// # Errors
    /// The first thing that is not in order.
    pub fn store_verify(&self) -> Result<Verified, Error> {
        Ok(self.shared.log.verify()?)
    }
}
