//! Commits that certainly share a batch, against a model that makes them one after the other.
//!
//! A store is held at its sync while a group of sessions hands in commits; when it goes on, the
//! writer finds all of them waiting. Each answer, each record and the number of syncs must be
//! those of the model, which knows of batches only where one has to end: before the same key comes
//! a second time, and after a commit that awaits its confirmation. Then a write or a sync of the
//! group fails, and what a crash leaves must be the state before or after one whole batch.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use transaction_engine::store::{Batch, Fault, Limits, MemStore, Scan, Store, StoreError};
use transaction_engine::{
    CommitOptions, Committed, Error, HistoryRules, Idempotency, Mode, RevisionNumber, Session,
};

use crate::fixture::{Fixture, Setup, part, path};
use crate::model::{State, state_of};

const CALLERS: usize = 8;
const PARTS: [&str; 3] = ["a", "b", "c"];
/// So long may the writer take to get to its sync; nothing depends on it but that a test ends.
const PATIENCE: Duration = Duration::from_secs(60);

// ===== a store that can be held =====

/// A store in memory whose next sync waits until it is let go.
#[derive(Clone)]
pub(crate) struct Held {
    store: MemStore,
    gate: Arc<(Mutex<Gate>, Condvar)>,
}

#[derive(Default)]
struct Gate {
    closed: bool,
    somebody_waits: bool,
}

impl Held {
    pub(crate) fn over(store: MemStore) -> Self {
        Self { store, gate: Arc::default() }
    }

    pub(crate) fn close(&self) {
        self.gate.0.lock().unwrap().closed = true;
    }

    pub(crate) fn open(&self) {
        *self.gate.0.lock().unwrap() = Gate::default();
        self.gate.1.notify_all();
    }

    /// Returns when a sync has begun and waits.
    pub(crate) fn until_somebody_waits(&self) {
        let gate = self.gate.0.lock().unwrap();
        let (_gate, waited) =
            self.gate.1.wait_timeout_while(gate, PATIENCE, |gate| !gate.somebody_waits).unwrap();
        assert!(!waited.timed_out(), "no sync has begun");
    }
}

impl Store for Held {
    fn write(&self, batch: Batch) -> Result<(), StoreError> {
        self.store.write(batch)
    }

    fn write_in_order(&self, batch: Batch) -> Result<(), StoreError> {
        self.store.write_in_order(batch)
    }

    fn sync(&self) -> Result<(), StoreError> {
        let mut gate = self.gate.0.lock().unwrap();
        if gate.closed {
            gate.somebody_waits = true;
            self.gate.1.notify_all();
            gate = self.gate.1.wait_timeout_while(gate, PATIENCE, |gate| gate.closed).unwrap().0;
        }
        drop(gate);
        self.store.sync()
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(key)
    }

    fn scan(&self, prefix: &[u8]) -> Scan<'_> {
        self.store.scan(prefix)
    }

    fn limits(&self) -> Limits {
        self.store.limits()
    }
}

type Answer = Result<Committed, Error>;

// ===== what happens =====

/// Commits that wait together, and what comes after them.
#[derive(Debug, Clone)]
struct Group {
    commits: Vec<Commit>,
    end: End,
}

#[derive(Debug, Clone)]
struct Commit {
    caller: usize,
    edits: Vec<Edit>,
    message: Option<&'static str>,
    /// A key, and which request is sent under it.
    key: Option<(u8, u8)>,
    confirm_within: Option<u8>,
}

/// What a caller stages before. Numbers are taken modulo what there is.
#[derive(Debug, Clone)]
enum Edit {
    Put {
        part: usize,
        n: i64,
        thing: Option<u8>,
    },
    CreateThing(i64),
    DeleteThing(u8),
    /// A password, and a part that uses it.
    Secret(usize),
    /// A password that two parts use, which is against the rules.
    SharedSecret,
    /// A password that nobody uses, which is dropped again.
    UnusedSecret,
}

#[derive(Debug, Clone)]
enum End {
    /// What awaits its confirmation is confirmed, or undone.
    Settle { confirm: bool },
    /// It goes on awaiting it: whatever comes is refused.
    Leave,
    /// This operation of the group goes wrong in this way, and the machine stops with it; so many
    /// of the unsynced batches survive.
    Break { operation: u64, fault: Fault, kept: usize },
}

fn groups() -> impl Strategy<Value = Vec<Group>> {
    let edit = prop_oneof![
        4 => (0..3_usize, 0..3_i64, prop::option::weighted(0.4, any::<u8>()))
            .prop_map(|(part, n, thing)| Edit::Put { part, n, thing }),
        3 => (0..3_i64).prop_map(Edit::CreateThing),
        2 => any::<u8>().prop_map(Edit::DeleteThing),
        1 => (0..3_usize).prop_map(Edit::Secret),
        1 => Just(Edit::SharedSecret),
        1 => Just(Edit::UnusedSecret),
    ];
    let message =
        prop_oneof![Just(None), Just(Some("why")), Just(Some("because")), Just(Some(" "))];
    let key = prop::option::weighted(0.4, (0..4_u8, prop::sample::select(vec![0, 0, 0, 1_u8])));
    let within = prop::option::weighted(0.06, 1..60_u8);
    let edits = prop::collection::vec(edit, 0..3);
    let commit = (0..CALLERS, edits, message, key, within).prop_map(
        |(caller, edits, message, key, confirm_within)| Commit {
            caller,
            edits,
            message,
            key,
            confirm_within,
        },
    );
    let fault = prop_oneof![
        3 => Just(Fault::Fail),
        1 => Just(Fault::FailDone),
        2 => Just(Fault::Crash),
        1 => Just(Fault::Panic),
    ];
    let end = prop_oneof![
        4 => any::<bool>().prop_map(|confirm| End::Settle { confirm }),
        1 => Just(End::Leave),
        3 => (0..5_u64, fault, 0..3_usize)
            .prop_map(|(operation, fault, kept)| End::Break { operation, fault, kept }),
    ];
    let group = (prop::collection::vec(commit, 1..12), end)
        .prop_map(|(commits, end)| Group { commits, end });
    prop::collection::vec(group, 1..6)
}

// ===== the model =====

/// What has been committed, and everything that decides about the next commit.
#[derive(Debug, Clone, PartialEq, Default)]
struct Model {
    /// The state after each revision, the first at 1.
    past: Vec<State>,
    /// Who made each of them, and why; none where it was the engine itself.
    made: Vec<Option<(String, Option<String>)>>,
    /// By user and key: the request, the revision and how many nodes changed.
    answers: HashMap<(String, u8), (u8, u64, usize)>,
    /// The revision that awaits its confirmation.
    awaiting: Option<u64>,
}

/// A commit of a group as it stood when it was handed in.
#[derive(Debug)]
struct Asked {
    caller: usize,
    user: String,
    session: String,
    base: State,
    mine: State,
    commit: Commit,
}

#[derive(Debug, Clone, PartialEq)]
enum Expected {
    Committed { number: u64, confirmed: bool },
    Unchanged { number: u64 },
    OtherRequest,
    Awaiting,
    Conflict,
    Rejected,
    MessageNeeded,
}

impl Expected {
    fn ends_the_transaction(&self) -> bool {
        matches!(self, Self::Committed { .. } | Self::Unchanged { .. })
    }
}

impl Model {
    fn running(&self) -> &State {
        self.past.last().unwrap()
    }

    fn revisions(&self) -> u64 {
        self.past.len() as u64
    }

    fn commit(&mut self, asked: &Asked) -> Expected {
        let Asked { user, base, mine, commit, .. } = asked;
        let slot = commit.key.map(|(key, request)| ((user.clone(), key), request));
        // A transaction is open, so it is another request than the one that was answered.
        if slot.as_ref().is_some_and(|(slot, _)| self.answers.contains_key(slot)) {
            return Expected::OtherRequest;
        }
        if self.awaiting.is_some() {
            return Expected::Awaiting;
        }
        let Some(merged) = self.running().rebased(base, mine) else { return Expected::Conflict };
        if !merged.is_valid() {
            return if mine.is_valid() { Expected::Conflict } else { Expected::Rejected };
        }
        let merged = merged.without_unused_passwords();
        let changes = changes_between(self.running(), &merged);
        let expected = if changes == 0 {
            Expected::Unchanged { number: self.revisions() }
        } else if needs_message(self.running()) && commit.message.is_none_or(is_blank) {
            return Expected::MessageNeeded;
        } else {
            self.past.push(merged);
            self.made.push(Some((user.clone(), commit.message.map(str::to_owned))));
            let confirmed = commit.confirm_within.is_some();
            let number = self.revisions();
            self.awaiting = confirmed.then_some(number);
            Expected::Committed { number, confirmed }
        };
        if let Some((slot, request)) = slot {
            self.answers.insert(slot, (request, self.revisions(), changes));
        }
        expected
    }
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

fn needs_message(state: &State) -> bool {
    state.bodies["/parts/c"]["n"] == json!(1)
}

fn changes_between(before: &State, after: &State) -> usize {
    let paths: HashSet<&String> = before.bodies.keys().chain(after.bodies.keys()).collect();
    let touched = paths.into_iter().filter(|p| before.bodies.get(*p) != after.bodies.get(*p));
    // Nothing here puts things into another order.
    touched.count()
}

/// What the model makes of a group: batches, each with what it expects of its commits and the model
/// after it.
struct Step {
    answers: Vec<Expected>,
    writes: bool,
    after: Model,
}

fn steps(known: &Model, asked: &[Asked]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut model = known.clone();
    let mut slots = HashSet::new();
    let mut is_over = true;
    for one in asked {
        let slot = one.commit.key.map(|(key, _)| (one.user.clone(), key));
        // What was answered before is answered at once again, and never waits.
        let waits = slot.as_ref().is_none_or(|slot| !known.answers.contains_key(slot));
        let again = slot.as_ref().is_some_and(|slot| slots.contains(slot));
        if steps.is_empty() || (waits && (is_over || again)) {
            slots.clear();
            steps.push(Step { answers: Vec::new(), writes: false, after: model.clone() });
        }
        let step = steps.last_mut().unwrap();
        let expected = model.commit(one);
        // A commit that changes nothing is written only where its answer is kept.
        step.writes |= match &expected {
            Expected::Committed { .. } => true,
            Expected::Unchanged { .. } => slot.is_some(),
            _ => false,
        };
        if waits {
            slots.extend(slot);
            is_over = matches!(expected, Expected::Committed { confirmed: true, .. });
        }
        step.answers.push(expected);
        step.after = model.clone();
    }
    steps
}

// ===== both together =====

struct Caller {
    session: Arc<Session>,
    /// Base and staged state while a transaction is open.
    open: Option<(State, State)>,
}

struct World {
    fixture: Fixture,
    store: Held,
    callers: Vec<Caller>,
    model: Model,
    token: Option<String>,
    /// The store crashed and cannot be read.
    dead: bool,
}

fn setup() -> Setup {
    let rule = |tree: &config_tree::Tree| {
        tree.body(&part("c")).is_some_and(|body| body.value()["n"] == json!(1))
    };
    let history = HistoryRules { message_required: Some(Arc::new(rule)), ..Default::default() };
    Setup { history, ..Setup::mode(Mode::Concurrent) }
}

fn logged_in(fixture: &Fixture) -> Vec<Caller> {
    // Four users, each with two sessions, as users do not share keys.
    let caller = |n: usize| Caller { session: fixture.session(&format!("u{}", n % 4)), open: None };
    (0..CALLERS).map(caller).collect()
}

impl World {
    fn new() -> Self {
        let store = Held::over(MemStore::new());
        let fixture = setup().open(Box::new(store.clone())).unwrap();
        let callers = logged_in(&fixture);
        let model = Model {
            past: vec![state_of(&fixture.engine.running().tree)],
            made: vec![Some(("boxwood".to_owned(), Some("Factory defaults".to_owned())))],
            ..Model::default()
        };
        Self { fixture, store, callers, model, token: None, dead: false }
    }

    fn run(&mut self, group: &Group) {
        let asked = self.stage(&group.commits);
        let steps = steps(&self.model, &asked);
        let syncs = self.fixture.engine.syncs();
        let (answers, held_at) = self.commit_together(&asked, &group.end);
        match group.end {
            End::Break { operation, fault, kept } => {
                let broken = Broken::find(&steps, operation, fault);
                self.dead = broken.step < steps.len() && !broken.reads_go_on;
                self.check_broken(&asked, &steps, &answers, &broken);
                self.restart(&steps, &broken, kept);
            }
            End::Settle { .. } | End::Leave => {
                let expected = steps.iter().flat_map(|step| &step.answers);
                for ((asked, expected), answer) in asked.iter().zip(expected).zip(&answers) {
                    self.check_answer(asked, expected, answer);
                }
                // The one that was held, and one for each batch in which there is something.
                let batches = steps.iter().filter(|step| step.writes).count() as u64;
                assert_eq!(self.fixture.engine.syncs(), syncs + 1 + batches, "syncs");
                assert_eq!(self.store.store.operations(), held_at + 1 + 2 * batches, "operations");
                self.adopt(steps.last().map(|step| step.after.clone()));
                self.check_transactions(&asked, &answers);
            }
        }
        if let End::Settle { confirm } = group.end {
            self.settle(confirm);
        }
        self.check_state();
    }

    fn adopt(&mut self, model: Option<Model>) {
        self.model = model.unwrap_or_else(|| self.model.clone());
    }

    // ----- staging -----

    fn stage(&mut self, commits: &[Commit]) -> Vec<Asked> {
        let mut asked: Vec<Asked> = Vec::new();
        for commit in commits {
            if asked.iter().any(|other| other.caller == commit.caller) {
                continue;
            }
            self.open(commit.caller);
            commit.edits.iter().for_each(|edit| self.edit(commit.caller, edit));
            let Caller { session, open } = &self.callers[commit.caller];
            let (base, mine) = open.clone().unwrap();
            asked.push(Asked {
                caller: commit.caller,
                user: session.user().to_owned(),
                session: session.id().to_string(),
                base,
                mine,
                commit: commit.clone(),
            });
        }
        asked
    }

    fn open(&mut self, caller: usize) {
        let running = self.model.running().clone();
        let Caller { session, open } = &mut self.callers[caller];
        self.fixture.engine.transaction_open(session).unwrap();
        open.get_or_insert((running.clone(), running));
    }

    fn edit(&mut self, caller: usize, edit: &Edit) {
        let session = Arc::clone(&self.callers[caller].session);
        let mine = self.callers[caller].open.as_ref().unwrap().1.clone();
        let pick = |n: u8| mine.order.get(usize::from(n) % mine.order.len().max(1)).cloned();
        match edit {
            Edit::Put { part, n, thing } => {
                let mut body = json!({ "n": n });
                if let Some(key) = thing.and_then(pick) {
                    body["thing"] = json!(key);
                }
                self.put(caller, PARTS[*part], body);
            }
            Edit::CreateThing(n) => {
                let path = self.fixture.create(&session, json!({ "n": n }));
                let mine = self.mine(caller);
                mine.order.push(path.key().unwrap().to_string());
                mine.bodies.insert(path.to_string(), json!({ "n": n }));
            }
            Edit::DeleteThing(n) => {
                let Some(key) = pick(*n) else { return };
                let path = path(&format!("/things/{key}"));
                // What something refers to stays.
                if self.fixture.engine.node_delete(&session, &path, None).is_ok() {
                    let mine = self.mine(caller);
                    mine.order.retain(|other| *other != key);
                    mine.bodies.remove(&path.to_string());
                }
            }
            Edit::Secret(part) => {
                let key = self.secret(caller);
                self.put(caller, PARTS[*part], json!({"n": 0, "password": key}));
            }
            Edit::SharedSecret => {
                let key = self.secret(caller);
                self.put(caller, "a", json!({"n": 0, "password": key}));
                self.put(caller, "b", json!({"n": 0, "password": key}));
            }
            Edit::UnusedSecret => _ = self.secret(caller),
        }
    }

    fn mine(&mut self, caller: usize) -> &mut State {
        &mut self.callers[caller].open.as_mut().unwrap().1
    }

    fn put(&mut self, caller: usize, name: &str, body: Value) {
        let session = Arc::clone(&self.callers[caller].session);
        self.fixture.put(&session, name, body.clone()).unwrap();
        self.mine(caller).bodies.insert(part(name).to_string(), body);
    }

    fn secret(&mut self, caller: usize) -> String {
        let session = Arc::clone(&self.callers[caller].session);
        let key = self.fixture.secret(&session, "hunter2").to_string();
        self.mine(caller).bodies.insert(format!("/passwords/{key}"), json!("sealed"));
        key
    }

    // ----- committing together -----

    /// Hands in all commits while the writer waits in a sync, and lets it go then. Gives the answers,
    /// and how many operations the store had done when it was held.
    fn commit_together(&mut self, asked: &[Asked], end: &End) -> (Vec<Answer>, u64) {
        self.store.close();
        let (engine, store) = (&self.fixture.engine, &self.store);
        std::thread::scope(|scope| {
            // A tag, as it makes no revision and is taken while a commit awaits its confirmation.
            let plug = scope.spawn(|| engine.tag_set("me", "plug", RevisionNumber::new(1)));
            store.until_somebody_waits();
            let held_at = store.store.operations();
            if let End::Break { operation, fault, .. } = end {
                // The sync that is held comes first, and does not fail.
                store.store.fail_at(held_at + 1 + operation, *fault);
            }
            let answers: Vec<_> = asked.iter().map(|one| self.hand_in(one)).collect();
            store.open();
            plug.join().unwrap().unwrap();
            let answer = |answer: Receiver<Answer>| answer.recv_timeout(PATIENCE).unwrap();
            (answers.into_iter().map(answer).collect(), held_at)
        })
    }

    fn hand_in(&self, asked: &Asked) -> Receiver<Answer> {
        let Commit { message, key, confirm_within, .. } = &asked.commit;
        let idempotency = key
            .map(|(key, request)| Idempotency::new(&format!("key {key}"), [request; 32]).unwrap());
        let options = CommitOptions {
            message: message.map(str::to_owned),
            idempotency,
            confirm_within: confirm_within.map(|seconds| Duration::from_secs(seconds.into())),
        };
        let (done, answer) = channel();
        let session = &self.callers[asked.caller].session;
        self.fixture.engine.transaction_commit_begin(session, options, move |result| {
            done.send(result).unwrap();
        });
        answer
    }

    // ----- checking -----

    fn check_answer(&mut self, asked: &Asked, expected: &Expected, answer: &Answer) {
        match (expected, answer) {
            (Expected::Committed { number, confirmed }, Ok(committed)) => {
                assert_eq!(committed.number.get(), *number);
                assert_eq!(committed.confirmation.is_some(), *confirmed);
                if let Some(confirmation) = &committed.confirmation {
                    self.token = Some(confirmation.token.as_str().to_owned());
                }
                // A dead store tells nothing; what it holds is looked at when it is opened again.
                if !self.dead {
                    let record = self.fixture.record(*number);
                    assert_eq!(record.author, asked.user);
                    assert_eq!(record.session, asked.session, "the record of another commit");
                    assert_eq!(record.message.as_deref(), asked.commit.message);
                    assert_eq!(record.changes.len(), committed.changes);
                }
            }
            (Expected::Unchanged { number }, Ok(committed)) => {
                let unchanged = (committed.number.get(), committed.changes);
                assert_eq!(unchanged, (*number, 0));
                assert!(committed.confirmation.is_none());
            }
            (Expected::OtherRequest, Err(Error::IdempotencyMismatch))
            | (Expected::Awaiting, Err(Error::AwaitingConfirmation { .. }))
            | (Expected::Conflict, Err(Error::Conflict { .. }))
            | (Expected::Rejected, Err(Error::Rejected(_)))
            | (Expected::MessageNeeded, Err(Error::MessageRequired)) => {}
            (expected, answer) => panic!("{answer:?} for {expected:?}: {asked:?}"),
        }
    }

    /// What was refused is open and as it was; what was committed is over.
    fn check_transactions(&mut self, asked: &[Asked], answers: &[Answer]) {
        for (one, answer) in asked.iter().zip(answers) {
            let Caller { session, open } = &mut self.callers[one.caller];
            let status = self.fixture.engine.transaction_status(session);
            assert_eq!(status.open, answer.is_err(), "{one:?}: {answer:?}");
            let view = self.fixture.engine.view(session);
            if status.open {
                assert_eq!(state_of(view.tree()), one.mine);
            } else {
                *open = None;
            }
        }
    }

    fn check_state(&self) {
        let engine = &self.fixture.engine;
        let running = engine.running();
        assert_eq!(running.number.get(), self.model.revisions());
        assert_eq!(&state_of(&running.tree), self.model.running());
        assert!(running.tree.is_consistent());
        let awaiting = engine.confirmation().map(|(number, _)| number.get());
        assert_eq!(awaiting, self.model.awaiting);
    }

    /// Every revision with its own record, every answer that was to be kept.
    fn check_history(&self) {
        let engine = &self.fixture.engine;
        for (number, (state, made)) in (1..).zip(self.model.past.iter().zip(&self.model.made)) {
            let tree = engine.tree_at(RevisionNumber::new(number)).unwrap().unwrap();
            let record = self.fixture.record(number);
            assert_eq!(&state_of(&tree), state, "revision {number}");
            assert_eq!(tree.digest(), record.digest, "revision {number}");
            if let Some(made) = made {
                assert_eq!(&(record.author, record.message), made, "revision {number}");
            }
        }
        for ((user, key), (request, number, changes)) in &self.model.answers {
            let key = Idempotency::new(&format!("key {key}"), [*request; 32]).unwrap();
            let options = CommitOptions { idempotency: Some(key), ..CommitOptions::default() };
            let again = self.fixture.commit_with(&self.fixture.session(user), options).unwrap();
            assert_eq!((again.number.get(), again.changes), (*number, *changes));
        }
    }

    // ----- what comes after -----

    fn settle(&mut self, confirm: bool) {
        let Some(number) = self.model.awaiting.take() else { return };
        let engine = &self.fixture.engine;
        match (self.token.take(), confirm) {
            (Some(token), true) => {
                engine.commit_confirm(&token).unwrap();
                return;
            }
            (Some(token), false) => _ = engine.commit_cancel(&token).unwrap(),
            // The answer with the token was lost in a crash.
            (None, _) => {
                self.fixture.later(60);
                // The writer may have noticed by itself.
                engine.expire_confirmation().unwrap();
            }
        }
        let before = usize::try_from(number).unwrap() - 2;
        self.model.past.push(self.model.past[before].clone());
        self.model.made.push(None);
    }

    /// Up to the batch that could not be written all is as ever; in it, what was to be written is
    /// refused; after it, nothing is taken any more.
    fn check_broken(
        &mut self,
        asked: &[Asked],
        steps: &[Step],
        answers: &[Answer],
        broken: &Broken,
    ) {
        let mut pairs = asked.iter().zip(answers);
        for (at, step) in steps.iter().enumerate() {
            for (expected, (asked, answer)) in step.answers.iter().zip(pairs.by_ref()) {
                let was_to_be_written = expected.ends_the_transaction();
                if at < broken.step || (at == broken.step && !was_to_be_written) {
                    self.check_answer(asked, expected, answer);
                } else if at == broken.step {
                    let told = matches!(answer, Err(Error::Store(_) | Error::Internal(_)));
                    assert!(told, "{answer:?} for what could not be written");
                } else {
                    // Also where the key was answered before: its transaction is another one.
                    assert!(answer.is_err(), "{answer:?} after the failure: {asked:?}");
                }
            }
        }
        self.adopt(broken.before.clone());
        self.check_transactions(asked, answers);
        assert_eq!(self.fixture.engine.is_poisoned(), broken.step < steps.len());
        let running = self.fixture.engine.running();
        assert_eq!(running.number.get(), self.model.revisions(), "visible and not durable");
    }

    /// The machine starts again on what is left.
    fn restart(&mut self, steps: &[Step], broken: &Broken, kept: usize) {
        let waiting = self.store.store.unsynced();
        let kept = kept % (waiting + 1);
        // A batch waits as a whole. Of what was written in order the last entry can be missing.
        let is_there = kept >= waiting.saturating_sub(1).max(1);
        let survived = broken.is_durable || (broken.is_written && is_there);
        if let Some(step) = steps.get(broken.step).filter(|_| survived) {
            self.model = step.after.clone();
            self.token = None;
        }
        self.dead = false;
        self.store = Held::over(self.store.store.crash_keeping(kept));
        let clock = Arc::clone(&self.fixture.clock);
        self.fixture = setup().clock(&clock).open(Box::new(self.store.clone())).unwrap();
        self.callers = logged_in(&self.fixture);
    }
}

/// The batch whose write or sync fails.
struct Broken {
    /// Its place among the steps; behind the last one where none fails.
    step: usize,
    /// What is durable and visible when it fails.
    before: Option<Model>,
    /// Whether the store took the batch, and whether it synced it.
    is_written: bool,
    is_durable: bool,
    reads_go_on: bool,
}

impl Broken {
    fn find(steps: &[Step], operation: u64, fault: Fault) -> Self {
        let writing = steps.iter().enumerate().filter(|(_, step)| step.writes).map(|(at, _)| at);
        let batch = usize::try_from(operation / 2).unwrap();
        let step = writing.into_iter().nth(batch).unwrap_or(steps.len());
        let at_sync = operation % 2 == 1;
        let done = fault == Fault::FailDone;
        Self {
            step,
            before: step.checked_sub(1).map(|last| steps[last].after.clone()),
            is_written: at_sync || done,
            is_durable: at_sync && done,
            reads_go_on: fault != Fault::Crash,
        }
    }
}

proptest! {
    #[test]
    fn commits_that_wait_together_are_as_if_one_after_the_other(groups in groups()) {
        let mut world = World::new();
        groups.iter().for_each(|group| world.run(group));
        world.check_history();
        world.restart(&[], &Broken::find(&[], 0, Fault::Fail), 0);
        world.check_state();
        world.check_history();
    }
}

#[test]
fn a_group_is_one_batch() {
    // What the property above relies on: all of them, the one sync, and nothing of those beside.
    let mut world = World::new();
    let commit = |caller: usize| Commit {
        caller,
        edits: if caller.is_multiple_of(2) { vec![Edit::CreateThing(1)] } else { Vec::new() },
        message: None,
        key: (caller % 4 == 1).then_some((caller as u8, 0)),
        confirm_within: None,
    };
    let commits: Vec<Commit> = (0..CALLERS).map(commit).collect();
    let syncs = world.fixture.engine.syncs();
    world.run(&Group { commits, end: End::Leave });
    assert_eq!(world.fixture.engine.syncs(), syncs + 2);
    assert_eq!(world.fixture.number(), 5);
}
