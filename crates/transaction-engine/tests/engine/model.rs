//! Random sessions against plain maps.
//!
//! The model knows nothing of shared structure, ranks, indexes or digests: a state is a map of
//! bodies and a list of keys. After every event each named invariant is checked. When one breaks,
//! proptest shrinks the events and prints them; the printed list replays as it stands.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use config_tree::{Key, NodePath, changes_between};
use proptest::prelude::*;
use serde_json::{Value, json};
use transaction_engine::store::{MemStore, SledStore, Store};
use transaction_engine::{
    CommitOptions, Committed, ConfirmToken, Error, Mode, Plan, RevisionNumber, Session,
};

use crate::fixture::{Fixture, Setup, part, path};

const SESSIONS: usize = 3;
const PARTS: [&str; 3] = ["a", "b", "c"];

/// Something a caller does. Numbers are taken modulo what there is.
#[derive(Debug, Clone)]
enum Event {
    Open(usize),
    Put { session: usize, part: usize, n: i64, thing: Option<u8>, password: Option<u8> },
    PutInvalid(usize, usize),
    CreateThing(usize, i64),
    ReplaceThing(usize, u8, i64),
    DeleteThing(usize, u8),
    Reorder(usize, u64),
    CreatePassword(usize),
    Commit(usize),
    CommitToConfirm(usize, u8),
    Confirm,
    Cancel,
    Extend(u8),
    Later(u8),
    Rebase(usize),
    Restore(usize, u8),
    Rollback(usize),
    End(usize),
    Restart,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let s = 0..SESSIONS;
    let some = || prop::option::weighted(0.5, any::<u8>());
    let event = prop_oneof![
        3 => s.clone().prop_map(Event::Open),
        5 => (s.clone(), 0..3_usize, 0..4_i64, some(), some()).prop_map(
            |(session, part, n, thing, password)| Event::Put { session, part, n, thing, password }
        ),
        1 => (s.clone(), 0..3_usize).prop_map(|(s, p)| Event::PutInvalid(s, p)),
        3 => (s.clone(), 0..4_i64).prop_map(|(s, n)| Event::CreateThing(s, n)),
        2 => (s.clone(), any::<u8>(), 0..4_i64).prop_map(|(s, t, n)| Event::ReplaceThing(s, t, n)),
        2 => (s.clone(), any::<u8>()).prop_map(|(s, t)| Event::DeleteThing(s, t)),
        1 => (s.clone(), any::<u64>()).prop_map(|(s, seed)| Event::Reorder(s, seed)),
        2 => s.clone().prop_map(Event::CreatePassword),
        5 => s.clone().prop_map(Event::Commit),
        1 => (s.clone(), 1..60_u8).prop_map(|(s, within)| Event::CommitToConfirm(s, within)),
        1 => Just(Event::Confirm),
        1 => Just(Event::Cancel),
        1 => (1..60_u8).prop_map(Event::Extend),
        2 => (1..40_u8).prop_map(Event::Later),
        1 => s.clone().prop_map(Event::Rebase),
        1 => (s.clone(), any::<u8>()).prop_map(|(s, n)| Event::Restore(s, n)),
        1 => s.clone().prop_map(Event::Rollback),
        1 => s.prop_map(Event::End),
        1 => Just(Event::Restart),
    ];
    prop::collection::vec(event, 1..60)
}

/// A configuration, as plainly as it can be said.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct State {
    pub(crate) bodies: BTreeMap<String, Value>,
    /// Keys of the things, in their order.
    pub(crate) order: Vec<String>,
}

impl State {
    fn referrers(&self, member: &str, key: &str) -> usize {
        self.bodies.values().filter(|body| body[member] == key).count()
    }

    pub(crate) fn passwords(&self) -> Vec<String> {
        let keys = self.bodies.keys().filter_map(|path| path.strip_prefix("/passwords/"));
        keys.map(str::to_owned).collect()
    }

    pub(crate) fn is_valid(&self) -> bool {
        self.bodies.values().all(|body| {
            let exists = |member: &str, folder: &str| {
                body[member]
                    .as_str()
                    .is_none_or(|key| self.bodies.contains_key(&format!("/{folder}/{key}")))
            };
            exists("thing", "things") && exists("password", "passwords")
        }) && self.passwords().iter().all(|key| self.referrers("password", key) <= 1)
    }

    pub(crate) fn without_unused_passwords(mut self) -> Self {
        for key in self.passwords() {
            if self.referrers("password", &key) == 0 {
                self.bodies.remove(&format!("/passwords/{key}"));
            }
        }
        self
    }

    /// This state with what leads from `base` to `mine`; `None` where both sides changed a thing.
    pub(crate) fn rebased(&self, base: &State, mine: &State) -> Option<State> {
        let mut merged = self.clone();
        let paths = base.bodies.keys().chain(mine.bodies.keys());
        for path in paths {
            if base.bodies.get(path) == mine.bodies.get(path) {
                continue;
            }
            if base.bodies.get(path) != self.bodies.get(path) {
                return None;
            }
            match mine.bodies.get(path) {
                Some(body) => _ = merged.bodies.insert(path.clone(), body.clone()),
                None => _ = merged.bodies.remove(path),
            }
        }
        let is_new = |key: &&String| !base.order.contains(key);
        let kept: Vec<String> =
            base.order.iter().filter(|key| mine.order.contains(key)).cloned().collect();
        let new: Vec<String> = mine.order.iter().filter(is_new).cloned().collect();
        let reached: Vec<String> = kept.into_iter().chain(new.iter().cloned()).collect();
        if reached == mine.order {
            merged.order.retain(|key| !base.order.contains(key) || mine.order.contains(key));
            merged.order.extend(new);
        } else if base.order == self.order {
            merged.order.clone_from(&mine.order);
        } else {
            return None;
        }
        Some(merged)
    }
}

#[derive(Default)]
struct Caller {
    session: Option<Arc<Session>>,
    /// Base and staged state while a transaction is open.
    open: Option<(State, State)>,
}

/// A commit that awaits its confirmation.
struct Awaiting {
    token: ConfirmToken,
    before: State,
    until: u64,
}

/// The model beside the real thing.
struct World {
    mode: Mode,
    fixture: Option<Fixture>,
    running: State,
    /// The state after each revision.
    past: Vec<State>,
    awaiting: Option<Awaiting>,
    /// Seconds since the beginning.
    now: u64,
    callers: Vec<Caller>,
}

impl World {
    fn new(mode: Mode, store: Box<dyn Store>) -> Self {
        let bodies = PARTS.map(|name| (part(name).to_string(), json!({"n": 0})));
        let running = State { bodies: bodies.into_iter().collect(), order: Vec::new() };
        let fixture = Some(Setup::mode(mode).open(store).unwrap());
        let callers = (0..SESSIONS).map(|_| Caller::default()).collect();
        let past = vec![running.clone()];
        let mut world = Self { mode, fixture, running, past, awaiting: None, now: 0, callers };
        world.log_in_everybody();
        world
    }

    fn fixture(&self) -> &Fixture {
        self.fixture.as_ref().unwrap()
    }

    fn revisions(&self) -> u64 {
        self.past.len() as u64
    }

    fn becomes(&mut self, state: State) {
        self.past.push(state.clone());
        self.running = state;
    }

    /// What became overdue is undone by a revision of its own.
    fn expire(&mut self) {
        if self.awaiting.as_ref().is_some_and(|awaiting| awaiting.until <= self.now) {
            self.undo();
        }
    }

    fn undo(&mut self) {
        let awaiting = self.awaiting.take().unwrap();
        self.becomes(awaiting.before);
    }

    /// The process is gone, and with it all sessions; the next one opens what is left.
    fn restart(&mut self, store: Box<dyn Store>) {
        let clock = Arc::clone(&self.fixture().clock);
        self.fixture = Some(Setup::mode(self.mode).clock(&clock).open(store).unwrap());
        self.expire();
        self.log_in_everybody();
    }

    fn log_in_everybody(&mut self) {
        for index in 0..SESSIONS {
            self.callers[index] =
                Caller { session: Some(self.fixture().session("someone")), open: None };
        }
    }

    fn session(&self, index: usize) -> Arc<Session> {
        Arc::clone(self.callers[index].session.as_ref().unwrap())
    }

    /// What the caller's staged state would be if a change were accepted; `None`: not allowed now.
    fn staged(&self, index: usize) -> Option<(State, State)> {
        match (&self.callers[index].open, self.mode) {
            (Some(open), _) => Some(open.clone()),
            (None, Mode::Concurrent | Mode::Autocommit) => {
                Some((self.running.clone(), self.running.clone()))
            }
            (None, Mode::Exclusive) => None,
        }
    }

    /// Runs a change on both sides. `expected` says what the model makes of it, or that it must be
    /// refused, given the caller's staged state.
    fn change<T>(
        &mut self,
        index: usize,
        real: impl FnOnce(&Fixture, &Session, &State) -> Result<T, Error>,
        expected: impl FnOnce(State, Option<T>) -> Option<State>,
    ) {
        let session = self.session(index);
        let staged = self.staged(index);
        let seen =
            staged.as_ref().map_or_else(|| self.running.clone(), |(_, staged)| staged.clone());
        let result = real(self.fixture(), &session, &seen);
        let Some((base, _)) = staged else {
            assert!(matches!(result, Err(Error::NoTransaction)), "changed without a transaction");
            return;
        };
        let accepted = result.is_ok();
        match expected(seen, result.ok()) {
            Some(state) => {
                assert!(accepted, "refused what is right");
                self.callers[index].open = Some((base, state));
            }
            None => assert!(!accepted, "accepted what is wrong"),
        }
    }

    fn run(&mut self, event: &Event) {
        match *event {
            Event::Open(index) => self.open(index),
            Event::Put { session, part: which, n, thing, password } => {
                self.put(session, which, n, thing, password);
            }
            Event::PutInvalid(index, which) => self.change(
                index,
                |f, s, _| f.put(s, PARTS[which], json!({"n": 1, "thing": "nowhere"})),
                |_, _| None,
            ),
            Event::CreateThing(index, n) => self.change(
                index,
                |f, s, _| f.engine.node_create(s, &path("/things"), json!({ "n": n })),
                |mut state, made| {
                    let (path, _) = made?;
                    state.order.push(path.key()?.to_string());
                    state.bodies.insert(path.to_string(), json!({ "n": n }));
                    Some(state)
                },
            ),
            Event::ReplaceThing(index, which, n) => {
                if let Some(target) = self.thing(index, which) {
                    self.change(
                        index,
                        |f, s, _| f.engine.node_put(s, &target, json!({ "n": n }), None),
                        |mut state, _| {
                            state.bodies.insert(target.to_string(), json!({ "n": n }));
                            Some(state)
                        },
                    );
                }
            }
            Event::DeleteThing(index, which) => {
                if let Some(target) = self.thing(index, which) {
                    let key = target.key().unwrap().to_string();
                    self.change(
                        index,
                        |f, s, _| f.engine.node_delete(s, &target, None),
                        |mut state, _| {
                            state.bodies.remove(&target.to_string());
                            state.order.retain(|other| *other != key);
                            (state.referrers("thing", &key) == 0).then_some(state)
                        },
                    );
                }
            }
            Event::Reorder(index, seed) => self.reorder(index, seed),
            Event::CreatePassword(index) => self.change(
                index,
                |f, s, _| {
                    let value = json!({"plain": "hunter2"});
                    f.engine.node_create(s, &path("/passwords"), value)
                },
                |mut state, made| {
                    // What is sealed is different each time; that it is there is what counts.
                    state.bodies.insert(made?.0.to_string(), json!("sealed"));
                    Some(state)
                },
            ),
            Event::Commit(index) => self.commit(index, None),
            Event::CommitToConfirm(index, within) => self.commit(index, Some(within)),
            Event::Confirm => {
                self.settle(|f, token| f.engine.commit_confirm(token).map(drop), false)
            }
            Event::Cancel => self.settle(|f, token| f.engine.commit_cancel(token).map(drop), true),
            Event::Extend(by) => self.extend(by),
            Event::Later(by) => {
                self.fixture().later(by.into());
                self.fixture().engine.expire_confirmation().unwrap();
                self.now += u64::from(by);
                self.expire();
            }
            Event::Rebase(index) => self.rebase(index),
            Event::Restore(index, which) => self.restore(index, which),
            Event::Rollback(index) => {
                self.fixture().engine.transaction_rollback(&self.session(index)).unwrap();
                self.callers[index].open = None;
            }
            Event::End(index) => {
                self.fixture().engine.session_end(&self.session(index));
                let session = Some(self.fixture().session("someone"));
                self.callers[index] = Caller { session, open: None };
            }
            Event::Restart => {}
        }
    }

    /// The n-th thing that the caller sees.
    fn thing(&self, index: usize, which: u8) -> Option<NodePath> {
        let seen = self.staged(index).map_or(&self.running.order, |_| {
            self.callers[index].open.as_ref().map_or(&self.running.order, |(_, s)| &s.order)
        });
        let key = seen.get(usize::from(which) % seen.len().max(1))?;
        Some(path("/things").join(&Key::parse(key).unwrap()))
    }

    fn open(&mut self, index: usize) {
        let someone_else = self.mode == Mode::Exclusive
            && (0..SESSIONS).any(|other| other != index && self.callers[other].open.is_some());
        match self.fixture().engine.transaction_open(&self.session(index)) {
            Ok(()) => assert!(!someone_else, "two hold the configuration"),
            Err(Error::Held(_)) => return assert!(someone_else, "nobody holds the configuration"),
            Err(other) => panic!("{other:?}"),
        }
        let now = (self.running.clone(), self.running.clone());
        self.callers[index].open.get_or_insert(now);
    }

    fn put(&mut self, index: usize, which: usize, n: i64, thing: Option<u8>, secret: Option<u8>) {
        let seen = self.staged(index).map_or_else(|| self.running.clone(), |(_, staged)| staged);
        let pick = |keys: &[String], n: Option<u8>| {
            n.and_then(|n| keys.get(usize::from(n) % keys.len().max(1)).cloned())
        };
        let mut body = json!({ "n": n });
        if let Some(key) = pick(&seen.order, thing) {
            body["thing"] = json!(key);
        }
        if let Some(key) = pick(&seen.passwords(), secret) {
            body["password"] = json!(key);
        }
        self.change(
            index,
            |f, s, _| f.put(s, PARTS[which], body.clone()),
            |mut state, _| {
                state.bodies.insert(part(PARTS[which]).to_string(), body.clone());
                Some(state)
            },
        );
    }

    fn reorder(&mut self, index: usize, seed: u64) {
        let seen = self.staged(index).map_or_else(|| self.running.clone(), |(_, staged)| staged);
        // By place and not by key: keys are random, and a failure must replay.
        let mut order: Vec<_> = seen.order.iter().cloned().enumerate().collect();
        order.sort_by_key(|(at, _)| *blake3::hash(format!("{seed}{at}").as_bytes()).as_bytes());
        let order: Vec<String> = order.into_iter().map(|(_, key)| key).collect();
        let keys: Vec<Key> = order.iter().map(|key| Key::parse(key).unwrap()).collect();
        self.change(
            index,
            |f, s, _| f.engine.collection_reorder(s, &path("/things"), &keys, None),
            |mut state, _| {
                state.order.clone_from(&order);
                Some(state)
            },
        );
    }

    fn commit(&mut self, index: usize, within: Option<u8>) {
        let session = self.session(index);
        let plan = self.fixture().engine.transaction_plan(&session).ok();
        let confirm_within = within.map(|seconds| Duration::from_secs(seconds.into()));
        let options = CommitOptions { confirm_within, ..CommitOptions::default() };
        let result = self.fixture().commit_with(&session, options);
        let Some((base, mine)) = self.callers[index].open.clone() else {
            return assert!(matches!(result, Err(Error::NoTransaction)));
        };
        self.check_plan(&plan.unwrap(), &result);
        if self.awaiting.is_some() {
            return assert!(matches!(result, Err(Error::AwaitingConfirmation { .. })));
        }
        let merged = self.running.rebased(&base, &mine);
        let moved = self.running != base;
        match (result, merged) {
            (Ok(committed), Some(merged)) if merged.is_valid() => {
                let merged = merged.without_unused_passwords();
                self.callers[index].open = None;
                self.committed(&committed, merged, within);
            }
            (Err(Error::Conflict { overlaps, .. }), None) => assert!(!overlaps.is_empty()),
            (Err(Error::Conflict { .. }), Some(merged)) => {
                assert!(moved && mine.is_valid() && !merged.is_valid(), "a conflict with nobody");
            }
            (Err(Error::Rejected(violations)), Some(merged)) => {
                assert!(!violations.is_empty() && !merged.is_valid() && !mine.is_valid());
            }
            (result, merged) => panic!("{result:?}, the model has {merged:?}"),
        }
    }

    fn committed(&mut self, committed: &Committed, merged: State, within: Option<u8>) {
        if merged != self.running {
            let before = self.running.clone();
            self.becomes(merged);
            let until = within.map(|within| self.now + u64::from(within));
            self.awaiting = committed.confirmation.as_ref().map(|confirmation| Awaiting {
                token: confirmation.token.clone(),
                before,
                until: until.unwrap(),
            });
            assert_eq!(self.awaiting.is_some(), within.is_some());
        }
        let number = committed.number.get();
        assert_eq!(number, self.revisions(), "a revision for each commit that changes");
    }

    /// What was planned a moment ago is what happened.
    fn check_plan(&self, plan: &Plan, result: &Result<Committed, Error>) {
        match (&plan.refusal, result) {
            (None, Ok(committed)) if committed.changes == 0 => assert!(plan.changes.is_empty()),
            (None, Ok(committed)) => {
                let record = self.fixture().record(committed.number.get());
                assert_eq!(plan.changes, record.changes);
                assert_eq!(plan.head.next(), committed.number);
            }
            (Some(planned), Err(told)) => assert_eq!(format!("{planned:?}"), format!("{told:?}")),
            (planned, told) => panic!("planned {planned:?}, told {told:?}"),
        }
    }

    fn settle(&mut self, act: impl FnOnce(&Fixture, &str) -> Result<(), Error>, undone: bool) {
        let Some(awaiting) = &self.awaiting else {
            return assert!(matches!(act(self.fixture(), "x"), Err(Error::NotAwaiting)));
        };
        act(self.fixture(), awaiting.token.as_str()).unwrap();
        if undone {
            self.undo();
        }
        self.awaiting = None;
    }

    fn extend(&mut self, by: u8) {
        let Some(awaiting) = &mut self.awaiting else { return };
        awaiting.until = self.now + u64::from(by);
        let token = awaiting.token.clone();
        let by = Duration::from_secs(by.into());
        self.fixture().engine.commit_extend(token.as_str(), by).unwrap();
    }

    fn rebase(&mut self, index: usize) {
        let result = self.fixture().engine.transaction_rebase(&self.session(index));
        let Some((base, mine)) = self.callers[index].open.clone() else {
            return assert!(matches!(result, Err(Error::NoTransaction)));
        };
        match (result, self.running.rebased(&base, &mine)) {
            (Ok(number), Some(merged)) => {
                assert!(merged.is_valid() || !mine.is_valid(), "a conflict was not told");
                assert_eq!(number.get(), self.revisions());
                self.callers[index].open = Some((self.running.clone(), merged));
            }
            (Err(Error::Conflict { .. }), None) => {}
            (Err(Error::Conflict { .. }), Some(merged)) => {
                assert!(mine.is_valid() && !merged.is_valid(), "a conflict with nobody");
            }
            (result, merged) => panic!("{result:?}, the model has {merged:?}"),
        }
    }

    fn restore(&mut self, index: usize, which: u8) {
        let place = usize::from(which) % self.past.len();
        let state = self.past[place].clone();
        let number = RevisionNumber::new(place as u64 + 1);
        self.change(index, |f, s, _| f.engine.revision_restore(s, number), |_, _| Some(state));
    }

    fn check_invariants(&self) {
        self.invariant_running_is_what_was_acknowledged();
        self.invariant_each_session_sees_its_own();
        self.invariant_no_revision_breaks_a_rule();
        self.invariant_index_and_digest_agree_with_the_nodes();
        self.invariant_a_lock_is_held_by_an_open_transaction();
        self.invariant_changes_lead_from_base_to_staged();
    }

    fn invariant_running_is_what_was_acknowledged(&self) {
        let running = self.fixture().engine.running();
        assert_eq!(state_of(&running.tree), self.running);
        assert_eq!(running.number.get(), self.revisions());
        let awaiting = self.awaiting.as_ref().map(|_| self.revisions());
        let told = self.fixture().engine.confirmation().map(|(number, _)| number.get());
        assert_eq!(told, awaiting);
    }

    fn invariant_each_session_sees_its_own(&self) {
        for caller in &self.callers {
            let view = self.fixture().engine.view(caller.session.as_ref().unwrap());
            let expected = caller.open.as_ref().map_or(&self.running, |(_, staged)| staged);
            assert_eq!(&state_of(view.tree()), expected);
        }
    }

    fn invariant_no_revision_breaks_a_rule(&self) {
        let tree = &self.fixture().engine.running().tree;
        let sealer = transaction_engine::secrets::Sealer::from_key(&[7; 32]);
        let violations = self.fixture().engine.catalog().check_tree(tree, &sealer);
        assert!(violations.is_empty(), "{violations:?}");
    }

    fn invariant_index_and_digest_agree_with_the_nodes(&self) {
        assert!(self.fixture().engine.running().tree.is_consistent());
    }

    fn invariant_a_lock_is_held_by_an_open_transaction(&self) {
        let open: Vec<_> = self.callers.iter().filter(|caller| caller.open.is_some()).collect();
        match self.fixture().engine.holder() {
            None => assert!(self.mode == Mode::Concurrent || open.is_empty()),
            Some(holder) => {
                assert_eq!(open.len(), 1);
                assert_eq!(holder.session, open[0].session.as_ref().unwrap().id());
            }
        }
    }

    fn invariant_changes_lead_from_base_to_staged(&self) {
        for caller in self.callers.iter().filter(|caller| caller.open.is_some()) {
            let session = caller.session.as_ref().unwrap();
            let changes = self.fixture().engine.transaction_changes(session);
            let status = self.fixture().engine.transaction_status(session);
            assert_eq!(status.changed, !changes.is_empty(), "{changes:?}");
        }
    }

    /// Every revision follows from the one before it by its own changes, and undoes to it.
    fn invariant_history_replays(&self) {
        let engine = &self.fixture().engine;
        let mut tree = engine.catalog().skeleton();
        for number in 1..=self.revisions() {
            let record = engine.revision_read(RevisionNumber::new(number)).unwrap().unwrap();
            let before = tree.clone();
            record.changes.iter().for_each(|change| tree.apply(change).unwrap());
            assert_eq!(tree.digest(), record.digest, "revision {number}");
            let touched: Vec<_> = record.changes.iter().map(|change| change.path()).collect();
            assert_eq!(changes_between(&before, &tree, touched).len(), record.changes.len());
            let place = usize::try_from(number).unwrap() - 1;
            assert_eq!(state_of(&tree), self.past[place]);
            let again = engine.tree_at(RevisionNumber::new(number)).unwrap().unwrap();
            assert_eq!(again.digest(), record.digest, "revision {number}, read back");
        }
        assert_eq!(state_of(&tree), self.running);
    }
}

pub(crate) fn state_of(tree: &config_tree::Tree) -> State {
    let body = |(path, body): (NodePath, &config_tree::Body)| {
        let is_secret = path.to_string().starts_with("/passwords/");
        (path.to_string(), if is_secret { json!("sealed") } else { body.value() })
    };
    let order = tree.children(&path("/things")).map(Key::to_string).collect();
    State { bodies: tree.walk().map(body).collect(), order }
}

fn check_in_memory(mode: Mode, events: &[Event]) {
    let mut store = MemStore::new();
    let mut world = World::new(mode, Box::new(store.clone()));
    for event in events {
        world.run(event);
        if matches!(event, Event::Restart) {
            // The power goes: whatever was not synced is lost, and so is every session.
            store = store.crash();
            world.restart(Box::new(store.clone()));
        }
        world.check_invariants();
    }
    world.invariant_history_replays();
}

fn check_on_sled(mode: Mode, events: &[Event]) {
    let folder = tempfile::tempdir().unwrap();
    let open = || Box::new(SledStore::open(folder.path(), 1 << 20).unwrap());
    let mut world = World::new(mode, open());
    for event in events {
        world.run(event);
        if matches!(event, Event::Restart) {
            world.callers.clear();
            world.callers.resize_with(SESSIONS, Caller::default);
            world.fixture().engine.shutdown();
            let clock = Arc::clone(&world.fixture().clock);
            // The directory is one engine's at a time.
            world.fixture = None;
            world.fixture = Some(Setup::mode(mode).clock(&clock).open(open()).unwrap());
            world.expire();
            world.log_in_everybody();
        }
        world.check_invariants();
    }
    world.invariant_history_replays();
}

// PROPTEST_CASES raises the number of cases.
proptest! {
    #[test]
    fn exclusive_sessions_behave_as_the_model(events in events()) {
        check_in_memory(Mode::Exclusive, &events);
    }

    #[test]
    fn concurrent_sessions_behave_as_the_model(events in events()) {
        check_in_memory(Mode::Concurrent, &events);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn and_so_they_do_on_sled(events in events(), concurrent in any::<bool>()) {
        check_on_sled(if concurrent { Mode::Concurrent } else { Mode::Exclusive }, &events);
    }
}
