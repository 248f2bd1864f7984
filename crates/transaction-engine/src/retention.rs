//! When a checkpoint is due, and which records need not be kept.

use std::sync::atomic::Ordering;

use crate::error::Error;
use crate::revision::RevisionNumber;
use crate::shared::Shared;

/// Whether there is something to do. Asked after every batch, so it must be cheap.
pub(crate) fn is_due(shared: &Shared) -> bool {
    if shared.log.is_poisoned() {
        return false;
    }
    since_checkpoint(shared) >= shared.checkpoint_every
        || (shared.log.has_checkpoints() && !is_paused(shared) && is_too_long(shared))
}

pub(crate) fn since_checkpoint(shared: &Shared) -> u64 {
    let head = shared.running.load().number.get();
    head - shared.checkpointed.load(Ordering::Relaxed).min(head)
}

// What failed is not tried again with every commit.
fn is_paused(shared: &Shared) -> bool {
    shared.running.load().number.get() < shared.shorten_not_before.load(Ordering::Relaxed)
}

fn is_too_long(shared: &Shared) -> bool {
    // A few more than asked for, so that not every commit removes one.
    let most = shared.history.revisions.saturating_add(shared.history.revisions / 16 + 1);
    let oldest = shared.log.oldest_number();
    (kept(shared) > most && protected(shared) > oldest) || is_aged(shared)
}

fn kept(shared: &Shared) -> u64 {
    (shared.log.head_number().get() + 1).saturating_sub(shared.log.oldest_number().get())
}

// Whether the oldest record is too old, and nothing keeps it.
fn is_aged(shared: &Shared) -> bool {
    let oldest = shared.log.oldest_number();
    shared.history.age.is_some()
        && protected(shared) > oldest
        && is_older(shared, oldest).unwrap_or(false)
}

pub(crate) fn is_older(shared: &Shared, number: RevisionNumber) -> Result<bool, Error> {
    let Some(age) = shared.history.age else { return Ok(false) };
    let time = shared.log.time(number)?;
    Ok(time.is_some_and(|time| shared.clock.now().since(time) > age))
}

// The oldest revision that something needs, or the newest.
pub(crate) fn protected(shared: &Shared) -> RevisionNumber {
    let tags = shared.log.tags().into_iter().map(|tag| tag.number);
    let awaiting = shared.log.awaiting().map(|awaiting| awaiting.number);
    tags.chain(awaiting).chain([shared.log.head_number()]).min().unwrap_or_default()
}
