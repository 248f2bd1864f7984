//! Requests that are their own transaction: durable, serial, and never starved.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};

use catalog::Catalog;
use config_tree::{Key, NodePath};
use serde_json::json;
use transaction_engine::clock::{Clock, ManualClock};
use transaction_engine::secrets::Sealer;
use transaction_engine::store::{Fault, MemStore, Store};
use transaction_engine::{
    CommitOptions, Committed, Edit, Engine, Error, HistoryRules, Idempotency, Mode, Options,
};

use crate::assert_refused;
use crate::batches::Held;
use crate::fixture::{Fixture, Place, Setup, part, path, value_at};

fn setup() -> Setup {
    Setup::mode(Mode::Autocommit)
}

fn number(edit: &Edit<'_>, name: &str) -> i64 {
    value_at(edit.tree(), &part(name)).unwrap()["n"].as_i64().unwrap()
}

/// Reads a number, writes the next one, and returns it.
fn increment(edit: &mut Edit<'_>) -> Result<i64, Error> {
    let n = number(edit, "a") + 1;
    edit.node_put(&part("a"), json!({ "n": n }))?;
    Ok(n)
}

fn put(fixture: &Fixture, name: &'static str, n: i64) -> Committed {
    let put = move |edit: &mut Edit<'_>| edit.node_put(&part(name), json!({ "n": n }));
    fixture.engine.autocommit("me", None, put).unwrap().1
}

crate::scenarios![
    a_request_is_a_commit_and_is_seen_at_once,
    what_fails_leaves_nothing,
    what_changes_nothing_makes_no_revision_and_no_sync,
    no_lock_is_asked_for_and_none_is_taken,
    a_given_key_is_taken_once,
    another_heads_nodes_are_adopted_as_one_commit,
];

fn a_request_is_a_commit_and_is_seen_at_once(place: &Place) {
    let fixture = setup().at(place);
    let before = fixture.number();
    let (thing, committed) = fixture
        .engine
        .autocommit("me", Some("why".to_owned()), |edit| -> Result<_, Error> {
            let thing = edit.node_create(&path("/things"), json!({ "n": 1 }))?;
            let key = thing.key().unwrap().as_str().to_owned();
            edit.node_put(&part("a"), json!({ "n": 2, "thing": key }))?;
            assert!(edit.tree().body(&thing).is_some(), "an edit sees what it did");
            Ok(thing)
        })
        .unwrap();
    assert_eq!((committed.number.get(), committed.changes), (before + 1, 2));
    assert_eq!(fixture.running(&thing).unwrap(), json!({ "n": 1 }));
    let record = fixture.record(before + 1);
    assert_eq!((record.author.as_str(), record.session.as_str()), ("me", "autocommit"));
    assert_eq!(record.message.as_deref(), Some("why"));
    assert_eq!(record.time, fixture.engine.running().time);

    let fixture = setup().again(fixture, place);
    assert_eq!(fixture.running(&part("a")).unwrap()["n"], 2);
}

fn another_heads_nodes_are_adopted_as_one_commit(place: &Place) {
    // Another engine with the same key: a head of the same appliance.
    let candidate = setup().open(Box::new(MemStore::new())).unwrap();
    let fixture = setup().at(place);
    let made = candidate.engine.autocommit("me", None, |edit| -> Result<_, Error> {
        let one = edit.node_create(&path("/things"), json!({ "n": 1 }))?;
        let two = edit.node_create(&path("/things"), json!({ "n": 2 }))?;
        edit.node_put(&part("a"), json!({ "n": 3 }))?;
        Ok([one, two])
    });
    let [one, two] = made.unwrap().0;
    let before = fixture.number();
    let push = |paths: Vec<NodePath>| {
        let from = candidate.engine.running();
        let push = move |edit: &mut Edit<'_>| edit.adopt(&from.tree, &paths);
        fixture.engine.autocommit("me", None, push).unwrap().1
    };
    // Only what is named, and nothing for what neither has.
    let committed = push(vec![one.clone(), part("a"), path("/things/none")]);
    assert_eq!((committed.number.get(), committed.changes), (before + 1, 2));
    assert_eq!(fixture.running(&one).unwrap(), json!({ "n": 1 }));
    assert_eq!(fixture.running(&two), None);
    let gone = one.clone();
    let delete = move |edit: &mut Edit<'_>| edit.node_delete(&gone);
    candidate.engine.autocommit("me", None, delete).unwrap();
    let committed = push(vec![two.clone(), one.clone()]);
    assert_eq!((committed.number.get(), committed.changes), (before + 2, 2));
    assert_eq!(fixture.running(&one), None);
    assert_eq!(push(vec![one, two]).changes, 0);
    let digests = [&fixture, &candidate].map(|head| head.engine.running().tree.digest());
    assert_eq!(digests[0], digests[1]);
}

fn what_fails_leaves_nothing(place: &Place) {
    let fixture = setup().at(place);
    let before = fixture.engine.running().tree.digest();
    let engine = &fixture.engine;
    let missing = |edit: &mut Edit<'_>| {
        edit.node_create(&path("/things"), json!({ "n": 1 }))?;
        edit.node_delete(&path("/things/none"))
    };
    assert_refused!(engine.autocommit("me", None, missing), Error::NotFound(_));
    let invalid = |edit: &mut Edit<'_>| edit.node_put(&part("a"), json!({ "n": "x" }));
    assert_refused!(engine.autocommit("me", None, invalid), Error::Invalid(_));
    let panics = |edit: &mut Edit<'_>| -> Result<(), Error> {
        edit.node_create(&path("/things"), json!({ "n": 1 }))?;
        panic!("planned")
    };
    assert_refused!(engine.autocommit("me", None, panics), Error::Internal(_));
    let key = Idempotency::new("key", [1; 32]);
    let options = CommitOptions { idempotency: key, ..CommitOptions::default() };
    assert_refused!(engine.autocommit("me", options, increment), Error::Internal(_));
    assert_eq!(fixture.engine.running().tree.digest(), before);
    assert_eq!(put(&fixture, "a", 1).changes, 1, "the writer is at work");
}

fn what_changes_nothing_makes_no_revision_and_no_sync(place: &Place) {
    let fixture = setup().at(place);
    put(&fixture, "a", 5);
    let (number, syncs) = (fixture.number(), fixture.engine.syncs());
    let committed = put(&fixture, "a", 5);
    assert_eq!((committed.number.get(), committed.changes), (number, 0));
    let read = |edit: &mut Edit<'_>| -> Result<_, Error> { Ok(self::number(edit, "a")) };
    assert_eq!(fixture.engine.autocommit("me", None, read).unwrap().0, 5);
    assert_eq!((fixture.number(), fixture.engine.syncs()), (number, syncs));
}

fn no_lock_is_asked_for_and_none_is_taken(place: &Place) {
    let fixture = Setup::default().at(place);
    let holder = fixture.opened("holder");
    fixture.put(&holder, "b", json!({ "n": 1 })).unwrap();
    put(&fixture, "a", 5);
    assert_eq!(fixture.engine.holder().unwrap().user, "holder");
    fixture.commit(&holder).unwrap();
    assert_eq!(fixture.running(&part("a")).unwrap()["n"], 5);

    let fixture = setup().again(fixture, place);
    let (one, other) = (fixture.session("one"), fixture.session("other"));
    fixture.put(&one, "b", json!({ "n": 2 })).unwrap();
    fixture.put(&other, "c", json!({ "n": 3 })).unwrap();
    assert!(fixture.engine.holder().is_none());
    fixture.commit(&one).unwrap();
    fixture.commit(&other).unwrap();
}

fn a_given_key_is_taken_once(place: &Place) {
    let fixture = setup().at(place);
    let create = |n: i64| {
        let key = Key::parse("given").unwrap();
        move |edit: &mut Edit<'_>| {
            edit.node_create_with_key(&path("/things"), &key, json!({ "n": n }))
        }
    };
    let (made, _) = fixture.engine.autocommit("me", None, create(1)).unwrap();
    assert_eq!(made, path("/things/given"));
    assert_refused!(fixture.engine.autocommit("me", None, create(2)), Error::KeyTaken(_));
    assert_eq!(fixture.running(&made).unwrap(), json!({ "n": 1 }));
}

// ===== together =====

/// Runs a function on many threads that begin at the same moment, and collects what they return.
fn together<T: Send>(threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(threads);
    std::thread::scope(|scope| {
        let begin = |thread| {
            let (start, work) = (&start, &work);
            scope.spawn(move || {
                start.wait();
                work(thread)
            })
        };
        let running: Vec<_> = (0..threads).map(begin).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn a_hot_object_makes_progress_and_loses_no_write() {
    const THREADS: usize = 32;
    const ROUNDS: usize = 20;
    let fixture = setup().at(&Place::in_memory());
    let first = fixture.number();
    let mut numbers: Vec<i64> = together(THREADS, |_| {
        let round = |_| {
            let (n, committed) = fixture.engine.autocommit("me", None, increment).unwrap();
            assert!(fixture.engine.running_number() >= committed.number, "read your writes");
            n
        };
        (0..ROUNDS).map(round).collect::<Vec<_>>()
    })
    .concat();
    numbers.sort_unstable();
    let all = i64::try_from(THREADS * ROUNDS).unwrap();
    assert_eq!(numbers, (1..=all).collect::<Vec<_>>(), "each request saw the one before it");
    assert_eq!(fixture.number() - first, u64::try_from(all).unwrap());
}

#[test]
fn requests_that_wait_together_share_a_sync_also_on_one_object() {
    let store = Held::over(MemStore::new());
    let fixture = setup().open(Box::new(store.clone())).unwrap();
    let syncs = fixture.engine.syncs();
    let (answer, answered) = channel();
    store.close();
    let submit = || {
        let (answer, runs) = (answer.clone(), Arc::new(AtomicU64::new(0)));
        let counted = Arc::clone(&runs);
        let change = move |edit: &mut Edit<'_>| {
            counted.fetch_add(1, Ordering::Relaxed);
            increment(edit)
        };
        fixture.engine.autocommit_begin("me", None, change, move |result| {
            answer.send((result.unwrap().0, runs.load(Ordering::Relaxed))).unwrap();
        });
    };
    submit();
    store.until_somebody_waits();
    (0..40).for_each(|_| submit());
    store.open();
    let answers: Vec<_> = answered.iter().take(41).collect();
    let numbers: Vec<i64> = answers.iter().map(|(n, _)| *n).collect();
    assert_eq!(numbers, (1..=41).collect::<Vec<_>>(), "in the order in which they came");
    assert!(answers[1..].iter().all(|(_, runs)| *runs == 2), "once more, and not more often");
    assert_eq!(fixture.engine.syncs() - syncs, 2, "one alone, then forty together");
}

#[test]
fn what_is_refused_over_a_revision_of_its_batch_waits_until_that_is_durable() {
    let store = Held::over(MemStore::new());
    let fixture = setup().open(Box::new(store.clone())).unwrap();
    let (answer, answered) = channel();
    store.close();
    let submit = |name: &'static str| {
        let answer = answer.clone();
        let key = Key::parse(name).unwrap();
        let create = move |edit: &mut Edit<'_>| {
            edit.node_create_with_key(&path("/things"), &key, json!({ "n": 1 }))
        };
        fixture.engine.autocommit_begin("me", None, create, move |result| {
            answer.send(result.map(|(path, _)| path)).unwrap();
        });
    };
    submit("first");
    store.until_somebody_waits();
    submit("second");
    submit("second");
    assert!(answered.try_recv().is_err(), "nothing is durable yet");
    store.open();
    let next = || answered.recv().unwrap();
    assert_eq!(next().unwrap(), path("/things/first"));
    assert_eq!(next().unwrap(), path("/things/second"));
    assert_refused!(next(), Error::KeyTaken(_));
}

#[test]
fn commits_that_are_too_large_together_are_made_one_after_the_other() {
    let memory = MemStore::new();
    let store = Held::over(memory.clone());
    let fixture = setup().open(Box::new(store.clone())).unwrap();
    let first = fixture.number();
    let (answer, answered) = channel();
    store.close();
    let submit = || {
        let answer = answer.clone();
        fixture.engine.autocommit_begin("me", None, increment, move |result| {
            answer.send(result.map(|(n, committed)| (n, committed.number.get()))).unwrap();
        });
    };
    submit();
    store.until_somebody_waits();
    memory.limit_batches(1000);
    (0..5).for_each(|_| submit());
    store.open();
    let answers: Vec<_> = answered.iter().take(6).map(Result::unwrap).collect();
    let expected: Vec<_> = (1..=6_i64).map(|n| (n, first + n.unsigned_abs())).collect();
    assert_eq!(answers, expected);
    assert_eq!(fixture.running(&part("a")).unwrap()["n"], 6);
}

#[test]
fn one_unique_thing_is_created_once_by_all_who_try() {
    let fixture = setup().at(&Place::in_memory());
    let things = path("/things");
    for round in 0..20 {
        let made = together(16, |_| {
            let things = things.clone();
            let create = move |edit: &mut Edit<'_>| {
                let is_there = edit.tree().children(&things).any(|key| {
                    value_at(edit.tree(), &things.join(key)).unwrap()["n"] == json!(round)
                });
                if is_there {
                    return Err(Error::NotAPermutation(things.clone()));
                }
                edit.node_create(&things, json!({ "n": round }))
            };
            fixture.engine.autocommit("me", None, create).is_ok()
        });
        assert_eq!(made.iter().filter(|made| **made).count(), 1, "round {round}");
    }
    assert_eq!(fixture.engine.running().tree.child_count(&things), 20);
}

#[test]
fn a_delete_and_a_new_reference_leave_nothing_dangling() {
    let fixture = setup().at(&Place::in_memory());
    let (mut deleted, mut referred) = (0, 0);
    for round in 0..60 {
        let create = |edit: &mut Edit<'_>| {
            edit.node_put(&part("a"), json!({ "n": 0 }))?;
            edit.node_create(&path("/things"), json!({ "n": 1 }))
        };
        let (thing, _) = fixture.engine.autocommit("me", None, create).unwrap();
        let key = thing.key().unwrap().as_str().to_owned();
        let done = together(2, |thread| {
            let (thing, key) = (thing.clone(), key.clone());
            let change = move |edit: &mut Edit<'_>| match thread {
                0 => edit.node_delete(&thing),
                _ => edit.node_put(&part("a"), json!({ "n": round, "thing": key })),
            };
            fixture.engine.autocommit("me", None, change).is_ok()
        });
        assert_ne!(done[0], done[1], "one of them comes first, and the other is refused");
        deleted += usize::from(done[0]);
        referred += usize::from(done[1]);
        let running = fixture.engine.running();
        let violations =
            fixture.engine.catalog().check_tree(&running.tree, &Sealer::from_key(&[7; 32]));
        assert!(violations.is_empty(), "{violations:?}");
    }
    assert_eq!(deleted + referred, 60);
}

// ===== crashes =====

/// Increments and creates from several threads until the store fails; counts what was acknowledged.
fn commit_until_it_fails(fixture: &Fixture, threads: usize, rounds: usize) -> i64 {
    let counts = together(threads, |_| {
        let change = |edit: &mut Edit<'_>| {
            edit.node_create(&path("/things"), json!({ "n": 1 }))?;
            increment(edit)
        };
        let commit = |_| fixture.engine.autocommit("me", None, change).is_ok();
        (0..rounds).map(commit).take_while(|acknowledged| *acknowledged).count()
    });
    i64::try_from(counts.iter().sum::<usize>()).unwrap()
}

#[test]
fn at_every_operation_of_the_store_a_crash_loses_nothing_acknowledged() {
    const THREADS: usize = 4;
    const ROUNDS: usize = 5;
    for fault in [Fault::Fail, Fault::FailDone, Fault::Crash, Fault::Panic] {
        for operation in 0..64 {
            let store = MemStore::new();
            store.fail_at(operation, fault);
            let open = AssertUnwindSafe(|| setup().open(Box::new(store.clone())));
            let Ok(Ok(fixture)) = catch_unwind(open) else { continue };
            let acknowledged = commit_until_it_fails(&fixture, THREADS, ROUNDS);
            for kept in 0..=store.unsynced() {
                check_image(store.crash_keeping(kept), acknowledged, THREADS);
            }
            if acknowledged == i64::try_from(THREADS * ROUNDS).unwrap() {
                break;
            }
        }
    }
}

fn check_image(image: MemStore, acknowledged: i64, threads: usize) {
    let fixture = setup().open(Box::new(image)).unwrap();
    let n = fixture.running(&part("a")).unwrap()["n"].as_i64().unwrap();
    let under_way = i64::try_from(threads).unwrap();
    assert!((acknowledged..=acknowledged + under_way).contains(&n), "{n} after {acknowledged}");
    let tree = &fixture.engine.running().tree;
    assert_eq!(
        i64::try_from(tree.child_count(&path("/things"))).unwrap(),
        n,
        "whole or not at all"
    );
    assert!(tree.is_consistent());
}

// ===== secrets, and engines next to each other =====

const ACCOUNTS: &[(&str, &str)] = &[
    (
        "catalog.yaml",
        "name: accounts-1.0\ntitle: Accounts\ndescription: One collection with secrets.\n\
         transactions: exclusive\n",
    ),
    (
        "accounts.yaml",
        r##"
kind: collection
title: Accounts
description: A name and a secret.
fidelity: full
operations: [list, create, replace, delete]
key: uuid
schema:
  type: object
  additionalProperties: false
  required: [name, secret]
  properties:
    name: {title: Name, description: A name., type: string}
    secret: {title: Secret, description: A secret., type: string, x-secret: true}
"##,
    ),
];

fn accounts(store: Box<dyn Store>, sealer: Sealer) -> Engine {
    let files = ACCOUNTS.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let options = Options {
        catalog: Arc::new(Catalog::from_files(files).unwrap_or_else(|faults| panic!("{faults}"))),
        store,
        checkpoints: None,
        checkpoint_every: 1000,
        sealer: Arc::new(sealer),
        clock: Arc::new(ManualClock::default()) as Arc<dyn Clock>,
        mode: Mode::Autocommit,
        change_limit: 1000,
        history: HistoryRules::default(),
        appliers: Vec::new(),
    };
    Engine::open(options, &mut |_, _| None).unwrap()
}

fn create_account(engine: &Engine) -> NodePath {
    let account = json!({ "name": "one", "secret": "hunter2" });
    let create = move |edit: &mut Edit<'_>| -> Result<_, Error> {
        let made = edit.node_create(&path("/accounts"), account.clone())?;
        assert_eq!(*edit.secret_reveal(&made, "/secret").unwrap(), "hunter2");
        Ok(made)
    };
    engine.autocommit("me", None, create).unwrap().0
}

#[test]
fn a_secret_that_stays_the_same_stays_sealed_as_it_was() {
    let engine = accounts(Box::new(MemStore::new()), Sealer::from_key(&[7; 32]));
    let account = create_account(&engine);
    let sealed = |engine: &Engine| {
        value_at(&engine.running().tree, &account).unwrap()["secret"].as_str().unwrap().to_owned()
    };
    let before = sealed(&engine);
    assert!(!before.contains("hunter2"));
    let set = |name: &'static str, secret: Option<&'static str>| {
        let account = account.clone();
        let change = move |edit: &mut Edit<'_>| {
            let secret = match secret {
                Some(secret) => secret.to_owned(),
                None => String::clone(&*edit.secret_reveal(&account, "/secret").unwrap()),
            };
            edit.node_put(&account, json!({ "name": name, "secret": secret }))
        };
        engine.autocommit("me", None, change).unwrap().1.changes
    };
    assert_eq!(set("one", None), 0, "the same again is no change");
    assert_eq!(set("two", None), 1);
    assert_eq!(sealed(&engine), before);
    assert_eq!(set("two", Some("other")), 1);
    assert_ne!(sealed(&engine), before);
    let tree = engine.running().tree.clone();
    assert_eq!(*engine.secret_reveal_in(&tree, &account, "/secret").unwrap(), "other");
}

#[test]
fn each_engine_has_an_identity_of_its_own() {
    let open = || accounts(Box::new(MemStore::new()), Sealer::from_key(&[7; 32]));
    let (one, other) = (open(), open());
    assert_eq!(one.running_number(), other.running_number());
    assert_ne!(one.identity(), other.identity());
    assert_eq!(one.identity(), one.identity());
}
