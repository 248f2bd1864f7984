//! The verb that watches commits.

use std::sync::Arc;

use crate::engine::Engine;
use crate::error::Error;
use crate::hub::Wake;
use crate::revision::RevisionNumber;
use crate::watch::Feed;

impl Engine {
    /// Watches commits after a revision; `wake` is called whenever there may be something new, on
    /// a thread on which it must not linger.
    ///
    /// # Errors
    /// [`Error::NoRevision`] when there is no such revision yet, or what follows it is not kept any
    /// more.
    pub fn watch(
        &self,
        after: RevisionNumber,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<Feed, Error> {
        let (head, oldest) = (self.running().number, self.shared.log.oldest_number());
        if after > head || after.next() < oldest {
            return Err(Error::NoRevision { number: after, oldest, newest: head });
        }
        let wake: Arc<Wake> = Arc::new(wake);
        self.shared.hub.wakes.lock().push(Arc::downgrade(&wake));
        let shared = Arc::downgrade(&self.shared);
        Ok(Feed::new(shared, after, wake))
    }
}
