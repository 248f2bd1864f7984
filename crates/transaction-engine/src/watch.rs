//! Every commit, once, in order: from the past into the present without a seam.
//!
//! A feed is a position in the history, not a queue. Whoever watches asks for the revision after
//! the one they have; it comes from a short list of recent records that all feeds share, or from
//! the store. So a feed costs nothing while it waits, no commit ever waits for a reader, and there
//! is no buffer between past and present at which one could be missed or seen twice
//! (docs/adr/0012). One who had caught up and then fell far behind is cut off with the position at
//! which to go on, because serving the present from the store again and again is what a reader who
//! cannot follow would otherwise cost everybody.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::engine::{Engine, Shared};
use crate::error::Error;
use crate::revision::{RevisionNumber, RevisionRecord};

/// So many recent records are kept in memory, and so many changes in them together.
const RECENT: usize = 1024;
const RECENT_CHANGES: usize = 1 << 16;

/// Called when there may be something new. On the writer's thread: it must do next to nothing.
type Wake = dyn Fn() + Send + Sync;

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

/// The writer's side of all feeds.
#[derive(Default)]
pub(crate) struct Hub {
    recent: Mutex<Recent>,
    wakes: Mutex<Vec<Weak<Wake>>>,
}

// Records without a gap, the newest last.
#[derive(Default)]
struct Recent {
    records: VecDeque<Arc<RevisionRecord>>,
    changes: usize,
}

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
        Ok(Feed { shared, after, live: false, _wake: wake })
    }
}

impl Feed {
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
            return Ok(Next::Wait);
        }
        if self.live && head.get() - self.after.get() > RECENT as u64 {
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

impl Hub {
    /// Takes in a record that is visible now.
    pub(crate) fn push(&self, record: Arc<RevisionRecord>) {
        self.recent.lock().push(record);
    }

    /// Tells everybody.
    pub(crate) fn wake(&self) {
        let mut alive = Vec::new();
        self.wakes.lock().retain(|wake| match wake.upgrade() {
            Some(wake) => {
                alive.push(wake);
                true
            }
            None => false,
        });
        // Without the lock: one who is woken may begin to watch.
        alive.iter().for_each(|wake| wake());
    }
}

impl Recent {
    fn push(&mut self, record: Arc<RevisionRecord>) {
        self.changes += record.changes.len();
        self.records.push_back(record);
        while self.records.len() > RECENT || self.changes > RECENT_CHANGES {
            let Some(oldest) = self.records.pop_front() else { return };
            self.changes -= oldest.changes.len();
        }
    }

    fn find(&self, number: RevisionNumber) -> Option<Arc<RevisionRecord>> {
        let oldest = self.records.front()?.number;
        let index = usize::try_from(number.get().checked_sub(oldest.get())?).ok()?;
        self.records.get(index).map(Arc::clone)
    }
}
