//! Large documents that several requests are being answered with, shared between them.
//!
//! A listing of a large collection is made from the whole of it, and waits in memory until its
//! reader has taken it. Many readers of one listing, or one that opens many streams and reads none
//! of them, would hold a copy each. As long as one of them is there, the others are given the same
//! bytes; the last one frees them.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use config_tree::NodePath;
use parking_lot::Mutex;
use transaction_engine::RevisionNumber;

use crate::condition::Tag;

/// The number of members from which on the listing of a collection is worth sharing.
pub(super) const LEAST_MEMBERS: usize = 64;

/// A document up to the seconds that a session has left, and the tag of its node's state.
pub(super) struct SharedDocument {
    text: Vec<u8>,
    pub(super) tag: Tag,
}

/// The documents that are being sent.
#[derive(Default)]
pub(super) struct SharedDocuments {
    // Few at a time: those that are no longer held are swept out when one is added.
    alive: Mutex<HashMap<(RevisionNumber, NodePath), Slot>>,
}

// Made by the one who comes first, while the others wait for it.
type Slot = Arc<Mutex<Weak<SharedDocument>>>;

impl SharedDocuments {
    /// The document of a node at a revision: the one that is alive, or the one that `make` makes.
    /// `None` where `make` makes none.
    pub(super) fn get(
        &self,
        revision: RevisionNumber,
        path: &NodePath,
        make: impl FnOnce() -> Option<(Vec<u8>, Tag)>,
    ) -> Option<Arc<SharedDocument>> {
        let slot = {
            let mut alive = self.alive.lock();
            alive.retain(|_, slot| Arc::strong_count(slot) > 1 || slot.lock().strong_count() > 0);
            Arc::clone(alive.entry((revision, path.clone())).or_default())
        };
        let mut document = slot.lock();
        if let Some(document) = document.upgrade() {
            return Some(document);
        }
        let (text, tag) = make()?;
        let made = Arc::new(SharedDocument { text, tag });
        *document = Arc::downgrade(&made);
        Some(made)
    }
}

impl SharedDocument {
    /// The bytes, which keep the document alive.
    pub(super) fn bytes(self: &Arc<Self>) -> Bytes {
        Bytes::from_owner(Held(Arc::clone(self)))
    }
}

struct Held(Arc<SharedDocument>);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.0.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_made_once_for_as_long_as_somebody_holds_it() {
        let (documents, path) = (SharedDocuments::default(), NodePath::root());
        let one = RevisionNumber::new(1);
        let made = |text: &[u8]| Some((text.to_vec(), Tag::of_listing(text)));
        let first = documents.get(one, &path, || made(b"first")).unwrap().bytes();
        let same = documents.get(one, &path, || unreachable!("it is alive")).unwrap().bytes();
        assert_eq!(same.as_ptr(), first.as_ptr());
        let other = documents.get(RevisionNumber::new(2), &path, || made(b"other")).unwrap();
        assert_eq!(other.bytes(), "other");
        drop((first, same));
        assert_eq!(documents.get(one, &path, || made(b"again")).unwrap().bytes(), "again");
        assert!(documents.get(RevisionNumber::new(3), &path, || None).is_none());
        assert!(documents.alive.lock().len() <= 4);
    }
}
