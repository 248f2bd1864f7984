//! From an open transaction to an acknowledged revision.
//!
//! Commits are taken one after the other, in the order in which they came. Those that wait together
//! are checked one after the other, each against the one before it, written in one batch and made
//! durable by one sync. Then, and only then, they become visible, are acted upon and answered:
//!
//! 1. checked: [`prepare`]. A refusal hands the transaction back to its session, unchanged.
//! 2. durable: [`Log::commit`](crate::log::Log::commit), which poisons the store when it fails. The
//!    answer for those who ask again, and that a commit awaits its confirmation, are in the same
//!    batch.
//! 3. visible: `running` points to the new revision.
//! 4. acted upon: [`Applier::apply`](crate::Applier::apply), which cannot fail; feeds are woken.
//! 5. acknowledged: the session's transaction ends, its lock is released, the answer is given.
//!
//! Which thread does this is decided in [`crate::lane`]. Whatever else changes the store is done
//! there too, as a task between two batches.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::autocommit::Attempt;
use crate::committed::{CommitOptions, Committed};
use crate::confirmation::{Confirmation, hash};
use crate::error::Error;
use crate::prepare::{Prepared, prepare};
use crate::retry::unchanged;
use crate::revision::{Revision, RevisionNumber, RevisionRecord, Timestamp};
use crate::session::{Session, State};
use crate::shared::Shared;
use crate::store::failpoint::{Point, reach};
use crate::store::{Awaiting, MetadataChange, StoreError, chain};
use crate::transaction::OpenTransaction;

/// Undoing an unconfirmed commit is tried again after this time where it failed.
const RETRY: Duration = Duration::from_secs(10);

/// A commit that is asked for.
pub(crate) struct Request {
    pub(crate) transaction: Box<OpenTransaction>,
    pub(crate) options: CommitOptions,
    pub(crate) origin: Origin,
}

/// Who asks for a commit, and gets the answer.
pub(crate) enum Origin {
    Session { session: Arc<Session>, done: Box<dyn FnOnce(Result<Committed, Error>) + Send> },
    Autocommit { actor: String, attempt: Box<dyn Attempt> },
}

/// What a record says in the place of a session where a request was its own transaction.
const AUTOCOMMIT_SESSION: &str = "autocommit";

impl Origin {
    fn user(&self) -> &str {
        match self {
            Self::Session { session, .. } => session.user(),
            Self::Autocommit { actor, .. } => actor,
        }
    }

    fn session(&self) -> String {
        match self {
            Self::Session { session, .. } => session.id().to_string(),
            Self::Autocommit { .. } => AUTOCOMMIT_SESSION.to_owned(),
        }
    }
}

impl Request {
    // An autocommit stands on what it has read, so it is staged again wherever that has moved. By
    // the commit's id and not by number: a revision that could not be written has left its number.
    fn restage(&mut self, shared: &Shared, tip: &Arc<Revision>) -> Restaged {
        let Origin::Autocommit { attempt, .. } = &mut self.origin else { return Restaged::Fits };
        if self.transaction.base.commit_id == tip.commit_id && !attempt.has_failed() {
            return Restaged::Fits;
        }
        match attempt.stage(shared, tip) {
            Some(transaction) => {
                *self.transaction = transaction;
                Restaged::Fits
            }
            None => Restaged::Failed,
        }
    }
}

enum Restaged {
    Fits,
    Failed,
}

/// A commit that waits to become durable with those beside it.
struct Ready {
    request: Request,
    committed: Committed,
    // None where nothing changed: it is answered with the others, as it may stand on one of them.
    revision: Option<(Arc<Revision>, RevisionRecord)>,
    metadata: Vec<MetadataChange>,
}

/// Takes commits. There is one of it for each engine, used by one thread at a time.
pub(crate) struct Committer {
    pub(crate) shared: Arc<Shared>,
    // When undoing failed: not to be tried again before this.
    retry: Option<Timestamp>,
}

impl Committer {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, retry: None }
    }

    /// Until an unconfirmed commit is undone; `None` where there is none, or nothing can be done.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        if self.shared.log.is_poisoned() {
            return None;
        }
        let until = self.shared.log.awaiting()?.until;
        let at = self.retry.map_or(until, |retry| until.max(retry));
        Some(at.since(self.shared.clock.now()))
    }

    /// Undoes an unconfirmed commit whose time is over.
    pub(crate) fn expire_in_time(&mut self) {
        if self.time_left() != Some(Duration::ZERO) {
            return;
        }
        if let Err(error) = contained(|| self.expire()) {
            tracing::error!(error = chain(&error), "an unconfirmed commit could not be undone");
            self.retry = Some(self.shared.clock.now().plus(RETRY));
        }
    }
}

// ===== commits =====

impl Committer {
    pub(crate) fn commit_all(&mut self, mut requests: VecDeque<Request>) {
        while !requests.is_empty() {
            let ready = self.take_batch(&mut requests);
            if !ready.is_empty() {
                self.make_durable(ready);
            }
        }
    }

    // Prepares requests one after the other, up to one that has to see those before it durable:
    // the same request again, or any after a commit that awaits its confirmation.
    fn take_batch(&mut self, requests: &mut VecDeque<Request>) -> Vec<Ready> {
        let mut tip = self.shared.running.load_full();
        let mut ready: Vec<Ready> = Vec::with_capacity(requests.len());
        let mut slots = HashSet::new();
        while let Some(mut request) = requests.pop_front() {
            if let Some(idempotency) = &request.options.idempotency
                && !slots.insert(idempotency.slot(request.origin.user()))
            {
                requests.push_front(request);
                break;
            }
            match contained(|| self.check(&tip, &mut request)) {
                Ok(Checked::Unchanged) => ready.push(self.unchanged(&tip, request)),
                Ok(Checked::Prepared(prepared)) => {
                    let one = self.ready(request, prepared);
                    tip = one.revision.as_ref().map_or(tip, |(revision, _)| Arc::clone(revision));
                    ready.push(one);
                    if ready.last().is_some_and(|one| one.committed.confirmation.is_some()) {
                        break;
                    }
                }
                Err(error) => match &mut request.origin {
                    Origin::Session { .. } => hand_back(&self.shared, request, Err(error)),
                    // It may be refused over a revision of this batch, which must be durable first.
                    Origin::Autocommit { attempt, .. } => {
                        attempt.refuse(error);
                        ready.push(self.unchanged(&tip, request));
                    }
                },
            }
        }
        ready
    }

    fn check(&self, tip: &Arc<Revision>, request: &mut Request) -> Result<Checked, Error> {
        if let Restaged::Failed = request.restage(&self.shared, tip) {
            return Ok(Checked::Unchanged);
        }
        let Request { transaction, options, origin } = request;
        if let Some(idempotency) = &options.idempotency
            && self.shared.answered(origin.user(), idempotency)?.is_some()
        {
            // Answered for another transaction than this one.
            return Err(Error::IdempotencyMismatch);
        }
        let says_why = options.message.as_ref().is_some_and(|text| !text.trim().is_empty());
        match prepare(&self.shared, tip, transaction)? {
            None => Ok(Checked::Unchanged),
            Some(_) if !says_why && self.shared.needs_message(&tip.tree) => {
                Err(Error::MessageRequired)
            }
            Some(prepared) => Ok(Checked::Prepared(prepared)),
        }
    }

    fn unchanged(&self, tip: &Revision, request: Request) -> Ready {
        let committed = unchanged(tip.number);
        let metadata = self.metadata(&request, &committed, tip);
        Ready { request, committed, revision: None, metadata }
    }

    fn ready(&self, request: Request, prepared: Prepared) -> Ready {
        let Prepared { revision, changes } = prepared;
        let confirmation = request.options.confirm_within.map(|within| Confirmation {
            token: self.shared.sealer.token(revision.commit_id).into(),
            until: revision.time.plus(within),
        });
        let committed = Committed { number: revision.number, changes: changes.len(), confirmation };
        let record = RevisionRecord {
            number: revision.number,
            time: revision.time,
            commit_id: revision.commit_id,
            author: request.origin.user().to_owned(),
            session: request.origin.session(),
            message: request.options.message.clone(),
            changes,
            digest: revision.tree.digest(),
        };
        let metadata = self.metadata(&request, &committed, &revision);
        Ready { request, committed, revision: Some((Arc::new(revision), record)), metadata }
    }

    // What is written beside the revision.
    fn metadata(
        &self,
        request: &Request,
        committed: &Committed,
        at: &Revision,
    ) -> Vec<MetadataChange> {
        let awaiting = committed.confirmation.as_ref().map(|Confirmation { token, until }| {
            let token = hash(token.as_str());
            MetadataChange::Await(Awaiting { number: committed.number, until: *until, token })
        });
        let user = request.origin.user();
        let answer =
            request.options.idempotency.as_ref().map(|idempotency| {
                self.shared.keep_answer(user, idempotency, committed, at.commit_id)
            });
        awaiting.into_iter().chain(answer).collect()
    }

    fn make_durable(&mut self, mut ready: Vec<Ready>) {
        let mut records = Vec::with_capacity(ready.len());
        let mut revisions = Vec::with_capacity(ready.len());
        let mut metadata = Vec::new();
        for one in &mut ready {
            metadata.append(&mut one.metadata);
            revisions.push(one.revision.take().map(|(revision, record)| {
                records.push(record);
                revision
            }));
        }
        reach(Point::CommitChecked);
        match self.write(&records, metadata) {
            Ok(()) => {
                reach(Point::CommitDurable);
                let mut records = records.into_iter();
                for (one, revision) in ready.into_iter().zip(revisions) {
                    // A record is taken only for a commit that has one: those that changed nothing have not.
                    if let Some(revision) = revision
                        && let Some(record) = records.next()
                    {
                        self.publish(revision, record);
                    }
                    acknowledge(&self.shared, one.request, one.committed);
                }
            }
            Err(error) => self.not_durable(error, ready.into_iter().map(|one| one.request)),
        }
    }

    fn not_durable(&mut self, error: Error, requests: impl ExactSizeIterator<Item = Request>) {
        if !self.shared.log.is_poisoned() && requests.len() > 1 {
            // Refused before anything was written, as too large: perhaps only together.
            requests.for_each(|request| self.commit_all(VecDeque::from([request])));
            return;
        }
        tracing::error!(error = chain(&error), "the store did not take a commit");
        let mut error = Some(error);
        for request in requests {
            let error = error.take().unwrap_or(Error::Store(StoreError::Poisoned));
            hand_back(&self.shared, request, Err(error));
        }
    }

    // A panic in there poisons the log as an error does.
    fn write(
        &self,
        records: &[RevisionRecord],
        metadata: Vec<MetadataChange>,
    ) -> Result<(), Error> {
        let now = self.shared.clock.now();
        contained(|| self.shared.log.commit(records, metadata, now).map_err(Error::Store))
    }

    fn publish(&self, revision: Arc<Revision>, record: RevisionRecord) {
        let record = Arc::new(record);
        self.shared.running.store(Arc::clone(&revision));
        reach(Point::CommitVisible);
        self.shared.hub.push(Arc::clone(&record));
        self.shared.appliers.iter().for_each(|applier| applier.apply(&revision, &record.changes));
        reach(Point::CommitApplied);
        self.shared.hub.wake();
        let (number, changes) = (revision.number, record.changes.len());
        let (author, session) = (&record.author, &record.session);
        tracing::info!(revision = number.get(), changes, %author, %session, "committed");
    }

    // ===== tasks =====

    /// Commits a revision that nobody asked for in a session.
    pub(crate) fn commit_alone(
        &mut self,
        revision: Arc<Revision>,
        record: RevisionRecord,
        metadata: Vec<MetadataChange>,
    ) -> Result<RevisionNumber, Error> {
        let number = revision.number;
        reach(Point::UndoPrepared);
        self.write(std::slice::from_ref(&record), metadata)?;
        reach(Point::UndoDurable);
        self.publish(revision, record);
        Ok(number)
    }

    /// Changes what is kept beside revisions.
    pub(crate) fn change_metadata(&mut self, changes: Vec<MetadataChange>) -> Result<(), Error> {
        self.write(&[], changes)
    }
}

/// What the checks made of a request.
enum Checked {
    Unchanged,
    Prepared(Prepared),
}

// A fault of ours in one commit must not take the writer, and with it every later commit, away.
pub(crate) fn contained<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    done.unwrap_or(Err(Error::Internal("a commit panicked")))
}

fn acknowledge(shared: &Shared, request: Request, committed: Committed) {
    match request.origin {
        Origin::Session { session, done } => {
            let mut state = session.state.lock();
            let ended = matches!(&*state, State::Committing { ended: true, .. });
            *state = if ended { State::Ended } else { State::Closed };
            drop(state);
            shared.exclusive_lock.release(session.id());
            reach(Point::CommitClosed);
            done(Ok(committed));
        }
        Origin::Autocommit { attempt, .. } => answer(attempt, Ok(committed)),
    }
    reach(Point::CommitAnswered);
}

// A session gets its transaction back as it was, unless it ended meanwhile.
pub(crate) fn hand_back(shared: &Shared, request: Request, committed: Result<Committed, Error>) {
    let Request { transaction, origin, .. } = request;
    let (session, done) = match origin {
        Origin::Session { session, done } => (session, done),
        Origin::Autocommit { attempt, .. } => return answer(attempt, committed),
    };
    let mut state = session.state.lock();
    if matches!(&*state, State::Committing { ended: true, .. }) {
        *state = State::Ended;
        drop(state);
        shared.exclusive_lock.release(session.id());
    } else {
        *state = State::Open(transaction);
        drop(state);
    }
    done(committed);
}

fn answer(attempt: Box<dyn Attempt>, committed: Result<Committed, Error>) {
    let finish = || {
        attempt.finish(committed);
        Ok(())
    };
    if contained(finish).is_err() {
        tracing::error!("the answer of an autocommit panicked");
    }
}
