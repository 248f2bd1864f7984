//! The one writer: from an open transaction to an acknowledged revision.
//!
//! A thread of its own takes commits in the order in which they came. Those that wait together are
//! checked one after the other, each against the one before it, written in one batch and made
//! durable by one sync. Then, and only then, they become visible, are acted upon and answered:
//!
//! 1. checked: rebased where the head moved, unreferenced secrets dropped, the whole tree valid,
//!    appliers willing. A refusal hands the transaction back to its session, unchanged.
//! 2. durable: [`RevisionLog::append`](crate::store::RevisionLog::append), which poisons the
//!    store when it fails.
//! 3. visible: `running` points to the new revision.
//! 4. acted upon: [`Applier::apply`], which cannot fail.
//! 5. acknowledged: the session's transaction ends, its lock is released, the answer is given.
//!
//! A thread and not a lock, because a client that hangs up must not stop a commit half-way, and
//! because waiting commits can share a sync only if one party collects them.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use config_tree::{Change, Tree};
use parking_lot::Mutex;
use uuid::Uuid;

use crate::engine::{Revision, Shared};
use crate::error::{Error, Overlap};
use crate::rebase::rebase;
use crate::revision::{RevisionNumber, RevisionRecord};
use crate::session::{Session, State};
use crate::store::StoreError;
use crate::transaction::OpenTransaction;

/// At most so many commits share a sync, so that the first of them does not wait for ever.
const BATCH: usize = 64;

/// Something that acts on commits, such as the listener whose certificate is in the tree.
pub trait Applier: Send + Sync {
    /// Whether the next revision could be followed. Nothing may be done yet.
    ///
    /// # Errors
    /// A sentence for the person who commits; the commit is refused.
    fn prepare(&self, next: &Revision, changes: &[Change]) -> Result<(), String>;

    /// Follows a revision that is durable and visible. Also called once at start with the head
    /// and no changes. There is nothing left to refuse, hence no result.
    fn apply(&self, revision: &Revision, changes: &[Change]);
}

/// What a commit led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The revision that holds the changes; the running one where there were none.
    pub number: RevisionNumber,
    /// How many nodes changed.
    pub changes: usize,
}

pub(crate) struct Request {
    pub(crate) session: Arc<Session>,
    pub(crate) transaction: Box<OpenTransaction>,
    pub(crate) message: Option<String>,
    pub(crate) done: Box<dyn FnOnce(Result<Committed, Error>) + Send>,
}

enum Message {
    Commit(Request),
    Stop,
}

/// The writer thread's front.
pub(crate) struct Writer {
    queue: Sender<Message>,
    thread: Mutex<Option<JoinHandle<()>>>,
    shared: Arc<Shared>,
}

impl Writer {
    pub(crate) fn start(shared: Arc<Shared>) -> Result<Self, Error> {
        let (queue, waiting) = channel();
        let work = Work { shared: Arc::clone(&shared), since_checkpoint: 0 };
        let thread = std::thread::Builder::new()
            .name("boxwood-writer".to_owned())
            .spawn(move || work.run(&waiting))
            .map_err(|_| Error::Internal("the system gave no thread for the writer"))?;
        Ok(Self { queue, thread: Mutex::new(Some(thread)), shared })
    }

    pub(crate) fn submit(&self, request: Request) {
        if let Err(refused) = self.queue.send(Message::Commit(request))
            && let Message::Commit(request) = refused.0
        {
            hand_back(&self.shared, request, Error::Store(StoreError::Poisoned));
        }
    }

    pub(crate) fn stop(&self) {
        // A writer that is gone already has nothing left to stop.
        let _ = self.queue.send(Message::Stop);
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A commit that passed every check and waits to become durable.
struct Ready {
    request: Request,
    revision: Arc<Revision>,
    record: RevisionRecord,
}

struct Work {
    shared: Arc<Shared>,
    since_checkpoint: u64,
}

impl Work {
    fn run(mut self, waiting: &Receiver<Message>) {
        while let Ok(Message::Commit(first)) = waiting.recv() {
            let mut requests = vec![first];
            let mut stop = false;
            while requests.len() < BATCH
                && let Ok(message) = waiting.try_recv()
            {
                match message {
                    Message::Commit(request) => requests.push(request),
                    Message::Stop => {
                        stop = true;
                        break;
                    }
                }
            }
            self.commit_all(requests);
            if stop {
                break;
            }
        }
        // Requests that came after the stop are refused, not forgotten.
        while let Ok(Message::Commit(request)) = waiting.try_recv() {
            hand_back(&self.shared, request, Error::Store(StoreError::Poisoned));
        }
        self.checkpoint_if(self.since_checkpoint > 0);
    }

    fn commit_all(&mut self, requests: Vec<Request>) {
        let mut tip = self.shared.running.load_full();
        let mut ready: Vec<Ready> = Vec::with_capacity(requests.len());
        for request in requests {
            match contained(|| prepare(&self.shared, &tip, &request)) {
                Ok(Some((revision, record))) => {
                    tip = Arc::new(revision);
                    ready.push(Ready { request, revision: Arc::clone(&tip), record });
                }
                Ok(None) => {
                    let number = tip.number;
                    acknowledge(&self.shared, request, Committed { number, changes: 0 });
                }
                Err(error) => hand_back(&self.shared, request, error),
            }
        }
        if !ready.is_empty() {
            self.make_durable(ready);
        }
    }

    fn make_durable(&mut self, ready: Vec<Ready>) {
        let (records, ready): (Vec<_>, Vec<_>) = ready
            .into_iter()
            .map(|Ready { request, revision, record }| (record, (request, revision)))
            .unzip();
        // A panic in there poisons the log as an error does.
        match contained(|| self.shared.log.append(&records).map_err(Error::Store)) {
            Ok(()) => {
                for (record, (request, revision)) in records.into_iter().zip(ready) {
                    self.publish(record, request, revision);
                }
                self.checkpoint_if(self.since_checkpoint >= self.shared.checkpoint_every);
            }
            Err(error) => self.not_durable(error, ready.into_iter().map(|(request, _)| request)),
        }
    }

    fn not_durable(&mut self, error: Error, requests: impl ExactSizeIterator<Item = Request>) {
        if !self.shared.log.is_poisoned() && requests.len() > 1 {
            // Refused before anything was written, as too large: perhaps only together.
            requests.for_each(|request| self.commit_all(vec![request]));
            return;
        }
        tracing::error!(%error, "the store did not take a commit");
        let mut error = Some(error);
        for request in requests {
            let error = error.take().unwrap_or(Error::Store(StoreError::Poisoned));
            hand_back(&self.shared, request, error);
        }
    }

    fn publish(&mut self, record: RevisionRecord, request: Request, revision: Arc<Revision>) {
        let changes = record.changes.len();
        self.shared.running.store(Arc::clone(&revision));
        self.shared.appliers.iter().for_each(|applier| applier.apply(&revision, &record.changes));
        self.since_checkpoint += 1;
        let (number, author, session) = (revision.number, &record.author, &record.session);
        tracing::info!(revision = number.get(), changes, %author, %session, "committed");
        acknowledge(&self.shared, request, Committed { number, changes });
    }

    // On this thread: a checkpoint holds up commits, but never reads, and it comes once in a
    // thousand revisions or at the end.
    fn checkpoint_if(&mut self, due: bool) {
        if !due || self.shared.log.is_poisoned() {
            return;
        }
        let running = self.shared.running.load_full();
        match self.shared.log.checkpoint(running.number, &running.tree) {
            Ok(()) => tracing::debug!(revision = running.number.get(), "checkpoint written"),
            // Only the next start takes longer; the revisions themselves are in the store.
            Err(error) => tracing::warn!(%error, "a checkpoint could not be written"),
        }
        self.since_checkpoint = 0;
    }
}

// A fault of ours in one commit must not take the writer, and with it every later commit, away.
fn contained<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    done.unwrap_or(Err(Error::Internal("a commit panicked")))
}

/// Checks a transaction against the revision it would follow. `None`: it changes nothing.
fn prepare(
    shared: &Shared,
    tip: &Arc<Revision>,
    request: &Request,
) -> Result<Option<(Revision, RevisionRecord)>, Error> {
    if shared.log.is_poisoned() {
        return Err(Error::Store(StoreError::Poisoned));
    }
    let (mut moved, changes) = settle(tip, &request.transaction)?;
    if changes.is_empty() {
        return Ok(None);
    }
    let violations = shared.catalog.check_changes(moved.tree(), &changes, &*shared.sealer);
    if !violations.is_empty() {
        return Err(refusal(shared, tip, &request.transaction, violations));
    }
    // Secrets that nothing refers to go with this commit. They were valid, hence the second look
    // at the changes and not at the rules.
    let changes =
        if moved.drop_unreferenced(&shared.catalog, &changes) { moved.changes() } else { changes };
    if changes.is_empty() {
        return Ok(None);
    }
    let revision = Revision {
        number: tip.number.next(),
        tree: replayed(tip, &changes, moved.tree())?,
        time: shared.clock.now().max(tip.time),
        commit_id: Uuid::new_v4(),
    };
    for applier in &shared.appliers {
        applier.prepare(&revision, &changes).map_err(Error::Refused)?;
    }
    let record = RevisionRecord {
        number: revision.number,
        time: revision.time,
        commit_id: revision.commit_id,
        author: request.session.user().to_owned(),
        session: request.session.id().to_string(),
        message: request.message.clone(),
        changes,
        digest: revision.tree.digest(),
    };
    Ok(Some((revision, record)))
}

// The tree as the next start will make it: from the revision before, by the recorded changes. Were
// it another than the one that was checked, that start would refuse the whole store.
fn replayed(tip: &Revision, changes: &[Change], checked: &Tree) -> Result<Tree, Error> {
    let mut tree = tip.tree.clone();
    for change in changes {
        let applied = tree.apply(change);
        applied.map_err(|_| Error::Internal("recorded changes do not apply"))?;
    }
    if tree.digest() == checked.digest() {
        Ok(tree)
    } else {
        Err(Error::Internal("recorded changes lead to another tree"))
    }
}

// The transaction as it would stand on `tip`, with its changes from there.
fn settle(
    tip: &Arc<Revision>,
    transaction: &OpenTransaction,
) -> Result<(OpenTransaction, Vec<Change>), Error> {
    let base = &transaction.base;
    let changes = transaction.changes();
    if base.number == tip.number {
        return Ok((transaction.moved_to(Arc::clone(tip), transaction.tree().clone()), changes));
    }
    let merged = rebase(&base.tree, transaction.tree(), &tip.tree, &changes);
    let merged = merged.map_err(|overlaps| conflict(tip, transaction, overlaps))?;
    let moved = transaction.moved_to(Arc::clone(tip), merged);
    let changes = moved.changes();
    Ok((moved, changes))
}

// What is wrong only because others committed meanwhile is a conflict with them, not a mistake of
// this transaction: one side refers to what the other deleted.
fn refusal(
    shared: &Shared,
    tip: &Arc<Revision>,
    transaction: &OpenTransaction,
    violations: Vec<catalog::Violation>,
) -> Error {
    let alone = transaction.base.number == tip.number
        || !shared
            .catalog
            .check_changes(transaction.tree(), &transaction.changes(), &*shared.sealer)
            .is_empty();
    if alone {
        return Error::Rejected(violations);
    }
    let mut paths: Vec<_> = violations.into_iter().map(|violation| violation.path).collect();
    paths.dedup();
    let overlaps = paths.into_iter().map(|path| Overlap {
        base: transaction.base.tree.body(&path).cloned(),
        theirs: tip.tree.body(&path).cloned(),
        mine: transaction.tree().body(&path).cloned(),
        path,
    });
    conflict(tip, transaction, overlaps.collect())
}

fn conflict(tip: &Revision, transaction: &OpenTransaction, overlaps: Vec<Overlap>) -> Error {
    Error::Conflict { base: transaction.base.number, head: tip.number, overlaps }
}

fn acknowledge(shared: &Shared, request: Request, committed: Committed) {
    let Request { session, done, .. } = request;
    let mut state = session.state.lock();
    let ended = matches!(&*state, State::Committing { ended: true, .. });
    *state = if ended { State::Ended } else { State::Closed };
    drop(state);
    shared.desk.release(&session);
    done(Ok(committed));
}

// The session gets its transaction back as it was, unless it ended meanwhile.
fn hand_back(shared: &Shared, request: Request, error: Error) {
    let Request { session, transaction, done, .. } = request;
    let mut state = session.state.lock();
    if matches!(&*state, State::Committing { ended: true, .. }) {
        *state = State::Ended;
        drop(state);
        shared.desk.release(&session);
    } else {
        *state = State::Open(transaction);
        drop(state);
    }
    done(Err(error));
}
