//! A commit that undoes itself unless somebody confirms it.
//!
//! For changes that may lock out the person who makes them: the revision is in force at once, and
//! unless it is confirmed in time a new revision undoes it. That it awaits is in the same batch as
//! the revision; that it does not any more, in the batch of the undoing. So whatever moment a
//! process dies at, the next one knows, and undoes at its start what is overdue (docs/adr/0010).
//!
//! Nothing else is committed meanwhile, so undoing needs no merge: the newest revision is the
//! one that is undone.

use std::sync::Arc;

use config_tree::{NodePath, changes_between, invert};

use crate::commit::Committer;
use crate::error::Error;
use crate::prepare::{next, replayed};
use crate::revision::{Revision, RevisionNumber, RevisionRecord};
use crate::store::{Awaiting, MetadataChange};

impl Committer {
    // The commit that awaits a token. One that is overdue was undone before this is asked.
    pub(crate) fn awaiting(&self, token: [u8; 32]) -> Result<Awaiting, Error> {
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
    /// before was right, and no client waits for a refusal.
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
        self.commit_alone(Arc::new(revision), record, vec![MetadataChange::Settle])
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
