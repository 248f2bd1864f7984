//! What is kept beside revisions, and records that are taken away.

use transaction_engine::Timestamp;
use transaction_engine::store::{
    Answer, Awaiting, Fault, MemStore, MetadataChange, RevisionLog, Shortened, Store, StoreError,
    Tag,
};

use crate::history::{History, Place, assert_damaged, assert_same, number, open, path};

pub(crate) fn tag(name: &str, n: u64) -> MetadataChange {
    let (name, author) = (name.to_owned(), "me".to_owned());
    MetadataChange::TagSet(Tag { name, number: number(n), time: Timestamp::from_micros(7), author })
}

pub(crate) fn answer(slot: u8, expires: i64) -> MetadataChange {
    MetadataChange::Keep(Answer {
        slot: [slot; 32],
        request: [9; 32],
        number: number(1),
        changes: 3,
        confirm: None,
        expires: Timestamp::from_micros(expires),
    })
}

pub(crate) fn awaiting(n: u64) -> MetadataChange {
    let (until, token) = (Timestamp::from_micros(99), [3; 32]);
    MetadataChange::Await(Awaiting { number: number(n), until, token })
}

#[test]
fn side_entries_are_there_after_opening_again() {
    let history = History::of(70, 4);
    for mut place in Place::all() {
        let (log, _) = place.open();
        let metadata = vec![tag("one", 1), answer(1, 50), awaiting(2)];
        log.commit(&history.records[..2], metadata, None).unwrap();
        log.commit(&[], vec![tag("two", 2), MetadataChange::TagDelete("one".into())], None)
            .unwrap();
        drop(log);
        let (log, _) = place.open();
        let names: Vec<String> = log.tags().into_iter().map(|tag| tag.name).collect();
        assert_eq!(names, ["two"]);
        assert_eq!(log.awaiting().map(|awaiting| awaiting.number), Some(number(2)));
        assert!(log.answer(&[1; 32]).unwrap().is_some());
        log.commit(&history.records[2..], vec![MetadataChange::Settle], at(50)).unwrap();
        drop(log);
        let (log, _) = place.open();
        assert_eq!(log.awaiting(), None);
        assert_eq!(log.answer(&[1; 32]).unwrap(), None, "it had expired");
        log.verify().unwrap();
    }
}

fn at(micros: i64) -> Option<Timestamp> {
    Some(Timestamp::from_micros(micros))
}

#[test]
fn a_batch_of_side_entries_is_there_whole_or_not_at_all() {
    let history = History::of(71, 1);
    for fault in [Fault::Fail, Fault::FailDone, Fault::Crash] {
        for operation in 0..2 {
            let store = MemStore::new();
            let (log, _) = open(Box::new(store.clone()), None).unwrap();
            log.append(&history.records).unwrap();
            store.fail_at(store.operations() + operation, fault);
            assert!(log.commit(&[], vec![tag("one", 1), awaiting(1)], None).is_err());
            assert!(log.is_poisoned() && log.tags().is_empty(), "not durable, hence not seen");
            for kept in 0..=store.unsynced() {
                let image = Box::new(store.crash_keeping(kept));
                let (log, _) = open(image, None).unwrap();
                assert_eq!(log.tags().len(), usize::from(log.awaiting().is_some()));
            }
        }
    }
}

#[test]
fn a_side_entry_that_was_lost_is_noticed_by_the_note() {
    let history = History::of(72, 2);
    let dir = tempfile::tempdir().unwrap();
    let store = MemStore::new();
    let (log, _) = open(Box::new(store.clone()), Some(dir.path())).unwrap();
    log.append(&history.records).unwrap();
    let before = store.crash();
    log.commit(&[], vec![awaiting(2)], None).unwrap();
    drop(log);
    let lost = open(Box::new(before), Some(dir.path()));
    assert_damaged(lost, "what awaits confirmation changed 1 times, and it has 0");
    open(Box::new(store), Some(dir.path())).unwrap();
}

// ===== taking records away =====

fn shorten(log: &RevisionLog, from: u64) {
    while log.shorten(number(from)).unwrap() == Shortened::InPart {}
}

#[test]
fn records_go_only_when_a_checkpoint_was_read_back() {
    let history = History::of(73, 9);
    for mut place in Place::all() {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = open(place.store(), Some(dir.path())).unwrap();
        log.append(&history.records).unwrap();
        let refused = log.shorten(number(5));
        assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
        assert!(log.cover(number(5)).is_err(), "checkpoint 0 covers nothing");
        log.checkpoint(number(6), &history.trees[6]).unwrap();
        assert!(log.shorten(number(5)).is_err(), "written, and not read back");
        log.cover(number(5)).unwrap();
        assert!(log.shorten(number(9)).is_err(), "it does not cover that much");
        shorten(&log, 5);
        assert_eq!((log.oldest_number(), log.record(number(4)).unwrap()), (number(5), None));
        assert_eq!(log.lookup(history.records[3].commit_id).unwrap(), None);
        assert_eq!(log.record(number(5)).unwrap().as_ref(), Some(&history.records[4]));
        assert_eq!(log.verify().unwrap().records, 5);
        drop(log);
        let (log, found) = open(place.store(), Some(dir.path())).unwrap();
        assert_same(&found.tree, history.newest());
        assert!(log.oldest_number() <= number(5), "a crash may bring some back");
        log.verify().unwrap();
    }
}

#[test]
fn a_damaged_checkpoint_covers_nothing() {
    let history = History::of(74, 6);
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(Box::new(MemStore::new()), Some(dir.path())).unwrap();
    log.append(&history.records).unwrap();
    log.checkpoint(number(5), &history.trees[5]).unwrap();
    let file = dir.path().join("00000005.checkpoint");
    let good = std::fs::read(&file).unwrap();
    for byte in 0..good.len() {
        let mut bad = good.clone();
        bad[byte] ^= 1 << (byte % 8);
        std::fs::write(&file, bad).unwrap();
        assert!(log.cover(number(5)).is_err(), "byte {byte}");
    }
    std::fs::write(&file, good).unwrap();
    log.cover(number(5)).unwrap();
}

#[test]
fn a_large_record_goes_in_parts_and_what_is_left_means_nothing() {
    let mut history = History::of(75, 2);
    history.commit(|tree| {
        let members: Vec<_> = (0..40_000).map(|n| path(&format!("/c/m{n}"))).collect();
        for (n, member) in members.iter().enumerate() {
            tree.object_create(member, crate::history::body(n as u64), None).unwrap();
        }
        members
    });
    history.commit(|tree| {
        tree.object_delete(&path("/c/m7")).unwrap();
        vec![path("/c/m7")]
    });
    let (store, dir) = (MemStore::new(), tempfile::tempdir().unwrap());
    let (log, _) = open(Box::new(store.clone()), Some(dir.path())).unwrap();
    log.append(&history.records).unwrap();
    log.checkpoint(number(4), history.newest()).unwrap();
    log.cover(number(4)).unwrap();
    assert_eq!(log.shorten(number(4)).unwrap(), Shortened::InPart);
    assert_eq!(log.oldest_number(), number(4));
    store.sync().unwrap();
    drop(log);

    let image = store.crash();
    let (log, found) = open(Box::new(image.clone()), Some(dir.path())).unwrap();
    assert_same(&found.tree, history.newest());
    assert_eq!(log.verify().unwrap().records, 1);
    let chunks = || image.keys().iter().filter(|key| key.starts_with(b"r/")).count();
    assert!(chunks() > 100, "the rest of a large record");
    shorten(&log, 4);
    assert_eq!(chunks(), 1, "what was left is taken away later");
}

#[test]
fn at_every_operation_of_shortening_a_crash_leaves_a_whole_history() {
    let history = History::of(76, 150);
    for kept in 0..6 {
        let (store, dir) = (MemStore::new(), tempfile::tempdir().unwrap());
        let (log, _) = open(Box::new(store.clone()), Some(dir.path())).unwrap();
        log.append(&history.records).unwrap();
        log.checkpoint(number(149), &history.trees[149]).unwrap();
        log.cover(number(148)).unwrap();
        shorten(&log, 148);
        let image = store.crash_keeping(kept.min(store.unsynced()));
        let (log, found) = open(Box::new(image), Some(dir.path())).unwrap();
        assert_same(&found.tree, history.newest());
        log.verify().unwrap();
        let oldest = log.oldest_number().get();
        assert!([1, 65, 129, 148].contains(&oldest), "{oldest}");
        for n in oldest..=150 {
            let index = usize::try_from(n).unwrap() - 1;
            assert_eq!(log.record(number(n)).unwrap().as_ref(), Some(&history.records[index]));
        }
    }
}
