//! A commit that undoes itself unless somebody confirms it.
//!
//! For changes that may cut off the one who makes them: the revision is in force at once, and when
//! nobody confirms it in time a new revision takes it back. That it awaits is in the same batch as
//! the revision; that it does not any more, in the batch of the undoing. So whatever moment a
//! process dies at, the next one knows, and undoes at its start what is overdue (docs/adr/0010).
//!
//! Nothing else is committed meanwhile, hence undoing needs no merge: the newest revision is the
//! one that is undone.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use config_tree::{NodePath, changes_between, invert};
use zeroize::Zeroizing;

use crate::commit::Work;
use crate::engine::{Engine, Revision};
use crate::error::Error;
use crate::prepare::{next, replayed};
use crate::revision::{RevisionNumber, RevisionRecord, Timestamp};
use crate::store::{Awaiting, SideChange};

/// What confirms a commit. Whoever has it may confirm, extend or cancel.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfirmToken(Zeroizing<String>);

impl ConfirmToken {
    /// The text that is handed out, once.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Zeroizing<String>> for ConfirmToken {
    fn from(text: Zeroizing<String>) -> Self {
        Self(text)
    }
}

impl fmt::Debug for ConfirmToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConfirmToken(hidden)")
    }
}

/// How a commit is to be confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    /// With this.
    pub token: ConfirmToken,
    /// Before this moment.
    pub until: Timestamp,
}

impl Engine {
    /// The commit that awaits its confirmation, and until when.
    #[must_use]
    pub fn confirmation(&self) -> Option<(RevisionNumber, Timestamp)> {
        self.shared.log.awaiting().map(|awaiting| (awaiting.number, awaiting.until))
    }

    /// Confirms a commit: it stays. Waits for the store, hence not for a runtime's threads.
    ///
    /// # Errors
    /// [`Error::NotAwaiting`] when no commit awaits this token, or its time has passed.
    pub fn commit_confirm(&self, token: &str) -> Result<RevisionNumber, Error> {
        let token = hash(token);
        self.writer.call(move |work| {
            let awaiting = work.awaiting(token)?;
            work.change_side(vec![SideChange::Settle])?;
            tracing::info!(revision = awaiting.number.get(), "confirmed");
            Ok(awaiting.number)
        })
    }

    /// Gives a commit that awaits its confirmation this much time from now; says until when.
    /// Waits for the store, hence not for a runtime's threads.
    ///
    /// # Errors
    /// [`Error::NotAwaiting`] when no commit awaits this token, or its time has passed.
    pub fn commit_extend(&self, token: &str, by: Duration) -> Result<Timestamp, Error> {
        let token = hash(token);
        self.writer.call(move |work| {
            let awaiting = work.awaiting(token)?;
            let until = work.shared.clock.now().plus(by);
            work.change_side(vec![SideChange::Await(Awaiting { until, ..awaiting })])?;
            Ok(until)
        })
    }

    /// Undoes a commit that awaits its confirmation, now; gives the revision that undoes it. Waits
    /// for the store, hence not for a runtime's threads.
    ///
    /// # Errors
    /// [`Error::NotAwaiting`] when no commit awaits this token, or its time has passed.
    pub fn commit_cancel(&self, token: &str) -> Result<RevisionNumber, Error> {
        let token = hash(token);
        self.writer.call(move |work| {
            let awaiting = work.awaiting(token)?;
            let message =
                format!("Cancelled before it was confirmed: revision {} undone", awaiting.number);
            work.undo(&awaiting, message)
        })
    }

    /// Undoes what awaits its confirmation, whether its time has passed or not; says whether there
    /// was something.
    pub(crate) fn cancel_unconfirmed(&self) -> Result<bool, Error> {
        self.writer.call(|work| {
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
        self.writer.call(Work::expire)
    }
}

impl Work {
    // The commit that awaits a token. One that is overdue was undone before this is asked.
    fn awaiting(&self, token: [u8; 32]) -> Result<Awaiting, Error> {
        let awaiting = self.shared.log.awaiting();
        awaiting
            .filter(|awaiting| blake3::Hash::from_bytes(awaiting.token) == token)
            .filter(|awaiting| self.shared.clock.now() < awaiting.until)
            .ok_or(Error::NotAwaiting)
    }

    /// Undoes what is overdue.
    pub(crate) fn expire(&mut self) -> Result<Option<RevisionNumber>, Error> {
        let now = self.shared.clock.now();
        let overdue = self.shared.log.awaiting().filter(|awaiting| awaiting.until <= now);
        let Some(awaiting) = overdue else { return Ok(None) };
        let message = format!("Not confirmed in time: revision {} undone", awaiting.number);
        self.undo(&awaiting, message).map(Some)
    }

    /// Takes an unconfirmed revision back. Neither rules nor appliers are asked: what was in force
    /// before was right, and there is nobody to refuse it to.
    pub(crate) fn undo(
        &mut self,
        awaiting: &Awaiting,
        message: String,
    ) -> Result<RevisionNumber, Error> {
        let tip = self.shared.running.load_full();
        let undone = self.shared.log.record(awaiting.number)?;
        let undone = undone
            .filter(|undone| undone.number == tip.number)
            .ok_or(Error::Internal("the unconfirmed revision is not the newest one"))?;
        let mut tree = tip.tree.clone();
        for change in invert(&undone.changes) {
            let applied = tree.apply(&change);
            applied.map_err(|_| Error::Internal("a revision cannot be undone"))?;
        }
        let touched: Vec<&NodePath> = undone.changes.iter().map(|change| change.path()).collect();
        let changes = changes_between(&tip.tree, &tree, touched);
        let tree = replayed(&tip.tree, &changes, &tree)?;
        let revision = next(&self.shared, &tip, tree);
        let record = record(&revision, &undone, message, changes);
        self.commit_alone(Arc::new(revision), record, vec![SideChange::Settle])
    }
}

fn record(
    revision: &Revision,
    undone: &RevisionRecord,
    message: String,
    changes: Vec<config_tree::Change>,
) -> RevisionRecord {
    RevisionRecord {
        number: revision.number,
        time: revision.time,
        commit_id: revision.commit_id,
        author: undone.author.clone(),
        session: undone.session.clone(),
        message: Some(message),
        changes,
        digest: revision.tree.digest(),
    }
}

/// What is kept of a token.
pub(crate) fn hash(token: &str) -> [u8; 32] {
    *blake3::hash(token.as_bytes()).as_bytes()
}
