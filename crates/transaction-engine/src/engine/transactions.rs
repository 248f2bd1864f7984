//! The verbs about transactions as a whole: open, plan, rebase, roll back, commit.

use std::sync::Arc;

use config_tree::Change;

use crate::commit::{Origin, Request};
use crate::committed::{CommitOptions, Committed};
use crate::engine::{Engine, Opened, Status};
use crate::error::Error;
use crate::exclusive_lock::Mode;
use crate::prepare::{Plan, plan, rebased};
use crate::revision::RevisionNumber;
use crate::session::{Session, State};
use crate::store::StoreError;
use crate::transaction::OpenTransaction;

impl Engine {
    /// Opens a transaction on the last committed revision; does nothing when one is open.
    ///
    /// # Errors
    /// [`Error::Held`] in exclusive mode, when another session has one open.
    pub fn transaction_open(&self, session: &Session) -> Result<(), Error> {
        let mut state = session.state.lock();
        if matches!(*state, State::Closed) {
            let now = self.shared.clock.now();
            let lock = &self.shared.exclusive_lock;
            lock.acquire(session.id(), session.user(), now).map_err(Error::Held)?;
            *state = State::Open(Box::new(OpenTransaction::new(self.running(), now)));
        }
        state.open().map(drop)
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

    /// What is open in a session, for those who look after all of them; `None` where nothing is.
    #[must_use]
    pub fn transaction_opened(&self, session: &Session) -> Option<Opened> {
        match &*session.state.lock() {
            State::Open(transaction) => Some(Opened {
                base: transaction.base.number,
                since: transaction.opened,
                changes: Some(transaction.changes().len()),
            }),
            State::Committing { base, since, .. } => {
                Some(Opened { base: *base, since: *since, changes: None })
            }
            State::Closed | State::Ended => None,
        }
    }

    /// How transactions of several sessions get along.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.shared.exclusive_lock.mode()
    }

    /// The net changes of the session's transaction; none when none is open.
    #[must_use]
    pub fn transaction_changes(&self, session: &Session) -> Vec<Change> {
        session.state.lock().open().map(OpenTransaction::changes).unwrap_or_default()
    }

    /// What a commit of the session's transaction would do at this moment: exactly what its record
    /// would say, or what it would be refused with. Changes nothing.
    ///
    /// # Errors
    /// [`Error::NoTransaction`], [`Error::Committing`], [`Error::SessionEnded`].
    pub fn transaction_plan(&self, session: &Session) -> Result<Plan, Error> {
        // A copy, so that the session's other requests do not wait.
        let transaction = session.state.lock().open()?.clone();
        Ok(plan(&self.shared, &self.running(), &transaction))
    }

    /// Moves the session's transaction onto the last committed revision, which is returned.
    ///
    /// # Errors
    /// [`Error::Conflict`] as a commit would have it; the transaction is open and unchanged then.
    pub fn transaction_rebase(&self, session: &Session) -> Result<RevisionNumber, Error> {
        let mut state = session.state.lock();
        let transaction = state.open_mut()?;
        let head = self.running();
        *transaction = rebased(&self.shared, &head, transaction)?;
        Ok(head.number)
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
        self.shared.exclusive_lock.release(session.id());
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
            // The client may be gone; the commit stands all the same.
            let _ = answer.send(result);
        });
        answered.recv().unwrap_or(Err(Error::Store(StoreError::Poisoned)))
    }

    /// Hands the session's transaction to the writer; `done` is called there with the answer,
    /// after the commit is durable and visible. Who asked may go away meanwhile: the commit is
    /// not cancelled by that.
    ///
    /// A request that was answered before, by its `Idempotency`, gets that answer again. When the
    /// session has a transaction open, it is another one than the answer was about, and the
    /// request is refused with [`Error::IdempotencyMismatch`].
    pub fn transaction_commit_begin(
        &self,
        session: &Arc<Session>,
        options: impl Into<CommitOptions>,
        done: impl FnOnce(Result<Committed, Error>) + Send + 'static,
    ) {
        let options = options.into();
        let known = options.idempotency.as_ref();
        match known.map(|key| self.shared.answered(session.user(), key)).transpose() {
            Ok(Some(Some(_))) if session.state.lock().open().is_ok() => {
                return done(Err(Error::IdempotencyMismatch));
            }
            Ok(Some(Some(committed))) => return done(Ok(committed)),
            Err(error) => return done(Err(error)),
            Ok(None | Some(None)) => {}
        }
        let mut state = session.state.lock();
        let taken = state.take_open();
        drop(state);
        match taken {
            Ok(transaction) => {
                let (session, done) = (Arc::clone(session), Box::new(done));
                let origin = Origin::Session { session, done };
                self.lane.submit(Request { transaction, options, origin });
            }
            Err(error) => done(Err(error)),
        }
    }
}
