//! What differs between two trees, as a list that can be applied, inverted, stored and shown.

use std::collections::BTreeSet;

use crate::body::Body;
use crate::path::{Key, NodePath};
use crate::tree::Tree;

/// One difference. A list of changes is in an order in which it can be applied.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// An object or a member came into being.
    Create {
        /// Where.
        path: NodePath,
        /// The place that a deleted member had (see [`Tree::rank`]), where this undoes a deletion;
        /// `None`: at the end of its collection, or under a folder.
        rank: Option<u64>,
        /// What it holds.
        after: Body,
    },
    /// A body was replaced.
    Replace {
        /// Where.
        path: NodePath,
        /// What it held.
        before: Body,
        /// What it holds.
        after: Body,
    },
    /// An object or a member ceased to be.
    Delete {
        /// Where.
        path: NodePath,
        /// The place it had; `None` under a folder.
        rank: Option<u64>,
        /// What it held.
        before: Body,
    },
    /// The members of a collection changed places.
    Reorder {
        /// The collection.
        path: NodePath,
        /// All keys, in their former order.
        before: Vec<Key>,
        /// The same keys, in their present order.
        after: Vec<Key>,
    },
}

impl Change {
    /// The node or collection that changed.
    #[must_use]
    pub fn path(&self) -> &NodePath {
        match self {
            Self::Create { path, .. }
            | Self::Replace { path, .. }
            | Self::Delete { path, .. }
            | Self::Reorder { path, .. } => path,
        }
    }

    /// The change that undoes this one.
    #[must_use]
    pub fn inverse(&self) -> Self {
        match self.clone() {
            Self::Create { path, rank, after } => Self::Delete { path, rank, before: after },
            Self::Replace { path, before, after } => {
                Self::Replace { path, before: after, after: before }
            }
            Self::Delete { path, rank, before } => Self::Create { path, rank, after: before },
            Self::Reorder { path, before, after } => {
                Self::Reorder { path, before: after, after: before }
            }
        }
    }
}

/// The changes that undo `changes`.
#[must_use]
pub fn invert(changes: &[Change]) -> Vec<Change> {
    changes.iter().rev().map(Change::inverse).collect()
}

/// What leads from `base` to `after`, looking only at the `touched` nodes and collections.
///
/// Deletions come first, then new members in their order, then replacements, then new orders.
/// A new member comes at the end; one that stands before an older one does so by a new order, so
/// that the list means the same on a tree to which others have added members.
/// What was touched and is again as it was does not appear. Costs O(touched · log n), and O(members)
/// for each collection whose order was touched.
#[must_use]
pub fn changes_between<'a>(
    base: &Tree,
    after: &Tree,
    touched: impl IntoIterator<Item = &'a NodePath>,
) -> Vec<Change> {
    let touched: BTreeSet<&NodePath> = touched.into_iter().collect();
    let mut deleted = Vec::new();
    let mut created = Vec::new();
    let mut replaced = Vec::new();
    let mut reordered = BTreeSet::new();
    for path in touched {
        let rank = after.rank(path);
        match (base.body(path).cloned(), after.body(path).cloned()) {
            (Some(before), None) => {
                let (path, rank) = (path.clone(), base.rank(path));
                deleted.push(Change::Delete { path, rank, before });
            }
            (None, Some(body)) => {
                let change = Change::Create { path: path.clone(), rank: None, after: body };
                created.push((rank, change));
                if stands_before_an_older_one(base, after, path) {
                    reordered.extend(path.parent());
                }
            }
            (Some(before), Some(after)) => {
                if before != after {
                    replaced.push(Change::Replace { path: path.clone(), before, after });
                }
                // Deleted and made again under the same key: it may stand elsewhere now.
                if rank != base.rank(path) {
                    reordered.extend(path.parent());
                }
            }
            (None, None) if after.get(path).is_some() => _ = reordered.insert(path.clone()),
            (None, None) => {}
        }
    }
    created.sort_by_key(|(rank, _)| *rank);
    let mut changes = deleted;
    changes.extend(created.into_iter().map(|(_, change)| change));
    changes.extend(replaced);
    let orders = orders_between(base, after, &changes, &reordered);
    changes.extend(orders);
    changes
}

fn stands_before_an_older_one(base: &Tree, after: &Tree, path: &NodePath) -> bool {
    let next = after.rank(path).and_then(|_| after.neighbours(path)?.next);
    let older = next.zip(path.parent()).map(|(next, parent)| parent.join(next));
    older.is_some_and(|older| base.body(&older).is_some())
}

fn orders_between(
    base: &Tree,
    after: &Tree,
    changes: &[Change],
    collections: &BTreeSet<NodePath>,
) -> Vec<Change> {
    if collections.is_empty() {
        return Vec::new();
    }
    let mut reached = base.clone();
    for change in changes {
        // Made from these two trees, so each fits; one that did not would show as an order.
        let _ = reached.apply(change);
    }
    let orders = collections.iter().filter_map(|path| {
        let before: Vec<Key> = reached.children(path).cloned().collect();
        let after: Vec<Key> = after.children(path).cloned().collect();
        (before != after).then(|| Change::Reorder { path: path.clone(), before, after })
    });
    orders.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    /// What a random step does to a tree; numbers are taken modulo what is there.
    #[derive(Debug, Clone)]
    enum Step {
        Create(u8),
        Replace(u8, u8),
        Delete(u8),
        Reorder(u64),
        Object(u8),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => any::<u8>().prop_map(Step::Create),
            3 => (any::<u8>(), any::<u8>()).prop_map(|(a, b)| Step::Replace(a, b)),
            2 => any::<u8>().prop_map(Step::Delete),
            1 => any::<u64>().prop_map(Step::Reorder),
            1 => any::<u8>().prop_map(Step::Object),
        ];
        prop::collection::vec(step, 0..24)
    }

    fn path(text: &str) -> NodePath {
        NodePath::parse(text).unwrap()
    }

    fn fresh() -> Tree {
        let mut tree = Tree::new();
        tree.folder_create(&path("/f")).unwrap();
        tree.collection_create_indexed(&path("/c"), &["/n".to_owned(), "/x".to_owned()]).unwrap();
        tree.collection_create(&path("/f/d")).unwrap();
        tree.object_create(&path("/f/o"), Body::new(&json!(0), Vec::new()), None).unwrap();
        tree
    }

    fn body(n: u8) -> Body {
        let target = path(if n.is_multiple_of(2) { "/f/o" } else { "/c/k1" });
        let pointer = format!("/{}", n % 3);
        Body::new(&json!({"n": n}), vec![crate::Reference { pointer, target, fragment: None }])
    }

    fn run(tree: &mut Tree, steps: &[Step]) -> Vec<NodePath> {
        let mut touched = Vec::new();
        for step in steps {
            let collection = path("/c");
            let keys: Vec<Key> = tree.children(&collection).cloned().collect();
            let pick = |n: u8| collection.join(&keys[usize::from(n) % keys.len()]);
            match step {
                Step::Create(n) => {
                    let new = collection.join(&Key::parse(&format!("k{}", n % 12)).unwrap());
                    if tree.object_create(&new, body(*n), None).is_ok() {
                        touched.push(new);
                    }
                }
                Step::Replace(n, with) if !keys.is_empty() => {
                    tree.object_replace(&pick(*n), body(*with)).unwrap();
                    touched.push(pick(*n));
                }
                Step::Delete(n) if !keys.is_empty() => {
                    tree.object_delete(&pick(*n)).unwrap();
                    touched.push(pick(*n));
                }
                Step::Reorder(seed) => {
                    let mut keys = keys.clone();
                    keys.sort_by_key(|key| {
                        blake3::hash(format!("{seed}{key}").as_bytes()).to_hex().to_string()
                    });
                    tree.collection_reorder(&collection, &keys).unwrap();
                    touched.push(collection);
                }
                Step::Object(n) => {
                    tree.object_replace(&path("/f/o"), body(*n)).unwrap();
                    touched.push(path("/f/o"));
                }
                Step::Replace(..) | Step::Delete(_) => {}
            }
        }
        touched
    }

    fn content(tree: &Tree) -> Vec<(NodePath, String)> {
        tree.walk().map(|(path, body)| (path, body.text().to_owned())).collect()
    }

    proptest! {
        #[test]
        fn a_diff_leads_there_and_its_inverse_back(before in steps(), then in steps()) {
            let mut base = fresh();
            run(&mut base, &before);
            let untouched = content(&base);
            let mut after = base.clone();
            let touched = run(&mut after, &then);
            prop_assert_eq!(content(&base), untouched, "a change of a clone shows in the original");

            let changes = changes_between(&base, &after, &touched);
            let mut reached = base.clone();
            for change in &changes { reached.apply(change).unwrap(); }
            prop_assert_eq!(content(&reached), content(&after));
            prop_assert_eq!(reached.digest(), after.digest());

            for change in &invert(&changes) { reached.apply(change).unwrap(); }
            prop_assert_eq!(content(&reached), content(&base));
            prop_assert_eq!(reached.digest(), base.digest());
            prop_assert!(reached.is_consistent() && after.is_consistent());
        }

        #[test]
        fn neighbours_agree_with_the_listing(before in steps()) {
            let mut tree = fresh();
            run(&mut tree, &before);
            for parent in ["/", "/f", "/c", "/f/d"].map(path) {
                let keys: Vec<Key> = tree.children(&parent).cloned().collect();
                for (index, key) in keys.iter().enumerate() {
                    let found = tree.neighbours(&parent.join(key)).unwrap();
                    prop_assert_eq!(found.first, &keys[0]);
                    prop_assert_eq!(found.last, &keys[keys.len() - 1]);
                    prop_assert_eq!(found.previous, index.checked_sub(1).map(|i| &keys[i]));
                    prop_assert_eq!(found.next, keys.get(index + 1));
                }
            }
        }

        #[test]
        fn equal_content_has_an_equal_digest_and_other_content_another(a in steps(), b in steps()) {
            let (mut left, mut right) = (fresh(), fresh());
            run(&mut left, &a);
            run(&mut right, &b);
            prop_assert_eq!(content(&left) == content(&right), left.digest() == right.digest());
        }
    }

    #[test]
    fn members_are_found_by_the_values_their_collection_is_indexed_by() {
        let mut tree = fresh();
        let found = |tree: &Tree, pointer: &str, n: u8| -> Vec<String> {
            let holders = tree.holders(&path("/c"), pointer, &json!(n)).map(Key::to_string);
            holders.collect()
        };
        for (key, n) in [("a", 1), ("b", 2), ("c", 2)] {
            tree.object_create(&path(&format!("/c/{key}")), body(n), None).unwrap();
        }
        assert_eq!(found(&tree, "/n", 2), ["b", "c"]);
        tree.object_replace(&path("/c/b"), body(1)).unwrap();
        tree.object_delete(&path("/c/c")).unwrap();
        assert_eq!(found(&tree, "/n", 1), ["a", "b"]);
        assert_eq!(found(&tree, "/n", 2), [""; 0]);
        assert_eq!(found(&tree, "/other", 1), [""; 0], "not indexed by that");
    }

    #[test]
    fn the_number_of_a_deleted_member_stays_used() {
        let mut tree = fresh();
        let collection = path("/c");
        for key in ["7", "12", "x9", "007", "-30", "99999999999999999999"] {
            tree.object_create(&collection.join(&Key::parse(key).unwrap()), body(1), None).unwrap();
        }
        assert_eq!(tree.sequence(&collection), 12);
        let before = tree.clone();
        let deleted = path("/c/12");
        tree.object_delete(&deleted).unwrap();
        assert_eq!(tree.sequence(&collection), 12);
        // As a start does: the changes of the records, one after the other.
        let mut replayed = before.clone();
        let changes = changes_between(&before, &tree, [&deleted]);
        changes.iter().for_each(|change| replayed.apply(change).unwrap());
        assert_eq!(replayed.sequences(), [(collection.clone(), 12)]);
        // And as a checkpoint does: only what is there, and then the number.
        let mut read = fresh();
        let members =
            tree.members(&collection).map(|(k, b)| (k, tree.rank(&collection.join(k)), b));
        let members = members.map(|(k, rank, b)| (k.clone(), rank.unwrap(), b.clone())).collect();
        read.collection_fill(&collection, members).unwrap();
        assert_eq!((read.sequence(&collection), read.digest()), (7, tree.digest()));
        read.sequence_raise(&collection, 12).unwrap();
        read.sequence_raise(&collection, 3).unwrap();
        assert_eq!((read.sequence(&collection), read.digest()), (12, tree.digest()));
        assert!(read.is_consistent());
        assert_eq!(
            read.sequence_raise(&path("/f/o"), 1),
            Err(crate::TreeError::WrongKind(path("/f/o")))
        );
    }

    #[test]
    fn what_is_again_as_it_was_is_no_change() {
        let base = fresh();
        let mut after = base.clone();
        let member = path("/c/x");
        after.object_create(&member, body(1), None).unwrap();
        after.object_delete(&member).unwrap();
        after.object_replace(&path("/f/o"), Body::new(&json!(0), Vec::new())).unwrap();
        assert_eq!(changes_between(&base, &after, [&member, &path("/f/o")]), []);
    }

    #[test]
    fn a_change_that_does_not_fit_is_refused_and_changes_nothing() {
        let mut tree = fresh();
        let digest = tree.digest();
        let wrong = Change::Replace { path: path("/f/o"), before: body(9), after: body(8) };
        assert_eq!(tree.apply(&wrong), Err(crate::TreeError::Unexpected(path("/f/o"))));
        for (bad, change) in [
            (
                crate::TreeError::Exists(path("/f/o")),
                tree.object_create(&path("/f/o"), body(1), None),
            ),
            (
                crate::TreeError::Missing(path("/x/y")),
                tree.object_create(&path("/x/y"), body(1), None),
            ),
            (
                crate::TreeError::WrongKind(path("/f/o/y")),
                tree.object_create(&path("/f/o/y"), body(1), None),
            ),
            (crate::TreeError::WrongKind(path("/f")), tree.object_delete(&path("/f")).map(drop)),
            (crate::TreeError::Missing(path("/c/x")), tree.object_delete(&path("/c/x")).map(drop)),
            (
                crate::TreeError::NotAPermutation(path("/c")),
                tree.collection_reorder(&path("/c"), &[Key::parse("a").unwrap()]),
            ),
        ] {
            assert_eq!(change, Err(bad));
        }
        assert_eq!(tree.digest(), digest);
    }

    #[test]
    fn a_million_members_have_neighbours_and_cheap_clones() {
        let mut tree = fresh();
        let collection = path("/c");
        for n in 0..1_000_000 {
            let key = Key::parse(&n.to_string()).unwrap();
            tree.object_create(&collection.join(&key), Body::new(&json!(n), Vec::new()), None)
                .unwrap();
        }
        // Were any of these O(n), ten thousand of each would take hours.
        for n in (0..1_000_000).step_by(100) {
            let member = collection.join(&Key::parse(&n.to_string()).unwrap());
            let found = tree.neighbours(&member).unwrap();
            assert_eq!(found.next.unwrap().as_str(), (n + 1).to_string());
            let mut changed = tree.clone();
            changed.object_delete(&member).unwrap();
            assert_eq!(changed.len() + 1, tree.len());
        }
    }
}
