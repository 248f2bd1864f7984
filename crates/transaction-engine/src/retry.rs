//! A request that is sent twice and done once.
//!
//! A client whose answer was lost cannot know whether its commit happened. It sends the request
//! again under the same key, and gets the answer of the first time. For a commit the answer is in
//! the same batch as the revision, so there is no moment at which one is durable and the other is
//! not; it is kept for a time, across restarts (docs/adr/0011). For what is only staged, memory is
//! enough: it goes with the transaction that it is about.

use crate::committed::Committed;
use crate::confirmation::Confirmation;
use crate::error::Error;
use crate::idempotency::Idempotency;
use crate::revision::RevisionNumber;
use crate::shared::Shared;
use crate::store::{Answer, MetadataChange};

impl Shared {
    /// What a commit under this key was answered, if there was one.
    pub(crate) fn answered(
        &self,
        user: &str,
        idempotency: &Idempotency,
    ) -> Result<Option<Committed>, Error> {
        let Some(answer) = self.log.answer(&idempotency.slot(user))? else { return Ok(None) };
        if answer.expires <= self.clock.now() {
            return Ok(None);
        }
        if answer.request != idempotency.request {
            return Err(Error::IdempotencyMismatch);
        }
        let confirmation = answer.confirm.map(|(commit_id, until)| Confirmation {
            token: self.sealer.token(commit_id).into(),
            until,
        });
        let changes = usize::try_from(answer.changes).unwrap_or(usize::MAX);
        Ok(Some(Committed { number: answer.number, changes, confirmation }))
    }

    /// The answer of a commit, to be kept.
    pub(crate) fn keep_answer(
        &self,
        user: &str,
        idempotency: &Idempotency,
        committed: &Committed,
        commit_id: uuid::Uuid,
    ) -> MetadataChange {
        let until = committed.confirmation.as_ref().map(|confirmation| confirmation.until);
        MetadataChange::Keep(Answer {
            slot: idempotency.slot(user),
            request: idempotency.request,
            number: committed.number,
            changes: committed.changes as u64,
            confirm: until.map(|until| (commit_id, until)),
            expires: self.clock.now().plus(self.history.answers),
        })
    }
}

/// A commit that changed nothing: the revision that held its state already.
pub(crate) fn unchanged(number: RevisionNumber) -> Committed {
    Committed { number, changes: 0, confirmation: None }
}
