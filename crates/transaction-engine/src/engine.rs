//! The verbs, in reading order: sessions, reads, changes, transactions.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arc_swap::{ArcSwap, Guard};
use catalog::{Catalog, EndpointKind, SecretReader};
use config_tree::{Body, Change, Key, NodePath, Tree};
use serde_json::Value;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::commit::{Applier, CommitOptions, Committed, Request, Writer};
use crate::desk::{Desk, Holder, Mode};
use crate::error::{Error, Operation};
use crate::failpoint::{Point, reach};
use crate::history::{HistoryRules, Past};
use crate::prepare::{Plan, plan, rebased};
use crate::retention::Background;
use crate::retry::Idempotency;
use crate::revision::{RevisionNumber, Timestamp};
use crate::secrets::Sealer;
use crate::session::{Session, State};
use crate::store::{CheckpointDir, RevisionLog, Store, StoreError};
use crate::transaction::{OpenTransaction, Rules, permits};
use crate::watch::Hub;

/// A committed tree.
#[derive(Debug)]
pub struct Revision {
    /// Its number; each commit adds one.
    pub number: RevisionNumber,
    /// The configuration.
    pub tree: Tree,
    /// When it was committed.
    pub time: Timestamp,
    /// The commit that made it; nil for the empty tree.
    pub commit_id: Uuid,
}

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
pub type Mint<'a> = dyn FnMut(&NodePath, &str) -> Option<(Key, Value)> + 'a;

/// One configuration with its sessions, transactions and history.
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
    pub(crate) writer: Writer,
    // After the writer, which it asks for help.
    pub(crate) background: Background,
    recovery_warnings: Vec<String>,
}

// What the verbs and the writer thread both use.
pub(crate) struct Shared {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) running: ArcSwap<Revision>,
    pub(crate) log: RevisionLog,
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) desk: Desk,
    pub(crate) change_limit: usize,
    pub(crate) checkpoint_every: u64,
    // The revision of the last checkpoint.
    pub(crate) checkpointed: AtomicU64,
    // After a failure: the revision before which the history is not shortened again.
    pub(crate) shorten_not_before: AtomicU64,
    pub(crate) history: HistoryRules,
    pub(crate) past: Past,
    pub(crate) hub: Hub,
    pub(crate) appliers: Vec<Arc<dyn Applier>>,
}

/// The tree that a session sees at one moment. Holding it holds nobody up.
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
    pub fn open(options: Options, mint: &mut Mint<'_>) -> Result<Self, Error> {
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
            log,
            sealer,
            clock,
            desk: Desk::new(options.mode),
            change_limit: options.change_limit,
            checkpoint_every: options.checkpoint_every,
            checkpointed: AtomicU64::new(recovered.number.get()),
            shorten_not_before: AtomicU64::new(0),
            history,
            past: Past::default(),
            hub: Hub::default(),
            appliers,
        });
        shared.appliers.iter().for_each(|applier| applier.apply(&shared.running.load(), &[]));
        let (nudge, nudged) = std::sync::mpsc::sync_channel(1);
        let writer = Writer::start(Arc::clone(&shared), nudge.clone())?;
        let background = Background::start(Arc::clone(&shared), writer.queue(), nudge, nudged)?;
        let recovery_warnings = recovered.warnings;
        let engine = Self { shared, writer, background, recovery_warnings };
        // What was to be confirmed while nobody was there.
        reach(Point::StartRecovered);
        engine.expire_confirmation()?;
        reach(Point::StartSettled);
        engine.fill_in_defaults(mint)?;
        reach(Point::StartFilled);
        Ok(engine)
    }

    // A default that nobody stores needs no minted member either, so those wait for their user.
    fn fill_in_defaults(&self, mint: &mut Mint<'_>) -> Result<(), Error> {
        let running = self.running();
        let catalog = &self.shared.catalog;
        let has = |path: &NodePath| running.tree.body(path).is_some();
        let has_all = catalog.endpoints().all(|endpoint| {
            let mut members = endpoint.members().map(|(key, _)| endpoint.path().join(key));
            (endpoint.default().is_none() || has(endpoint.path())) && members.all(|path| has(&path))
        });
        if has_all {
            return Ok(());
        }
        // Another catalog than when it was committed: who waited for it waits no more.
        let running = if self.cancel_unconfirmed()? { self.running() } else { running };
        let mut transaction = OpenTransaction::new(Arc::clone(&running), self.shared.clock.now());
        let rules = Rules { change_limit: usize::MAX, ..self.shared.rules() };
        let mut minted = Vec::new();
        for (path, value) in catalog.factory(mint) {
            let is_member =
                catalog.endpoint(&path).is_some_and(|e| e.kind() == EndpointKind::Member);
            if is_member && !catalog.is_builtin(&path) {
                minted.push((path, value));
            } else if transaction.tree().body(&path).is_none() {
                for (path, value) in minted.drain(..).chain([(path, value)]) {
                    transaction.create_at(&rules, &path, &path, value)?;
                }
            } else {
                minted.clear();
            }
        }
        let fresh = running.number == RevisionNumber::new(0);
        let message = if fresh { "Factory defaults" } else { "Defaults of new endpoints" };
        let session = self.session_open("boxwood");
        *session.state.lock() = State::Open(Box::new(transaction));
        self.transaction_commit(&session, Some(message.to_owned())).map(drop)
    }

    /// Stops the writer after what it has accepted, and writes a checkpoint. Open transactions
    /// are discarded with their sessions. Further commits are refused.
    pub fn shutdown(&self) {
        self.writer.stop();
        self.background.stop();
        // Feeds have an end now.
        self.shared.hub.wake();
    }

    // ===== Sessions =====

    /// A session for a user who has proved to be one.
    #[must_use]
    pub fn session_open(&self, user: &str) -> Arc<Session> {
        Arc::new(Session::new(user))
    }

    /// Ends a session: its transaction is rolled back, its lock released.
    pub fn session_end(&self, session: &Session) {
        let mut state = session.state.lock();
        if let State::Committing { ended, .. } = &mut *state {
            // The writer releases the lock when it is done with the transaction.
            *ended = true;
            return;
        }
        *state = State::Ended;
        drop(state);
        self.shared.desk.release(session);
    }

    /// Who holds the configuration, in exclusive mode.
    #[must_use]
    pub fn holder(&self) -> Option<Holder> {
        self.shared.desk.holder()
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
        let endpoint = self.shared.catalog.endpoint(path);
        move |operation| endpoint.is_some_and(|endpoint| permits(endpoint, operation))
    }

    /// The clear text of a secret of the running configuration, for what acts on it.
    #[must_use]
    pub fn secret_reveal(&self, path: &NodePath, pointer: &str) -> Option<Zeroizing<String>> {
        let running = self.running();
        let value = running.tree.body(path)?.value();
        self.shared.sealer.reveal(path, pointer, value.pointer(pointer)?.as_str()?)
    }

    // ===== Changes =====

    /// Replaces the body of an object or a member in the session's transaction; if `seen` is given,
    /// only if the node still holds that.
    ///
    /// # Errors
    /// See [`Error`]; nothing is staged then.
    pub fn node_put(
        &self,
        session: &Session,
        path: &NodePath,
        value: Value,
        seen: Option<&Body>,
    ) -> Result<View, Error> {
        self.stage(session, |transaction, rules| {
            transaction.expect_seen(path, seen)?;
            transaction.replace(rules, path, value)
        })
        .map(|((), view)| view)
    }

    /// Adds a member to a collection in the session's transaction; its path is new.
    ///
    /// # Errors
    /// See [`Error`]; nothing is staged then.
    pub fn node_create(
        &self,
        session: &Session,
        collection: &NodePath,
        value: Value,
    ) -> Result<(NodePath, View), Error> {
        self.stage(session, |transaction, rules| transaction.create(rules, collection, value))
    }

    /// Adds a member as [`Engine::node_create`] does, unless this transaction did so already under
    /// this key: then the member of that time is shown. The key goes with the transaction.
    ///
    /// # Errors
    /// [`Error::IdempotencyMismatch`], and those of any change.
    pub fn node_create_once(
        &self,
        session: &Session,
        collection: &NodePath,
        value: Value,
        idempotency: &Idempotency,
    ) -> Result<(NodePath, View), Error> {
        self.stage(session, |transaction, rules| {
            if let Some(path) = transaction.created.find(idempotency)? {
                return Ok(path.clone());
            }
            let path = transaction.create(rules, collection, value)?;
            transaction.created.keep(idempotency, path.clone());
            Ok(path)
        })
    }

    /// Adds an element to the list that a value holds, in the session's transaction; if `seen` is
    /// given, only if the node still holds that. Under a key that this transaction has had for it
    /// already, nothing is added.
    ///
    /// # Errors
    /// [`Error::IdempotencyMismatch`], and those of any change; nothing is staged then.
    pub fn node_append(
        &self,
        session: &Session,
        path: &NodePath,
        element: Value,
        seen: Option<&Body>,
        idempotency: Option<&Idempotency>,
    ) -> Result<View, Error> {
        self.stage(session, |transaction, rules| {
            if let Some(key) = idempotency
                && transaction.created.find(key)?.is_some()
            {
                return Ok(());
            }
            transaction.expect_seen(path, seen)?;
            transaction.append(rules, path, element)?;
            if let Some(key) = idempotency {
                transaction.created.keep(key, path.clone());
            }
            Ok(())
        })
        .map(|((), view)| view)
    }

    /// Takes a member away in the session's transaction; if `seen` is given, only if the node still
    /// holds that.
    ///
    /// # Errors
    /// See [`Error`]; nothing is staged then.
    pub fn node_delete(
        &self,
        session: &Session,
        path: &NodePath,
        seen: Option<&Body>,
    ) -> Result<View, Error> {
        self.stage(session, |transaction, rules| {
            transaction.expect_seen(path, seen)?;
            transaction.delete(rules, path)
        })
        .map(|((), view)| view)
    }

    /// Puts the members of a collection in another order in the session's transaction; if `seen` is
    /// given, only if they still stand in that one.
    ///
    /// # Errors
    /// See [`Error`]; nothing is staged then.
    pub fn collection_reorder(
        &self,
        session: &Session,
        path: &NodePath,
        keys: &[Key],
        seen: Option<&[Key]>,
    ) -> Result<View, Error> {
        self.stage(session, |transaction, rules| {
            transaction.expect_order(path, seen)?;
            transaction.reorder(rules, path, keys)
        })
        .map(|((), view)| view)
    }

    // Stages into the session's open transaction. In concurrent mode the first change opens one,
    // which stays only if the change is accepted.
    pub(crate) fn stage<T>(
        &self,
        session: &Session,
        change: impl FnOnce(&mut OpenTransaction, &Rules<'_>) -> Result<T, Error>,
    ) -> Result<(T, View), Error> {
        let rules = self.shared.rules();
        let mut state = session.state.lock();
        match &mut *state {
            State::Open(transaction) => {
                let done = change(transaction, &rules)?;
                Ok((done, View::Staged(transaction.tree().clone())))
            }
            State::Closed if self.shared.desk.mode() == Mode::Concurrent => {
                let mut transaction = OpenTransaction::new(self.running(), self.shared.clock.now());
                let done = change(&mut transaction, &rules)?;
                let view = View::Staged(transaction.tree().clone());
                *state = State::Open(Box::new(transaction));
                Ok((done, view))
            }
            State::Closed => Err(Error::NoTransaction),
            State::Committing { .. } => Err(Error::Committing),
            State::Ended => Err(Error::SessionEnded),
        }
    }

    // ===== Transactions =====

    /// Opens a transaction on the last committed revision; does nothing when one is open.
    ///
    /// # Errors
    /// [`Error::Held`] in exclusive mode, when another session has one open.
    pub fn transaction_open(&self, session: &Session) -> Result<(), Error> {
        let mut state = session.state.lock();
        match &*state {
            State::Open(_) => Ok(()),
            State::Committing { .. } => Err(Error::Committing),
            State::Ended => Err(Error::SessionEnded),
            State::Closed => {
                let now = self.shared.clock.now();
                self.shared.desk.acquire(session, now)?;
                *state = State::Open(Box::new(OpenTransaction::new(self.running(), now)));
                Ok(())
            }
        }
    }

    /// Whether a transaction is open, and whether it has changes.
    #[must_use]
    pub fn transaction_status(&self, session: &Session) -> Status {
        let (open, changed) = match &*session.state.lock() {
            State::Open(transaction) => (true, transaction.is_changed()),
            State::Committing { .. } => (true, true),
            State::Closed | State::Ended => (false, false),
        };
        let message_required = self.shared.needs_message(&self.running().tree);
        Status { open, changed, message_required }
    }

    /// The net changes of the session's transaction; none when none is open.
    #[must_use]
    pub fn transaction_changes(&self, session: &Session) -> Vec<Change> {
        match &*session.state.lock() {
            State::Open(transaction) => transaction.changes(),
            State::Closed | State::Committing { .. } | State::Ended => Vec::new(),
        }
    }

    /// What a commit of the session's transaction would do at this moment: exactly what its record
    /// would say, or what it would be refused with. Changes nothing.
    ///
    /// # Errors
    /// [`Error::NoTransaction`], [`Error::Committing`], [`Error::SessionEnded`].
    pub fn transaction_plan(&self, session: &Session) -> Result<Plan, Error> {
        // A copy, so that the session's other requests do not wait.
        let transaction = match &*session.state.lock() {
            State::Open(transaction) => transaction.clone(),
            State::Closed => return Err(Error::NoTransaction),
            State::Committing { .. } => return Err(Error::Committing),
            State::Ended => return Err(Error::SessionEnded),
        };
        Ok(plan(&self.shared, &self.running(), &transaction))
    }

    /// Moves the session's transaction onto the last committed revision, which is returned.
    ///
    /// # Errors
    /// [`Error::Conflict`] as a commit would have it; the transaction is open and unchanged then.
    pub fn transaction_rebase(&self, session: &Session) -> Result<RevisionNumber, Error> {
        let mut state = session.state.lock();
        match &mut *state {
            State::Open(transaction) => {
                let head = self.running();
                **transaction = rebased(&self.shared, &head, transaction)?;
                Ok(head.number)
            }
            State::Closed => Err(Error::NoTransaction),
            State::Committing { .. } => Err(Error::Committing),
            State::Ended => Err(Error::SessionEnded),
        }
    }

    /// Discards the session's transaction and releases its lock; does nothing when none is open.
    ///
    /// # Errors
    /// [`Error::Committing`] when it is too late.
    pub fn transaction_rollback(&self, session: &Session) -> Result<(), Error> {
        let mut state = session.state.lock();
        match &*state {
            State::Committing { .. } => return Err(Error::Committing),
            State::Ended => return Err(Error::SessionEnded),
            State::Open(_) | State::Closed => *state = State::Closed,
        }
        self.shared.desk.release(session);
        Ok(())
    }

    /// Commits the session's transaction and waits for the answer. Not for a runtime's threads:
    /// see [`Engine::transaction_commit_begin`].
    ///
    /// # Errors
    /// See [`Error`]; the transaction is open and unchanged then.
    pub fn transaction_commit(
        &self,
        session: &Arc<Session>,
        options: impl Into<CommitOptions>,
    ) -> Result<Committed, Error> {
        let (answer, answered) = std::sync::mpsc::sync_channel(1);
        self.transaction_commit_begin(session, options, move |result| {
            // Whoever waited may be gone; the commit stands all the same.
            let _ = answer.send(result);
        });
        answered.recv().unwrap_or(Err(Error::Store(StoreError::Poisoned)))
    }

    /// Hands the session's transaction to the writer; `done` is called there with the answer,
    /// after the commit is durable and visible. Who asked may go away meanwhile: the commit is
    /// not cancelled by that.
    ///
    /// A request that was answered before, by its [`Idempotency`], gets that answer again, whether
    /// a transaction is open or not.
    pub fn transaction_commit_begin(
        &self,
        session: &Arc<Session>,
        options: impl Into<CommitOptions>,
        done: impl FnOnce(Result<Committed, Error>) + Send + 'static,
    ) {
        let options = options.into();
        let known = options.idempotency.as_ref();
        match known.map(|key| self.shared.answered(session.user(), key)).transpose() {
            Ok(Some(Some(committed))) => return done(Ok(committed)),
            Err(error) => return done(Err(error)),
            Ok(None | Some(None)) => {}
        }
        let mut state = session.state.lock();
        let refusal = match &*state {
            State::Open(_) => None,
            State::Closed => Some(Error::NoTransaction),
            State::Committing { .. } => Some(Error::Committing),
            State::Ended => Some(Error::SessionEnded),
        };
        let committing = |view: Tree| State::Committing { view, ended: false };
        let taken = match (refusal, std::mem::replace(&mut *state, State::Closed)) {
            (None, State::Open(transaction)) => Ok(transaction),
            (refusal, former) => {
                *state = former;
                Err(refusal.unwrap_or(Error::NoTransaction))
            }
        };
        match taken {
            Ok(transaction) => {
                *state = committing(transaction.tree().clone());
                drop(state);
                let session = Arc::clone(session);
                let done = Box::new(done);
                self.writer.submit(Request { session, transaction, options, done });
            }
            Err(error) => {
                drop(state);
                done(Err(error));
            }
        }
    }

    // ===== Condition =====

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

impl Shared {
    pub(crate) fn needs_message(&self, tree: &Tree) -> bool {
        self.history.message_required.as_ref().is_some_and(|rule| rule(tree))
    }

    pub(crate) fn rules(&self) -> Rules<'_> {
        Rules { catalog: &self.catalog, sealer: &self.sealer, change_limit: self.change_limit }
    }
}
