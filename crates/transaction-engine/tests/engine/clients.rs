//! Many clients at once, and what their recorded histories must have in common.
//!
//! Sixteen threads do what they like on one engine: commits, conflicts, retries under a key,
//! plans, rebases, confirmed commits, restorations, reads of the present and the past. Everything
//! they were told is written down with a number from one counter, before and after. In between the
//! store dies in the middle of a write and the survivors go on with what a crash left. At the end
//! the recordings are held against the history itself: each acknowledged commit is there once, in
//! an order that fits the time in which they were answered; refused ones left no trace; and nobody
//! ever saw a state that was not a revision.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use config_tree::TreeDigest;
use parking_lot::Mutex;
use serde_json::json;
use transaction_engine::store::{Fault, MemStore, StoreError};
use transaction_engine::{
    CommitOptions, Committed, Error, Idempotency, Next, RevisionNumber, Session,
};

use crate::fixture::{Fixture, Place, Setup, part, path};

const CLIENTS: u64 = 16;
const ROUNDS: u64 = 12;

/// What a client was told.
#[derive(Debug)]
struct Told {
    /// Stands in the bodies that the commit writes, and in no other.
    mark: u64,
    asked: u64,
    answered: u64,
    outcome: Outcome,
}

#[derive(Debug)]
enum Outcome {
    Committed(u64),
    Refused,
    /// The store failed: it may have happened or not.
    Unknown,
}

#[derive(Debug)]
struct Seen {
    /// Whether it was the present that was asked for.
    present: bool,
    number: u64,
    digest: TreeDigest,
    asked: u64,
    answered: u64,
}

/// Everything that was written down.
#[derive(Default)]
struct Recording {
    ticks: AtomicU64,
    marks: AtomicU64,
    told: Mutex<Vec<Told>>,
    seen: Mutex<Vec<Seen>>,
    undone: Mutex<HashSet<u64>>,
}

impl Recording {
    fn tick(&self) -> u64 {
        self.ticks.fetch_add(1, Ordering::SeqCst)
    }
}

/// Random numbers that a failure can be repeated with.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = u64::from_le_bytes(
            *blake3::hash(&self.0.to_le_bytes()).as_bytes().first_chunk().unwrap(),
        );
        self.0 % n
    }
}

struct Client<'a> {
    fixture: &'a Fixture,
    recording: &'a Recording,
    random: Random,
    session: Arc<Session>,
}

impl Client<'_> {
    fn run(&mut self) {
        for _ in 0..ROUNDS {
            match self.random.below(10) {
                0 => self.read(),
                1 => self.read_the_past(),
                _ => self.commit_something(),
            }
            if self.fixture.engine.is_poisoned() {
                return;
            }
        }
    }

    fn read(&self) {
        let asked = self.recording.tick();
        let running = self.fixture.engine.running();
        let seen = Seen {
            present: true,
            number: running.number.get(),
            digest: running.tree.digest(),
            asked,
            answered: self.recording.tick(),
        };
        assert!(running.tree.is_consistent());
        self.recording.seen.lock().push(seen);
    }

    fn read_the_past(&mut self) {
        let newest = self.fixture.number();
        let number = RevisionNumber::new(1 + self.random.below(newest));
        let asked = self.recording.tick();
        let tree = match self.fixture.engine.tree_at(number) {
            Ok(tree) => tree.unwrap(),
            Err(Error::Store(_)) => return,
            Err(other) => panic!("{other:?}"),
        };
        let (digest, answered) = (tree.digest(), self.recording.tick());
        let (present, number) = (false, number.get());
        self.recording.seen.lock().push(Seen { present, number, digest, asked, answered });
    }

    fn commit_something(&mut self) {
        let mark = self.recording.marks.fetch_add(1, Ordering::SeqCst) + 1_000_000;
        let engine = &self.fixture.engine;
        engine.transaction_rollback(&self.session).unwrap();
        engine.transaction_open(&self.session).unwrap();
        // Often something of its own, now and then what everybody wants.
        match self.random.below(4) {
            0 => {
                let name = ["a", "b", "c"][self.random.below(3) as usize];
                self.fixture.put(&self.session, name, json!({ "n": mark })).map(drop)
            }
            _ => {
                engine.node_create(&self.session, &path("/things"), json!({ "n": mark })).map(drop)
            }
        }
        .unwrap();
        if self.random.below(4) == 0 {
            let _ = engine.transaction_rebase(&self.session);
            engine.transaction_plan(&self.session).unwrap();
        }
        let options = self.options(mark);
        self.commit(mark, &options);
    }

    fn options(&mut self, mark: u64) -> CommitOptions {
        let keyed = self.random.below(3) == 0;
        let confirmed = self.random.below(12) == 0;
        CommitOptions {
            message: Some(mark.to_string()),
            idempotency: keyed.then(|| Idempotency::new(&mark.to_string(), [1; 32]).unwrap()),
            confirm_within: confirmed.then_some(Duration::from_secs(60)),
        }
    }

    fn commit(&mut self, mark: u64, options: &CommitOptions) {
        let asked = self.recording.tick();
        let result = self.fixture.commit_with(&self.session, options.clone());
        let answered = self.recording.tick();
        let outcome = match &result {
            Ok(committed) => Outcome::Committed(committed.number.get()),
            Err(Error::Conflict { .. } | Error::AwaitingConfirmation { .. }) => Outcome::Refused,
            Err(Error::Store(_)) => Outcome::Unknown,
            Err(other) => panic!("{other:?}"),
        };
        self.recording.told.lock().push(Told { mark, asked, answered, outcome });
        if let Ok(committed) = result {
            self.after(&committed, options);
        }
    }

    // Asks again, and settles what awaits: each may find that the store has failed meanwhile.
    fn after(&mut self, committed: &Committed, options: &CommitOptions) {
        if options.idempotency.is_some() {
            match self.fixture.commit_with(&self.session, options.clone()) {
                Ok(again) => assert_eq!(again, *committed),
                // Nothing can be read from a store that has crashed.
                Err(Error::Store(_)) => return,
                Err(other) => panic!("{other:?}"),
            }
        }
        let Some(confirmation) = &committed.confirmation else { return };
        let token = confirmation.token.as_str();
        let settled = match self.random.below(3) {
            0 => self.fixture.engine.commit_confirm(token).map(|_| false),
            1 => self.fixture.engine.commit_cancel(token).map(|_| true),
            _ => {
                self.fixture.later(61);
                self.fixture.engine.expire_confirmation().map(|_| true)
            }
        };
        match settled {
            Ok(true) => _ = self.recording.undone.lock().insert(committed.number.get()),
            Ok(false) | Err(Error::Store(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// All clients at once, until they are done or the store fails; one more reads the feed.
fn run_clients(fixture: &Fixture, recording: &Recording, seed: u64) {
    std::thread::scope(|scope| {
        for n in 0..CLIENTS {
            scope.spawn(move || {
                let random = Random(seed * 1000 + n);
                // Some share a user, so that keys of one user come from several sessions.
                let session = fixture.session(&format!("user{}", n % 5));
                Client { fixture, recording, random, session }.run();
            });
        }
    });
}

/// Holds the recordings against the history.
fn check(fixture: &Fixture, recording: &Recording) {
    let mut numbers_of: HashMap<u64, Vec<u64>> = HashMap::new();
    let mut records = BTreeMap::new();
    for number in 1..=fixture.number() {
        let record = fixture.record(number);
        if let Some(mark) = record.message.as_deref().and_then(|text| text.parse().ok()) {
            numbers_of.entry(mark).or_default().push(number);
        }
        records.insert(number, record);
    }
    let mut operations = Vec::new();
    for Told { mark, asked, answered, outcome } in recording.told.lock().iter() {
        let found = numbers_of.remove(mark).unwrap_or_default();
        match outcome {
            Outcome::Committed(number) => {
                assert_eq!(found, [*number], "commit {mark} is in the history once");
                operations.push((*asked, *answered, *number, Kind::Commit));
            }
            Outcome::Refused => assert_eq!(found, [0; 0], "a refused commit left a trace"),
            Outcome::Unknown => assert!(found.len() <= 1, "commit {mark} is there twice"),
        }
    }
    assert!(numbers_of.is_empty(), "commits that nobody asked for: {numbers_of:?}");
    for Seen { present, number, digest, asked, answered } in recording.seen.lock().iter() {
        assert_eq!(records[number].digest, *digest, "a state that was no revision");
        if *present {
            operations.push((*asked, *answered, *number, Kind::Read));
        }
    }
    check_order(operations);
    for number in recording.undone.lock().iter() {
        let message = records[&(number + 1)].message.as_deref().unwrap();
        assert!(message.ends_with(&format!("revision {number} undone")), "{message}");
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Commit,
    Read,
}

/// One that was answered before another was asked comes before it: a commit has a higher number
/// than everything before it, and a read of the present is not older than that.
fn check_order(operations: Vec<(u64, u64, u64, Kind)>) {
    let mut by_answer = operations.clone();
    by_answer.sort_unstable_by_key(|(_, answered, ..)| *answered);
    let mut by_asking = operations;
    by_asking.sort_unstable_by_key(|(asked, ..)| *asked);
    let (mut highest, mut done) = (0, by_answer.iter().peekable());
    for (asked, _, number, kind) in by_asking {
        while let Some((_, _, earlier, _)) = done.next_if(|(_, answered, ..)| *answered < asked) {
            highest = highest.max(*earlier);
        }
        let least = if kind == Kind::Commit { highest + 1 } else { highest };
        assert!(number >= least, "{number} was asked for after {highest} was answered");
    }
}

fn watch_all(fixture: &Fixture) {
    let mut feed = fixture.engine.watch(RevisionNumber::ZERO, || {}).unwrap();
    let mut expected = 1;
    while let Next::Revision(record) = feed.pull().unwrap() {
        assert_eq!(record.number.get(), expected);
        expected += 1;
    }
    assert_eq!(expected, fixture.number() + 1);
}

#[test]
fn sixteen_clients_agree_with_the_history_on_sled() {
    for seed in 0..3 {
        let place = Place::on_sled();
        let recording = Recording::default();
        let fixture = Setup::concurrent().at(&place);
        run_clients(&fixture, &recording, seed);
        let fixture = Setup::concurrent().again(fixture, &place);
        run_clients(&fixture, &recording, seed + 100);
        check(&fixture, &recording);
        watch_all(&fixture);
        fixture.engine.store_verify().unwrap();
    }
}

#[test]
fn sixteen_clients_agree_with_the_history_across_crashes() {
    for seed in 0..6 {
        let recording = Recording::default();
        let mut store = MemStore::new();
        let mut random = Random(seed);
        let mut clock = Setup::default().clock;
        for round in 0..4 {
            let fixture = Setup::concurrent().clock(&clock).open(Box::new(store.clone())).unwrap();
            if round < 3 {
                let fault = [Fault::Fail, Fault::FailDone, Fault::Crash][random.below(3) as usize];
                store.fail_at(store.operations() + 5 + random.below(60), fault);
            }
            run_clients(&fixture, &recording, seed * 10 + round);
            clock = Arc::clone(&fixture.clock);
            if round == 3 {
                check(&fixture, &recording);
                watch_all(&fixture);
                assert!(fixture.running(&part("a")).is_some());
            }
            let kept = random.below(store.unsynced() as u64 + 1);
            drop(fixture);
            store = store.crash_keeping(usize::try_from(kept).unwrap());
        }
    }
}

#[test]
fn a_poisoned_store_is_told_as_such() {
    let store = MemStore::new();
    let fixture = Setup::concurrent().open(Box::new(store.clone())).unwrap();
    store.fail_at(store.operations(), Fault::Fail);
    let token = "x";
    let session = fixture.opened("me");
    fixture.create(&session, json!({"n": 1}));
    assert!(fixture.commit(&session).is_err());
    let plan = fixture.engine.transaction_plan(&session).unwrap();
    assert!(matches!(plan.refusal, Some(Error::Store(StoreError::Poisoned))));
    assert!(matches!(fixture.engine.commit_confirm(token), Err(Error::NotAwaiting)));
    let tag = fixture.engine.tag_set("me", "t", RevisionNumber::new(1));
    assert!(matches!(tag, Err(Error::Store(StoreError::Poisoned))));
}
