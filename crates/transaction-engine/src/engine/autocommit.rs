//! The verbs that make a request its own transaction.

use crate::autocommit::{Attempt, Change};
use crate::commit::{Origin, Request};
use crate::committed::{CommitOptions, Committed};
use crate::edit::Edit;
use crate::engine::Engine;
use crate::error::Error;
use crate::retry::unchanged;
use crate::store::StoreError;

impl Engine {
    /// Runs `change` on the running revision, checks what it staged, and commits it; `done` is
    /// called with the answer after the commit is durable and visible, as a rule on the writer's
    /// thread. Where another commit comes first, `change` runs again on the newest revision, on the
    /// writer's thread: it must be quick, and must not wait for this engine.
    ///
    /// What `change` returned from its last run is answered together with the commit. A change that
    /// fails, panics or is refused leaves nothing. One that changes nothing is answered with the
    /// revision that it saw, without a sync of its own.
    ///
    /// No session takes part and no lock is taken, whatever the mode. There is no
    /// [`CommitOptions::idempotency`] here, as a stored answer does not have the value of `change`:
    /// a request with one is refused.
    pub fn autocommit_begin<T, E>(
        &self,
        actor: &str,
        options: impl Into<CommitOptions>,
        change: impl FnMut(&mut Edit<'_>) -> Result<T, E> + Send + 'static,
        done: impl FnOnce(Result<(T, Committed), E>) + Send + 'static,
    ) where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let options = options.into();
        let mut attempt = Box::new(Change::new(change, done));
        if options.idempotency.is_some() {
            return attempt.finish(Err(Error::Internal("an autocommit has no idempotency key")));
        }
        // Running is durable, so what is answered from it needs no sync.
        let running = self.running();
        match attempt.stage(&self.shared, &running) {
            Some(transaction) if transaction.is_changed() => self.lane.submit(Request {
                transaction: Box::new(transaction),
                options,
                origin: Origin::Autocommit { actor: actor.to_owned(), attempt },
            }),
            Some(_) | None => attempt.finish(Ok(unchanged(running.number))),
        }
    }

    /// Does what [`Engine::autocommit_begin`] does, and waits for the answer. Not for a runtime's
    /// threads, nor for those of this engine.
    ///
    /// # Errors
    /// What `change` failed with, or what its commit was refused with; nothing has changed then.
    pub fn autocommit<T, E>(
        &self,
        actor: &str,
        options: impl Into<CommitOptions>,
        change: impl FnMut(&mut Edit<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<(T, Committed), E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (answer, answered) = std::sync::mpsc::sync_channel(1);
        self.autocommit_begin(actor, options, change, move |result| {
            // The caller may be gone; the commit stands all the same.
            let _ = answer.send(result);
        });
        answered.recv().unwrap_or_else(|_| Err(Error::Store(StoreError::Poisoned).into()))
    }
}
