//! A cache of documents of the running revision.
//!
//! Most reads ask for few nodes over and over. Their document is the same until something is
//! committed, but for the seconds that the session has left, so it is made once. What is kept is
//! never old, since it is looked for under the number of the revision that runs now. There are so
//! many places and no more; a document takes the place of another one, and a large one none. It is
//! kept when it is asked for again before another that has the same place, so that reading
//! everything once, which would find nothing here, hardly pays for it.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwapOption, Guard};
use config_tree::NodePath;
use transaction_engine::RevisionNumber;

use crate::answer::KeptHeaders;

const PLACES: usize = 1024;

/// With all places taken, eight mebibytes.
const LARGEST: usize = 8 << 10;

/// A document, and the headers that are answered with it.
#[derive(Debug)]
pub(crate) struct CachedDocument {
    /// The revision whose node it shows.
    pub(crate) revision: RevisionNumber,
    /// The path as it was asked for.
    pub(crate) asked: Box<str>,
    /// The node, for rights.
    pub(crate) path: NodePath,
    /// The document, unfinished.
    pub(crate) text: Box<[u8]>,
    pub(crate) headers: KeptHeaders,
}

/// The places.
pub(crate) struct ReadCache {
    // Made when a document is asked for, which not every world is.
    places: OnceLock<Box<[Place]>>,
    hasher: RandomState,
}

#[derive(Default)]
struct Place {
    // What was asked for last, as a hash: all that a mistake would do is keep something too early.
    asked: AtomicU64,
    kept: ArcSwapOption<CachedDocument>,
}

impl ReadCache {
    pub(crate) fn new() -> Self {
        Self { places: OnceLock::new(), hasher: RandomState::new() }
    }

    /// What was kept of a path at a revision.
    pub(crate) fn find(
        &self,
        revision: RevisionNumber,
        asked: &str,
    ) -> Option<Guard<Option<Arc<CachedDocument>>>> {
        let kept = self.place(self.hasher.hash_one(asked)).kept.load();
        let is_it = |kept: &Arc<CachedDocument>| kept.revision == revision && *kept.asked == *asked;
        kept.as_ref().is_some_and(is_it).then_some(kept)
    }

    /// Whether a document of this size is to be kept.
    pub(crate) fn wants(&self, revision: RevisionNumber, asked: &str, bytes: usize) -> bool {
        let hash = self.hasher.hash_one(asked);
        let now = hash ^ revision.get();
        bytes + asked.len() <= LARGEST && self.place(hash).asked.swap(now, Ordering::Relaxed) == now
    }

    /// Keeps a document.
    pub(crate) fn put(&self, kept: CachedDocument) {
        self.place(self.hasher.hash_one(&*kept.asked)).kept.store(Some(Arc::new(kept)));
    }

    fn place(&self, hash: u64) -> &Place {
        let make = || (0..PLACES).map(|_| Place::default()).collect();
        // The remainder is less than the number of places.
        &self.places.get_or_init(make)[(hash % PLACES as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use hyper::StatusCode;

    use super::*;
    use crate::answer::Answer;

    fn kept(revision: u64, asked: &str, bytes: usize) -> CachedDocument {
        CachedDocument {
            revision: RevisionNumber::new(revision),
            asked: asked.into(),
            path: NodePath::root(),
            text: vec![b'x'; bytes].into(),
            headers: Answer::text(StatusCode::OK, "").kept_headers(revision),
        }
    }

    #[test]
    fn only_what_was_kept_of_this_path_and_revision_is_found() {
        let keep = ReadCache::new();
        let found = |revision, asked: &str| {
            keep.find(RevisionNumber::new(revision), asked)
                .and_then(|kept| kept.as_ref().map(|kept| kept.text.len()))
        };
        keep.put(kept(1, "/api/configuration/a", 10));
        assert_eq!(found(1, "/api/configuration/a"), Some(10));
        assert_eq!(found(2, "/api/configuration/a"), None);
        assert_eq!(found(1, "/api/configuration/a/"), None);
        keep.put(kept(2, "/api/configuration/a", 20));
        assert_eq!(found(1, "/api/configuration/a"), None);
        assert_eq!(found(2, "/api/configuration/a"), Some(20));
    }

    #[test]
    fn what_is_asked_for_again_and_is_not_large_is_wanted() {
        let keep = ReadCache::new();
        let wants = |revision, bytes| keep.wants(RevisionNumber::new(revision), "/api/a", bytes);
        assert!(!wants(1, 10) && wants(1, 10) && wants(1, 10));
        assert!(!wants(2, 10) && wants(2, 10));
        assert!(!wants(2, LARGEST));
    }

    #[test]
    fn whoever_takes_the_place_of_another_is_not_taken_for_it() {
        let keep = ReadCache::new();
        let paths: Vec<String> = (0..2 * PLACES).map(|n| format!("/api/{n}")).collect();
        for (bytes, path) in paths.iter().enumerate() {
            keep.put(kept(1, path, bytes));
        }
        let found = paths.iter().enumerate().filter_map(|(bytes, path)| {
            let found = keep.find(RevisionNumber::new(1), path)?;
            assert_eq!(found.as_ref().map(|kept| kept.text.len()), Some(bytes));
            Some(())
        });
        assert!((1..=PLACES).contains(&found.count()));
    }
}
