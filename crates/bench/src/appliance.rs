//! Configurations to measure with: a small catalog with one large collection, trees of any size in
//! data directories, engines over them.
//!
//! Large trees are written as revisions straight into a log of revisions, in the bytes that the
//! engine itself would have written. That is only a faster way to the same store; what is measured
//! afterwards goes through the engine.

use std::path::Path;
use std::sync::Arc;

use catalog::Catalog;
use config_tree::{Body, Change, Key, NodePath};
use serde_json::{Value, json};
use transaction_engine::clock::{Clock, SystemClock};
use transaction_engine::secrets::Sealer;
use transaction_engine::store::{
    Batch, CheckpointDir, Limits, RevisionLog, Scan, SledStore, Store, StoreError,
};
use transaction_engine::{Applier, Engine, Mode, Options, RevisionNumber, RevisionRecord};

use crate::Outcome;

/// The collection that is filled.
pub const THINGS: &str = "/things";

/// The collection of the built-in catalog that is filled: its members may hold anything, and a name
/// that no other has.
pub const USER_LISTS: &str = "/policies/userlists";

/// An object that is always there.
pub const SETTINGS: &str = "/settings";

/// How many members one revision of a filling creates.
const PORTION: usize = 100_000;

const CATALOG: &[(&str, &str)] = &[
    (
        "catalog.yaml",
        r#"
name: bench-1.0
title: Benchmark
description: One object and one collection.
transactions: exclusive
"#,
    ),
    (
        "settings.yaml",
        r#"
kind: object
title: Settings
description: An object of the usual size.
fidelity: full
schema:
  type: object
  additionalProperties: false
  required: [server, enabled, timeout]
  properties:
    server: {title: Server, description: A host., type: string, minLength: 1, maxLength: 255}
    enabled: {title: Enabled, description: A switch., type: boolean}
    timeout: {title: Timeout, description: Minutes., type: integer, minimum: 1, maximum: 100000}
    comment: {title: Comment, description: A text., type: string, maxLength: 4096}
default: {server: host.example.com, enabled: true, timeout: 10, comment: none}
"#,
    ),
    (
        "things.yaml",
        r#"
kind: collection
title: Things
description: Members with an order.
fidelity: full
operations: [list, create, replace, delete]
key: uuid
schema:
  type: object
  additionalProperties: false
  required: [name, server, enabled, timeout]
  properties:
    name: {title: Name, description: A name., type: string, minLength: 1, maxLength: 255}
    server: {title: Server, description: A host., type: string, minLength: 1, maxLength: 255}
    enabled: {title: Enabled, description: A switch., type: boolean}
    timeout: {title: Timeout, description: Minutes., type: integer, minimum: 1, maximum: 100000}
    comment: {title: Comment, description: A text., type: string, maxLength: 4096}
"#,
    ),
];

/// The catalog of the in-process benchmarks.
///
/// # Errors
/// It has faults.
pub fn catalog() -> Outcome<Catalog> {
    let files = CATALOG.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    Catalog::from_files(files).map_err(|faults| faults.to_string().into())
}

/// The catalog that the daemon has at its default.
///
/// # Errors
/// It has faults, or there is none.
pub fn builtin() -> Outcome<Catalog> {
    let built = Catalog::builtin("sps-6.2").ok_or("sps-6.2 is not built in")?;
    built.map_err(|faults| faults.to_string().into())
}

/// The body of a thing; `turn` makes another of the same size.
#[must_use]
pub fn thing(number: usize, turn: usize) -> Value {
    json!({
        "name": format!("thing {number}"),
        "server": format!("host-{number}.example.com"),
        "enabled": true,
        "timeout": 10 + turn % 90_000,
        "comment": "what an administrator wrote about it, in a sentence or two of the usual length",
    })
}

/// The key of the member with a number, in the form of those that the engine makes.
#[must_use]
pub fn key(number: usize) -> String {
    // Spread over the key space, as random ones are.
    let mixed = (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let [a, b, c, d, e, f, g, h] = mixed.to_be_bytes();
    format!(
        "{a:02x}{b:02x}{c:02x}{d:02x}-{e:02x}{f:02x}-4{:03x}-8000-{number:012x}",
        u16::from_be_bytes([g, h]) & 0xfff
    )
}

/// The path of the member with a number.
///
/// # Errors
/// Never for the keys made here.
pub fn member(collection: &NodePath, number: usize) -> Outcome<NodePath> {
    Ok(collection.join(&Key::parse(&key(number))?))
}

/// A path that is known to be one.
///
/// # Errors
/// It is none.
pub fn path(text: &str) -> Outcome<NodePath> {
    Ok(NodePath::parse(text)?)
}

/// How an engine for measuring is set up; the rest is as the daemon has it.
pub struct Setup {
    /// The schema.
    pub catalog: Arc<Catalog>,
    /// How transactions get along.
    pub mode: Mode,
    /// Who acts on commits.
    pub appliers: Vec<Arc<dyn Applier>>,
}

impl Setup {
    /// The catalog of the benchmarks, one transaction at a time.
    ///
    /// # Errors
    /// The catalog has faults.
    pub fn bench() -> Outcome<Self> {
        let catalog = Arc::new(catalog()?);
        Ok(Self { catalog, mode: Mode::Exclusive, appliers: Vec::new() })
    }

    /// An engine over a data directory, with everything that makes the daemon's commits durable.
    ///
    /// # Errors
    /// The store cannot be opened.
    pub fn durable(self, data_dir: &Path) -> Outcome<Engine> {
        self.over(Box::new(sled(data_dir)?), Some(checkpoints(data_dir)?))
    }

    /// An engine over a store.
    ///
    /// # Errors
    /// The store cannot be opened.
    pub fn over(
        self,
        store: Box<dyn Store>,
        checkpoints: Option<CheckpointDir>,
    ) -> Outcome<Engine> {
        let Self { catalog, mode, appliers } = self;
        let options = Options {
            catalog,
            store,
            checkpoints,
            checkpoint_every: 1000,
            sealer: Arc::new(Sealer::from_key(&[7; 32])),
            clock: Arc::new(SystemClock),
            mode,
            change_limit: 1_000_000,
            history: transaction_engine::HistoryRules::default(),
            appliers,
        };
        Ok(Engine::open(options, &mut |_, _| None)?)
    }
}

/// The store of a data directory as the daemon opens it.
///
/// # Errors
/// It is in use or damaged.
pub fn sled(data_dir: &Path) -> Outcome<SledStore> {
    Ok(SledStore::open(data_dir, SledStore::CACHE_BYTES)?)
}

/// The checkpoints of a data directory.
///
/// # Errors
/// The folder cannot be made.
pub fn checkpoints(data_dir: &Path) -> Outcome<CheckpointDir> {
    Ok(CheckpointDir::open(data_dir.join("checkpoints"))?)
}

/// Adds members to a collection of a data directory, and writes a checkpoint.
///
/// # Errors
/// The store does not take them.
pub fn fill(
    data_dir: &Path,
    catalog: &Catalog,
    collection: &NodePath,
    members: usize,
    body: impl Fn(usize) -> Value,
) -> Outcome<()> {
    let (store, dir) = (Box::new(sled(data_dir)?), checkpoints(data_dir)?);
    fill_log(store, Some(dir), catalog, collection, members, body)
}

/// The same over any store.
///
/// # Errors
/// The store does not take them.
pub fn fill_log(
    store: Box<dyn Store>,
    checkpoints: Option<CheckpointDir>,
    catalog: &Catalog,
    collection: &NodePath,
    members: usize,
    body: impl Fn(usize) -> Value,
) -> Outcome<()> {
    let (log, recovered) = RevisionLog::open(store, checkpoints, catalog.skeleton())?;
    let (mut tree, mut number) = (recovered.tree, recovered.number);
    let mut made = 0;
    while made < members {
        let mut changes = Vec::new();
        for index in made..members.min(made + PORTION) {
            let (path, after) = (member(collection, index)?, Body::new(&body(index), Vec::new()));
            tree.object_create(&path, after.clone(), None)?;
            let rank = tree.rank(&path);
            changes.push(Change::Create { path, rank, after });
        }
        made += changes.len();
        number = number.next();
        log.append(&[record(number, changes, tree.digest())])?;
    }
    log.checkpoint(number, &tree)?;
    Ok(())
}

fn record(
    number: RevisionNumber,
    changes: Vec<Change>,
    digest: config_tree::TreeDigest,
) -> RevisionRecord {
    // Any id that no other revision of this store has.
    let commit_id = uuid_of(number);
    RevisionRecord {
        number,
        time: SystemClock.now(),
        commit_id,
        author: "bench".to_owned(),
        session: "bench".to_owned(),
        message: None,
        changes,
        digest,
    }
}

fn uuid_of(number: RevisionNumber) -> uuid::Uuid {
    uuid::Uuid::from_u128(0xbe7c_0000_0000_4000_8000_0000_0000_0000 + u128::from(number.get()))
}

/// A store whose syncs do nothing, to see what they cost.
pub struct WithoutSync(pub SledStore);

impl Store for WithoutSync {
    fn write(&self, batch: Batch) -> Result<(), StoreError> {
        self.0.write(batch)
    }

    fn write_in_order(&self, batch: Batch) -> Result<(), StoreError> {
        self.0.write_in_order(batch)
    }

    fn sync(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.get(key)
    }

    fn scan(&self, prefix: &[u8]) -> Scan<'_> {
        self.0.scan(prefix)
    }

    fn limits(&self) -> Limits {
        self.0.limits()
    }
}
