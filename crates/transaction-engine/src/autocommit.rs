//! A request that is its own transaction: staged, checked, committed, and staged again on the
//! newest revision where another commit came first.
//!
//! The first staging runs on the caller's thread, on the running revision, so that what is refused
//! never reaches the writer. The writer stages again whenever the revision below has moved, inside
//! the batch that it is collecting. So what the request has read is what its commit stands on, a
//! request never loses to others more often than once, and all of a batch share one sync.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::committed::Committed;
use crate::edit::Edit;
use crate::error::Error;
use crate::revision::Revision;
use crate::shared::Shared;
use crate::transaction::OpenTransaction;

/// One request on its way to its commit.
pub(crate) trait Attempt: Send {
    /// Runs the change on a revision. `None`: it failed, and [`Attempt::finish`] will answer why.
    fn stage(&mut self, shared: &Shared, base: &Arc<Revision>) -> Option<OpenTransaction>;

    /// Keeps why the staged change is refused, to be answered by [`Attempt::finish`].
    fn refuse(&mut self, error: Error);

    /// Whether the last staging failed or was refused.
    fn has_failed(&self) -> bool;

    /// Answers: the outcome of the commit, or why there was none.
    fn finish(self: Box<Self>, committed: Result<Committed, Error>);
}

/// An [`Attempt`] made of two functions.
pub(crate) struct Change<T, E, C, D> {
    change: C,
    done: D,
    staged: Result<T, E>,
}

impl<T, E, C, D> Change<T, E, C, D>
where
    E: From<Error>,
    C: FnMut(&mut Edit<'_>) -> Result<T, E>,
    D: FnOnce(Result<(T, Committed), E>),
{
    pub(crate) fn new(change: C, done: D) -> Self {
        let staged = Err(Error::Internal("a change was never staged").into());
        Self { change, done, staged }
    }
}

impl<T, E, C, D> Attempt for Change<T, E, C, D>
where
    T: Send,
    E: From<Error> + Send,
    C: FnMut(&mut Edit<'_>) -> Result<T, E> + Send,
    D: FnOnce(Result<(T, Committed), E>) + Send,
{
    fn stage(&mut self, shared: &Shared, base: &Arc<Revision>) -> Option<OpenTransaction> {
        let mut transaction = OpenTransaction::new(Arc::clone(base), shared.clock.now());
        let mut edit = Edit::new(&mut transaction, shared.rules());
        // A transaction that a panic left half done is dropped.
        let staged = catch_unwind(AssertUnwindSafe(|| (self.change)(&mut edit)));
        self.staged = staged.unwrap_or_else(|_| Err(Error::Internal("a change panicked").into()));
        self.staged.is_ok().then_some(transaction)
    }

    fn refuse(&mut self, error: Error) {
        self.staged = Err(error.into());
    }

    fn has_failed(&self) -> bool {
        self.staged.is_err()
    }

    fn finish(self: Box<Self>, committed: Result<Committed, Error>) {
        let Self { done, staged, .. } = *self;
        done(match committed {
            Ok(committed) => staged.map(|value| (value, committed)),
            Err(error) => Err(error.into()),
        });
    }
}
