//! What the log keeps and what it refuses, on every store.

use std::collections::HashSet;

use config_tree::{Body, Change, Key, NodePath};
use serde_json::json;
use transaction_engine::RevisionNumber;
use transaction_engine::store::{MemStore, RevisionLog, Store, StoreError};
use uuid::Uuid;

use crate::history::{
    History, Place, assert_holds, assert_same, body, number, open, open_mem, path, skeleton, sled,
};

#[test]
fn an_empty_store_is_a_log_without_revisions() {
    for mut place in Place::all() {
        for _ in 0..2 {
            let (log, found) = place.open();
            assert_eq!(found.number, RevisionNumber::ZERO);
            assert_eq!((found.last, found.warnings), (None, Vec::new()));
            assert_same(&found.tree, &skeleton());
            assert_eq!(log.record(number(0)).unwrap(), None);
            assert_eq!(log.record(number(1)).unwrap(), None);
            assert_eq!(log.lookup(Uuid::nil()).unwrap(), None);
            assert_eq!(log.verify().unwrap().records, 0);
        }
    }
}

#[test]
fn revisions_are_the_same_after_opening_again() {
    let history = History::of(1, 13);
    for mut place in Place::all() {
        let (log, _) = place.open();
        for record in &history.records {
            log.append(std::slice::from_ref(record)).unwrap();
            assert_eq!(log.head_number(), record.number);
        }
        drop(log);
        let (log, found) = place.open();
        assert_holds(&log, &found, &history, 13);
        drop(log);
        let (log, found) = place.open();
        assert_holds(&log, &found, &history, 13);
    }
}

#[test]
fn many_revisions_share_one_sync() {
    let history = History::of(2, 9);
    for mut place in Place::all() {
        let (log, _) = place.open();
        let before = log.syncs();
        log.append(&[]).unwrap();
        assert_eq!(log.syncs(), before);
        log.append(&history.records[..1]).unwrap();
        log.append(&history.records[1..]).unwrap();
        assert_eq!(log.syncs(), before + 2);
        drop(log);
        let (log, found) = place.open();
        assert_holds(&log, &found, &history, 9);
    }
}

#[test]
fn twenty_thousand_changes_are_one_record_and_no_value_is_long() {
    let mut history = History::of(3, 1);
    history.commit(|tree| {
        let members: Vec<NodePath> = (0..20_000).map(|n| path(&format!("/c/m{n}"))).collect();
        for (n, member) in members.iter().enumerate() {
            tree.object_create(member, body(n as u64), None).unwrap();
        }
        members
    });
    for mut place in Place::all() {
        let (log, _) = place.open();
        log.append(&history.records).unwrap();
        drop(log);
        let (log, found) = place.open();
        assert_holds(&log, &found, &history, 2);
        assert_eq!(log.verify().unwrap().changes, 20_001);
        drop(log);
        let longest = place.store().scan(b"").map(|entry| entry.unwrap().1.len()).max();
        assert_eq!(longest, Some(4096));
    }
}

#[test]
fn bodies_of_every_shape_come_back_as_they_were() {
    let deep = format!("{}{}", "[".repeat(2_000), "]".repeat(2_000));
    let texts = ["null", "true", "-1.5e300", "18446744073709551615", "\"\"", "{}", "[ ]", &deep];
    let mut history = History::of(4, 1);
    history.commit(|tree| {
        let new = |(n, text): (usize, &&str)| {
            let path = path(&format!("/c/b{n}"));
            let body = Body::from_text(text.as_bytes().to_vec().into(), Vec::new());
            tree.object_create(&path, body, None).unwrap();
            path
        };
        texts.iter().enumerate().map(new).collect()
    });
    for mut place in Place::all() {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = open(place.store(), Some(dir.path())).unwrap();
        log.append(&history.records).unwrap();
        log.checkpoint(number(2), history.newest()).unwrap();
        drop(log);
        let (log, found) = open(place.store(), Some(dir.path())).unwrap();
        assert_holds(&log, &found, &history, 2);
    }
}

#[test]
fn what_could_not_be_read_back_is_refused_and_harms_nothing() {
    let history = History::of(5, 3);
    let of_text = |text: &str| Body::from_text(text.as_bytes().to_vec().into(), Vec::new());
    let with = |after: Body| {
        let mut record = history.records[1].clone();
        record.changes = vec![Change::Create { path: path("/f/new"), rank: None, after }];
        record
    };
    let again = {
        let mut record = history.records[1].clone();
        record.commit_id = history.records[0].commit_id;
        record
    };
    for mut place in Place::all() {
        let (log, _) = place.open();
        log.append(&history.records[..1]).unwrap();
        let bad = [
            vec![with(of_text("{"))],
            vec![with(of_text(""))],
            vec![with(of_text("1 2"))],
            vec![with(of_text(" 1"))],
            vec![with(of_text("[1,\n2]"))],
            vec![history.records[0].clone()],
            vec![history.records[2].clone()],
            vec![history.records[1].clone(), history.records[1].clone()],
            vec![again.clone()],
        ];
        for records in bad {
            let refused = log.append(&records);
            assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
        }
        assert!(!log.is_poisoned());
        log.append(&history.records[1..]).unwrap();
        drop(log);
        let (log, found) = place.open();
        assert_holds(&log, &found, &history, 3);
    }
}

#[test]
fn a_commit_beyond_the_limit_is_refused_before_anything_is_written() {
    let history = History::of(6, 2);
    let store = MemStore::new();
    let (log, _) = open_mem(&store).unwrap();
    store.limit_batches(300);
    let operations = store.operations();
    let refused = log.append(&history.records);
    assert!(matches!(refused, Err(StoreError::TooLarge { limit: 300, .. })), "{refused:?}");
    assert!(!log.is_poisoned());
    assert_eq!(store.operations(), operations);
    store.limit_batches(1 << 20);
    log.append(&history.records).unwrap();
}

#[test]
fn a_checkpoint_spares_the_replay_and_three_are_kept() {
    let history = History::of(7, 8);
    for mut place in Place::all() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("checkpoints");
        let (log, _) = open(place.store(), Some(&folder)).unwrap();
        for (record, tree) in history.records.iter().zip(&history.trees[1..]) {
            log.append(std::slice::from_ref(record)).unwrap();
            log.checkpoint(record.number, tree).unwrap();
        }
        assert_eq!(log.verify().unwrap().checkpoints, [number(6), number(7), number(8)]);
        drop(log);
        let (log, found) = open(place.store(), Some(&folder)).unwrap();
        assert_eq!(found.warnings, [""; 0]);
        assert_holds(&log, &found, &history, 8);
    }
}

#[test]
fn a_checkpoint_of_another_tree_or_of_the_future_is_refused() {
    let history = History::of(8, 3);
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(Box::new(MemStore::new()), Some(dir.path())).unwrap();
    log.append(&history.records[..2]).unwrap();
    for (n, tree) in [(2, 1), (1, 2), (0, 1), (3, 3)] {
        let refused = log.checkpoint(number(n), &history.trees[tree]);
        assert!(matches!(refused, Err(StoreError::Refused { .. })), "{n}: {refused:?}");
    }
    log.checkpoint(number(2), &history.trees[2]).unwrap();
}

#[test]
fn checkpoints_and_reads_go_on_beside_appends() {
    let history = History::of(9, 60);
    for mut place in Place::all() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("checkpoints");
        let (log, _) = open(place.store(), Some(&folder)).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                history.records.iter().for_each(|record| {
                    log.append(std::slice::from_ref(record)).unwrap();
                });
            });
            scope.spawn(|| watch(&log, &history));
            while log.head_number() < number(60) {
                let head = log.head_number();
                let tree = &history.trees[usize::try_from(head.get()).unwrap()];
                log.checkpoint(head, tree).unwrap();
                log.verify().unwrap();
            }
        });
        drop(log);
        let (log, found) = open(place.store(), Some(&folder)).unwrap();
        assert_holds(&log, &found, &history, 60);
    }
}

fn watch(log: &RevisionLog, history: &History) {
    while log.head_number() < number(60) {
        let head = log.head_number();
        if let Some(index) = usize::try_from(head.get()).unwrap().checked_sub(1) {
            let record = &history.records[index];
            assert_eq!(log.record(head).unwrap().as_ref(), Some(record));
            assert_eq!(log.lookup(record.commit_id).unwrap(), Some(head));
        }
    }
}

#[test]
fn a_catalog_without_the_place_is_told_the_path() {
    let mut history = History::of(10, 2);
    history.commit(|tree| {
        let gone: Vec<Key> = tree.children(&path("/c")).cloned().collect();
        tree.object_create(&path("/f/d/x"), body(1), None).unwrap();
        gone.iter().map(|key| path("/c").join(key)).chain([path("/f/d/x")]).collect()
    });
    let dir = tempfile::tempdir().unwrap();
    let store = MemStore::new();
    let (log, _) = open(Box::new(store.clone()), Some(dir.path())).unwrap();
    log.append(&history.records).unwrap();

    let smaller = {
        let mut tree = config_tree::Tree::new();
        tree.folder_create(&path("/f")).unwrap();
        tree.collection_create(&path("/c")).unwrap();
        tree
    };
    let folder = {
        let mut tree = smaller.clone();
        tree.folder_create(&path("/f/d")).unwrap();
        tree
    };
    let expect = |skeleton, with_checkpoints: bool| {
        let checkpoints = with_checkpoints
            .then(|| transaction_engine::store::CheckpointDir::open(dir.path()).unwrap());
        match RevisionLog::open(Box::new(store.clone()), checkpoints, skeleton) {
            Err(StoreError::NoPlace { path, number }) => {
                assert_eq!((path.to_string().as_str(), number.get()), ("/f/d/x", 3));
            }
            other => panic!("{other:?}"),
        }
    };
    expect(smaller.clone(), false);
    // A record does not say of what kind the parent of a new node is; the digest does.
    let mixed = RevisionLog::open(Box::new(store.clone()), None, folder.clone());
    assert!(matches!(mixed, Err(StoreError::Damaged { .. })), "{mixed:?}");
    log.checkpoint(number(3), history.newest()).unwrap();
    expect(smaller, true);
    expect(folder, true);
    let refused = RevisionLog::open(Box::new(MemStore::new()), None, history.newest().clone());
    assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
}

#[test]
fn records_that_are_not_kept_any_more_need_a_checkpoint() {
    let history = History::of(11, 9);
    let dir = tempfile::tempdir().unwrap();
    let store = MemStore::new();
    let (log, _) = open(Box::new(store.clone()), Some(dir.path())).unwrap();
    log.append(&history.records[..5]).unwrap();
    log.checkpoint(number(5), &history.trees[5]).unwrap();
    log.append(&history.records[5..]).unwrap();
    drop(log);
    let reopen = |oldest| {
        let image = store.crash();
        forget_before(&image, &history, oldest);
        image
    };

    for oldest in [1, 2, 5, 6] {
        let image = reopen(oldest);
        let (log, found) = open(Box::new(image.clone()), Some(dir.path())).unwrap();
        assert_same(&found.tree, history.newest());
        assert_eq!(log.oldest_number(), number(oldest));
        assert_eq!(log.record(number(oldest - 1)).unwrap(), None);
        assert_eq!(log.record(number(6)).unwrap().as_ref(), Some(&history.records[5]));
        assert_eq!(log.verify().unwrap().records, 10 - oldest);
        if oldest > 1 {
            crate::history::assert_damaged(open(Box::new(image), None), "no good checkpoint");
        }
    }
    let image = reopen(7);
    crate::history::assert_damaged(open(Box::new(image), Some(dir.path())), "no good checkpoint");
    let image = reopen(3);
    image.lose(b"o");
    crate::history::assert_damaged(
        open(Box::new(image), Some(dir.path())),
        "revision 1 is missing",
    );
}

/// What a compaction does, written by hand from the description of the bytes.
fn forget_before(store: &MemStore, history: &History, oldest: u64) {
    if oldest == 1 {
        return;
    }
    let old: HashSet<[u8; 8]> = (1..oldest).map(u64::to_be_bytes).collect();
    for key in store.keys() {
        if matches!(key[0], b'c' | b'r') && old.contains(&key[2..10]) {
            assert!(store.lose(&key));
        }
    }
    for record in history.records.iter().filter(|record| record.number < number(oldest)) {
        assert!(store.lose(&[b"i/", record.commit_id.as_bytes().as_slice()].concat()));
    }
    let mut batch = transaction_engine::store::Batch::default();
    batch.put("o", oldest.to_be_bytes());
    store.write(batch).unwrap();
    store.sync().unwrap();
}

#[test]
fn an_empty_body_list_and_an_empty_message_are_kept_apart_from_none() {
    let mut history = History::of(12, 1);
    let after = history.newest().clone();
    history.add(Vec::new(), after);
    history.records[1].message = Some(String::new());
    history.records[1].author = json!("ä\n\u{0}").to_string();
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(Box::new(sled(dir.path()).unwrap()), None).unwrap();
    log.append(&history.records).unwrap();
    assert_eq!(log.record(number(2)).unwrap().unwrap(), history.records[1]);
    let store: Box<dyn Store> = Box::new(MemStore::new());
    let (log, _) = open(store, None).unwrap();
    log.append(&history.records).unwrap();
    assert_eq!(log.record(number(2)).unwrap().unwrap(), history.records[1]);
}
