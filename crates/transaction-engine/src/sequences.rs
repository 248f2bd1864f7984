//! The numbers that collections give to their members.
//!
//! A tree knows the highest number that was ever used in it, which is durable. Requests that run
//! at the same time see the same tree, so the engine also remembers what it gave to each of them.
//! A number that is given and never committed is a gap.

use std::collections::BTreeMap;

use config_tree::{NodePath, Tree};
use parking_lot::Mutex;

/// The highest number that was given in each collection since the start.
#[derive(Default)]
pub(crate) struct Sequences(Mutex<BTreeMap<NodePath, u64>>);

impl Sequences {
    /// A number that no member of the collection has or had; `None` when there is none left.
    pub(crate) fn next(&self, collection: &NodePath, tree: &Tree) -> Option<u64> {
        let mut given = self.0.lock();
        let last = given.get(collection).copied().unwrap_or_default();
        let next = last.max(tree.sequence(collection)).checked_add(1)?;
        given.insert(collection.clone(), next);
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use config_tree::{Body, Key};
    use serde_json::json;

    use super::*;

    #[test]
    fn no_number_is_given_twice() {
        let collection = NodePath::parse("/c").unwrap();
        let mut tree = Tree::new();
        tree.collection_create(&collection).unwrap();
        let sequences = Sequences::default();
        assert_eq!(sequences.next(&collection, &tree), Some(1));
        assert_eq!(sequences.next(&collection, &tree), Some(2));
        let member = collection.join(&Key::parse("9").unwrap());
        tree.object_create(&member, Body::new(&json!(1), Vec::new()), None).unwrap();
        tree.object_delete(&member).unwrap();
        assert_eq!(sequences.next(&collection, &tree), Some(10));
        tree.sequence_raise(&collection, u64::MAX).unwrap();
        assert_eq!(sequences.next(&collection, &tree), None);
    }
}
