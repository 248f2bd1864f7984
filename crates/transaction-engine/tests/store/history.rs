//! Trees with a past, and places to keep them.

use std::path::Path;

use config_tree::{Body, Change, Key, NodePath, Reference, Tree, changes_between};
use serde_json::json;
use tempfile::TempDir;
use transaction_engine::store::{
    CheckpointDir, MemStore, Recovered, RevisionLog, SledStore, Store, StoreError,
};
use transaction_engine::{RevisionNumber, RevisionRecord, Timestamp};
use uuid::Uuid;

pub(crate) fn path(text: &str) -> NodePath {
    NodePath::parse(text).unwrap()
}

pub(crate) fn number(number: u64) -> RevisionNumber {
    RevisionNumber::new(number)
}

/// Folders and collections as a catalog would have them.
pub(crate) fn skeleton() -> Tree {
    let mut tree = Tree::new();
    tree.folder_create(&path("/f")).unwrap();
    tree.collection_create(&path("/c")).unwrap();
    tree.collection_create(&path("/f/d")).unwrap();
    tree
}

/// A body that refers to others and holds characters that need escapes.
pub(crate) fn body(n: u64) -> Body {
    let value = json!({"n": n, "text": format!("\"\\\u{1}\u{7f}ü{n}"), "to": "o", "none": null});
    let to = |fragment: Option<&str>, pointer: &str| Reference {
        pointer: pointer.into(),
        target: path("/f/o"),
        fragment: fragment.map(Into::into),
    };
    Body::new(&value, vec![to(None, "/to"), to(Some("/n"), "/text")])
}

/// All revisions of a past, with the tree after each; `trees[0]` is the skeleton.
pub(crate) struct History {
    pub(crate) records: Vec<RevisionRecord>,
    pub(crate) trees: Vec<Tree>,
}

impl History {
    /// A past that creates, replaces, deletes and reorders, different for each seed.
    pub(crate) fn of(seed: u64, revisions: u64) -> Self {
        let mut history = Self { records: Vec::new(), trees: vec![skeleton()] };
        history.commit(|tree| {
            tree.object_create(&path("/f/o"), body(seed), None).unwrap();
            vec![path("/f/o")]
        });
        while (history.records.len() as u64) < revisions {
            let n = history.records.len() as u64;
            history.commit(|tree| step(tree, seed, n));
        }
        history
    }

    /// Adds the revision that `change` makes; it says what it touched.
    pub(crate) fn commit(&mut self, change: impl FnOnce(&mut Tree) -> Vec<NodePath>) {
        let base = self.newest();
        let mut after = base.clone();
        let touched = change(&mut after);
        let changes = changes_between(base, &after, &touched);
        // As the writer does: the tree that the changes lead to, whose places are the recorded ones.
        let mut replayed = base.clone();
        changes.iter().for_each(|change| replayed.apply(change).unwrap());
        assert_eq!(replayed.digest(), after.digest());
        self.add(changes, replayed);
    }

    pub(crate) fn add(&mut self, changes: Vec<Change>, after: Tree) {
        let n = self.records.len() as u64 + 1;
        self.records.push(RevisionRecord {
            number: number(n),
            time: Timestamp::from_micros(1_700_000_000_000_000 + n as i64),
            commit_id: Uuid::from_u128(0x1000 + u128::from(n)),
            author: "admin".into(),
            session: format!("session {n}"),
            message: n.is_multiple_of(2).then(|| format!("why \"{n}\"\n")),
            digest: after.digest(),
            changes,
        });
        self.trees.push(after);
    }

    pub(crate) fn newest(&self) -> &Tree {
        &self.trees[self.records.len()]
    }
}

fn step(tree: &mut Tree, seed: u64, n: u64) -> Vec<NodePath> {
    let new = path(&format!("/c/k{n}"));
    tree.object_create(&new, body(seed + n), None).unwrap();
    tree.object_replace(&path("/f/o"), body(seed * 31 + n)).unwrap();
    let mut touched = vec![new, path("/f/o")];
    let keys: Vec<Key> = tree.children(&path("/c")).cloned().collect();
    if n.is_multiple_of(3) {
        let gone = path("/c").join(&keys[keys.len() / 2]);
        tree.object_delete(&gone).unwrap();
        touched.push(gone);
    } else if n.is_multiple_of(4) {
        let turned: Vec<Key> = keys.into_iter().rev().collect();
        tree.collection_reorder(&path("/c"), &turned).unwrap();
        touched.push(path("/c"));
    }
    touched
}

/// Where a store lies, so that it can be opened again.
pub(crate) enum Place {
    Mem(MemStore),
    Sled(TempDir),
    /// Next to another store of the same database, which is gone.
    Sibling(TempDir),
}

impl Place {
    /// One of each kind, new.
    pub(crate) fn all() -> [Self; 3] {
        let dir = || tempfile::tempdir().unwrap();
        [Self::Mem(MemStore::new()), Self::Sled(dir()), Self::Sibling(dir())]
    }

    /// The store; of the one in memory what a crash would leave.
    pub(crate) fn store(&mut self) -> Box<dyn Store> {
        match self {
            Self::Mem(store) => {
                *store = store.crash();
                Box::new(store.clone())
            }
            Self::Sled(dir) => Box::new(sled(dir.path()).unwrap()),
            Self::Sibling(dir) => Box::new(sled(dir.path()).unwrap().sibling("one").unwrap()),
        }
    }

    pub(crate) fn open(&mut self) -> (RevisionLog, Recovered) {
        open(self.store(), None).unwrap()
    }
}

pub(crate) fn sled(dir: &Path) -> Result<SledStore, StoreError> {
    SledStore::open(dir, SledStore::CACHE_BYTES)
}

pub(crate) fn open(
    store: Box<dyn Store>,
    checkpoints: Option<&Path>,
) -> Result<(RevisionLog, Recovered), StoreError> {
    let checkpoints = checkpoints.map(|dir| CheckpointDir::open(dir).unwrap());
    RevisionLog::open(store, checkpoints, skeleton())
}

pub(crate) fn open_mem(store: &MemStore) -> Result<(RevisionLog, Recovered), StoreError> {
    open(Box::new(store.clone()), None)
}

/// That both hold the same, in the same order, at the same places.
pub(crate) fn assert_same(found: &Tree, expected: &Tree) {
    let content = |tree: &Tree| -> Vec<(NodePath, Option<u64>, Body)> {
        tree.walk().map(|(path, body)| (path.clone(), tree.rank(&path), body.clone())).collect()
    };
    assert_eq!(content(found), content(expected));
    assert_eq!(found.digest(), expected.digest());
    assert!(found.is_consistent());
}

/// That the log holds exactly the first `count` revisions of a past.
pub(crate) fn assert_holds(log: &RevisionLog, found: &Recovered, history: &History, count: u64) {
    let index = usize::try_from(count).unwrap();
    assert_eq!(found.number, number(count));
    assert_eq!(log.head_number(), number(count));
    assert_same(&found.tree, &history.trees[index]);
    assert_eq!(found.last.as_ref(), index.checked_sub(1).map(|last| &history.records[last]));
    for (n, record) in history.records.iter().enumerate() {
        let expected = (n < index).then_some(record);
        assert_eq!(log.record(record.number).unwrap().as_ref(), expected);
        let expected = expected.map(|record| record.number);
        assert_eq!(log.lookup(record.commit_id).unwrap(), expected);
    }
    assert_eq!(log.verify().unwrap().head, number(count));
}

/// That opening fails with an error that names damage, and says in what.
#[track_caller]
pub(crate) fn assert_damaged(opened: Result<(RevisionLog, Recovered), StoreError>, naming: &str) {
    match opened {
        Err(StoreError::Damaged { what, remedy }) => {
            assert!(what.contains(naming), "{what:?} does not name {naming:?}");
            assert!(!remedy.is_empty());
        }
        other => panic!("not damaged: {other:?}"),
    }
}

pub(crate) fn copy_folder(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
