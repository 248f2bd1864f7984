//! The past: listed, read, compared, brought back, named.
//!
//! A tree of the past is made from the nearest one in memory, by the records in between: taken back
//! from the running one, or carried on from a checkpoint. It shares what did not change with where
//! it came from, so a comparison or a restoration then costs what differs. At most one record is in
//! memory at a time, and the last few trees that were asked for are kept to begin from.

use config_tree::{Tree, invert};

use crate::error::Error;
use crate::revision::RevisionNumber;
use crate::shared::Shared;

/// Number of bodies whose reading from a checkpoint costs as much as undoing one record.
const BODIES_PER_RECORD_COST: u64 = 16;

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
        let reading = bodies / BODIES_PER_RECORD_COST;
        let checkpoints = self.log.checkpoints()?;
        let useful = checkpoints.into_iter().filter(|from| from.next() >= oldest);
        let checkpoint = useful.min_by_key(|from| far(*from));
        match checkpoint.filter(|from| far(*from) + reading < far(best.0)) {
            // One that cannot be read does not matter: there is another way.
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
