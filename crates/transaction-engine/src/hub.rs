//! The recent records that all feeds share, and who is woken for new ones.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::revision::{RevisionNumber, RevisionRecord};

/// Number of recent records kept in memory; see also the limit of their changes.
pub(crate) const RECENT_RECORDS: usize = 1024;
const RECENT_CHANGES: usize = 1 << 16;

/// Called when there may be something new. On the writer's thread: it must do next to nothing.
pub(crate) type Wake = dyn Fn() + Send + Sync;

/// The writer's side of all feeds.
#[derive(Default)]
pub(crate) struct Hub {
    pub(crate) recent: Mutex<Recent>,
    pub(crate) wakes: Mutex<Vec<Weak<Wake>>>,
}

// Records without a gap, the newest last.
#[derive(Default)]
pub(crate) struct Recent {
    records: VecDeque<Arc<RevisionRecord>>,
    changes: usize,
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
        while self.records.len() > RECENT_RECORDS || self.changes > RECENT_CHANGES {
            let Some(oldest) = self.records.pop_front() else { return };
            self.changes -= oldest.changes.len();
        }
    }

    pub(crate) fn find(&self, number: RevisionNumber) -> Option<Arc<RevisionRecord>> {
        let oldest = self.records.front()?.number;
        let index = usize::try_from(number.get().checked_sub(oldest.get())?).ok()?;
        self.records.get(index).map(Arc::clone)
    }
}
