//! A request that is its own transaction, for dialects without an explicit commit.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::Instant;
use transaction_engine::{CommitOptions, Edit, Engine, Error};

use crate::appliance::Appliance;
use crate::failure::Failure;
use crate::metrics::CommitOutcome;

impl Appliance {
    /// Stages with `change`, checks, and commits; what `change` returned is the answer, after the
    /// commit is durable and visible. `change` runs again where another commit came first: it must
    /// be quick and may not count on running once. A client that goes away does not cancel it.
    pub(crate) async fn autocommit<T: Send + 'static>(
        &self,
        actor: &str,
        change: impl FnMut(&mut Edit<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        self.autocommit_on(&self.engine, actor, change).await
    }

    /// The same on a head of the appliance.
    pub(crate) async fn autocommit_on<T: Send + 'static>(
        &self,
        head: &Arc<Engine>,
        actor: &str,
        change: impl FnMut(&mut Edit<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let started = Instant::now();
        let (answer, answered) = oneshot::channel();
        head.autocommit_begin(actor, CommitOptions::default(), change, move |result| {
            // The client may be gone.
            let _ = answer.send(result);
        });
        let result = answered.await.map_err(|_| Failure::Internal)?;
        self.metrics.commit(outcome(&result), started.elapsed());
        result.map(|(value, _)| value)
    }
}

fn outcome<T>(result: &Result<T, Failure>) -> CommitOutcome {
    match result {
        Ok(_) => CommitOutcome::Committed,
        Err(Failure::Engine(error)) => error.into(),
        Err(_) => CommitOutcome::Rejected,
    }
}

impl From<&Error> for CommitOutcome {
    fn from(error: &Error) -> Self {
        match error {
            Error::Conflict { .. } => Self::Conflict,
            Error::Store(_) => Self::Failed,
            _ => Self::Rejected,
        }
    }
}
