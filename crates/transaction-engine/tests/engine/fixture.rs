//! A small appliance, an engine over it, and a few short words for the verbs.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use catalog::Catalog;
use config_tree::{Key, NodePath, Tree};
use serde_json::{Value, json};
use tempfile::TempDir;
use transaction_engine::clock::{Clock, ManualClock};
use transaction_engine::secrets::Sealer;
use transaction_engine::store::{CheckpointDir, MemStore, SledStore, Store};
use transaction_engine::{
    Applier, CommitOptions, Committed, Engine, Error, HistoryRules, Mode, Options, RevisionNumber,
    RevisionRecord, Session, Timestamp, View,
};

/// Three objects that may refer to a thing and to a password; things in an order; passwords.
const CATALOG: &[(&str, &str)] = &[
    (
        "catalog.yaml",
        r##"
name: test-1.0
title: Test appliance
description: Small enough to know by heart.
transactions: exclusive
$defs:
  part:
    type: object
    additionalProperties: false
    required: [n]
    properties:
      n: {title: Number, description: Any number., type: integer}
      thing: {title: Thing, description: A thing., type: [string, "null"], x-reference: /things}
      password:
        title: Password
        description: A password.
        type: [string, "null"]
        x-reference: /passwords
"##,
    ),
    ("parts.yaml", "kind: folder\ntitle: Parts\ndescription: Fixed objects.\n"),
    ("parts/a.yaml", PART),
    ("parts/b.yaml", PART),
    ("parts/c.yaml", PART),
    (
        "things.yaml",
        r##"
kind: collection
title: Things
description: Members with an order.
fidelity: full
operations: [list, create, replace, delete]
key: uuid
schema:
  type: object
  additionalProperties: false
  required: [n]
  properties:
    n: {title: Number, description: Any number., type: integer}
"##,
    ),
    (
        "passwords.yaml",
        r##"
kind: collection
title: Passwords
description: Secrets, referred to once.
fidelity: full
operations: [create]
key: uuid
lifetime: referenced
exclusive: true
schema:
  type: object
  additionalProperties: false
  required: [plain]
  properties:
    plain: {title: Text, description: The password., type: string, x-secret: true}
"##,
    ),
];

const PART: &str = r##"
kind: object
title: Part
description: A fixed object.
fidelity: full
schema: {$ref: "#/$defs/part"}
default: {n: 0}
"##;

pub(crate) fn catalog() -> Catalog {
    let files = CATALOG.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    Catalog::from_files(files).unwrap_or_else(|faults| panic!("{faults}"))
}

pub(crate) fn path(text: &str) -> NodePath {
    NodePath::parse(text).unwrap()
}

pub(crate) fn part(name: &str) -> NodePath {
    path(&format!("/parts/{name}"))
}

/// An engine with a clock that the test moves.
pub(crate) struct Fixture {
    pub(crate) engine: Engine,
    pub(crate) clock: Arc<ManualClock>,
}

/// Where a configuration lies, so that it can be opened again. Every scenario runs at both kinds.
pub(crate) struct Place {
    store: Medium,
    checkpoints: TempDir,
}

enum Medium {
    Mem(RefCell<MemStore>),
    Sled(TempDir),
}

impl Place {
    pub(crate) fn in_memory() -> Self {
        Self::over(MemStore::new())
    }

    pub(crate) fn over(store: MemStore) -> Self {
        let checkpoints = tempfile::tempdir().unwrap();
        Self { store: Medium::Mem(RefCell::new(store)), checkpoints }
    }

    pub(crate) fn on_sled() -> Self {
        let (store, checkpoints) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        Self { store: Medium::Sled(store), checkpoints }
    }

    /// The store; of the one in memory what a crash would leave.
    pub(crate) fn store(&self) -> Box<dyn Store> {
        match &self.store {
            Medium::Mem(store) => {
                let image = store.borrow().crash();
                *store.borrow_mut() = image.clone();
                Box::new(image)
            }
            Medium::Sled(folder) => Box::new(SledStore::open(folder.path(), 1 << 20).unwrap()),
        }
    }

    pub(crate) fn checkpoints(&self) -> CheckpointDir {
        CheckpointDir::open(self.checkpoints.path()).unwrap()
    }
}

/// Runs each of these scenarios at both kinds of places.
#[macro_export]
macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        mod in_memory {
            $(#[test] fn $name() { super::$name(&$crate::fixture::Place::in_memory()); })*
        }
        mod on_sled {
            $(#[test] fn $name() { super::$name(&$crate::fixture::Place::on_sled()); })*
        }
    };
}

pub(crate) struct Setup {
    pub(crate) mode: Mode,
    pub(crate) appliers: Vec<Arc<dyn Applier>>,
    pub(crate) change_limit: usize,
    pub(crate) history: HistoryRules,
    pub(crate) clock: Arc<ManualClock>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            mode: Mode::Exclusive,
            appliers: Vec::new(),
            change_limit: 1000,
            history: HistoryRules::default(),
            clock: Arc::new(ManualClock::new(Timestamp::from_micros(1_790_000_000_000_000))),
        }
    }
}

impl Setup {
    pub(crate) fn mode(mode: Mode) -> Self {
        Self { mode, ..Self::default() }
    }

    /// Many transactions at once.
    pub(crate) fn concurrent() -> Self {
        Self::mode(Mode::Concurrent)
    }

    /// With a clock that goes on from a former start.
    pub(crate) fn clock(self, clock: &Arc<ManualClock>) -> Self {
        Self { clock: Arc::clone(clock), ..self }
    }

    /// A place that was closed, or died, is opened again.
    pub(crate) fn again(self, fixture: Fixture, place: &Place) -> Fixture {
        let clock = Arc::clone(&fixture.clock);
        drop(fixture);
        self.clock(&clock).at(place)
    }

    pub(crate) fn at(self, place: &Place) -> Fixture {
        self.open_with(place.store(), Some(place.checkpoints())).unwrap()
    }

    pub(crate) fn open(self, store: Box<dyn Store>) -> Result<Fixture, Error> {
        self.open_with(store, None)
    }

    pub(crate) fn open_with(
        self,
        store: Box<dyn Store>,
        checkpoints: Option<CheckpointDir>,
    ) -> Result<Fixture, Error> {
        let clock = self.clock;
        let options = Options {
            catalog: Arc::new(catalog()),
            store,
            checkpoints,
            checkpoint_every: 1000,
            sealer: Arc::new(Sealer::from_key(&[7; 32])),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            mode: self.mode,
            change_limit: self.change_limit,
            history: self.history,
            appliers: self.appliers,
        };
        Ok(Fixture { engine: Engine::open(options, &mut |_, _| None)?, clock })
    }
}

impl Fixture {
    pub(crate) fn session(&self, user: &str) -> Arc<Session> {
        self.engine.session_open(user)
    }

    /// A session with an open transaction.
    pub(crate) fn opened(&self, user: &str) -> Arc<Session> {
        let session = self.session(user);
        self.engine.transaction_open(&session).unwrap();
        session
    }

    pub(crate) fn number(&self) -> u64 {
        self.engine.running().number.get()
    }

    pub(crate) fn put(&self, session: &Session, name: &str, value: Value) -> Result<View, Error> {
        self.engine.node_put(session, &part(name), value, None)
    }

    pub(crate) fn create(&self, session: &Session, value: Value) -> NodePath {
        self.engine.node_create(session, &path("/things"), value).unwrap().0
    }

    pub(crate) fn secret(&self, session: &Session, plain: &str) -> Key {
        let value = json!({ "plain": plain });
        let (path, _) = self.engine.node_create(session, &path("/passwords"), value).unwrap();
        path.key().unwrap().clone()
    }

    pub(crate) fn commit(&self, session: &Arc<Session>) -> Result<u64, Error> {
        self.engine.transaction_commit(session, None).map(|committed| committed.number.get())
    }

    /// Commits one change in a session of its own.
    pub(crate) fn commit_n(&self, name: &str, n: i64) -> u64 {
        let session = self.opened("me");
        self.put(&session, name, json!({ "n": n })).unwrap();
        self.commit(&session).unwrap()
    }

    pub(crate) fn commit_with(
        &self,
        session: &Arc<Session>,
        options: CommitOptions,
    ) -> Result<Committed, Error> {
        self.engine.transaction_commit(session, options)
    }

    pub(crate) fn record(&self, number: u64) -> RevisionRecord {
        self.engine.revision_read(RevisionNumber::new(number)).unwrap().unwrap()
    }

    pub(crate) fn seen(&self, session: &Session, path: &NodePath) -> Option<Value> {
        value_at(self.engine.view(session).tree(), path)
    }

    pub(crate) fn running(&self, path: &NodePath) -> Option<Value> {
        value_at(&self.engine.running().tree, path)
    }

    pub(crate) fn later(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

pub(crate) fn value_at(tree: &Tree, path: &NodePath) -> Option<Value> {
    tree.body(path).map(config_tree::Body::value)
}

/// Asserts which variant an error is, and shows it when it is another.
#[macro_export]
macro_rules! assert_refused {
    ($result:expr, $variant:pat) => {
        match $result {
            Err($variant) => {}
            Err(other) => panic!("refused with {other:?}"),
            Ok(_) => panic!("not refused"),
        }
    };
}
