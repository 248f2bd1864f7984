//! What a commit would do, found out without doing it.
//!
//! One function, [`prepare`], takes a transaction through every check: rebased where the head
//! moved, unreferenced secrets dropped, the whole tree valid, appliers willing. The writer makes
//! its result durable, a plan shows it. They cannot differ, because there is nothing else.

use std::sync::Arc;

use catalog::Violations;
use config_tree::{Change, Tree};
use uuid::Uuid;

use crate::error::{Error, Overlap};
use crate::rebase::rebase;
use crate::revision::{Revision, RevisionNumber};
use crate::shared::Shared;
use crate::store::StoreError;
use crate::transaction::OpenTransaction;

/// What a commit would do at this moment.
#[derive(Debug)]
pub struct Plan {
    /// The revision on which the transaction is based.
    pub base: RevisionNumber,
    /// The revision it would follow.
    pub head: RevisionNumber,
    /// What the new revision would change, exactly as its record would say it. Where the commit
    /// would be refused: what the transaction asks for.
    pub changes: Vec<Change>,
    /// What the commit would be refused with: every violation, every conflict.
    pub refusal: Option<Error>,
    /// Whether the commit would need a message.
    pub message_required: bool,
}

/// A commit that passed every check.
pub(crate) struct Prepared {
    pub(crate) revision: Revision,
    pub(crate) changes: Vec<Change>,
}

/// Checks a transaction against the revision it would follow. `None`: it changes nothing.
pub(crate) fn prepare(
    shared: &Shared,
    tip: &Arc<Revision>,
    transaction: &OpenTransaction,
) -> Result<Option<Prepared>, Error> {
    if shared.log.is_poisoned() {
        return Err(Error::Store(StoreError::Poisoned));
    }
    if let Some(awaiting) = shared.log.awaiting() {
        let (revision, until) = (awaiting.number, awaiting.until);
        return Err(Error::AwaitingConfirmation { revision, until });
    }
    let (mut moved, changes) = settle(tip, transaction)?;
    if changes.is_empty() {
        return Ok(None);
    }
    check(shared, tip, transaction, &moved, &changes)?;
    // Secrets that nothing refers to go with this commit. They were valid, so the second look
    // at the changes and not at the rules.
    let changes =
        if moved.drop_unreferenced(&shared.catalog, &changes) { moved.changes() } else { changes };
    if changes.is_empty() {
        return Ok(None);
    }
    let tree = replayed(&tip.tree, &changes, moved.tree())?;
    let revision = next(shared, tip, tree);
    let asked = shared.appliers.iter().map(|applier| applier.prepare(&revision, &changes));
    let refusals: Vec<_> = asked.filter_map(Result::err).collect();
    if !refusals.is_empty() {
        return Err(Error::Refused(refusals));
    }
    Ok(Some(Prepared { revision, changes }))
}

/// What a commit of this transaction would do.
pub(crate) fn plan(shared: &Shared, tip: &Arc<Revision>, transaction: &OpenTransaction) -> Plan {
    let (changes, refusal) = match prepare(shared, tip, transaction) {
        Ok(prepared) => (prepared.map_or_else(Vec::new, |prepared| prepared.changes), None),
        Err(error) => {
            let settled = settle(tip, transaction).map(|(_, changes)| changes);
            (settled.unwrap_or_else(|_| transaction.changes()), Some(error))
        }
    };
    let message_required = shared.needs_message(&tip.tree) && !changes.is_empty();
    Plan { base: transaction.base.number, head: tip.number, changes, refusal, message_required }
}

/// The transaction on `tip`. What is wrong with it alone stays so and is reported at its commit; what
/// others did to it is a conflict, as it would be there.
pub(crate) fn rebased(
    shared: &Shared,
    tip: &Arc<Revision>,
    transaction: &OpenTransaction,
) -> Result<OpenTransaction, Error> {
    let (moved, changes) = settle(tip, transaction)?;
    match check(shared, tip, transaction, &moved, &changes) {
        Err(conflict @ Error::Conflict { .. }) => Err(conflict),
        _ => Ok(moved),
    }
}

/// A revision that follows `tip`, at this moment.
pub(crate) fn next(shared: &Shared, tip: &Revision, tree: Tree) -> Revision {
    Revision {
        number: tip.number.next(),
        tree,
        time: shared.clock.now().max(tip.time),
        commit_id: Uuid::new_v4(),
    }
}

/// The tree as the next start will make it: from the revision before, by the recorded changes.
/// Were it another than the one that was checked, that start would refuse the whole store.
pub(crate) fn replayed(tip: &Tree, changes: &[Change], checked: &Tree) -> Result<Tree, Error> {
    let mut tree = tip.clone();
    for change in changes {
        let applied = tree.apply(change);
        applied.map_err(|_| Error::Internal("recorded changes do not apply"))?;
    }
    if tree.digest() == checked.digest() {
        Ok(tree)
    } else {
        Err(Error::Internal("recorded changes lead to another tree"))
    }
}

// The transaction as it would stand on `tip`, with its changes from there.
fn settle(
    tip: &Arc<Revision>,
    transaction: &OpenTransaction,
) -> Result<(OpenTransaction, Vec<Change>), Error> {
    let base = &transaction.base;
    let changes = transaction.changes();
    if base.number == tip.number {
        return Ok((transaction.moved_to(Arc::clone(tip), transaction.tree().clone()), changes));
    }
    let merged = rebase(&base.tree, transaction.tree(), &tip.tree, &changes);
    let merged = merged.map_err(|overlaps| conflict(tip, transaction, overlaps))?;
    let moved = transaction.moved_to(Arc::clone(tip), merged);
    let changes = moved.changes();
    Ok((moved, changes))
}

fn check(
    shared: &Shared,
    tip: &Revision,
    transaction: &OpenTransaction,
    moved: &OpenTransaction,
    changes: &[Change],
) -> Result<(), Error> {
    let violations = shared.catalog.check_changes(moved.tree(), changes, &*shared.sealer);
    if violations.is_empty() {
        return Ok(());
    }
    Err(refusal(shared, tip, transaction, violations))
}

// What is wrong only because others committed meanwhile is a conflict with them, not a mistake of
// this transaction: one side refers to what the other deleted.
fn refusal(
    shared: &Shared,
    tip: &Revision,
    transaction: &OpenTransaction,
    violations: Violations,
) -> Error {
    let alone = transaction.base.number == tip.number
        || !shared
            .catalog
            .check_changes(transaction.tree(), &transaction.changes(), &*shared.sealer)
            .is_empty();
    if alone {
        return Error::Rejected(violations);
    }
    let overlaps = violations.into_iter().map(|violation| Overlap {
        path: violation.path.clone(),
        base: transaction.base.tree.body(&violation.path).cloned(),
        theirs: tip.tree.body(&violation.path).cloned(),
        mine: transaction.tree().body(&violation.path).cloned(),
        broken: Some(violation),
    });
    conflict(tip, transaction, overlaps.collect())
}

fn conflict(tip: &Revision, transaction: &OpenTransaction, overlaps: Vec<Overlap>) -> Error {
    Error::Conflict { base: transaction.base.number, head: tip.number, overlaps }
}
