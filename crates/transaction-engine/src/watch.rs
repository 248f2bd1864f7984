//! Every commit, once, in order: from the past into the present without a seam.
//!
//! A feed is a position in the history, not a queue. A watcher asks for the revision after
//! the one it has; it comes from a short list of recent records that all feeds share, or from
//! the store. So a feed costs nothing while it waits, no commit ever waits for a reader, and
//! without a buffer between past and present none can be missed or seen twice
//! (docs/adr/0012). One who had caught up and then fell far behind is cut off with the position at
//! which to go on, because serving the present from the store again and again is what a reader who
//! cannot follow would otherwise cost all others.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use crate::error::Error;
use crate::hub::{RECENT_RECORDS, Wake};
use crate::revision::{RevisionNumber, RevisionRecord};
use crate::shared::Shared;

/// A position in the history, that goes forward.
pub struct Feed {
    shared: Weak<Shared>,
    after: RevisionNumber,
    // Whether it was once as far as the history was.
    live: bool,
    _wake: Arc<Wake>,
}

/// What a feed gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// The next commit.
    Revision(Arc<RevisionRecord>),
    /// Nothing yet; the feed's owner is woken when there may be.
    Wait,
    /// The reader had caught up, and then fell too far behind. It may watch again from
    /// [`Feed::position`].
    CutOff,
    /// The engine is gone.
    Closed,
}

impl Feed {
    pub(crate) fn new(shared: Weak<Shared>, after: RevisionNumber, wake: Arc<Wake>) -> Self {
        Self { shared, after, live: false, _wake: wake }
    }

    /// The last revision that was given: where to go on.
    #[must_use]
    pub fn position(&self) -> RevisionNumber {
        self.after
    }

    /// The next commit, if there is one. Reads the store where the commit is not a recent one.
    ///
    /// # Errors
    /// [`Error::NoRevision`] when the next revision is not kept any more; the store cannot be read.
    pub fn pull(&mut self) -> Result<Next, Error> {
        let Some(shared) = self.shared.upgrade() else { return Ok(Next::Closed) };
        let head = shared.running.load().number;
        if self.after >= head {
            self.live = true;
            let is_over = shared.closed.load(Ordering::Acquire);
            return Ok(if is_over { Next::Closed } else { Next::Wait });
        }
        if self.live && head.get() - self.after.get() > RECENT_RECORDS as u64 {
            return Ok(Next::CutOff);
        }
        let number = self.after.next();
        let record = match shared.hub.recent.lock().find(number) {
            Some(record) => Some(record),
            None => shared.log.record(number)?.map(Arc::new),
        };
        let record = record.ok_or_else(|| Error::NoRevision {
            number,
            oldest: shared.log.oldest_number(),
            newest: head,
        })?;
        self.after = number;
        Ok(Next::Revision(record))
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Feed(after {})", self.after)
    }
}
