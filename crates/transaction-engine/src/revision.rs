//! Revisions: a committed tree with its number and time.

use config_tree::Tree;
use uuid::Uuid;

pub use crate::store::revision::{RevisionInfo, RevisionNumber, RevisionRecord, Timestamp};

/// A committed tree.
#[derive(Debug)]
pub struct Revision {
    /// Its number; each commit adds one.
    pub number: RevisionNumber,
    /// The configuration.
    pub tree: Tree,
    /// When it was committed.
    pub time: Timestamp,
    /// The commit that made it; nil for the empty tree.
    pub commit_id: Uuid,
}

impl Revision {
    /// The revision before the first commit.
    pub(crate) fn empty(tree: Tree) -> Self {
        let (number, time) = (RevisionNumber::ZERO, Timestamp::from_micros(0));
        Self { number, tree, time, commit_id: Uuid::nil() }
    }
}
