//! The verbs that confirm, extend or cancel a commit.

use std::time::Duration;

use crate::commit::Committer;
use crate::confirmation::hash;
use crate::engine::Engine;
use crate::error::Error;
use crate::revision::{RevisionNumber, Timestamp};
use crate::store::{Awaiting, MetadataChange};

impl Engine {
    /// The commit that awaits its confirmation, and until when.
    #[must_use]
    pub fn confirmation(&self) -> Option<(RevisionNumber, Timestamp)> {
        self.shared.log.awaiting().map(|awaiting| (awaiting.number, awaiting.until))
    }

    /// Confirms a commit: it stays. Waits for the store: do not call it on a runtime's threads.
    ///
    /// # Errors
    /// [`Error::NotAwaiting`] when no commit awaits this token, or its time has passed.
    pub fn commit_confirm(&self, token: &str) -> Result<RevisionNumber, Error> {
        let token = hash(token);
        self.lane.call(move |work| {
            let awaiting = work.awaiting(token)?;
            work.change_metadata(vec![MetadataChange::Settle])?;
            tracing::info!(revision = awaiting.number.get(), "confirmed");
            Ok(awaiting.number)
        })
    }

    /// Gives a commit that awaits its confirmation this much time from now; says until when.
    /// Waits for the store: do not call it on a runtime's threads.
    ///
    /// # Errors
    /// [`Error::NotAwaiting`] when no commit awaits this token, or its time has passed.
    pub fn commit_extend(&self, token: &str, by: Duration) -> Result<Timestamp, Error> {
        let token = hash(token);
        self.lane.call(move |work| {
            let awaiting = work.awaiting(token)?;
            let until = work.shared.clock.now().plus(by);
            work.change_metadata(vec![MetadataChange::Await(Awaiting { until, ..awaiting })])?;
            Ok(until)
        })
    }

    /// Undoes a commit that awaits its confirmation, now; gives the revision that undoes it. Waits
    /// for the store: do not call it on a runtime's threads.
    ///
    /// # Errors
    /// [`Error::NotAwaiting`] when no commit awaits this token, or its time has passed.
    pub fn commit_cancel(&self, token: &str) -> Result<RevisionNumber, Error> {
        let token = hash(token);
        self.lane.call(move |work| {
            let awaiting = work.awaiting(token)?;
            let message =
                format!("Cancelled before it was confirmed: revision {} undone", awaiting.number);
            work.undo(&awaiting, message)
        })
    }

    /// Undoes what awaits its confirmation, whether its time has passed or not; says whether there
    /// was something.
    pub(crate) fn cancel_unconfirmed(&self) -> Result<bool, Error> {
        self.lane.call(|work| {
            let Some(awaiting) = work.shared.log.awaiting() else { return Ok(false) };
            let message =
                format!("Not confirmed before an upgrade: revision {} undone", awaiting.number);
            work.undo(&awaiting, message).map(|_| true)
        })
    }

    /// When something happens by itself next: the moment at which an unconfirmed commit is undone.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.shared.log.awaiting().map(|awaiting| awaiting.until)
    }

    /// Undoes the unconfirmed commit if its time has passed, as the writer does by itself with a
    /// clock that goes on by itself; gives the revision that undoes it.
    ///
    /// # Errors
    /// The store failed.
    pub fn expire_confirmation(&self) -> Result<Option<RevisionNumber>, Error> {
        self.lane.call(Committer::expire)
    }
}
