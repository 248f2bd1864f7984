//! Where two whole trees differ, without looking at what they share.
//!
//! [`changes_between`](crate::changes_between) wants to know which nodes to look at. A transaction
//! keeps that list; for two trees that merely have a common past it is found here. What both share
//! in memory is skipped, so the cost is that of the difference, and O(n) only where nothing is
//! shared, as with a tree that was read from a file.

use imbl::ordmap::DiffItem;

use crate::collection::Collection;
use crate::path::NodePath;
use crate::tree::{Slot, Tree};

/// Every object and member that one of the trees lacks, or whose body or place differs. Both must
/// have the same folders and collections.
#[must_use]
pub fn touched_between(left: &Tree, right: &Tree) -> Vec<NodePath> {
    let mut touched = Vec::new();
    slots(&NodePath::root(), left.root(), right.root(), &mut touched);
    touched
}

fn slots(path: &NodePath, left: &Slot, right: &Slot, touched: &mut Vec<NodePath>) {
    match (left, right) {
        (Slot::Object(left), Slot::Object(right)) => {
            if left != right {
                touched.push(path.clone());
            }
        }
        (Slot::Collection(left), Slot::Collection(right)) => members(path, left, right, touched),
        (Slot::Folder(left), Slot::Folder(right)) => {
            for difference in left.diff(right) {
                match difference {
                    DiffItem::Update { old: (key, old), new: (_, new) } => {
                        slots(&path.join(key), old, new, touched);
                    }
                    DiffItem::Add(key, slot) | DiffItem::Remove(key, slot) => {
                        all(&path.join(key), slot, touched);
                    }
                }
            }
        }
        (left, right) => {
            all(path, left, touched);
            all(path, right, touched);
        }
    }
}

fn members(path: &NodePath, left: &Collection, right: &Collection, touched: &mut Vec<NodePath>) {
    for difference in left.by_key().diff(right.by_key()) {
        let key = match difference {
            DiffItem::Update { old: (_, old), new: (_, new) }
                if old.rank == new.rank && old.body == new.body =>
            {
                continue;
            }
            DiffItem::Update { old: (key, _), .. }
            | DiffItem::Add(key, _)
            | DiffItem::Remove(key, _) => key,
        };
        touched.push(path.join(key));
    }
}

fn all(path: &NodePath, slot: &Slot, touched: &mut Vec<NodePath>) {
    match slot {
        Slot::Object(_) => touched.push(path.clone()),
        Slot::Collection(collection) => {
            touched.extend(collection.keys().map(|key| path.join(key)));
        }
        Slot::Folder(children) => {
            children.iter().for_each(|(key, slot)| all(&path.join(key), slot, touched));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Body, Key, changes_between};
    use proptest::prelude::*;
    use serde_json::json;

    fn path(text: &str) -> NodePath {
        NodePath::parse(text).unwrap()
    }

    fn member(n: u8) -> NodePath {
        path("/f/c").join(&Key::parse(&format!("k{n}")).unwrap())
    }

    fn fresh() -> Tree {
        let mut tree = Tree::new();
        tree.folder_create(&path("/f")).unwrap();
        tree.collection_create(&path("/f/c")).unwrap();
        tree.object_create(&path("/f/o"), Body::new(&json!(0), Vec::new()), None).unwrap();
        tree
    }

    fn run(tree: &mut Tree, steps: &[(u8, u8)]) {
        for (what, n) in steps {
            let body = Body::new(&json!(n % 5), Vec::new());
            let member = member(n % 40);
            // Some steps do not fit; they change nothing.
            let _ = match what % 4 {
                0 => tree.object_create(&member, body, None),
                1 => tree.object_replace(&member, body).map(drop),
                2 => tree.object_delete(&member).map(drop),
                _ if n % 2 == 0 => tree.object_replace(&path("/f/o"), body).map(drop),
                _ => {
                    let mut keys: Vec<Key> = tree.children(&path("/f/c")).cloned().collect();
                    keys.reverse();
                    tree.collection_reorder(&path("/f/c"), &keys)
                }
            };
        }
    }

    fn content(tree: &Tree) -> Vec<(NodePath, String)> {
        tree.walk().map(|(path, body)| (path, body.text().to_owned())).collect()
    }

    proptest! {
        #[test]
        fn what_was_touched_leads_from_one_tree_to_the_other(
            common: Vec<(u8, u8)>, left: Vec<(u8, u8)>, right: Vec<(u8, u8)>,
        ) {
            let mut a = fresh();
            run(&mut a, &common);
            let mut b = a.clone();
            run(&mut a, &left);
            run(&mut b, &right);
            let touched = touched_between(&a, &b);
            let mut reached = a.clone();
            for change in &changes_between(&a, &b, &touched) {
                reached.apply(change).unwrap();
            }
            prop_assert_eq!(content(&reached), content(&b));
            prop_assert_eq!(reached.digest(), b.digest());
        }
    }

    #[test]
    fn one_change_in_a_million_is_found_at_once() {
        let mut tree = fresh();
        for n in 0..1_000_000 {
            let key = Key::parse(&n.to_string()).unwrap();
            let body = Body::new(&json!(n), Vec::new());
            tree.object_create(&path("/f/c").join(&key), body, None).unwrap();
        }
        let mut other = tree.clone();
        let changed = path("/f/c").join(&Key::parse("765432").unwrap());
        other.object_replace(&changed, Body::new(&json!(0), Vec::new())).unwrap();
        // Were each O(n), these would take minutes.
        for _ in 0..1_000 {
            assert_eq!(touched_between(&tree, &other), std::slice::from_ref(&changed));
            assert!(touched_between(&tree, &tree).is_empty());
        }
    }
}
