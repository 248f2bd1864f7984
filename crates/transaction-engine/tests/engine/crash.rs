//! A fault at every operation on the store: what was acknowledged is there, or one step more.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use transaction_engine::clock::{Clock, ManualClock};
use transaction_engine::store::{CheckpointDir, Fault, MemStore};
use transaction_engine::{
    CommitOptions, Committed, ConfirmToken, Error, HistoryRules, Idempotency, RevisionNumber,
};

use crate::fixture::{Fixture, Setup, part, path};

/// Commits 1, 2, 3 … into one object until the store fails; says what was acknowledged last.
fn commit_until_it_fails(fixture: &Fixture, rounds: i64) -> i64 {
    let session = fixture.session("me");
    let mut acknowledged = 0;
    for n in 1..=rounds {
        fixture.engine.transaction_open(&session).unwrap();
        fixture.put(&session, "a", json!({ "n": n })).unwrap();
        fixture.create(&session, json!({ "n": n }));
        match fixture.commit(&session) {
            Ok(_) => acknowledged = n,
            Err(_) => return acknowledged,
        }
    }
    acknowledged
}

fn check_image(image: MemStore, acknowledged: i64, what: &str) {
    let fixture = Setup::default().open(Box::new(image)).unwrap_or_else(|e| panic!("{what}: {e}"));
    let n = fixture.running(&part("a")).unwrap()["n"].as_i64().unwrap();
    assert!(n == acknowledged || n == acknowledged + 1, "{what}: {n} after {acknowledged}");
    let tree = fixture.engine.running().tree.clone();
    let things = i64::try_from(tree.child_count(&crate::fixture::path("/things"))).unwrap();
    assert_eq!(things, n, "{what}: a commit is whole or not at all");
    assert!(tree.is_consistent(), "{what}");
}

#[test]
fn at_every_operation_of_the_store_a_crash_loses_nothing_acknowledged() {
    for fault in [Fault::Fail, Fault::FailDone, Fault::Crash, Fault::Panic] {
        crash_at_every_operation(fault);
    }
}

fn crash_at_every_operation(fault: Fault) {
    const ROUNDS: i64 = 6;
    let mut operation = 0;
    loop {
        let store = MemStore::new();
        store.fail_at(operation, fault);
        let opened =
            catch_unwind(AssertUnwindSafe(|| Setup::default().open(Box::new(store.clone()))));
        let Ok(Ok(fixture)) = opened else {
            // Not even the first revision: the next start begins anew.
            check_image(store.crash(), 0, &format!("start, operation {operation}"));
            operation += 1;
            continue;
        };
        let acknowledged = commit_until_it_fails(&fixture, ROUNDS);
        let survivors = store.unsynced();
        for kept in 0..=survivors {
            let what = format!(
                "{fault:?} at operation {operation}, {kept} of {survivors} unsynced batches kept"
            );
            check_image(store.crash_keeping(kept), acknowledged, &what);
        }
        if acknowledged == ROUNDS {
            break;
        }
        operation += 1;
    }
    assert!(operation >= 12, "a write and a sync for each round at least, not {operation}");
}

// ===== everything that is written, step by step =====

/// What a caller can see of a configuration.
#[derive(Debug, Clone, PartialEq)]
struct Snapshot {
    number: u64,
    n: i64,
    tags: Vec<String>,
    awaiting: Option<u64>,
    answered: Option<u64>,
}

type Step = fn(&Fixture, &mut Option<ConfirmToken>) -> Result<(), Error>;

/// Each step acknowledges one change; the retention in between must not be seen.
const STEPS: &[Step] = &[
    |fixture, _| commit(fixture, 1, keyed()).map(drop),
    |fixture, _| fixture.engine.tag_set("me", "one", RevisionNumber::new(2)).map(drop),
    |fixture, token| await_it(fixture, 2, token),
    |fixture, token| {
        let by = Duration::from_secs(600);
        fixture.engine.commit_extend(token.as_ref().unwrap().as_str(), by).map(drop)
    },
    |fixture, token| confirm(fixture, token),
    |fixture, _| fixture.engine.tag_delete("one"),
    |fixture, _| fixture.engine.history_shorten(),
    |fixture, token| await_it(fixture, 3, token),
    |fixture, token| fixture.engine.commit_cancel(token.as_ref().unwrap().as_str()).map(drop),
    |fixture, _| commit(fixture, 4, CommitOptions::default()).map(drop),
    |fixture, _| fixture.engine.history_shorten(),
    |fixture, token| await_it(fixture, 5, token),
    |fixture, _| {
        fixture.later(60);
        fixture.engine.expire_confirmation().map(drop)
    },
    |fixture, _| commit(fixture, 6, CommitOptions::default()).map(drop),
];

fn keyed() -> CommitOptions {
    let idempotency = Some(Idempotency::new("one", [1; 32]).unwrap());
    CommitOptions { idempotency, ..CommitOptions::default() }
}

fn commit(fixture: &Fixture, n: i64, options: CommitOptions) -> Result<Committed, Error> {
    let session = fixture.opened("me");
    fixture.put(&session, "a", json!({ "n": n }))?;
    fixture.commit_with(&session, options)
}

fn await_it(fixture: &Fixture, n: i64, token: &mut Option<ConfirmToken>) -> Result<(), Error> {
    let confirm_within = Some(Duration::from_secs(60));
    let options = CommitOptions { confirm_within, ..CommitOptions::default() };
    *token = commit(fixture, n, options)?.confirmation.map(|confirmation| confirmation.token);
    Ok(())
}

fn confirm(fixture: &Fixture, token: &Option<ConfirmToken>) -> Result<(), Error> {
    fixture.engine.commit_confirm(token.as_ref().unwrap().as_str()).map(drop)
}

fn snapshot(fixture: &Fixture) -> Snapshot {
    let session = fixture.session("me");
    let answered = fixture.commit_with(&session, keyed()).ok();
    Snapshot {
        number: fixture.number(),
        n: fixture.running(&part("a")).unwrap()["n"].as_i64().unwrap(),
        tags: fixture.engine.tags().into_iter().map(|tag| tag.name).collect(),
        awaiting: fixture.engine.confirmation().map(|(number, _)| number.get()),
        answered: answered.map(|committed| committed.number.get()),
    }
}

fn open(store: &MemStore, files: &Path, clock: &Arc<ManualClock>) -> Result<Fixture, Error> {
    let history = HistoryRules { revisions: 2, ..HistoryRules::default() };
    let setup = Setup { history, ..Setup::default() }.clock(clock);
    setup.open_with(Box::new(store.clone()), Some(CheckpointDir::open(files).unwrap()))
}

/// The steps until one fails: what was seen after each, and how many were acknowledged.
fn run_steps(fixture: &Fixture) -> (Vec<Snapshot>, usize) {
    let (mut seen, mut token) = (vec![snapshot(fixture)], None);
    for (done, step) in STEPS.iter().enumerate() {
        if step(fixture, &mut token).is_err() {
            return (seen, done);
        }
        seen.push(snapshot(fixture));
    }
    (seen, STEPS.len())
}

/// The files as they were at one moment. A checkpoint may be written beside us: then once more.
fn copied(files: &Path) -> TempDir {
    let names = || -> BTreeSet<OsString> {
        std::fs::read_dir(files).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    };
    loop {
        let (copy, before) = (tempfile::tempdir().unwrap(), names());
        let copy_of = |name| std::fs::copy(files.join(name), copy.path().join(name));
        if before.iter().all(|name| copy_of(name).is_ok()) && names() == before {
            return copy;
        }
    }
}

#[test]
fn whatever_fails_all_that_was_acknowledged_is_there_and_it_goes_on() {
    let clock = Setup::default().clock;
    let files = tempfile::tempdir().unwrap();
    let expected = run_steps(&open(&MemStore::new(), files.path(), &clock).unwrap()).0;
    assert_eq!(expected.len(), STEPS.len() + 1, "without a fault all steps are done");
    for fault in [Fault::Fail, Fault::FailDone, Fault::Crash, Fault::Panic] {
        let mut operation = 0;
        while !fails_well(fault, operation, &expected) {
            operation += 1;
        }
        assert!(operation > 2 * STEPS.len() as u64, "{operation} operations are few");
    }
}

/// Runs the steps with a fault at one operation, and everything a crash may leave after it;
/// whether all steps were done, as the fault came too late.
fn fails_well(fault: Fault, operation: u64, expected: &[Snapshot]) -> bool {
    let (store, files, clock) =
        (MemStore::new(), tempfile::tempdir().unwrap(), Setup::default().clock);
    store.fail_at(operation, fault);
    let opened = catch_unwind(AssertUnwindSafe(|| open(&store, files.path(), &clock)));
    let Ok(Ok(fixture)) = opened else { return false };
    let (seen, done) = run_steps(&fixture);
    if fault != Fault::Crash {
        assert_eq!(seen, expected[..=done], "{fault:?} at operation {operation}");
    }
    for kept in 0..=store.unsynced() {
        let what = format!("{fault:?} at operation {operation}, {kept} batches kept");
        let (image, copy) = (store.crash_keeping(kept), copied(files.path()));
        let clock = Arc::new(ManualClock::new(clock.now()));
        check_opened(&open(&image, copy.path(), &clock).unwrap(), &expected[done..], &what);
    }
    done == STEPS.len()
}

fn check_opened(fixture: &Fixture, expected: &[Snapshot], what: &str) {
    let found = snapshot(fixture);
    let is_expected = expected.iter().take(2).any(|snapshot| *snapshot == found);
    assert!(is_expected, "{what}: {found:?} is none of {:?}", &expected[..expected.len().min(2)]);
    fixture.engine.store_verify().unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(fixture.engine.running().tree.is_consistent(), "{what}");
    fixture.later(1_000);
    fixture.engine.expire_confirmation().unwrap();
    commit(fixture, 77, CommitOptions::default()).unwrap();
    fixture.engine.history_shorten().unwrap();
    assert!(fixture.running(&path("/parts/a")).is_some(), "{what}");
}
