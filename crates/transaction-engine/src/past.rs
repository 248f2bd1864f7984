//! A cache of past trees.

use std::collections::VecDeque;

use config_tree::Tree;
use parking_lot::Mutex;

use crate::revision::RevisionNumber;

/// Number of past trees that are cached.
const CACHED_PAST_TREES: usize = 8;

/// Cached trees, the last used one last.
#[derive(Default)]
pub(crate) struct Past(Mutex<VecDeque<(RevisionNumber, Tree)>>);

impl Past {
    pub(crate) fn nearest(
        &self,
        number: RevisionNumber,
        oldest: RevisionNumber,
    ) -> Option<(RevisionNumber, Tree)> {
        let past = self.0.lock();
        let useful = past.iter().filter(|(from, _)| from.next() >= oldest);
        useful.min_by_key(|(from, _)| from.get().abs_diff(number.get())).cloned()
    }

    pub(crate) fn keep(&self, number: RevisionNumber, tree: Tree) {
        let mut past = self.0.lock();
        past.retain(|(other, _)| *other != number);
        past.push_back((number, tree));
        if past.len() > CACHED_PAST_TREES {
            past.pop_front();
        }
    }
}
