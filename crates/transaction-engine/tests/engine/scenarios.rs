//! One story each: what a caller does, what it sees, what others see.

use std::sync::Arc;

use catalog::rule;
use config_tree::{Change, Key};
use parking_lot::Mutex;
use serde_json::json;
use transaction_engine::store::{Fault, MemStore, SledStore, StoreError};
use transaction_engine::{
    Applier, CommitOptions, Error, Idempotency, Mode, Operation, Overlap, Refusal, Revision,
    RevisionNumber,
};

use crate::fixture::{Fixture, Place, Setup, part, path};
use crate::{assert_refused, scenarios};

scenarios![
    a_fresh_store_gets_the_factory_defaults_as_its_first_revision,
    staged_changes_are_seen_by_their_session_alone_until_the_commit,
    a_rollback_and_the_end_of_a_session_leave_nothing_behind,
    in_exclusive_mode_the_second_opener_learns_who_holds_and_since_when,
    in_exclusive_mode_nothing_changes_without_an_open_transaction,
    in_concurrent_mode_an_accepted_change_opens_and_a_refused_one_does_not,
    disjoint_changes_merge_and_the_same_object_is_a_conflict_that_keeps_the_transaction,
    deleting_what_another_commit_refers_to_is_a_conflict,
    what_is_in_use_cannot_be_deleted_until_its_last_user_lets_go,
    an_invalid_change_names_all_faults_and_stages_nothing,
    a_rejected_commit_hands_the_transaction_back_and_can_be_repaired,
    secrets_are_sealed_revealed_to_those_who_act_and_dropped_when_nobody_refers_to_them,
    a_commit_without_net_changes_makes_no_revision,
    members_keep_their_order_and_can_be_put_in_another,
    what_the_catalog_has_not_is_refused,
    a_transaction_may_not_grow_beyond_its_limit,
    appliers_are_asked_before_and_told_after_and_can_refuse,
    waiting_commits_share_syncs,
    commits_that_change_nothing_take_no_record_from_those_beside_them,
    a_session_that_ends_while_its_commit_is_under_way_does_not_keep_the_lock,
];

fn a_fresh_store_gets_the_factory_defaults_as_its_first_revision(place: &Place) {
    let fixture = Setup::default().at(place);
    assert_eq!(fixture.number(), 1);
    let record = fixture.engine.revision_read(RevisionNumber::new(1)).unwrap().unwrap();
    assert_eq!(record.message.as_deref(), Some("Factory defaults"));
    assert_eq!(record.changes.len(), 3);
    assert_eq!(fixture.running(&part("a")), Some(json!({"n": 0})));
}

fn staged_changes_are_seen_by_their_session_alone_until_the_commit(place: &Place) {
    let fixture = Setup::default().at(place);
    let (mine, other) = (fixture.opened("me"), fixture.session("other"));
    fixture.put(&mine, "a", json!({"n": 1})).unwrap();
    assert_eq!(fixture.seen(&mine, &part("a")), Some(json!({"n": 1})));
    assert_eq!(fixture.seen(&other, &part("a")), Some(json!({"n": 0})));
    assert_eq!(fixture.commit(&mine).unwrap(), 2);
    assert_eq!(fixture.seen(&other, &part("a")), Some(json!({"n": 1})));
    assert!(!fixture.engine.transaction_status(&mine).open);
}

fn a_rollback_and_the_end_of_a_session_leave_nothing_behind(place: &Place) {
    let fixture = Setup::default().at(place);
    let session = fixture.opened("me");
    fixture.put(&session, "a", json!({"n": 1})).unwrap();
    fixture.engine.transaction_rollback(&session).unwrap();
    assert_eq!(fixture.seen(&session, &part("a")), Some(json!({"n": 0})));
    assert_eq!(fixture.engine.holder(), None);
    fixture.engine.transaction_rollback(&session).expect("a second rollback is harmless");

    fixture.engine.transaction_open(&session).unwrap();
    fixture.put(&session, "a", json!({"n": 1})).unwrap();
    fixture.engine.session_end(&session);
    assert_eq!(fixture.engine.holder(), None);
    assert_eq!(fixture.running(&part("a")), Some(json!({"n": 0})));
    assert_refused!(fixture.engine.transaction_open(&session), Error::SessionEnded);
    assert_refused!(fixture.put(&session, "a", json!({"n": 1})), Error::SessionEnded);
    assert_refused!(fixture.commit(&session), Error::SessionEnded);
}

fn in_exclusive_mode_the_second_opener_learns_who_holds_and_since_when(place: &Place) {
    let fixture = Setup::default().at(place);
    let first = fixture.opened("first");
    let since = fixture.engine.holder().unwrap().since;
    fixture.later(5);
    let second = fixture.session("second");
    match fixture.engine.transaction_open(&second) {
        Err(Error::Held(holder)) => {
            assert_eq!((holder.user.as_str(), holder.since), ("first", since));
            assert_eq!(holder.session, first.id());
        }
        other => panic!("{other:?}"),
    }
    fixture.engine.transaction_open(&first).expect("opening twice is opening once");
    fixture.commit(&first).unwrap();
    fixture.engine.transaction_open(&second).expect("the commit gave the lock back");
}

fn in_exclusive_mode_nothing_changes_without_an_open_transaction(place: &Place) {
    let fixture = Setup::default().at(place);
    let session = fixture.session("me");
    assert_refused!(fixture.put(&session, "a", json!({"n": 1})), Error::NoTransaction);
    assert_refused!(fixture.commit(&session), Error::NoTransaction);
    assert_refused!(fixture.engine.node_delete(&session, &part("a"), None), Error::NoTransaction);
}

fn in_concurrent_mode_an_accepted_change_opens_and_a_refused_one_does_not(place: &Place) {
    let fixture = Setup::mode(Mode::Concurrent).at(place);
    let session = fixture.session("me");
    assert_refused!(fixture.put(&session, "a", json!({"n": "one"})), Error::Invalid(_));
    assert!(!fixture.engine.transaction_status(&session).open);
    fixture.put(&session, "a", json!({"n": 1})).unwrap();
    assert!(fixture.engine.transaction_status(&session).open);
}

fn disjoint_changes_merge_and_the_same_object_is_a_conflict_that_keeps_the_transaction(
    place: &Place,
) {
    let fixture = Setup::mode(Mode::Concurrent).at(place);
    let (one, two) = (fixture.opened("one"), fixture.opened("two"));
    fixture.put(&one, "a", json!({"n": 1})).unwrap();
    fixture.put(&two, "b", json!({"n": 2})).unwrap();
    let made = fixture.create(&two, json!({"n": 9}));
    assert_eq!(fixture.commit(&one).unwrap(), 2);
    assert_eq!(fixture.commit(&two).unwrap(), 3);
    assert_eq!(fixture.running(&part("a")), Some(json!({"n": 1})));
    assert_eq!(fixture.running(&part("b")), Some(json!({"n": 2})));
    assert_eq!(fixture.running(&made), Some(json!({"n": 9})));

    let (one, two) = (fixture.opened("one"), fixture.opened("two"));
    fixture.put(&one, "a", json!({"n": 3})).unwrap();
    fixture.put(&two, "a", json!({"n": 4})).unwrap();
    fixture.commit(&one).unwrap();
    match fixture.commit(&two) {
        Err(Error::Conflict { base, head, overlaps }) => {
            assert_eq!((base.get(), head.get()), (3, 4));
            assert_eq!(overlaps.len(), 1);
            let [base, theirs, mine] = [&overlaps[0].base, &overlaps[0].theirs, &overlaps[0].mine]
                .map(|body| body.as_ref().unwrap().value()["n"].clone());
            assert_eq!([base, theirs, mine], [json!(1), json!(3), json!(4)]);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(fixture.seen(&two, &part("a")), Some(json!({"n": 4})), "open and unchanged");
    assert_eq!(fixture.running(&part("a")), Some(json!({"n": 3})));
}

fn deleting_what_another_commit_refers_to_is_a_conflict(place: &Place) {
    let fixture = Setup::mode(Mode::Concurrent).at(place);
    let first = fixture.opened("first");
    let thing = fixture.create(&first, json!({"n": 1}));
    fixture.commit(&first).unwrap();
    let key = thing.key().unwrap().as_str();

    let (user, remover) = (fixture.opened("user"), fixture.opened("remover"));
    fixture.put(&user, "a", json!({"n": 0, "thing": key})).unwrap();
    fixture.engine.node_delete(&remover, &thing, None).unwrap();
    fixture.commit(&user).unwrap();
    let Err(Error::Conflict { overlaps, .. }) = fixture.commit(&remover) else {
        panic!("both sides together break a rule");
    };
    let [Overlap { path, broken: Some(broken), .. }] = &overlaps[..] else {
        panic!("{overlaps:?}");
    };
    assert_eq!((path, broken.rule), (&part("a"), rule::REFERENCE_TARGET));
    assert!(fixture.running(&thing).is_some());
}

fn what_is_in_use_cannot_be_deleted_until_its_last_user_lets_go(place: &Place) {
    let fixture = Setup::default().at(place);
    let session = fixture.opened("me");
    let thing = fixture.create(&session, json!({"n": 1}));
    fixture.put(&session, "a", json!({"n": 0, "thing": thing.key().unwrap().as_str()})).unwrap();
    match fixture.engine.node_delete(&session, &thing, None) {
        Err(Error::InUse { path, referrers }) => {
            assert_eq!(path, thing);
            assert_eq!(referrers.len(), 1);
            assert_eq!((&referrers[0].path, referrers[0].pointer.as_str()), (&part("a"), "/thing"));
        }
        other => panic!("{other:?}"),
    }
    fixture.put(&session, "a", json!({"n": 0})).unwrap();
    fixture.engine.node_delete(&session, &thing, None).expect("the pending state counts");
    assert_eq!(fixture.seen(&session, &thing), None);
}

fn an_invalid_change_names_all_faults_and_stages_nothing(place: &Place) {
    let fixture = Setup::default().at(place);
    let session = fixture.opened("me");
    fixture.put(&session, "a", json!({"n": 5})).unwrap();
    let bad = json!({"n": "x", "thing": 7, "more": 1});
    match fixture.put(&session, "a", bad) {
        Err(Error::Invalid(violations)) => {
            let pointers: Vec<_> = violations.iter().map(|v| v.pointer.as_str()).collect();
            assert_eq!(pointers, ["/more", "/n", "/thing"]);
        }
        other => panic!("{other:?}"),
    }
    let dangling = json!({"n": 1, "thing": "nowhere"});
    assert_refused!(fixture.put(&session, "a", dangling), Error::Invalid(_));
    assert_eq!(fixture.seen(&session, &part("a")), Some(json!({"n": 5})));
    assert_eq!(fixture.engine.transaction_changes(&session).len(), 1);
}

fn a_rejected_commit_hands_the_transaction_back_and_can_be_repaired(place: &Place) {
    let fixture = Setup::default().at(place);
    let session = fixture.opened("me");
    let secret = fixture.secret(&session, "hunter2");
    let value = json!({"n": 0, "password": secret.as_str()});
    fixture.put(&session, "a", value.clone()).unwrap();
    fixture.put(&session, "b", value).expect("a second use is a fault of the whole, seen later");
    match fixture.commit(&session) {
        Err(Error::Rejected(violations)) => {
            assert!(
                violations.iter().all(|v| v.rule == rule::REFERENCE_EXCLUSIVE),
                "{violations:?}"
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(fixture.number(), 1);
    assert_eq!(fixture.engine.holder().unwrap().session, session.id(), "still locked");
    fixture.put(&session, "b", json!({"n": 1})).unwrap();
    assert_eq!(fixture.commit(&session).unwrap(), 2);
}

fn secrets_are_sealed_revealed_to_those_who_act_and_dropped_when_nobody_refers_to_them(
    place: &Place,
) {
    let fixture = Setup::default().at(place);
    let session = fixture.opened("me");
    let secret = fixture.secret(&session, "hunter2");
    let unused = fixture.secret(&session, "hunter3");
    fixture.put(&session, "a", json!({"n": 0, "password": secret.as_str()})).unwrap();
    fixture.commit(&session).unwrap();
    let (kept, dropped) = (path("/passwords").join(&secret), path("/passwords").join(&unused));
    assert!(fixture.running(&dropped).is_none());
    assert!(!fixture.running(&kept).unwrap().to_string().contains("hunter"));
    assert_eq!(*fixture.engine.secret_reveal(&kept, "/plain").unwrap(), "hunter2");
    let record = fixture.engine.revision_read(RevisionNumber::new(2)).unwrap().unwrap();
    assert!(record.changes.iter().all(|change| *change.path() != dropped), "never recorded");

    fixture.engine.transaction_open(&session).unwrap();
    fixture.put(&session, "a", json!({"n": 0})).unwrap();
    fixture.commit(&session).unwrap();
    assert!(fixture.running(&kept).is_none(), "its last user let go");
}

fn a_commit_without_net_changes_makes_no_revision(place: &Place) {
    let fixture = Setup::default().at(place);
    let session = fixture.opened("me");
    fixture.put(&session, "a", json!({"n": 1})).unwrap();
    fixture.put(&session, "a", json!({"n": 0})).unwrap();
    fixture.secret(&session, "unused");
    assert_eq!(fixture.commit(&session).unwrap(), 1);
    assert_eq!(fixture.engine.holder(), None);
}

fn members_keep_their_order_and_can_be_put_in_another(place: &Place) {
    let fixture = Setup::default().at(place);
    let session = fixture.opened("me");
    let made: Vec<_> = (0..4).map(|n| fixture.create(&session, json!({"n": n}))).collect();
    let keys: Vec<Key> = made.iter().map(|path| path.key().unwrap().clone()).collect();
    fixture.commit(&session).unwrap();
    let things = path("/things");
    let listed = |fixture: &Fixture| -> Vec<Key> {
        fixture.engine.running().tree.children(&things).cloned().collect()
    };
    assert_eq!(listed(&fixture), keys);

    fixture.engine.transaction_open(&session).unwrap();
    let reversed: Vec<Key> = keys.iter().rev().cloned().collect();
    let wrong = fixture.engine.collection_reorder(&session, &things, &keys[1..], None);
    assert_refused!(wrong, Error::NotAPermutation(_));
    fixture.engine.collection_reorder(&session, &things, &reversed, None).unwrap();
    assert_eq!(
        fixture.engine.transaction_changes(&session),
        [Change::Reorder { path: things.clone(), before: keys, after: reversed.clone() }]
    );
    fixture.commit(&session).unwrap();
    assert_eq!(listed(&fixture), reversed);
}

fn what_the_catalog_has_not_is_refused(place: &Place) {
    let fixture = Setup::default().at(place);
    let session = fixture.opened("me");
    let nowhere = fixture.engine.node_put(&session, &path("/nowhere"), json!({}), None);
    assert_refused!(nowhere, Error::NotFound(_));
    let folder = fixture.engine.node_put(&session, &path("/parts"), json!({}), None);
    assert_refused!(folder, Error::NotAllowed { operation: Operation::Replace, .. });
    let object = fixture.engine.node_delete(&session, &part("a"), None);
    assert_refused!(object, Error::NotAllowed { operation: Operation::Delete, .. });
    let key = fixture.secret(&session, "x");
    let secret = fixture.engine.node_delete(&session, &path("/passwords").join(&key), None);
    assert_refused!(secret, Error::NotAllowed { operation: Operation::Delete, .. });
}

fn a_transaction_may_not_grow_beyond_its_limit(place: &Place) {
    let setup = Setup { change_limit: 2, ..Setup::default() };
    let fixture = setup.at(place);
    let session = fixture.opened("me");
    fixture.put(&session, "a", json!({"n": 1})).unwrap();
    fixture.put(&session, "b", json!({"n": 1})).unwrap();
    let third = fixture.put(&session, "c", json!({"n": 1}));
    assert_refused!(third, Error::TooManyChanges { limit: 2 });
    fixture.put(&session, "a", json!({"n": 2})).expect("the same node again is no further one");
}

#[test]
fn a_store_that_fails_is_poisoned_reads_go_on_and_it_opens_again() {
    for operation in ["write", "sync"] {
        let store = MemStore::new();
        let fixture = Setup::default().open(Box::new(store.clone())).unwrap();
        let session = fixture.opened("me");
        fixture.put(&session, "a", json!({"n": 1})).unwrap();
        let next = store.operations() + u64::from(operation == "sync");
        store.fail_at(next, Fault::Fail);
        assert_refused!(fixture.commit(&session), Error::Store(_));
        assert!(fixture.engine.is_poisoned());
        assert_eq!(fixture.running(&part("a")), Some(json!({"n": 0})), "never visible");
        assert_eq!(fixture.seen(&session, &part("a")), Some(json!({"n": 1})), "handed back");
        assert_refused!(fixture.commit(&session), Error::Store(StoreError::Poisoned));
        fixture.engine.shutdown();
        drop(fixture);
        let reopened = Setup::default().open(Box::new(store.crash())).unwrap();
        assert_eq!(reopened.number(), 1);
    }
}

/// Remembers what it was asked and told, and refuses a given number.
struct Recorder {
    refuse: i64,
    calls: Mutex<Vec<String>>,
}

impl Applier for Recorder {
    fn prepare(&self, next: &Revision, changes: &[Change]) -> Result<(), Refusal> {
        self.calls.lock().push(format!("prepare {} ({})", next.number, changes.len()));
        let refused = next.tree.body(&part("a")).is_some_and(|a| a.value()["n"] == self.refuse);
        let (pointer, message) = ("/n".to_owned(), "the device cannot do that".to_owned());
        if refused { Err(Refusal { path: part("a"), pointer, message }) } else { Ok(()) }
    }

    fn apply(&self, revision: &Revision, changes: &[Change]) {
        self.calls.lock().push(format!("apply {} ({})", revision.number, changes.len()));
    }
}

fn appliers_are_asked_before_and_told_after_and_can_refuse(place: &Place) {
    let recorder = Arc::new(Recorder { refuse: 13, calls: Mutex::default() });
    let appliers = vec![Arc::clone(&recorder) as Arc<dyn Applier>];
    let fixture = Setup { appliers, ..Setup::default() }.at(place);
    let session = fixture.opened("me");
    fixture.put(&session, "a", json!({"n": 13})).unwrap();
    assert_refused!(fixture.commit(&session), Error::Refused(_));
    fixture.put(&session, "a", json!({"n": 1})).unwrap();
    fixture.commit(&session).unwrap();
    assert_eq!(
        *recorder.calls.lock(),
        [
            "apply 0 (0)",
            "prepare 1 (3)",
            "apply 1 (3)",
            "prepare 2 (1)",
            "prepare 2 (1)",
            "apply 2 (1)"
        ]
    );
}

fn commits_that_change_nothing_take_no_record_from_those_beside_them(place: &Place) {
    let fixture = Arc::new(Setup::mode(Mode::Concurrent).at(place));
    let sessions: Vec<_> = (0..90).map(|_| fixture.opened("me")).collect();
    let mut made = Vec::new();
    for (n, session) in sessions.iter().enumerate() {
        if n % 3 == 0 {
            made.push(fixture.create(session, json!({ "n": n })));
        }
    }
    let (done, all) = std::sync::mpsc::channel();
    for (n, session) in sessions.iter().enumerate() {
        let done = done.clone();
        // With a key an answer is kept, so that also a commit of nothing is written.
        let key = format!("key{n}");
        let idempotency = Idempotency::new(&key, [7; 32]).filter(|_| n % 3 == 1);
        let options = CommitOptions { idempotency, ..CommitOptions::default() };
        fixture.engine.transaction_commit_begin(session, options, move |result| {
            done.send(result.map(drop)).unwrap();
        });
    }
    all.iter().take(90).for_each(|result| result.unwrap());
    assert_eq!(fixture.number(), 31, "a revision for each that changed something");
    made.iter().for_each(|path| assert!(fixture.running(path).is_some(), "acknowledged: {path}"));
    let session = fixture.opened("me");
    fixture.put(&session, "a", json!({"n": 1})).unwrap();
    assert_eq!(fixture.commit(&session).unwrap(), 32, "and the next one follows");
}

fn waiting_commits_share_syncs(place: &Place) {
    let fixture = Arc::new(Setup::mode(Mode::Concurrent).at(place));
    let before = fixture.engine.syncs();
    let sessions: Vec<_> = (0..200).map(|_| fixture.opened("me")).collect();
    for (n, session) in sessions.iter().enumerate() {
        fixture.create(session, json!({ "n": n }));
    }
    let (done, all) = std::sync::mpsc::channel();
    for session in &sessions {
        let done = done.clone();
        fixture.engine.transaction_commit_begin(session, None, move |result| {
            done.send(result.map(|committed| committed.number.get())).unwrap();
        });
    }
    let mut numbers: Vec<u64> = all.iter().take(200).map(Result::unwrap).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (2..=201).collect::<Vec<_>>(), "each commit is a revision of its own");
    let syncs = fixture.engine.syncs() - before;
    assert!(syncs < 200, "{syncs} syncs for 200 commits that waited together");
}

#[test]
fn a_commit_that_is_too_large_for_the_store_is_refused_alone_and_poisons_nothing() {
    let store = MemStore::new();
    let fixture = Setup::mode(Mode::Concurrent).open(Box::new(store.clone())).unwrap();
    store.limit_batches(8 * 1024);
    let large = fixture.opened("large");
    (0..200).for_each(|n| drop(fixture.create(&large, json!({ "n": n }))));
    let small: Vec<_> = (0..40).map(|_| fixture.opened("small")).collect();
    small.iter().for_each(|session| drop(fixture.create(session, json!({"n": 0}))));
    let (done, all) = std::sync::mpsc::channel();
    for session in small.iter().chain([&large]) {
        let (done, user) = (done.clone(), session.user().to_owned());
        fixture.engine.transaction_commit_begin(session, None, move |result| {
            done.send((user, result.map(drop))).unwrap();
        });
    }
    for (user, result) in all.iter().take(41) {
        match result {
            Ok(()) => assert_eq!(user, "small"),
            Err(Error::Store(StoreError::TooLarge { .. })) => assert_eq!(user, "large"),
            Err(other) => panic!("{user}: {other:?}"),
        }
    }
    assert!(!fixture.engine.is_poisoned());
    assert!(fixture.engine.transaction_status(&large).open, "handed back");
}

fn a_session_that_ends_while_its_commit_is_under_way_does_not_keep_the_lock(place: &Place) {
    let fixture = Setup::default().at(place);
    for round in 0..50 {
        let session = fixture.opened("me");
        fixture.put(&session, "a", json!({ "n": round })).unwrap();
        let (done, answered) = std::sync::mpsc::channel();
        fixture.engine.transaction_commit_begin(&session, None, move |result| {
            done.send(result.is_ok()).unwrap();
        });
        fixture.engine.session_end(&session);
        let _ = answered.recv().unwrap();
        let next = fixture.opened("next");
        fixture.engine.session_end(&next);
    }
}

#[test]
fn what_was_committed_is_there_after_a_restart_on_sled() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let store = SledStore::open(folder.path(), 16 << 20).unwrap();
        Setup::default().open(Box::new(store)).unwrap()
    };
    let fixture = open();
    let session = fixture.opened("me");
    let secret = fixture.secret(&session, "hunter2");
    fixture.put(&session, "a", json!({"n": 1, "password": secret.as_str()})).unwrap();
    let thing = fixture.create(&session, json!({"n": 2}));
    fixture.commit(&session).unwrap();
    let digest = fixture.engine.running().tree.digest();
    drop(fixture);

    let again = open();
    assert_eq!(again.number(), 2, "no further revision: the defaults are there");
    assert_eq!(again.engine.running().tree.digest(), digest);
    assert_eq!(again.running(&thing), Some(json!({"n": 2})));
    let secret = path("/passwords").join(&secret);
    assert_eq!(*again.engine.secret_reveal(&secret, "/plain").unwrap(), "hunter2");
}
