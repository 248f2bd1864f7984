//! Several stores in one database: each as good as one alone, and none in the way of another.

use std::path::Path;

use transaction_engine::store::{Batch, Recovered, RevisionLog, SledStore, Store, StoreError};

use crate::history::{History, assert_holds, copy_folder, open, sled};

type Opened = (RevisionLog, Recovered);

/// The logs of two appliances in one data directory, each with checkpoints of its own.
fn open_two(data_dir: &Path) -> (Opened, Opened) {
    let first = sled(data_dir).unwrap();
    let second = first.sibling("second").unwrap();
    let first = open(Box::new(first), Some(&data_dir.join("checkpoints"))).unwrap();
    let folder = data_dir.join("appliances/second/checkpoints");
    (first, open(Box::new(second), Some(&folder)).unwrap())
}

#[test]
fn a_kill_after_any_commit_of_either_loses_nothing_of_both() {
    let (one, other) = (History::of(5, 6), History::of(9, 6));
    let dir = tempfile::tempdir().unwrap();
    let ((first, _), (second, _)) = open_two(dir.path());
    for count in 1..=6 {
        let index = usize::try_from(count).unwrap() - 1;
        first.append(std::slice::from_ref(&one.records[index])).unwrap();
        check_image(dir.path(), (&one, count), (&other, count - 1));
        second.append(std::slice::from_ref(&other.records[index])).unwrap();
        check_image(dir.path(), (&one, count), (&other, count));
    }
    drop((first, second));
    check_image(dir.path(), (&one, 6), (&other, 6));
}

/// What a killed process leaves is what its files hold at that moment.
fn check_image(data_dir: &Path, one: (&History, u64), other: (&History, u64)) {
    let image = tempfile::tempdir().unwrap();
    copy_folder(data_dir, image.path());
    let ((first, found), (second, found_second)) = open_two(image.path());
    assert_holds(&first, &found, one.0, one.1);
    assert_holds(&second, &found_second, other.0, other.1);
    first.verify().unwrap();
    second.verify().unwrap();
}

#[test]
fn commits_to_both_at_once_are_all_there_again() {
    let (one, other) = (History::of(5, 40), History::of(9, 40));
    let dir = tempfile::tempdir().unwrap();
    let ((first, _), (second, _)) = open_two(dir.path());
    let append = |log: &RevisionLog, history: &History| {
        history.records.iter().for_each(|record| log.append(std::slice::from_ref(record)).unwrap());
    };
    std::thread::scope(|scope| {
        scope.spawn(|| append(&first, &one));
        scope.spawn(|| append(&second, &other));
    });
    let count = one.records.len() as u64;
    check_image(dir.path(), (&one, count), (&other, other.records.len() as u64));
}

#[test]
fn stores_of_one_database_do_not_see_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let first = sled(dir.path()).unwrap();
    let second = first.sibling("second").unwrap();
    let third = first.sibling("third").unwrap();
    for (store, value) in [(&first, "1"), (&second, "2"), (&third, "3")] {
        let mut batch = Batch::default();
        batch.put("key", value);
        store.write(batch).unwrap();
    }
    for (store, value) in [(&first, "1"), (&second, "2"), (&third, "3")] {
        assert_eq!(store.get(b"key").unwrap().unwrap(), value.as_bytes());
        assert_eq!(store.scan(b"").count(), 1);
    }
}

#[test]
fn the_directory_is_in_use_until_the_last_store_goes() {
    let dir = tempfile::tempdir().unwrap();
    let first = sled(dir.path()).unwrap();
    let second = first.sibling("second").unwrap();
    drop(first);
    let in_use = |opened: Result<SledStore, StoreError>| {
        assert!(matches!(opened, Err(StoreError::InUse { .. })), "{:?}", opened.err());
    };
    in_use(sled(dir.path()));
    let mut batch = Batch::default();
    batch.put("key", "value");
    second.write(batch).unwrap();
    second.sync().unwrap();
    drop(second);
    let first = sled(dir.path()).unwrap();
    let second = first.sibling("second").unwrap();
    assert_eq!(second.get(b"key").unwrap().unwrap(), b"value");
}

#[test]
fn a_sibling_is_opened_once_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let first = sled(dir.path()).unwrap();
    let second = first.sibling("second").unwrap();
    assert!(matches!(first.sibling("second"), Err(StoreError::Refused { .. })));
    drop(second);
    first.sibling("second").unwrap();
}
