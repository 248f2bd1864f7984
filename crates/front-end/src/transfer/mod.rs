//! A whole configuration as one document: out of a tree, and back into one transaction.
//!
//! The document is JSON that a person can read, compare and keep in a repository: a head, then one
//! node on each line, in the order of the tree (`docs/OPERATIONS.md` describes it). [`export`]
//! writes it, [`Document`] reads it, [`rehearse`] says what it would change, and [`import`] commits
//! it. Nothing here knows of HTTP or of files, so that a data directory and a running daemon are
//! served by the same code.
//!
//! Secrets leave only sealed, or not at all. One that was left out is kept from what stands at the
//! same place here; the document says which were, so that an absent member and an omitted secret
//! are not taken for one another.

mod difference;
mod document;
mod plan;

pub use difference::{Difference, Kind};
pub use document::{Document, DocumentError, FORMAT, SecretHandling, export};
pub use plan::{MESSAGE, Outcome, Reached, Refusal, import, rehearse};

/// 32 hexadecimal digits that change with the committed configuration, as SPS shows them.
pub(crate) fn config_hash(tree: &config_tree::Tree) -> String {
    let hash = blake3::hash(&tree.digest().to_bytes());
    hash.to_hex().chars().take(32).collect()
}
