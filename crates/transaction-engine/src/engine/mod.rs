//! The engine and its verbs, a file for each subject.

mod autocommit;
mod backup;
mod changes;
mod confirmation;
mod defaults;
mod fork;
mod history;
mod retention;
mod sessions;
mod tags;
mod transactions;
mod tree_build;
mod watch;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwap, Guard};
use catalog::{Catalog, SecretReader};
use config_tree::{Key, NodePath, Tree};
use serde_json::Value;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::applier::Applier;
use crate::background::Background;
use crate::clock::Clock;
use crate::error::{Error, Operation};
use crate::exclusive_lock::{ExclusiveLock, Mode};
use crate::history_rules::HistoryRules;
use crate::hub::Hub;
use crate::lane::{Lane, Writer};
use crate::log::Log;
use crate::past::Past;
use crate::revision::{Revision, RevisionNumber, Timestamp};
use crate::secrets::Sealer;
use crate::sequences::Sequences;
use crate::session::{Session, State};
use crate::shared::Shared;
use crate::store::failpoint::{Point, reach};
use crate::store::{CheckpointDir, RevisionLog, Store};
use crate::transaction::permits;

pub use fork::{Begin, Fork};
pub use history::Page;
pub use tree_build::SecretForm;

/// What an engine is made of.
pub struct Options {
    /// What may stand where.
    pub catalog: Arc<Catalog>,
    /// Where revisions are kept.
    pub store: Box<dyn Store>,
    /// Where whole trees are written now and then; none for a store that forgets anyway.
    pub checkpoints: Option<CheckpointDir>,
    /// After how many revisions a checkpoint is written.
    pub checkpoint_every: u64,
    /// Seals and opens secrets.
    pub sealer: Arc<Sealer>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// How transactions get along.
    pub mode: Mode,
    /// How many nodes one transaction may change.
    pub change_limit: usize,
    /// What is kept of the past, and what a commit has to say for it.
    pub history: HistoryRules,
    /// Who acts on commits.
    pub appliers: Vec<Arc<dyn Applier>>,
}

/// Makes a member that a factory default needs, such as a certificate, for a collection and a
/// name; `None` where it knows no such thing.
pub type FactoryGenerator<'a> = dyn FnMut(&NodePath, &str) -> Option<(Key, Value)> + 'a;

/// One configuration with its sessions, transactions and history.
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
    pub(crate) lane: Lane,
    // After the lane, which it asks for help. None for a fork, which has no store to look after.
    pub(crate) background: Option<Background>,
    recovery_warnings: Vec<String>,
    identity: u64,
}

static ENGINES: AtomicU64 = AtomicU64::new(1);

/// The tree that a session sees at one moment. Holding it blocks no other session.
#[derive(Debug)]
pub enum View {
    /// The last committed revision.
    Running(Guard<Arc<Revision>>),
    /// The session's own transaction.
    Staged(Tree),
}

/// What a session's transaction is like at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Whether one is open.
    pub open: bool,
    /// Whether it differs from its base.
    pub changed: bool,
    /// Whether a commit needs a message.
    pub message_required: bool,
}

/// A transaction that is open, as others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The revision on which it is based.
    pub base: RevisionNumber,
    /// When it was opened.
    pub since: Timestamp,
    /// How many nodes it changes; `None` while it is being committed.
    pub changes: Option<usize>,
}

impl View {
    /// The tree.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        match self {
            Self::Running(revision) => &revision.tree,
            Self::Staged(tree) => tree,
        }
    }
}

impl Engine {
    /// Opens a store and brings it up to the catalog: what the catalog has and the store lacks is
    /// committed with its default, on a fresh store everything.
    ///
    /// # Errors
    /// A store that is in use, damaged or of an unknown format; defaults that break the rules.
    pub fn open(options: Options, mint: &mut FactoryGenerator<'_>) -> Result<Self, Error> {
        let Options { catalog, store, checkpoints, sealer, clock, appliers, history, .. } = options;
        let (log, recovered) = RevisionLog::open(store, checkpoints, catalog.skeleton())?;
        let head = Revision {
            number: recovered.number,
            tree: recovered.tree,
            time: recovered.last.as_ref().map_or(Timestamp::from_micros(0), |last| last.time),
            commit_id: recovered.last.as_ref().map_or(Uuid::nil(), |last| last.commit_id),
        };
        let shared = Arc::new(Shared {
            catalog,
            running: ArcSwap::from_pointee(head),
            origin: None,
            log: Log::Durable(Arc::new(log)),
            sealer,
            clock,
            exclusive_lock: ExclusiveLock::new(options.mode),
            change_limit: options.change_limit,
            checkpoint_every: options.checkpoint_every,
            checkpointed: AtomicU64::new(recovered.number.get()),
            shorten_not_before: AtomicU64::new(0),
            history,
            past: Past::default(),
            hub: Hub::default(),
            closed: AtomicBool::new(false),
            appliers,
            sequences: Sequences::default(),
            hooks: OnceLock::new(),
        });
        shared.appliers.iter().for_each(|applier| applier.apply(&shared.running.load(), &[]));
        let (nudge, nudged) = std::sync::mpsc::sync_channel(1);
        let writer = Writer::start(Arc::clone(&shared), nudge.clone())?;
        let background = Background::start(Arc::clone(&shared), writer.queue(), nudge, nudged)?;
        let (lane, background) = (Lane::Thread(writer), Some(background));
        let engine = Self::assembled(shared, lane, background, recovered.warnings);
        // What was to be confirmed while the process was not running.
        reach(Point::StartRecovered);
        engine.expire_confirmation()?;
        reach(Point::StartSettled);
        engine.fill_in_defaults(mint)?;
        reach(Point::StartFilled);
        Ok(engine)
    }

    fn assembled(
        shared: Arc<Shared>,
        lane: Lane,
        background: Option<Background>,
        recovery_warnings: Vec<String>,
    ) -> Self {
        let identity = ENGINES.fetch_add(1, Ordering::Relaxed);
        Self { shared, lane, background, recovery_warnings, identity }
    }

    /// Stops taking commits after those that were accepted, and writes a checkpoint where there is
    /// a store. Open transactions are discarded with their sessions. Further commits are refused.
    pub fn shutdown(&self) {
        self.lane.stop();
        if let Some(background) = &self.background {
            background.stop();
        }
        // Feeds have an end now.
        self.shared.closed.store(true, Ordering::Release);
        self.shared.hub.wake();
    }

    // ===== Reads =====

    /// What the session sees: its transaction, else the last committed revision.
    #[must_use]
    pub fn view(&self, session: &Session) -> View {
        match &*session.state.lock() {
            State::Open(transaction) => View::Staged(transaction.tree().clone()),
            State::Committing { view, .. } => View::Staged(view.clone()),
            State::Closed | State::Ended => View::Running(self.shared.running.load()),
        }
    }

    /// The last committed revision.
    #[must_use]
    pub fn running(&self) -> Arc<Revision> {
        self.shared.running.load_full()
    }

    /// Its number.
    #[must_use]
    pub fn running_number(&self) -> RevisionNumber {
        self.shared.running.load().number
    }

    /// The schema of this configuration.
    #[must_use]
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.shared.catalog
    }

    /// Whether the catalog has an operation at a path; says nothing about whether a node is there.
    #[must_use]
    pub fn allows(&self, path: &NodePath, operation: Operation) -> bool {
        self.operations(path)(operation)
    }

    /// The same for several operations at one path, at the cost of one.
    pub fn operations(&self, path: &NodePath) -> impl Fn(Operation) -> bool {
        operations_at(&self.shared.catalog, path)
    }

    /// A number that no other engine of this process has: caches that are keyed by revision number
    /// tell engines apart by it.
    #[must_use]
    pub fn identity(&self) -> u64 {
        self.identity
    }

    /// What opens the secrets of this configuration, for what acts on it.
    #[must_use]
    pub fn secrets(&self) -> Arc<dyn SecretReader + Send + Sync> {
        Arc::clone(&self.shared.sealer) as _
    }

    /// The clear text of a secret of the running configuration, for what acts on it.
    #[must_use]
    pub fn secret_reveal(&self, path: &NodePath, pointer: &str) -> Option<Zeroizing<String>> {
        self.secret_reveal_in(&self.running().tree, path, pointer)
    }

    /// The clear text of a secret in any tree of this engine.
    #[must_use]
    pub fn secret_reveal_in(
        &self,
        tree: &Tree,
        path: &NodePath,
        pointer: &str,
    ) -> Option<Zeroizing<String>> {
        let value = tree.body(path)?.value();
        self.shared.sealer.reveal(path, pointer, value.pointer(pointer)?.as_str()?)
    }

    // ===== Condition =====

    /// Whether commits outlive the process; those of a fork do not.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        self.shared.log.is_durable()
    }

    /// Whether the store refuses writes since one failed.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.shared.log.is_poisoned()
    }

    /// How many times the store has synced; fewer than commits when several shared one.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.shared.log.syncs()
    }

    /// What was odd but harmless when the store was opened.
    #[must_use]
    pub fn recovery_warnings(&self) -> &[String] {
        &self.recovery_warnings
    }

    /// What time it is for this configuration.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.shared.clock
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// Whether a catalog has an operation at a path, for those who have no engine to ask.
pub fn operations_at<'c>(
    catalog: &'c Catalog,
    path: &NodePath,
) -> impl Fn(Operation) -> bool + use<'c> {
    let endpoint = catalog.endpoint(path);
    move |operation| endpoint.is_some_and(|endpoint| permits(endpoint, operation))
}
