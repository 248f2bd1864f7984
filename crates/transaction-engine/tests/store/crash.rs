//! A crash and a failure at every write and every sync, one after the other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use tempfile::TempDir;
use transaction_engine::RevisionNumber;
use transaction_engine::store::{Fault, MemStore, Recovered, RevisionLog, StoreError};

use crate::history::{History, assert_damaged, assert_holds, copy_folder, number, open, open_mem};

/// Appends all of a past, in batches of different sizes, until something fails; returns the last
/// acknowledged revision and whether all of it is in.
fn run(log: &RevisionLog, history: &History) -> (RevisionNumber, bool) {
    let mut rest = history.records.as_slice();
    let mut acknowledged = log.head_number();
    while !rest.is_empty() {
        let count = 1 + rest.len() % 3;
        let (batch, others) = rest.split_at(count.min(rest.len()));
        let answer = catch_unwind(AssertUnwindSafe(|| log.append(batch)));
        if !matches!(answer, Ok(Ok(()))) {
            return (acknowledged, false);
        }
        acknowledged = batch[batch.len() - 1].number;
        rest = others;
    }
    (acknowledged, true)
}

/// Tries `attempt` with a fault at every operation in turn, until it runs to its end.
fn at_every_operation(fault: Fault, attempt: impl Fn(&MemStore) -> bool) {
    for operation in 0.. {
        let store = MemStore::new();
        store.fail_at(operation, fault);
        if attempt(&store) {
            assert!(operation > 10, "there were few operations to fail");
            return;
        }
        assert!(operation < 1_000);
    }
}

/// Opens what a crash left, beside a copy of the files it left, as every image wants its own.
fn open_image(image: &MemStore, files: &Path) -> (TempDir, RevisionLog, Recovered) {
    let copy = tempfile::tempdir().unwrap();
    copy_folder(files, copy.path());
    let (log, found) = open(Box::new(image.clone()), Some(copy.path())).unwrap();
    (copy, log, found)
}

#[test]
fn after_a_crash_anywhere_there_is_what_was_acknowledged_or_one_batch_more() {
    let history = History::of(20, 12);
    at_every_operation(Fault::Crash, |store| {
        let files = tempfile::tempdir().unwrap();
        let Ok((log, _)) = open(Box::new(store.clone()), Some(files.path())) else {
            // There was no log yet: an empty store, or one with a version and no more.
            for kept in 0..=store.unsynced() {
                let (_copy, log, found) = open_image(&store.crash_keeping(kept), files.path());
                assert_holds(&log, &found, &history, 0);
            }
            return false;
        };
        let (acknowledged, complete) = run(&log, &history);
        for kept in 0..=store.unsynced() {
            let image = store.crash_keeping(kept);
            let (_copy, log, found) = open_image(&image, files.path());
            let extra = found.number.get() - acknowledged.get();
            assert!(extra == 0 || kept > 0, "nothing comes from nowhere");
            assert!(extra <= 3, "{extra} more than acknowledged");
            assert_holds(&log, &found, &history, found.number.get());
            // And it goes on from there.
            let rest = &history.records[usize::try_from(found.number.get()).unwrap()..];
            log.append(rest).unwrap();
            let (_copy, log, found) = open_image(&image.crash(), files.path());
            assert_holds(&log, &found, &history, 12);
        }
        complete
    });
}

#[test]
fn what_is_shown_after_a_crash_stays_after_the_next() {
    // A killed process leaves in the kernel's memory what it had not synced; the next one reads it
    // there, and must not show it before it is on the medium.
    let history = History::of(23, 4);
    // One revision is written in order, two as a batch.
    for count in [1, 2] {
        let store = MemStore::new();
        let (log, _) = open_mem(&store).unwrap();
        log.append(&history.records[..2]).unwrap();
        store.fail_at(store.operations() + 1, Fault::Fail);
        assert!(log.append(&history.records[2..2 + count]).is_err());
        assert!(store.unsynced() > 0);
        drop(log);

        let shown = 2 + count as u64;
        let (log, found) = open_mem(&store).unwrap();
        assert_holds(&log, &found, &history, shown);
        let (log, found) = open_mem(&store.crash()).unwrap();
        assert_holds(&log, &found, &history, shown);
    }
}

/// What a crash may leave of the revision after `before`, written in order: with how many of its
/// operations, and what there was of it in all.
fn cut_off(history: &History, before: usize, files: &Path) -> Vec<MemStore> {
    let store = MemStore::new();
    let (log, _) = open(Box::new(store.clone()), Some(files)).unwrap();
    if before > 0 {
        log.append(&history.records[..before]).unwrap();
    }
    store.fail_at(store.operations() + 1, Fault::Crash);
    assert!(log.append(&history.records[before..=before]).is_err());
    (0..=store.unsynced()).map(|kept| store.crash_keeping(kept)).collect()
}

#[test]
fn a_revision_that_was_cut_off_is_whole_or_gone_and_another_takes_its_place() {
    let history = History::of(24, 3);
    for before in [0, 1, 2] {
        let files = tempfile::tempdir().unwrap();
        let images = cut_off(&history, before, files.path());
        let whole = images.len() - 1;
        assert!(whole >= 4, "head, chunks, index entry, chain entry");
        for (kept, image) in images.iter().enumerate() {
            let (_copy, log, found) = open_image(image, files.path());
            // The head is the chain entry, so that alone is never missed.
            let finished = kept + 1 >= whole;
            assert_holds(&log, &found, &history, (before + usize::from(finished)) as u64);
            if finished {
                continue;
            }
            let mut other = history.records[before].clone();
            other.commit_id = uuid::Uuid::from_u128(7);
            log.append(&[other]).unwrap();
            assert_eq!(log.verify().unwrap().head, number(before as u64 + 1));
            // What was taken back stays away.
            let (_copy, log, _) = open_image(&image.crash(), files.path());
            assert_eq!(log.lookup(history.records[before].commit_id).unwrap(), None);
            log.verify().unwrap();
        }
    }
}

#[test]
fn a_revision_that_was_durable_is_not_taken_for_one_that_was_cut_off() {
    let history = History::of(25, 2);
    let files = tempfile::tempdir().unwrap();
    let images = cut_off(&history, 1, files.path());
    // The same log, in which the note says that revision 2 was durable.
    let noted = tempfile::tempdir().unwrap();
    let (log, _) = open(Box::new(MemStore::new()), Some(noted.path())).unwrap();
    history.records.iter().for_each(|record| log.append(std::slice::from_ref(record)).unwrap());
    drop(log);
    for (kept, image) in images.iter().enumerate().take(images.len() - 2) {
        let keys = image.keys();
        assert_damaged(open(Box::new(image.clone()), Some(noted.path())), "revision 2 was durable");
        assert_eq!(image.keys(), keys, "{kept}: what is damaged is left as it is");
    }
}

#[test]
fn after_a_failure_anywhere_reads_go_on_and_writes_do_not() {
    let history = History::of(21, 12);
    for fault in [Fault::Fail, Fault::FailDone, Fault::Panic] {
        at_every_operation(fault, |store| {
            let opened = catch_unwind(AssertUnwindSafe(|| open_mem(store)));
            let Ok(Ok((log, _))) = opened else { return false };
            let (acknowledged, complete) = run(&log, &history);
            if complete {
                assert!(!log.is_poisoned());
                return true;
            }
            assert!(log.is_poisoned());
            assert_poisoned(&log, &history, acknowledged);

            for kept in 0..=store.unsynced() {
                let (log, found) = open_mem(&store.crash_keeping(kept)).unwrap();
                assert!(found.number >= acknowledged);
                assert!(!log.is_poisoned());
                assert_holds(&log, &found, &history, found.number.get());
            }
            false
        });
    }
}

fn assert_poisoned(log: &RevisionLog, history: &History, acknowledged: RevisionNumber) {
    let syncs = log.syncs();
    for record in &history.records {
        let there = record.number <= acknowledged;
        let expected = there.then_some(record);
        assert_eq!(log.record(record.number).unwrap().as_ref(), expected);
        assert_eq!(log.lookup(record.commit_id).unwrap().is_some(), there);
        if !there {
            let refused = log.append(std::slice::from_ref(record));
            assert!(matches!(refused, Err(StoreError::Poisoned)), "{refused:?}");
        }
    }
    assert_eq!(log.head_number(), acknowledged);
    assert_eq!(log.syncs(), syncs);
}

#[test]
fn a_checkpoint_is_written_and_read_after_a_failure() {
    let history = History::of(22, 4);
    let store = MemStore::new();
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(Box::new(store.clone()), Some(dir.path())).unwrap();
    log.append(&history.records[..3]).unwrap();
    store.fail_at(store.operations() + 1, Fault::Fail);
    assert!(log.append(&history.records[3..]).is_err());

    log.checkpoint(number(3), &history.trees[3]).unwrap();
    let refused = log.checkpoint(number(4), &history.trees[4]);
    assert!(matches!(refused, Err(StoreError::Refused { .. })), "it may not be durable");
    let (log, found) = open(Box::new(store.crash()), Some(dir.path())).unwrap();
    assert_holds(&log, &found, &history, 3);
}
