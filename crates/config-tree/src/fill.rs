//! A whole collection at once: what members one by one would give, in a fraction of the time.
//!
//! One by one, the place of each member is looked for in two or three maps of a size that no cache
//! of a processor holds, which is nearly all that a start with a million members costs. Here every
//! map is made of a sorted list, from its beginning to its end. What has to be made of each body,
//! its term of the digest and the values by which it is found, is made by several threads, and so
//! are the maps; the outcome does not depend on how the threads take turns.

use std::thread::{self, ScopedJoinHandle};

use crate::body::Body;
use crate::collection::{Collection, Held, Member, number_of};
use crate::digest::TreeDigest;
use crate::path::{Key, NodePath};
use crate::tree::{Edge, edge};

/// Number of threads that share the bodies, if each gets enough to be worth a thread.
const SHARES: usize = 4;
const SHARE_MEMBERS: usize = 4096;

/// A collection with its members, and what they add to its tree.
pub(crate) struct Filled {
    pub(crate) collection: Collection,
    pub(crate) digest: TreeDigest,
    /// Sorted.
    pub(crate) edges: Vec<Edge>,
}

/// Fills a collection without members; `members` are in the order of their ranks.
///
/// # Errors
/// A key that comes twice.
///
/// # Panics
/// The system has no thread to give.
pub(crate) fn fill(
    path: &NodePath,
    empty: &Collection,
    members: Vec<(Key, u64, Body)>,
) -> Result<Filled, Key> {
    let Share { digest, held, edges } = share_out(path, empty, &members);
    let numbers = members.iter().filter_map(|(key, ..)| number_of(key));
    let sequence = numbers.fold(empty.sequence, u64::max);
    let ranks: Vec<(u64, Key)> =
        members.iter().map(|(key, rank, _)| (*rank, key.clone())).collect();
    let mut members: Vec<(Key, Member)> =
        members.into_iter().map(|(key, rank, body)| (key, Member { rank, body })).collect();
    thread::scope(|scope| {
        let by_rank = scope.spawn(|| packed(ranks).collect());
        let by_value = scope.spawn(|| packed(sorted(held)).collect());
        let edges = scope.spawn(|| sorted(edges));
        // The first bytes decide nearly always, and kept in the list they need not be fetched.
        members.sort_by_cached_key(|(key, _)| (first_bytes(key), key.clone()));
        let twice = members.windows(2).find(|pair| pair[0].0 == pair[1].0);
        if let Some([(key, _), _]) = twice {
            return Err(key.clone());
        }
        let collection = Collection {
            by_key: packed(members).collect(),
            by_rank: joined(by_rank),
            indexed: empty.indexed.clone(),
            by_value: joined(by_value),
            sequence,
        };
        Ok(Filled { collection, digest, edges: joined(edges) })
    })
}

// ===== what each body adds =====

#[derive(Default)]
struct Share {
    digest: TreeDigest,
    held: Vec<Held>,
    edges: Vec<Edge>,
}

fn share_out(path: &NodePath, empty: &Collection, members: &[(Key, u64, Body)]) -> Share {
    let size = members.len().div_ceil(SHARES).max(SHARE_MEMBERS);
    let mut shares = members.chunks(size).scan(None, |previous, members| {
        let before = std::mem::replace(previous, members.last().map(|(key, ..)| key));
        Some(move || Share::of(path, empty, before, members))
    });
    thread::scope(|scope| {
        let first = shares.next();
        let others: Vec<_> = shares.map(|share| scope.spawn(share)).collect();
        let mut all = first.map_or_else(Share::default, |share| share());
        others.into_iter().for_each(|share| all.add(joined(share)));
        all
    })
}

impl Share {
    fn of<'a>(
        path: &NodePath,
        empty: &Collection,
        mut previous: Option<&'a Key>,
        members: &'a [(Key, u64, Body)],
    ) -> Self {
        let mut share = Self::default();
        for (key, _, body) in members {
            share.digest.add_member(path, key, body);
            share.digest.add_link(path, previous, key);
            share.held.extend(empty.held(key, body));
            if !body.references().is_empty() {
                let member = path.join(key);
                share.edges.extend(body.references().iter().map(|to| edge(&member, to)));
            }
            previous = Some(key);
        }
        share
    }

    fn add(&mut self, other: Self) {
        let Self { digest, held, edges } = other;
        self.digest.add_digest(digest);
        self.held.extend(held);
        self.edges.extend(edges);
    }
}

// ===== maps of sorted lists =====

fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    // Stable, because that is quick where much is in order already, and names often are.
    list.sort();
    list
}

fn first_bytes(key: &Key) -> u64 {
    key.as_str().bytes().chain([0; 8]).take(8).fold(0, |all, byte| all << 8 | u64::from(byte))
}

/// A sorted list in the order in which a map takes it best: every other one, then those between.
///
/// imbl cuts a full leaf into halves. In plain ascending order each half would stay as it is, and
/// the map take twice the memory; so the second round fills what the first left free.
pub(crate) fn packed<T>(list: Vec<T>) -> impl Iterator<Item = T> {
    let mut list: Vec<Option<T>> = list.into_iter().map(Some).collect();
    let count = list.len();
    (0..count).step_by(2).chain((1..count).step_by(2)).filter_map(move |index| list[index].take())
}

fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::body::Reference;
    use crate::tree::{Referrer, Tree, TreeError};

    fn path(text: &str) -> NodePath {
        NodePath::parse(text).unwrap()
    }

    fn key(text: &str) -> Key {
        Key::parse(text).unwrap()
    }

    fn skeleton() -> Tree {
        let mut tree = Tree::new();
        tree.folder_create(&path("/f")).unwrap();
        tree.collection_create_indexed(&path("/f/c"), &["/name".to_owned()]).unwrap();
        tree.object_create(&path("/o"), Body::new(&json!(0), Vec::new()), None).unwrap();
        tree
    }

    // What some hold others hold too, what some refer to others refer to too.
    fn body(n: usize) -> Body {
        let to = |pointer: &str, target: &str| Reference {
            pointer: pointer.to_owned(),
            target: path(target),
            fragment: None,
        };
        let references = match n % 3 {
            0 => vec![to("/a", "/o"), to("/b", "/f/c/key-7")],
            1 => vec![to("/a", "/o")],
            _ => Vec::new(),
        };
        let name = (!n.is_multiple_of(5)).then(|| format!("name {}", n / 2));
        Body::new(&json!({"name": name, "n": n}), references)
    }

    fn members(numbers: &[usize]) -> Vec<(Key, u64, Body)> {
        let member = |(rank, n): (u64, &usize)| (key(&format!("key-{n}")), rank * 3 + 1, body(*n));
        (0..).zip(numbers).map(member).collect()
    }

    fn one_by_one(members: &[(Key, u64, Body)]) -> Tree {
        let mut tree = skeleton();
        for (key, rank, body) in members {
            let member = path("/f/c").join(key);
            tree.object_create(&member, body.clone(), Some(*rank)).unwrap();
        }
        tree
    }

    fn assert_same(filled: &Tree, single: &Tree) {
        assert!(filled.is_consistent());
        assert_eq!((filled.digest(), filled.len()), (single.digest(), single.len()));
        let content = |tree: &Tree| -> Vec<(NodePath, Body, Option<u64>)> {
            tree.walk().map(|(path, body)| (path.clone(), body.clone(), tree.rank(&path))).collect()
        };
        assert_eq!(content(filled), content(single));
        for (path, body) in single.walk() {
            assert_eq!(filled.body(&path), Some(body));
            assert_eq!(filled.neighbours(&path), single.neighbours(&path));
            let name = &body.value()["name"];
            let holders = |tree: &Tree| -> Vec<Key> {
                tree.holders(&super::tests::path("/f/c"), "/name", name).cloned().collect()
            };
            assert_eq!(holders(filled), holders(single));
        }
        for target in ["/o", "/f/c/key-7"].map(path) {
            let referrers = |tree: &Tree| -> Vec<Referrer> { tree.referrers(&target).collect() };
            assert_eq!(referrers(filled), referrers(single));
        }
    }

    proptest! {
        #[test]
        fn a_filled_collection_is_the_one_that_members_one_by_one_give(
            numbers in prop::collection::hash_set(0_usize..200, 0..80),
            then in 0_usize..300,
        ) {
            let numbers: Vec<usize> = numbers.into_iter().collect();
            let members = members(&numbers);
            let (mut filled, mut single) = (skeleton(), one_by_one(&members));
            filled.collection_fill(&path("/f/c"), members).unwrap();
            assert_same(&filled, &single);
            // And it goes on like that one.
            let member = path(&format!("/f/c/key-{then}"));
            for tree in [&mut filled, &mut single] {
                if tree.object_delete(&member).is_err() {
                    tree.object_create(&member, body(then), None).unwrap();
                }
            }
            assert_same(&filled, &single);
        }
    }

    #[test]
    fn many_members_are_shared_out_and_give_the_same() {
        // Neither in the order of their keys, nor in shares of the same size.
        let count = SHARE_MEMBERS * 2 + 17;
        let numbers: Vec<usize> = (0..count).map(|n| n * 7919 % count).collect();
        let members = members(&numbers);
        let single = one_by_one(&members);
        let mut filled = skeleton();
        filled.collection_fill(&path("/f/c"), members).unwrap();
        assert!(filled.is_consistent());
        assert_eq!(filled.digest(), single.digest());
        assert!(filled.children(&path("/f/c")).eq(single.children(&path("/f/c"))));
        let of = |tree: &Tree| tree.referrers(&path("/o")).collect::<Vec<_>>();
        assert_eq!(of(&filled), of(&single));
    }

    #[test]
    fn what_does_not_fit_is_refused_and_changes_nothing() {
        let two = || members(&[1, 2]);
        let twice =
            || vec![two().remove(0), (key("key-2"), 8, body(3)), (key("key-1"), 9, body(4))];
        let same_rank = || two().into_iter().map(|(key, _, body)| (key, 5, body)).collect();
        let backwards = || two().into_iter().rev().collect();
        let full = |mut tree: Tree| {
            tree.collection_fill(&path("/f/c"), two()).unwrap();
            tree
        };
        let cases = [
            (skeleton(), "/f/c", twice(), TreeError::Exists(path("/f/c/key-1"))),
            (skeleton(), "/f/c", same_rank(), TreeError::NotInOrder(path("/f/c"))),
            (skeleton(), "/f/c", backwards(), TreeError::NotInOrder(path("/f/c"))),
            (full(skeleton()), "/f/c", two(), TreeError::Exists(path("/f/c/key-1"))),
            (skeleton(), "/f/x", two(), TreeError::Missing(path("/f/x"))),
            (skeleton(), "/f", two(), TreeError::WrongKind(path("/f"))),
            (skeleton(), "/o", two(), TreeError::WrongKind(path("/o"))),
        ];
        for (mut tree, place, members, error) in cases {
            let before = tree.clone();
            assert_eq!(tree.collection_fill(&path(place), members), Err(error));
            assert_same(&tree, &before);
        }
    }

    #[test]
    fn a_list_is_packed_whole() {
        assert_eq!(packed((0..7).collect()).collect::<Vec<_>>(), [0, 2, 4, 6, 1, 3, 5]);
        assert_eq!(packed(Vec::<u8>::new()).count(), 0);
        assert_eq!(first_bytes(&key("ab")), 0x6162 << 48);
        assert!(first_bytes(&key("a")) < first_bytes(&key("a ")));
    }
}
