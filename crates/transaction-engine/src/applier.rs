//! What acts on commits.

use config_tree::Change;

use crate::error::Refusal;
use crate::revision::Revision;

/// Something that acts on commits, such as the listener whose certificate is in the tree.
pub trait Applier: Send + Sync {
    /// Whether the next revision could be followed. Nothing may be done yet: a plan asks too.
    ///
    /// # Errors
    /// What is in the way; the commit is refused.
    fn prepare(&self, next: &Revision, changes: &[Change]) -> Result<(), Refusal>;

    /// Follows a revision that is durable and visible. Also called once at start with the head
    /// and no changes. There is nothing left to refuse, so it has no result.
    fn apply(&self, revision: &Revision, changes: &[Change]);
}
