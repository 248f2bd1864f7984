//! Why a verb was refused: a variant where a caller would act differently.
//!
//! Nothing has changed when one of these comes back, with one exception that says so: after
//! [`StoreError`] from a commit it is unknown what is on the disk, so the store refuses writes
//! until it is opened again.

use catalog::{Violation, Violations};
use config_tree::{Body, NodePath, Referrer};

use crate::exclusive_lock::Holder;
use crate::revision::{RevisionNumber, Timestamp};
use crate::store::StoreError;

/// Why a verb was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such node.
    #[error("there is nothing at {0}")]
    NotFound(NodePath),
    /// The catalog has no such operation at this node.
    #[error("{operation} is not possible at {path}")]
    NotAllowed {
        /// Where.
        path: NodePath,
        /// What was tried.
        operation: Operation,
    },
    /// A change, or a commit, without an open transaction.
    #[error("no transaction is open in this session; open one first")]
    NoTransaction,
    /// Another session holds the configuration (exclusive mode).
    #[error("the configuration is locked by {} since {}", .0.user, .0.since)]
    Held(Holder),
    /// This session's transaction is being committed at this moment.
    #[error("the transaction of this session is being committed; wait for its answer")]
    Committing,
    /// The session has ended meanwhile.
    #[error("the session has ended")]
    SessionEnded,
    /// What was to be staged breaks rules; nothing was staged.
    #[error("the change breaks {} rules", .0.total())]
    Invalid(Violations),
    /// The configuration would break rules as a whole; the transaction is open and unchanged.
    #[error("the configuration would break {} rules", .0.total())]
    Rejected(Violations),
    /// Others committed changes of the same nodes; the transaction is open and unchanged.
    #[error("revision {head} changed what this transaction (based on {base}) changes too")]
    Conflict {
        /// The revision at which the transaction opened.
        base: RevisionNumber,
        /// The revision it would have to follow.
        head: RevisionNumber,
        /// Where both sides changed something.
        overlaps: Vec<Overlap>,
    },
    /// The node no longer holds what the caller saw.
    #[error("{0} has changed since you saw it")]
    Moved(NodePath),
    /// Other nodes refer to what was to be deleted.
    #[error("{path} is in use")]
    InUse {
        /// What was to be deleted.
        path: NodePath,
        /// Who refers to it.
        referrers: Vec<Referrer>,
    },
    /// A member was to be added under a key that another one has.
    #[error("there is already something at {0}")]
    KeyTaken(NodePath),
    /// A built-in member was to be deleted.
    #[error("{0} is built in and cannot be deleted; it can be changed")]
    BuiltIn(NodePath),
    /// A transaction may not grow further.
    #[error("a transaction may hold at most {limit} changes; commit these first")]
    TooManyChanges {
        /// The limit.
        limit: usize,
    },
    /// A new order does not name each member exactly once.
    #[error("the new order of {0} must name each of its members exactly once")]
    NotAPermutation(NodePath),
    /// What acts on commits cannot follow this one; the transaction is open and unchanged. Never
    /// empty.
    #[error("{}", .0.first().map_or("the commit cannot be followed", |refusal| &refusal.message))]
    Refused(Vec<Refusal>),
    /// There is no such revision, or it is not kept any more.
    #[error("there is no revision {number}; those kept are {oldest} to {newest}")]
    NoRevision {
        /// Which one.
        number: RevisionNumber,
        /// The oldest that is kept.
        oldest: RevisionNumber,
        /// The newest.
        newest: RevisionNumber,
    },
    /// No revision has this name.
    #[error("no revision is named {0:?}")]
    NoTag(String),
    /// Not a name for a revision.
    #[error("a tag is 1 to 128 bytes of text without slashes and control characters")]
    TagName,
    /// The key was used for another request.
    #[error("this Idempotency-Key was used for another request")]
    IdempotencyMismatch,
    /// A commit awaits its confirmation, and nothing else is committed meanwhile; the transaction is
    /// open and unchanged.
    #[error(
        "revision {revision} awaits its confirmation until {until}; nothing else is committed meanwhile"
    )]
    AwaitingConfirmation {
        /// The revision that awaits it.
        revision: RevisionNumber,
        /// When it is undone unless it is confirmed.
        until: Timestamp,
    },
    /// No commit awaits a confirmation with this token.
    #[error("no commit awaits a confirmation with this token; it was confirmed or undone already")]
    NotAwaiting,
    /// The configuration asks for a message with each commit; the transaction is open and unchanged.
    #[error("a commit needs a message here")]
    MessageRequired,
    /// The engine takes no commits any more: the world that it belongs to is gone.
    #[error("this configuration was dropped or reset meanwhile; nothing more is committed in it")]
    Closed,
    /// The store failed, or had failed before.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A state that should be impossible; worth a bug report.
    #[error("internal fault: {0}")]
    Internal(&'static str),
}

/// What can be done at a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Show a node or list its children.
    Read,
    /// Add a member.
    Create,
    /// Add an element to a list.
    Append,
    /// Replace a body.
    Replace,
    /// Take a member away.
    Delete,
    /// Put members in another order.
    Reorder,
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Read => "reading",
            Self::Create => "creating",
            Self::Append => "appending",
            Self::Replace => "replacing",
            Self::Delete => "deleting",
            Self::Reorder => "reordering",
        })
    }
}

/// Why something that acts on commits cannot follow one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The node that stands in the way.
    pub path: NodePath,
    /// JSON Pointer into its body; empty for the body itself.
    pub pointer: String,
    /// A sentence for the person who commits.
    pub message: String,
}

/// A node that two sides changed, or that breaks a rule only with what both changed. `None` means
/// that it was absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// Which node, or which collection's order.
    pub path: NodePath,
    /// What it held where both began.
    pub base: Option<Body>,
    /// What the others made of it.
    pub theirs: Option<Body>,
    /// What this transaction made of it.
    pub mine: Option<Body>,
    /// The rule that it breaks where both sides are together, and neither side is alone: a name that
    /// both gave, something that one deleted and the other refers to.
    pub broken: Option<Violation>,
}
