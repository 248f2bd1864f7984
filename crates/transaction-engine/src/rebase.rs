//! Carrying changes over to a revision that somebody else committed meanwhile.
//!
//! Object by object: a change carries over when its node is, at the new head, what it was at the
//! base. That needs no look at the revisions in between, and costs O(changes · log n).

use config_tree::{Change, Tree};

use crate::error::Overlap;

/// `head` with the changes that lead from `base` to `mine`, or every node that both sides changed.
pub(crate) fn rebase(
    base: &Tree,
    mine: &Tree,
    head: &Tree,
    changes: &[Change],
) -> Result<Tree, Vec<Overlap>> {
    let moved: Vec<_> = changes.iter().filter(|change| has_moved(base, head, change)).collect();
    let mut merged = head.clone();
    let mut overlaps: Vec<Overlap> =
        moved.iter().map(|change| overlap(base, mine, head, change)).collect();
    if overlaps.is_empty() {
        for change in changes {
            if merged.apply(change).is_err() {
                overlaps.push(overlap(base, mine, head, change));
            }
        }
    }
    if overlaps.is_empty() { Ok(merged) } else { Err(overlaps) }
}

fn has_moved(base: &Tree, head: &Tree, change: &Change) -> bool {
    let path = change.path();
    match change {
        Change::Create { .. } | Change::Replace { .. } | Change::Delete { .. } => {
            base.body(path) != head.body(path)
        }
        Change::Reorder { .. } => !base.children(path).eq(head.children(path)),
    }
}

fn overlap(base: &Tree, mine: &Tree, head: &Tree, change: &Change) -> Overlap {
    let path = change.path();
    Overlap {
        path: path.clone(),
        base: base.body(path).cloned(),
        theirs: head.body(path).cloned(),
        mine: mine.body(path).cloned(),
        broken: None,
    }
}
