//! The verbs about the past: listed, read, compared, restored.

use std::sync::Arc;

use config_tree::{Change, Tree, changes_between, touched_between};
use uuid::Uuid;

use crate::engine::{Engine, View};
use crate::error::Error;
use crate::prepare::prepare;
use crate::revision::{Revision, RevisionInfo, RevisionNumber, RevisionRecord};
use crate::session::Session;
use crate::transaction::OpenTransaction;

/// A page of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// The newest ones, the newest first.
    Newest,
    /// Those before a revision, the newest first.
    Before(RevisionNumber),
    /// Those after a revision, the oldest first.
    After(RevisionNumber),
}

impl Engine {
    /// Revisions, a page at a time, without their changes.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn revisions(&self, page: Page, limit: usize) -> Result<Vec<RevisionInfo>, Error> {
        let head = self.running().number.get();
        let oldest = self.shared.log.oldest_number().get();
        let numbers: Vec<u64> = match page {
            Page::Newest => (oldest..=head).rev().take(limit).collect(),
            Page::Before(number) => {
                (oldest..=head.min(number.previous().get())).rev().take(limit).collect()
            }
            Page::After(number) => (oldest.max(number.get() + 1)..=head).take(limit).collect(),
        };
        let infos = numbers.into_iter().map(|n| self.shared.log.info(RevisionNumber::new(n)));
        // One that was removed meanwhile is left out.
        infos.filter_map(|info| info.map_err(Error::Store).transpose()).collect()
    }

    /// The record of a revision: who, when, why, what.
    ///
    /// # Errors
    /// A store that cannot be read, or whose record is damaged.
    pub fn revision_read(&self, number: RevisionNumber) -> Result<Option<RevisionRecord>, Error> {
        if number > self.running().number {
            return Ok(None);
        }
        Ok(self.shared.log.record(number)?)
    }

    /// The tree of a revision; `None` when there is no such revision, or it is not kept any more.
    /// Costs the records between it and the nearest tree in memory.
    ///
    /// # Errors
    /// The store cannot be read, or is damaged.
    pub fn tree_at(&self, number: RevisionNumber) -> Result<Option<Tree>, Error> {
        self.shared.tree_at(number)
    }

    /// What leads from one revision to another, in sum.
    ///
    /// # Errors
    /// [`Error::NoRevision`]; the store cannot be read.
    pub fn revision_diff(
        &self,
        from: RevisionNumber,
        to: RevisionNumber,
    ) -> Result<Vec<Change>, Error> {
        let (from, to) = (self.tree_needed(from)?, self.tree_needed(to)?);
        Ok(changes_between(&from, &to, &touched_between(&from, &to)))
    }

    /// Stages what leads from the session's view to a revision of the past, into the session's
    /// transaction: a commit then brings that revision back, with the keys, the order and the
    /// secrets that it had.
    ///
    /// # Errors
    /// [`Error::NoRevision`], and those of any change; nothing is staged then.
    pub fn revision_restore(
        &self,
        session: &Session,
        number: RevisionNumber,
    ) -> Result<View, Error> {
        let tree = self.tree_needed(number)?;
        self.tree_stage(session, &tree)
    }

    /// Stages what leads from the session's view to another tree of the same catalog. The rules are
    /// asked when it is committed, as always.
    ///
    /// # Errors
    /// Those of any change; nothing is staged then.
    pub fn tree_stage(&self, session: &Session, tree: &Tree) -> Result<View, Error> {
        self.stage(session, |transaction, rules| transaction.become_tree(rules, tree))
            .map(|((), view)| view)
    }

    /// The tree after a commit that led from a revision to another tree of the same catalog: without
    /// what nothing refers to. Everything that such a commit is asked is asked, also of those who
    /// act on commits; no session takes part, and nothing changes.
    ///
    /// # Errors
    /// What the commit would be refused with.
    pub fn tree_rehearse(
        &self,
        number: RevisionNumber,
        base: &Tree,
        tree: &Tree,
    ) -> Result<Tree, Error> {
        let now = self.clock().now();
        let base = Revision { number, tree: base.clone(), time: now, commit_id: Uuid::nil() };
        let base = Arc::new(base);
        let mut transaction = OpenTransaction::new(Arc::clone(&base), now);
        transaction.become_tree(&self.shared.rules(), tree)?;
        let prepared = prepare(&self.shared, &base, &transaction)?;
        Ok(prepared.map_or_else(|| base.tree.clone(), |prepared| prepared.revision.tree))
    }

    fn tree_needed(&self, number: RevisionNumber) -> Result<Tree, Error> {
        self.tree_at(number)?.ok_or_else(|| self.no_revision(number))
    }

    /// The refusal of a revision that is not there, with those that are.
    #[must_use]
    pub fn no_revision(&self, number: RevisionNumber) -> Error {
        let (oldest, newest) = (self.shared.log.oldest_number(), self.running().number);
        Error::NoRevision { number, oldest, newest }
    }

    /// The oldest revision that is kept.
    #[must_use]
    pub fn oldest_revision(&self) -> RevisionNumber {
        self.shared.log.oldest_number()
    }
}
