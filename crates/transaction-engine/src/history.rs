//! The past: listed, read, compared, brought back, named.
//!
//! A tree of the past is made from the nearest one at hand, by the records in between: taken back
//! from the running one, or carried on from a checkpoint. It shares what did not change with where
//! it came from, so a comparison or a restoration then costs what differs. At most one record is in
//! memory at a time, and the last few trees that were asked for are kept to begin from.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use config_tree::{Change, Tree, changes_between, invert, touched_between};
use parking_lot::Mutex;
use uuid::Uuid;

use crate::commit::Work;
use crate::engine::{Engine, Revision, Shared, View};
use crate::error::Error;
use crate::prepare::prepare;
use crate::revision::{RevisionInfo, RevisionNumber, RevisionRecord};
use crate::session::Session;
use crate::store::{SideChange, Tag};
use crate::transaction::OpenTransaction;

/// So many trees of the past are kept at hand.
const AT_HAND: usize = 8;

/// Reading so many bodies from a checkpoint costs what undoing one record does.
const BODIES_A_RECORD: u64 = 16;

/// Whether a commit needs a message, given the configuration that is running.
pub type MessageRule = Arc<dyn Fn(&Tree) -> bool + Send + Sync>;

/// What is kept of the past, and what a commit has to say for it.
#[derive(Clone)]
pub struct HistoryRules {
    /// How many revisions are kept at least. Those that have a name are, and all after them.
    pub revisions: u64,
    /// After what time they are not kept, although there are fewer; `None`: for ever.
    pub age: Option<Duration>,
    /// How long the answer of a commit is kept for those who ask again.
    pub answers: Duration,
    /// Whether a commit needs a message; `None`: never.
    pub message_required: Option<MessageRule>,
}

impl Default for HistoryRules {
    fn default() -> Self {
        let answers = Duration::from_secs(86_400);
        Self { revisions: 10_000, age: None, answers, message_required: None }
    }
}

impl fmt::Debug for HistoryRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { revisions, age, answers, message_required: _ } = self;
        write!(f, "HistoryRules({revisions} revisions, {age:?}, answers for {answers:?})")
    }
}

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

/// Trees that are at hand, the last used one last.
#[derive(Default)]
pub(crate) struct Past(Mutex<VecDeque<(RevisionNumber, Tree)>>);

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
        // One that was taken away meanwhile is not there.
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
    /// Costs the records between it and the nearest tree at hand.
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

    // ===== Names =====

    /// The names of revisions, in alphabetical order.
    #[must_use]
    pub fn tags(&self) -> Vec<Tag> {
        self.shared.log.tags()
    }

    /// The revision of a name.
    #[must_use]
    pub fn tag(&self, name: &str) -> Option<Tag> {
        self.shared.log.tag(name)
    }

    /// Names a revision, or gives its name to another. A named revision is kept, with all that came
    /// after it. Waits for the store, hence not for a runtime's threads.
    ///
    /// # Errors
    /// [`Error::TagName`], [`Error::NoRevision`]; the store failed.
    pub fn tag_set(&self, author: &str, name: &str, number: RevisionNumber) -> Result<Tag, Error> {
        check_name(name)?;
        let (author, name) = (author.to_owned(), name.to_owned());
        self.writer.call(move |work| work.tag_set(author, name, number))
    }

    /// Takes a name away. Waits for the store, hence not for a runtime's threads.
    ///
    /// # Errors
    /// [`Error::NoTag`]; the store failed.
    pub fn tag_delete(&self, name: &str) -> Result<(), Error> {
        let name = name.to_owned();
        self.writer.call(move |work| {
            if work.shared.log.tag(&name).is_none() {
                return Err(Error::NoTag(name));
            }
            work.change_side(vec![SideChange::TagDelete(name)])
        })
    }
}

impl Work {
    // On the writer's thread, so that the revision cannot be taken away meanwhile.
    fn tag_set(
        &mut self,
        author: String,
        name: String,
        number: RevisionNumber,
    ) -> Result<Tag, Error> {
        let (oldest, newest) = (self.shared.log.oldest_number(), self.shared.running.load().number);
        if number < oldest || number > newest {
            return Err(Error::NoRevision { number, oldest, newest });
        }
        let tag = Tag { name, number, time: self.shared.clock.now(), author };
        self.change_side(vec![SideChange::TagSet(tag.clone())])?;
        Ok(tag)
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    let fits = (1..=128).contains(&name.len());
    let plain = !name.contains(|c: char| c.is_control() || c == '/');
    if fits && plain { Ok(()) } else { Err(Error::TagName) }
}

impl Shared {
    pub(crate) fn tree_at(&self, number: RevisionNumber) -> Result<Option<Tree>, Error> {
        let running = self.running.load_full();
        if number > running.number {
            return Ok(None);
        }
        if number == running.number {
            return Ok(Some(running.tree.clone()));
        }
        // Revision 0 has no record, and is there as long as the first one is.
        if number.max(RevisionNumber::new(1)) < self.log.oldest_number() {
            return Ok(None);
        }
        let (from, tree) = self.nearest(number, (running.number, running.tree.clone()))?;
        let tree = self.carry(tree, from, number)?;
        if let Some(tree) = &tree {
            self.past.keep(number, tree.clone());
        }
        Ok(tree)
    }

    fn nearest(
        &self,
        number: RevisionNumber,
        running: (RevisionNumber, Tree),
    ) -> Result<(RevisionNumber, Tree), Error> {
        let far = |from: RevisionNumber| from.get().abs_diff(number.get());
        // What lies before has lost the records that lead on from it.
        let oldest = self.log.oldest_number();
        let at_hand =
            self.past.nearest(number, oldest).filter(|(from, _)| far(*from) < far(running.0));
        let best = at_hand.unwrap_or(running);
        let bodies = self.running.load().tree.len() as u64;
        let reading = bodies / BODIES_A_RECORD;
        let checkpoints = self.log.checkpoints()?;
        let useful = checkpoints.into_iter().filter(|from| from.next() >= oldest);
        let checkpoint = useful.min_by_key(|from| far(*from));
        match checkpoint.filter(|from| far(*from) + reading < far(best.0)) {
            // One that cannot be read is no reason to fail: there is another way.
            Some(from) => match self.log.checkpoint_tree(from) {
                Ok(tree) => Ok((from, tree)),
                Err(_) => Ok(best),
            },
            None => Ok(best),
        }
    }

    // `None`: what it takes is not kept any more.
    fn carry(
        &self,
        mut tree: Tree,
        from: RevisionNumber,
        to: RevisionNumber,
    ) -> Result<Option<Tree>, Error> {
        let misfit = |_| Error::Internal("the records do not fit the tree they belong to");
        let mut at = from;
        while at != to {
            let forward = at < to;
            let number = if forward { at.next() } else { at };
            let Some(record) = self.log.record(number)? else { return Ok(None) };
            if forward {
                record.changes.iter().try_for_each(|c| tree.apply(c)).map_err(misfit)?;
            } else {
                invert(&record.changes).iter().try_for_each(|c| tree.apply(c)).map_err(misfit)?;
            }
            at = if forward { number } else { number.previous() };
        }
        match self.log.digest(to)? {
            Some(digest) if digest == tree.digest() => Ok(Some(tree)),
            Some(_) => Err(Error::Internal("a tree of the past is not what it was")),
            None => Ok(None),
        }
    }
}

impl Past {
    fn nearest(
        &self,
        number: RevisionNumber,
        oldest: RevisionNumber,
    ) -> Option<(RevisionNumber, Tree)> {
        let past = self.0.lock();
        let useful = past.iter().filter(|(from, _)| from.next() >= oldest);
        useful.min_by_key(|(from, _)| from.get().abs_diff(number.get())).cloned()
    }

    fn keep(&self, number: RevisionNumber, tree: Tree) {
        let mut past = self.0.lock();
        past.retain(|(other, _)| *other != number);
        past.push_back((number, tree));
        if past.len() > AT_HAND {
            past.pop_front();
        }
    }
}
