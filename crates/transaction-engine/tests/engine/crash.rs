//! A crash at every operation on the store: what was acknowledged is there, or one commit more.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::json;
use transaction_engine::store::{Fault, MemStore};

use crate::fixture::{Fixture, Setup, part};

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
